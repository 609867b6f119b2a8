"""What a model takes for what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from core.evaluation.ground_truth import Truth
from core.evaluation.result import Confusion

if TYPE_CHECKING:
    import numpy.typing as npt

    from core.evaluation.coco import CocoMetrics

    Array = npt.NDArray[Any]

Records = Sequence[dict[str, Any]]


def confusion(
    truth: Truth,
    predictions: Records,
    metrics: CocoMetrics,
    classes: Sequence[str],
    confidence: float,
) -> Confusion:
    """Return the confusion matrix at IoU 0.5 of what scores at least `confidence`.

    It is supervision's, to the last count: of the pairs of an object and a prediction above the
    IoU those of the same class come first, then the closest, and each is taken once. supervision
    itself takes 1.4 s of a processor to import, as much as to predict 200 pictures, and nothing
    else here needs it. Crowds count neither way: they are no objects to find, and predictions that
    lie in one of their class are not counted.
    """
    import numpy as np

    class_of = truth.class_of()
    objects = [a for a in truth.annotations if not a["iscrowd"]]
    found = [
        record
        for number, record in enumerate(predictions, start=1)
        if record["score"] >= confidence and number not in metrics.ignored
    ]
    background = len(classes)
    matrix = np.zeros((background + 1, background + 1), dtype=np.int64)
    rows = np.array([class_of[record["category_id"]] for record in objects], dtype=np.int64)
    columns = np.array([class_of[record["category_id"]] for record in found], dtype=np.int64)
    # What each one was taken for, until it is found to be something.
    taken = np.full(len(objects), background)
    meant = np.full(len(found), background)
    boxes, guesses = _corners(objects), _corners(found)
    there, seen = _places(objects), _places(found)
    for image in there.keys() & seen.keys():
        at, to = there[image], seen[image]
        for row, column in _pairs(boxes[at], guesses[to], rows[at], columns[to]):
            taken[at[row]] = columns[to[column]]
            meant[to[column]] = rows[at[row]]
    np.add.at(matrix, (rows, taken), 1)
    nothing = meant == background
    np.add.at(matrix, (background, columns[nothing]), 1)
    return Confusion(labels=[*classes, "background"], matrix=matrix.tolist())


def _places(records: Records) -> dict[int, list[int]]:
    """Return where the records of each image stand, by its id."""
    places: dict[int, list[int]] = {}
    for place, record in enumerate(records):
        places.setdefault(record["image_id"], []).append(place)
    return places


def _corners(records: Records) -> Array:
    """Return the boxes (N, 4) of `records` as left, top, right, bottom in pixels."""
    import numpy as np

    # Single precision and then double, as supervision has them.
    boxes = np.array([r["bbox"] for r in records], dtype=np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return boxes.astype(np.float64)


def _pairs(there: Array, found: Array, rows: Array, columns: Array) -> list[tuple[int, int]]:
    """Return which of the boxes `there` (N, 4) is which of those `found` (M, 4), by place."""
    import numpy as np

    if not len(there) or not len(found):
        return []
    low = np.maximum(there[:, None, :2], found[None, :, :2])
    high = np.minimum(there[:, None, 2:], found[None, :, 2:])
    both = np.clip(high - low, 0.0, None).prod(axis=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (there, found)]
    either = areas[0][:, None] + areas[1][None, :] - both
    ious = np.zeros(both.shape, dtype=np.float32)
    np.divide(both, either, out=ious, where=either > 0)
    at, to = np.nonzero(ious > 0.5)
    taken: list[tuple[int, int]] = []
    used_at: set[int] = set()
    used_to: set[int] = set()
    for place in np.lexsort((-ious[at, to], rows[at] != columns[to])):
        row, column = int(at[place]), int(to[place])
        if row not in used_at and column not in used_to:
            taken.append((row, column))
            used_at.add(row)
            used_to.add(column)
    return taken
