"""What training puts into its checkpoints, and how Lightning writes them."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.plugins.io import TorchCheckpointIO
from rfdetr.training import BestModelCallback

from core.training import checkpoints
from core.training.events import Checkpoint
from core.training.ranks import is_rank_zero
from core.training.val_images import ValImages


@dataclass(slots=True)
class RunState:
    """What a run carries from attempt to attempt, inside its checkpoints.

    `history` holds one `validation_record` an epoch. `elapsed` is the training time in seconds of
    all attempts. `loss_sum`, `loss_count` and `epoch_seconds` belong to an epoch that is not yet
    complete. `epoch_events` are the last complete epoch's events as JSON lines.
    """

    best_epoch: int = 0
    best_value: float = -1.0
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
    """

    def __init__(self, run_dir: Path, keep: int, images: ValImages | None) -> None:
        self.last_bytes = 0
        self._run_dir = run_dir
        self._keep = keep
        self._images = images

    def adopt_best(self, resumed_from: Path | None, epoch: int) -> bool:
        """Return whether `best.pth` is that of `epoch`; else the best is yet to be found.

        A run that goes on from another's checkpoint takes that one's best along.
        """
        own = self._run_dir / checkpoints.BEST
        if resumed_from is not None and resumed_from.parent.resolve() != self._run_dir.resolve():
            other = resumed_from.parent / checkpoints.BEST
            if not own.exists() and other.is_file() and is_rank_zero():
                checkpoints.duplicate(other, own)
        return checkpoints.best_epoch(own) == epoch

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

    def save_best(self, trainer: Trainer, pl_module: LightningModule, epoch: int) -> Checkpoint:
        """Write the evaluated weights (averaged ones with EMA) with what describes the model."""
        path = self._run_dir / checkpoints.BEST
        written = checkpoints.save_checkpoint(best_content(trainer, pl_module, epoch), path)
        if self._images is not None:
            self._images.write(epoch)
        return Checkpoint(
            epoch=epoch, step=trainer.global_step, file=path.name, kind="best", bytes=written
        )


def best_content(trainer: Trainer, pl_module: LightningModule, epoch: int) -> dict[str, Any]:
    """Return what `best.pth` of `epoch` holds: the evaluated weights and what describes the model.

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
    return {"model": weights, **description, checkpoints.STATE_KEY: {"epoch": epoch}}
