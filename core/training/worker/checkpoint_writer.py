"""What training puts into its checkpoints, and how Lightning writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import chain, count
from pathlib import Path
from typing import Any

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.plugins.io import TorchCheckpointIO
from rfdetr.training import BestModelCallback

from core.training.run import checkpoints
from core.training.run.events import Checkpoint, Event, Validation, Warning_
from core.training.run.results import RESULTS_FILE
from core.training.worker.ranks import is_rank_zero
from core.training.worker.val_images import ValImages


@dataclass(slots=True)
class RunState:
    """What a run carries from attempt to attempt, inside its checkpoints.

    `best_record` is the `validation_record` of `best_epoch`, `best_value` what it is worth by the
    config's best metric. `history` holds one such record an epoch. `elapsed` is the training time
    in seconds of all attempts. `loss_sum`, `loss_count` and `epoch_seconds` belong to an epoch that
    is not yet complete. `epoch_events` are the last complete epoch's events as JSON lines.
    """

    best_epoch: int = 0
    best_value: float = -1.0
    best_record: dict[str, Any] | None = None
    since_best: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    elapsed: float = 0.0
    epoch_seconds: float = 0.0
    loss_sum: float = 0.0
    loss_count: int = 0
    batch: int = 0
    accum: int = 0
    world: int = 0
    epoch_events: list[str] = field(default_factory=list)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> RunState:
        """Return the state in `values`; keys of other versions are left out."""
        names = {item.name for item in fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in names})


class WholeFileIO(TorchCheckpointIO):
    """Lightning's checkpoint files, each written whole under another name and then renamed."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Write `checkpoint` to `path` atomically. Raises OSError."""
        checkpoints.save_checkpoint(checkpoint, Path(path))


class CheckpointFiles:
    """Writes the checkpoints of the run in `run_dir`; each method returns the event to tell of.

    The newest `keep` periodic ones stay (0: all). `images` are drawn again for each new best.
    `last_bytes` is the size of the last one written, in bytes.

    A best model gives way to a better one only. One whose worth is not known, because it is damaged
    or of another make, is kept under another name before the first new one is written.
    """

    def __init__(self, run_dir: Path, keep: int, images: ValImages | None) -> None:
        self.last_bytes = 0
        self._run_dir = run_dir
        self._keep = keep
        self._images = images
        self._keep_aside = False

    def adopt_best(
        self, resumed_from: Path | None, state: RunState, metric: str, earlier: Sequence[Event] = ()
    ) -> None:
        """Put into `state` which model lies in `best.pth` and what it is worth by `metric`.

        A run that goes on from another's checkpoint takes that one's best along, if it is of no
        later epoch. Without a best model that can be compared, the best is yet to be found.
        `earlier` are the run's events, by which a model that does not say its worth is known.
        """
        own = self._run_dir / checkpoints.BEST
        if resumed_from is not None and resumed_from.parent.resolve() != self._run_dir.resolve():
            other = resumed_from.parent / checkpoints.BEST
            best = None if own.exists() else checkpoints.read_best(other)
            if best is not None and best.epoch == state.best_epoch and is_rank_zero():
                checkpoints.duplicate(other, own)
        best = checkpoints.read_best(own)
        worth = None if best is None else _worth(best, state, metric, earlier)
        if best is None or worth is None:
            self._keep_aside = best is not None
            state.best_epoch, state.best_value, state.best_record = 0, -1.0, None
            state.since_best = 0
            return
        if best.epoch != state.best_epoch:
            state.since_best = 0
        known = (record for record in state.history if record["epoch"] == best.epoch)
        state.best_epoch, state.best_value = best.epoch, worth
        state.best_record = best.record or next(known, None)

    def keep_unknown_best(self, epoch: int) -> Warning_ | None:
        """Keep a best model of unknown worth under another name, and return the event of it."""
        path = self._run_dir / checkpoints.BEST
        if not self._keep_aside or not path.exists():
            return None
        self._keep_aside = False
        names = chain(["best_earlier.pth"], (f"best_earlier_{number}.pth" for number in count(2)))
        kept = next(p for name in names if not (p := path.with_name(name)).exists())
        checkpoints.duplicate(path, kept)
        return Warning_(
            code="best-unknown",
            message=f"How good the {path.name} was that lay here is not known.",
            hint=f"It is kept as {kept.name}: batman evaluate tells, and it can be removed.",
            epoch=epoch,
        )

    def save_last(self, trainer: Trainer, epoch: int, kind: str) -> Checkpoint:
        """Write `checkpoint_last.pth`; `kind` is last, or stop when the run ends there."""
        path = self._run_dir / checkpoints.LAST
        trainer.save_checkpoint(path)
        self.last_bytes = path.stat().st_size if path.exists() else 0
        return Checkpoint(
            epoch=epoch, step=trainer.global_step, file=path.name, kind=kind, bytes=self.last_bytes
        )

    def save_periodic(self, epoch: int, step: int) -> Checkpoint:
        """Keep a copy of the last checkpoint, and remove the oldest copies."""
        path = self._run_dir / checkpoints.periodic_name(epoch)
        written = checkpoints.duplicate(self._run_dir / checkpoints.LAST, path)
        checkpoints.prune_periodic(self._run_dir, self._keep)
        return Checkpoint(epoch=epoch, step=step, file=path.name, kind="periodic", bytes=written)

    def save_best(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        epoch: int,
        worth: Mapping[str, float],
        record: dict[str, Any] | None,
    ) -> Checkpoint:
        """Write the evaluated weights (averaged ones with EMA) with what describes the model.

        `worth` is what they were measured at by each best metric, `record` their validation.

        The results of an earlier session speak of the model that is replaced: they go before it
        does, and come again when this session ends.
        """
        path = self._run_dir / checkpoints.BEST
        (self._run_dir / RESULTS_FILE).unlink(missing_ok=True)
        said = {"epoch": epoch, "worth": dict(worth), "record": record}
        content = {**best_content(trainer, pl_module), checkpoints.STATE_KEY: said}
        written = checkpoints.save_checkpoint(content, path)
        if self._images is not None:
            self._images.write(epoch)
        return Checkpoint(
            epoch=epoch, step=trainer.global_step, file=path.name, kind="best", bytes=written
        )


def _worth(
    best: checkpoints.BestInfo, state: RunState, metric: str, earlier: Sequence[Event]
) -> float | None:
    """Return what a best model is worth by `metric`, None where nothing tells."""
    if not best.epoch:
        return None
    if best.worth:
        return best.worth.get(metric)
    if best.epoch == state.best_epoch:
        return state.best_value
    if metric != "map":
        return None
    told = (e for e in reversed(earlier) if isinstance(e, Validation) and e.epoch == best.epoch)
    return next((event.map50_95 for event in told), None)


def best_content(trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
    """Return what `best.pth` holds for others: the evaluated weights and what describes the model.

    The averaged weights where there are any. The keys are those by which RFDETR.from_checkpoint
    rebuilds a model, written as rfdetr writes them.
    """
    averaged = [
        found
        for callback in trainer.callbacks
        if (getter := getattr(callback, "get_ema_model_state_dict", None)) is not None
        and (found := getter()) is not None
    ]
    weights = averaged[0] if averaged else pl_module.model.state_dict()
    description = BestModelCallback._model_description(
        *BestModelCallback._resolve_model_description(
            trainer, pl_module, weights, allow_deprecated=True
        )
    )
    return {"model": weights, **description}
