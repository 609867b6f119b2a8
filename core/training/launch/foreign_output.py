"""Training outputs of other tools, known by their files: what they are and how to go on from them.

- rfdetr 1.11.2 writes `checkpoint_best_total.pth` and others with `best` in their names,
  Lightning's `last.ckpt` and `checkpoint_N.ckpt`, and a `training_config.json` with the key
  `train_config` (`detr.py`, `training/callbacks/best_model.py`); the original Batman trained by
  rfdetr and kept its names, and put `class_info.json` beside what it exported.
- Ultralytics 8 writes `args.yaml`, `results.csv` and `weights/best.pt`, `weights/last.pt`
  (`engine/trainer.py`); its files pickle whole models, whose classes lie in `ultralytics`, and
  those of YOLOv5 in `models`.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from core.common.errors import BatmanError, RunError
from core.common.files import read_json
from core.common.text import clean
from core.models.checkpoint_header import Stub, read_header
from core.models.sizes import MODELS
from core.training.run.checkpoints import STATE_KEY

# By how good they are to start from.
_RFDETR_BEST = (
    "checkpoint_best_total.pth", "checkpoint_best_ema.pth", "checkpoint_best_regular.pth",
    "checkpoint_best.pth", "best.pth", "model.pth", "last_ema.pth", "checkpoint.pth", "last.ckpt",
)  # fmt: skip
# Those that the original Batman looked for in its runs, and wrote into its exports.
_ORIGINAL = ("checkpoint_best.pth", "best.pth", "model.pth")
_CONFIG = "training_config.json"


def refuse_foreign(path: Path, project: str | None = None) -> None:
    """Raise RunError if `path`, a folder or a file, is the output of another tool's training.

    What is not there, and what is nobody's that is known, passes. `project` is what it was to be
    trained on.
    """
    folder = path if path.is_dir() else path.parent
    if _of_ultralytics(path):
        raise RunError(
            f"'{clean(str(path))}' is of Ultralytics: YOLO is another kind of model, of which "
            "RF-DETR can take over neither weights nor state.",
            "Import the data set that it was trained on with batman import yolo, and start a new "
            "run on it with batman train --project.",
        )
    named = path.is_file() and (path.name in _RFDETR_BEST or path.suffix == ".ckpt")
    best = path if named else best_weights(folder)
    exported = (folder / "class_info.json").is_file()
    if (folder / _CONFIG).is_file():
        if not _of_rfdetr(folder / _CONFIG):
            return
    elif best is None or _header(best).get(STATE_KEY):
        return
    whose = "an output of rfdetr's own training"
    if exported or (best is not None and best.name in _ORIGINAL):
        whose = "of the original Batman or of rfdetr itself"
    words = ["--project", project or "PROJECT", "--model", _size_of(best) or "SIZE"]
    words += ["--pretrained", str(best or "FILE")]
    raise RunError(
        f"'{clean(str(path))}' is {whose}, and no run of this Batman: its place in training cannot "
        "be taken over.",
        f"Start a new run from its weights: {clean(shlex.join(['batman', 'train', *words]))}",
    )


def best_weights(folder: Path) -> Path | None:
    """Return the best weights in a folder of training, whosesoever; None where there are none."""
    found = next((folder / name for name in _RFDETR_BEST if (folder / name).is_file()), None)
    return found or max(folder.glob("checkpoint_*.ckpt"), default=None)


def _of_rfdetr(settings: Path) -> bool:
    try:
        values = read_json(settings)
    except BatmanError:
        return False
    return isinstance(values, dict) and "train_config" in values


def _header(path: Path) -> dict[str, Any]:
    try:
        content = read_header(path)
    except RunError:
        return {}
    return content if isinstance(content, dict) else {}


def _size_of(best: Path | None) -> str | None:
    name = _header(best).get("model_name") if best is not None else None
    fitting = (spec.name for spec in MODELS.values() if spec.class_name == name)
    return next((size for size in fitting if size != "tiny"), None)


def _of_ultralytics(path: Path) -> bool:
    if path.is_dir():
        files = [path / "weights" / "best.pt", path / "weights" / "last.pt", path / "best.pt"]
        return any(file.is_file() for file in files) or (
            (path / "args.yaml").is_file() and (path / "results.csv").is_file()
        )
    return path.is_file() and is_ultralytics(path)


def is_ultralytics(path: Path) -> bool:
    """Tell whether the file `path` is a checkpoint of Ultralytics' or YOLOv5's."""
    try:
        content = read_header(path)
    except RunError:
        return False
    models = [content.get("model"), content.get("ema")] if isinstance(content, dict) else [content]
    made = [model.made_by for model in models if isinstance(model, Stub)]
    return any(name.startswith(("ultralytics.", "models.yolo.")) for name in made)
