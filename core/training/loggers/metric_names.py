"""What of a run's events goes into TensorBoard, Weights & Biases and MLflow, under which names."""

from __future__ import annotations

from core.training.run.events import Epoch, Event, Step, Validation


def scalars(event: Event) -> dict[str, float]:
    """Return what `event` measures by name, such as `train/loss`; empty for other events."""
    values: dict[str, float | None] = {}
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
    return {name: value for name, value in values.items() if value is not None}
