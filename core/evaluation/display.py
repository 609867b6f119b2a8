"""What a screen shows of an evaluation: curves as charts, confusions by number, mistakes drawn.

Light: Pillow and numpy only, and those when they are needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.common.errors import BatmanError
from core.data.images.class_colours import TRUTH, UNKNOWN, Colour, class_colours
from core.data.labels.matching import as_boxes, overlaps
from core.evaluation.result import Box, ClassResult, Confusion, EvaluationResult, WorstImage
from core.late import late
from core.plots.chart import COLOURS, Chart, Curve, Mark

if TYPE_CHECKING:
    import numpy as np
else:
    np = late("numpy")


if TYPE_CHECKING:
    from PIL.Image import Image

    from core.data.images.draw_boxes import DrawnBox, Pen

NOTHING = "background"
# Values nearer to each other read the same in four digits.
SAME = 5e-5
# Boxes that share as much of their union are of one object, as the confusion matrix has it.
SAME_PLACE = 0.5


def protocol(result: EvaluationResult) -> str:
    """Return in a line how mAP was counted, and what COCO's own limit gives where it differs."""
    said = (
        f"mAP by COCO's rules, with up to {result.max_detections} detections an image and class,"
        " as rfdetr counts"
    )
    other = result.coco100.get("map50_95")
    if other is None or result.map50_95 is None or abs(other - result.map50_95) < SAME:
        return f"{said}; COCO's own 100 give the same."
    return f"{said}; with COCO's own 100: mAP50-95 {other:.4f} (here {result.map50_95:.4f})."


def protocol_in_short(result: EvaluationResult) -> str:
    """Return what `protocol` says in less than 78 characters."""
    said = f"mAP: up to {result.max_detections} detections an image and class, as rfdetr"
    other = result.coco100.get("map50_95")
    if other is None or result.map50_95 is None:
        return said
    same = abs(other - result.map50_95) < SAME
    return f"{said}; COCO's 100: {'the same' if same else f'{other:.4f}'}"


def curve_chart(row: ClassResult, others: Sequence[ClassResult] = ()) -> Chart:
    """Return precision over recall of one class at IoU 0.5, with its best threshold marked.

    With `others`, their mean is drawn along, as COCO makes it: over the classes at each recall.
    """
    if not row.curve:
        return Chart(x_axis="recall")
    marks: tuple[Mark, ...] = ()
    if row.recall is not None and row.threshold is not None:
        marks = (Mark(row.recall, "best", f"best F1 {row.f1 or 0:.3f} at {row.threshold:.2f}"),)
    curves = [_precision(row.name, row.curve, 0, _ap50(row.ap50))]
    known = [other for other in others if other.curve]
    if len(known) > 1:
        mean = np.mean([other.curve for other in known], axis=0)
        curves.append(_precision("all classes", mean, 1, _ap50(float(mean.mean()))))
    return _over_recall(curves, marks)


def curves_chart(rows: Sequence[ClassResult]) -> Chart:
    """Return precision over recall at IoU 0.5 of as many classes as there are colours.

    Those with the most objects.
    """
    known = sorted((row for row in rows if row.curve), key=lambda row: -row.annotations)[:COLOURS]
    return _over_recall(
        [_precision(row.name, row.curve, n, _ap50(row.ap50)) for n, row in enumerate(known)], ()
    )


def _over_recall(curves: Sequence[Curve], marks: tuple[Mark, ...]) -> Chart:
    return Chart(
        curves=tuple(curves),
        marks=marks,
        x_axis="recall",
        floor=0.0,
        least=1.0,
        span=(0.0, 1.0),
    )


def _precision(name: str, values: Sequence[float], colour: int, said: str) -> Curve:
    # Beyond the recall that was reached COCO counts a precision of 0, which is no measurement.
    y = np.array([value if value > 0 else np.nan for value in values])
    return Curve(name, np.linspace(0.0, 1.0, len(y)), y, colour=colour, said=said)


def _ap50(value: float | None) -> str:
    return "" if value is None else f"AP50 {value:.3f}"


@dataclass(frozen=True)
class Mixup:
    """How often objects of the class `truth` were taken for `taken`.

    `share` is that part of all objects of `truth`. `truth` is `background` for predictions where
    there is nothing (`share` is then None), `taken` is for objects that were not found.
    """

    truth: str
    taken: str
    count: int
    share: float | None

    @property
    def said(self) -> str:
        """The mistake in a few words."""
        if self.truth == NOTHING:
            return f"{self.taken}, where there is nothing"
        if self.taken == NOTHING:
            return f"{self.truth} not found"
        return f"{self.truth} taken for {self.taken}"


def mixups(confusion: Confusion) -> list[Mixup]:
    """Return every kind of mistake in the matrix, the most frequent first."""
    found: list[Mixup] = []
    labels = confusion.labels
    for row, counts in enumerate(confusion.matrix):
        total = sum(counts)
        for column, count in enumerate(counts):
            if count and row != column:
                share = count / total if labels[row] != NOTHING and total else None
                found.append(Mixup(labels[row], labels[column], count, share))
    return sorted(found, key=lambda mixup: -mixup.count)


def shows(image: WorstImage, mixup: Mixup) -> bool:
    """Return whether an image has a mistake of a kind: boxes that share half of their union."""
    missed = [box for box in image.truth if not box.right]
    wrong = [box for box in image.predictions if not box.right]
    if mixup.truth == NOTHING:
        return any(
            box.class_name == mixup.taken and not _at(box, missed, box.class_name) for box in wrong
        )
    objects = [box for box in missed if box.class_name == mixup.truth]
    if mixup.taken == NOTHING:
        return any(not _at(box, wrong, box.class_name) for box in objects)
    return any(mixup.taken in _at(box, wrong, box.class_name) for box in objects)


def _at(box: Box, others: Sequence[Box], but: str) -> set[str]:
    """Return the classes of the boxes at the place of one, without the class `but`."""
    iou = overlaps(as_boxes([box.bbox]), as_boxes([other.bbox for other in others]))[0]
    return {other.class_name for other, share in zip(others, iou, strict=True)
            if share >= SAME_PLACE and other.class_name != but}  # fmt: skip


def boxes_in_order(image: WorstImage) -> list[Box]:
    """Return the boxes of an image, what is wrong first: missed, too many, then the right ones."""
    missed = [box for box in image.truth if not box.right]
    wrong = [box for box in image.predictions if not box.right]
    right = [box for box in image.predictions if box.right]
    return [*missed, *sorted(wrong, key=_score), *sorted(right, key=_score)]


def drawn_boxes(
    image: WorstImage,
    colours: Mapping[str, Colour],
    across: float,
    down: float,
    *,
    labelled: bool = False,
) -> list[DrawnBox]:
    """Return the boxes of an image as they are drawn, what is wrong last.

    `across` and `down` are pixels of the picture to one of the image. Boxes have their class's
    colour: missed objects are dashed, predictions too many struck out, and right ones plain, with
    a thin white line for the object that was found.
    """
    from core.data.images.draw_boxes import DrawnBox

    found = [box for box in image.truth if box.right]
    boxes = []
    for box in [*found, *reversed(boxes_in_order(image))]:
        x, y, w, h = box.bbox
        truth = box.score is None
        pen: Pen = ("thin" if truth else "solid") if box.right else "dashed" if truth else "struck"
        said = ("" if box.right else " missed") if truth else f" {box.score:.2f}"
        boxes.append(
            DrawnBox(
                (x * across, y * down, (x + w) * across, (y + h) * down),
                TRUTH if pen == "thin" else colours.get(box.class_name, UNKNOWN),
                f"{box.class_name}{said}" if labelled else "",
                pen,
                below=truth,
            )
        )
    return boxes


def colours_of(result: EvaluationResult) -> dict[str, Colour]:
    """Return the colours of the evaluated classes."""
    return class_colours(result.classes, result.class_ids)


def draw(result: EvaluationResult, folder: Path, image: WorstImage, room: tuple[int, int]) -> Image:
    """Return the image with objects and predictions drawn in, as large as fits `room` pixels.

    Where the data set is gone, it is the drawing in the evaluation's `folder`. Raises BatmanError
    when there is neither.
    """
    from core.data.images.draw_boxes import draw_boxes
    from core.data.images.thumbnails import picture

    source = Path(result.dataset) / result.split / image.file
    try:
        shown = picture(source, room, (image.width, image.height))
    except BatmanError:
        return picture(folder / image.picture, room)
    across, down = shown.width / max(1, image.width), shown.height / max(1, image.height)
    draw_boxes(shown, drawn_boxes(image, colours_of(result), across, down))
    return shown


def _score(box: Box) -> float:
    return -(box.score or 0.0)
