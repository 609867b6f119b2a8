"""What inference is told, and what it tells."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from core.common.errors import BatmanError
from core.common.text import clean
from core.common.workspace import Workspace
from core.inference.inputs import Skipped

# Frames (of a film of 30 a second) for which an object that is not seen is waited for, and the
# least overlap (IoU) by which one is known again: the defaults of trackers 2.6.1 for ByteTrack.
TRACK_BUFFER, TRACK_OVERLAP = 30, 0.1


@dataclass(frozen=True, slots=True)
class InferenceOptions:
    """What to look at, with which model, and where to put what was found.

    `target` is a run (folder or name), an export's folder or a model file. `inputs` are files,
    folders and patterns. Predictions that score at least `confidence` count; `thresholds` says
    otherwise for classes by name. `track` follows objects through videos (images have no order
    in time and are not tracked). `annotate` writes pictures and videos with boxes, `coco` the
    COCO JSON beside the CSV. `classes` is only for a checkpoint that does not name its own, and so
    is `spare_classes`, which a model with names of its own passes over.

    Every `frame_interval`th frame of a video is looked at. Frames between are in the annotated
    video only: with the tracked objects where they should be by then (`predict`) or were last, and
    without any box where nothing is tracked. `track_start`, `track_buffer` and `track_overlap` are
    the tracker's: see `core.inference.tracking.Tracker`. `optimise` lets the network be rewritten
    for speed after some batches. With `keep`, weaker detections from that score on are written to
    the CSV and the JSON as well; they are neither drawn nor counted in the summary.
    `backend` is one of `core.models.backend`.
    """

    target: str | Path
    inputs: Sequence[str | Path]
    output: Path
    confidence: float = 0.5
    thresholds: Mapping[str, float] = field(default_factory=dict)
    track: bool = False
    annotate: bool = True
    device: str = "auto"
    batch_size: int | None = None
    classes: Sequence[str] | None = None
    spare_classes: Sequence[str] | None = None
    frame_interval: int = 1
    track_start: float | None = None
    track_buffer: int = TRACK_BUFFER
    track_overlap: float = TRACK_OVERLAP
    predict: bool = True
    coco: bool = True
    optimise: bool = True
    keep: float | None = None
    backend: str = "auto"


def check(options: InferenceOptions) -> None:
    """Raise BatmanError for a number that is out of its range."""
    asked = [("", options.confidence), *options.thresholds.items()]
    for name, value in [*asked, *([("", options.keep)] if options.keep is not None else [])]:
        if not 0 <= value <= 1:
            of = f" of '{clean(name)}'" if name else ""
            raise BatmanError(f"The confidence{of} must lie between 0 and 1, not {value:g}.")
    if options.frame_interval < 1:
        raise BatmanError(f"A frame interval is at least 1, not {options.frame_interval}.")
    if options.batch_size is not None and options.batch_size < 1:
        raise BatmanError(f"The batch size must be at least 1, not {options.batch_size}.")


def fresh_folder(workspace: Workspace, model: str) -> Path:
    """Return a folder for what `model` finds that is not there yet."""
    parent = workspace.root / "predictions"
    return next(path for n in itertools.count(1) if not (path := parent / f"{model}-{n}").exists())


@dataclass(frozen=True, slots=True)
class InferenceSummary:
    """What was looked at and found. `skipped` are the inputs that could not be used.

    `frames` counts images and frames of videos that were looked at; `per_class` the detections by
    class, all classes of the model; `tracks` how many objects were followed, None without
    tracking. `seconds` is without the time to load the model. `annotated` is None if no pictures
    were asked for, `coco` if no JSON was. `kind` is what ran the model (torch, onnx and so on), and
    `notes` say why where that is not what one would expect.
    """

    checkpoint: Path
    output: Path
    csv: Path
    coco: Path | None
    annotated: Path | None
    device: str
    classes: list[str]
    images: int
    videos: int
    frames: int
    detections: int
    per_class: dict[str, int]
    tracks: int | None
    skipped: list[Skipped]
    seconds: float
    kind: str = ""
    notes: list[str] = field(default_factory=list)
