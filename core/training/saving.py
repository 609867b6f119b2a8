"""What training puts into its checkpoints, and how Lightning writes them."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.plugins.io import TorchCheckpointIO
from rfdetr.training import BestModelCallback

from core.training import checkpoints


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
