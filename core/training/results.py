"""`results.json`: how a run ended and what its model can do, for people and scripts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.files import write_json
from core.training.config import TrainingConfig
from core.training.events import Validation

RESULTS = "results.json"

# How rfdetr counts: at most this many predictions an image (TrainConfig.eval_max_dets).
MAX_DETECTIONS = 500

_METRICS = ("map50_95", "map50", "map75", "precision", "recall", "f1")


def validation_record(event: Validation, train_loss: float | None) -> dict[str, Any]:
    """Return a validation as results.json holds it; `loss` is the epoch's mean training loss."""
    record: dict[str, Any] = {"epoch": event.epoch, "step": event.step}
    record |= {name: getattr(event, name) for name in _METRICS}
    record |= {"loss": train_loss, "val_loss": event.loss, "per_class": dict(event.per_class)}
    return record | {"ema": event.ema}


def write_results(
    run_dir: Path,
    config: TrainingConfig,
    *,
    state: str,
    reason: str,
    epoch: int,
    step: int,
    seconds: float,
    history: list[dict[str, Any]],
    best_epoch: int,
    batch: dict[str, int],
    device: str,
) -> dict[str, Any]:
    """Write `results.json` into the run folder and return what it holds.

    `state` is finished or stopped, `epoch` and `step` what is complete, `seconds` the training time
    of all attempts, `history` one `validation_record` an epoch. Metrics lie between 0 and 1 and are
    of the validation split; precision, recall and F1 are at the confidence with the best F1, as
    rfdetr counts them.
    """
    best = next((record for record in history if record["epoch"] == best_epoch), None)
    results = {
        "run": run_dir.name,
        "state": state,
        "reason": reason,
        "model": config.model,
        "image_size": config.image_size,
        "epochs": config.epochs,
        "epochs_trained": epoch,
        "steps": step,
        "duration_seconds": round(seconds, 1),
        "device": device,
        **batch,
        "classes": config.dataset.class_names if config.dataset else [],
        "dataset_fingerprint": config.dataset.fingerprint if config.dataset else None,
        "max_detections": MAX_DETECTIONS,
        "best_epoch": best_epoch,
        "best": best,
        "final": history[-1] if history else None,
        "history": history,
    }
    write_json(run_dir / RESULTS, results)
    return results
