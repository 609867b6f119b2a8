"""The run's events as TensorBoard scalars, by global step."""

from __future__ import annotations

from pathlib import Path

from core.training.events import Epoch, Event, Step, Validation


class TensorBoardLog:
    """Writes `tensorboard/` of a run folder from the events it is given.

    `from_step` is the last step that still counts: what an earlier attempt wrote after it is
    hidden by TensorBoard. Raises ImportError when the tensorboard package is missing.
    """

    def __init__(self, folder: Path, from_step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        purge = from_step + 1 if from_step else None
        self._writer = SummaryWriter(str(folder), purge_step=purge, flush_secs=30)

    def write(self, event: Event) -> None:
        """Add what `event` measures; other events are ignored."""
        if isinstance(event, Step):
            values = {
                "train/loss": event.loss,
                "train/loss_cls": event.loss_cls,
                "train/loss_box": event.loss_box,
                "train/loss_giou": event.loss_giou,
                "train/lr": event.lr,
                "train/images_per_s": event.images_per_s,
                "train/gpu_mem_mb": event.gpu_mem_mb,
            }
        elif isinstance(event, Validation):
            values = {
                "val/mAP50-95": event.map50_95,
                "val/mAP50": event.map50,
                "val/mAP75": event.map75,
                "val/precision": event.precision,
                "val/recall": event.recall,
                "val/F1": event.f1,
                "val/loss": event.loss,
            }
            values |= {f"val/AP/{name}": value for name, value in event.per_class.items()}
        elif isinstance(event, Epoch):
            values = {"train/loss_epoch": event.train_loss}
        else:
            return
        for name, value in values.items():
            if value is not None:
                self._writer.add_scalar(name, value, event.step, walltime=event.t)
        if isinstance(event, Epoch):
            self._writer.flush()

    def close(self) -> None:
        """Write what is left and close the file."""
        self._writer.close()
