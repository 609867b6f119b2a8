"""What a validation found, and `results.json`: how a run ended and what its model can do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.common.files import write_json
from core.privacy.secrets import redact_tree
from core.training.run.events import Validation

if TYPE_CHECKING:
    from core.training.config.options import TrainingConfig

RESULTS_FILE = "results.json"

# How rfdetr counts: at most this many predictions an image (TrainConfig.eval_max_dets).
MAX_DETECTIONS = 500

_METRICS = ("map50_95", "map50", "map75", "precision", "recall", "f1")


# The metrics that the config's `best_metric` may name, as rfdetr names them.
_BEST_BY = {"map": "mAP_50_95", "mar": "mAR"}


def worth(metrics: Mapping[str, float]) -> dict[str, float]:
    """Return what `metrics` are worth by each metric that may choose the best model."""
    return {name: best_by(metrics, name) for name in _BEST_BY}


def best_by(metrics: Mapping[str, float], best_metric: str) -> float:
    """Return what `metrics`, as rfdetr names them, are worth by the config's `best_metric`."""
    return _share(metrics, _BEST_BY[best_metric])


def validation_event(
    metrics: Mapping[str, float],
    per_class: Iterable[Mapping[str, Any]],
    *,
    epoch: int,
    step: int,
    ema: bool,
    best: bool,
    seconds: float,
) -> Validation:
    """Return the event of a validation from rfdetr's `metrics` and its table of classes.

    What could not be measured counts as 0; a loss that is not a number, and classes without
    ground truth, are left out.
    """
    loss = metrics.get("val/loss")
    return Validation(
        epoch=epoch,
        step=step,
        map50_95=_share(metrics, "mAP_50_95"),
        map50=_share(metrics, "mAP_50"),
        map75=_share(metrics, "mAP_75"),
        precision=_share(metrics, "precision"),
        recall=_share(metrics, "recall"),
        f1=_share(metrics, "F1"),
        loss=loss if loss is not None and loss == loss else None,
        per_class={
            str(row["name"]): max(0.0, float(row["ap"]))
            for row in per_class
            if row["ap"] == row["ap"]
        },
        ema=ema,
        best=best,
        seconds=seconds,
    )


def _share(metrics: Mapping[str, float], name: str) -> float:
    # COCO's -1 and NaN stand for what nothing could be measured of.
    value = metrics.get(f"val/{name}", 0.0)
    return max(0.0, value) if value == value else 0.0


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
    best: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Write `results.json` into the run folder and return what it holds.

    `state` is finished or stopped, `epoch` and `step` what is complete, `seconds` the training time
    of all attempts, `history` one `validation_record` an epoch, `best` that of the best model, by
    default the one of `best_epoch` in the history. Metrics lie between 0 and 1 and are
    of the validation split; precision, recall and F1 are at the confidence with the best F1, as
    rfdetr counts them.
    """
    own = (record for record in history if record["epoch"] == best_epoch)
    best = best or next(own, None)
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
    write_json(run_dir / RESULTS_FILE, redact_tree(results))
    return results
