"""What an evaluation found, as it is shown and as it lies in `evaluation.json`."""

from __future__ import annotations

from pathlib import Path

import msgspec

from core.common.errors import BatmanError
from core.common.files import write_atomic
from core.common.parse import ParseError, parse_json
from core.common.text import clean

RESULT = "evaluation.json"
PREDICTIONS = "predictions.json"
PR_CURVES = "pr_curves.png"
CONFUSION = "confusion_matrix.png"

# COCO's sizes of objects, by their area in pixels; both ends belong to a size, so that an object of
# exactly 32 × 32 is small and medium (pycocotools 2.0.11, `cocoeval.py`: `Params.setDetParams` and
# `evaluateImg`, which passes over what is below the one or above the other).
SIZES = {"small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}


class ClassResult(msgspec.Struct, kw_only=True, frozen=True):
    """One class. Metrics lie between 0 and 1; None where the split has no such object.

    `annotations` counts the objects there are. `ap`, `ap50`, `ap75` and `ar` are COCO's, `by_size`
    AP50-95 by COCO's sizes. `threshold` is the score from which on the class has its best F1 (IoU
    0.5), `precision`, `recall` and `f1` what it has there. `curve` has the precision at the 101
    recalls 0.00 to 1.00 at IoU 0.5, `curve_scores` the score at each.
    """

    name: str
    annotations: int
    ap: float | None = None
    ap50: float | None = None
    ap75: float | None = None
    ar: float | None = None
    by_size: dict[str, float | None] = {}
    threshold: float | None = None
    precision: float | None = None
    recall: float | None = None
    f1: float | None = None
    curve: list[float] = []
    curve_scores: list[float] = []


class SizeResult(msgspec.Struct, kw_only=True, frozen=True):
    """The objects of one of COCO's sizes, all classes: how many, AP50-95 and AR."""

    name: str
    annotations: int
    ap: float | None = None
    ar: float | None = None


class Box(msgspec.Struct, kw_only=True, frozen=True):
    """A box in pixels: left, top, width, height.

    `score` is None for the truth. `right` says of a prediction that it matches an object, of the
    truth that it was found.
    """

    class_name: str
    bbox: tuple[float, float, float, float]
    right: bool
    score: float | None = None


class WorstImage(msgspec.Struct, kw_only=True, frozen=True):
    """An image the model got wrong: `false_positives` boxes too many, `missed` objects.

    `file` is the image, relative to the split's folder; `picture` its drawing, relative to the
    evaluation's folder. `name` is what the run's project calls it, "" where that is not known.
    """

    image_id: int
    file: str
    width: int
    height: int
    false_positives: int
    missed: int
    picture: str
    truth: list[Box]
    predictions: list[Box]
    name: str = ""

    @property
    def shown(self) -> str:
        """What it is called where people read it."""
        return self.name or self.file


class Confusion(msgspec.Struct, kw_only=True, frozen=True):
    """How often an object of a class (row) was taken for another (column), as supervision counts.

    The last row counts predictions where there is nothing, the last column objects not found.
    """

    labels: list[str]
    matrix: list[list[int]]


class EvaluationResult(msgspec.Struct, kw_only=True, frozen=True):
    """All of it. Metrics lie between 0 and 1, times are seconds.

    `map50_95`, `map50`, `map75` and `ar` count at most `max_detections` predictions an image, as
    rfdetr and `results.json` do; `coco100` has the same four with COCO's own limit of 100.
    `confidence` is the one score from which on the mean F1 over classes is best, of 0.00 to 1.00
    in steps of 0.01 as rfdetr looks for it; `precision`, `recall` and `f1` are the means there.
    The confusion matrix and the worst images (most false positives and missed objects together)
    are at that confidence too, at IoU 0.5. `class_ids` are the project's, where they are known.
    """

    checkpoint: str
    model: str
    resolution: int
    dataset: str
    split: str
    run: str | None = None
    images: int
    annotations: int
    predictions: int
    classes: list[str]
    max_detections: int
    map50_95: float | None
    map50: float | None
    map75: float | None
    ar: float | None
    coco100: dict[str, float | None]
    confidence: float
    precision: float
    recall: float
    f1: float
    per_class: list[ClassResult]
    sizes: list[SizeResult]
    confusion: Confusion
    worst: list[WorstImage]
    device: str
    seconds: float
    images_per_s: float
    finished_at: float
    trained_map50_95: float | None = None
    class_ids: list[int] | None = None
    notes: list[str] = []

    def save(self, folder: Path) -> None:
        """Write `evaluation.json` into `folder`, atomically."""
        data = msgspec.json.format(msgspec.json.encode(self), indent=1)
        write_atomic(folder / RESULT, data + b"\n")

    @classmethod
    def load(cls, folder: Path) -> EvaluationResult:
        """Return the evaluation in `folder`. Raises BatmanError if there is no good one."""
        path = folder / RESULT
        try:
            return parse_json(path.read_bytes(), cls)
        except (FileNotFoundError, NotADirectoryError):
            raise BatmanError(
                f"There is no evaluation in '{clean(str(folder))}'.",
                "Make one with batman evaluate.",
            ) from None
        except ParseError as error:
            raise BatmanError(
                f"'{clean(str(path))}' is no evaluation: {clean(str(error))}.",
                "Make it again with batman evaluate.",
            ) from None


def evaluation_folder(run: Path, split: str) -> Path:
    """Return where the evaluation of a run on `split` lies."""
    return run / "evaluation" / split
