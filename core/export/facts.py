"""What an exported model says of itself: classes, image size, preprocessing, and its training."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.common.errors import BatmanError
from core.common.files import read_json
from core.data.images.class_colours import model_class_ids
from core.processes.installation import installed_version
from core.training.run.checkpoints import BEST, read_best
from core.training.run.results import RESULTS_FILE

if TYPE_CHECKING:
    from core.models.pytorch import TorchDetector


def describe(detector: TorchDetector, source: Path, names: Sequence[str]) -> dict[str, Any]:
    """Return the content of batman.json for the model in `source` with classes called `names`."""
    from core.models.sizes import MODELS

    ours = installed_version("batman-tui") or "from source"
    spec = MODELS.get(detector.model_size)
    return {
        "format": 1,
        "model": detector.model_size,
        "rfdetr_class": type(detector.rfdetr).__name__,
        "licence": spec.licence if spec else "see rfdetr",
        "classes": list(names),
        "class_ids": model_class_ids(source),
        "resolution": detector.resolution,
        "num_select": detector.num_select,
        "preprocessing": detector.preprocessing(),
        "source": {"checkpoint": f"{source.parent.name}/{source.name}"},
        "training": training_of(source),
        "exported_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "batman_version": ours,
        "rfdetr_version": installed_version("rfdetr"),
    }


def training_of(source: Path) -> dict[str, Any]:
    """Return what the run says about its best checkpoint; empty for any other file."""
    try:
        results = read_json(source.with_name(RESULTS_FILE))
    except BatmanError:
        return {}
    if source.name != BEST or not isinstance(results, dict):
        return {}
    epoch, metrics = results.get("best_epoch"), results.get("best")
    said = read_best(source)
    if said is not None and said.epoch and said.epoch != epoch:  # copied while it trained
        epoch, metrics = said.epoch, said.record
    return {
        "run": results.get("run"),
        "best_epoch": epoch,
        "dataset_fingerprint": results.get("dataset_fingerprint"),
        "metrics": metrics,
    }
