"""Which file holds a run's model."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from core.common.errors import RunError
from core.common.files import expand_user
from core.common.text import clean, did_you_mean, sentence
from core.common.workspace import Workspace

# Best first: ours, then the names that rfdetr and the original Batman give theirs. The last two
# hold the newest weights, not the best ones.
NAMES: Final = (
    "best.pth",
    "checkpoint_best.pth",
    "model.pth",
    "checkpoint_best_total.pth",
    "checkpoint_best_ema.pth",
    "checkpoint_best_regular.pth",
    "model.onnx",
    "model.xml",
    "model.tflite",
    "model_fp32.tflite",
    "model.pte",
    "model.trt",
    "model.mlpackage",
    "checkpoint_last.pth",
    "last.ckpt",
)
# What torch reads, and what other runtimes do.
WEIGHTS: Final = (".pth", ".pt", ".ckpt")
EXPORTED: Final = (".onnx", ".xml", ".tflite", ".pte", ".trt", ".mlpackage")
SUFFIXES: Final = (*WEIGHTS, *EXPORTED)
# What runs a checkpoint; see `core.models.backend`.
AUTO, TORCH, ONNX = "auto", "torch", "onnx"
BACKENDS: Final = (AUTO, TORCH, ONNX)


def run_checkpoint(folder: Path) -> Path:
    """Return the best model in a run's or an export's folder. Raises RunError if it has none."""
    for name in NAMES:
        if (folder / name).exists():
            return folder / name
    raise RunError(
        f"'{clean(str(folder))}' holds no trained model.",
        "The first validation writes best.pth: wait for it where the run goes on, else resume it "
        "or choose another run.",
    )


def latest_run(workspace: Workspace) -> Path:
    """Return the most recently changed run that has a model. Raises RunError if there is none."""
    for folder in workspace.list_runs():
        # What may not be looked into has none; it hides no other.
        if any(os.path.exists(folder / name) for name in NAMES):  # noqa: PTH110
            return folder
    raise RunError(
        f"No run in '{clean(str(workspace.runs_dir))}' holds a trained model yet.",
        "Train one with batman train, or give a file with --checkpoint.",
    )


def find_checkpoint(target: str | Path, workspace: Workspace | None = None) -> Path:
    """Return the model file that `target` stands for.

    A file, the folder of a run or an export, or the name of a run of the workspace. Raises RunError
    that says what is there instead.
    """
    path = expand_user(target)
    # A Core ML model is a folder.
    if path.is_file() or (path.is_dir() and path.suffix in EXPORTED):
        return path.absolute()
    if path.is_dir():
        return run_checkpoint(path.absolute())
    space = workspace or Workspace.find()
    named = space.runs_dir / path
    if len(path.parts) == 1 and path.name not in (".", "..") and named.is_dir():
        return run_checkpoint(named)
    shown = f"'{clean(str(target))}'"
    if path.suffix in SUFFIXES or len(path.parts) > 1:
        near = did_you_mean(path.name, [p.name for p in _siblings(path)])
        raise RunError(f"There is no model at {shown}.", sentence(near) or "Check the path.")
    names = [run.name for run in space.list_runs()]
    near = did_you_mean(path.name, names)
    listed = f"Runs here: {', '.join(clean(name) for name in names[:8])}." if names else ""
    raise RunError(
        f"There is no run {shown} in '{clean(str(space.runs_dir))}'.",
        f"{sentence(near)} {listed}".strip() or "Train one with batman train.",
    )


def _siblings(path: Path) -> list[Path]:
    try:
        return [p for p in path.parent.iterdir() if p.suffix in SUFFIXES]
    except OSError:
        return []
