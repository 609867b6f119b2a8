"""What a model takes for what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from core.evaluation.ground_truth import Truth
from core.evaluation.result import Confusion

if TYPE_CHECKING:
    import numpy.typing as npt

    from core.evaluation.coco import CocoMetrics

    Array = npt.NDArray[Any]

Records = Sequence[dict[str, Any]]

# So many pairs of boxes take some 30 MB while their overlaps are reckoned.
_PAIRS = 200_000


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
    used_at: set[int] = set()
    used_to: set[int] = set()
    for at, to in _side_by_side(_images(objects), _images(found)):
        ious = _ious(boxes[at], guesses[to])
        close = ious > 0.5
        at, to, ious = at[close], to[close], ious[close]
        for place in np.lexsort((-ious, rows[at] != columns[to])):
            row, column = int(at[place]), int(to[place])
            if row not in used_at and column not in used_to:
                used_at.add(row)
                used_to.add(column)
                taken[row], meant[column] = columns[column], rows[row]
    np.add.at(matrix, (rows, taken), 1)
    nothing = meant == background
    np.add.at(matrix, (background, columns[nothing]), 1)
    return Confusion(labels=[*classes, "background"], matrix=matrix.tolist())


def _images(records: Records) -> Array:
    """Return the ids of the images that the records are of."""
    import numpy as np

    return np.array([record["image_id"] for record in records], dtype=np.int64)


def _side_by_side(there: Array, seen: Array) -> Iterator[tuple[Array, Array]]:
    """Yield the places of all pairs that are of one image, by the images of both.

    Those of an image come together; an image more goes along as long as memory is no question.
    """
    import numpy as np

    by_image = np.argsort(seen, kind="stable")
    order = np.argsort(there, kind="stable")
    first = np.searchsorted(seen[by_image], there[order], side="left")
    count = np.searchsorted(seen[by_image], there[order], side="right") - first
    total = np.cumsum(count)
    # An image's objects stay together: the cut is where its first one would begin another part.
    start = np.searchsorted(there[order], there[order], side="left")
    part = (total - count)[start] // _PAIRS
    for begin, end in zip(
        np.searchsorted(part, np.unique(part), side="left"),
        np.searchsorted(part, np.unique(part), side="right"),
        strict=True,
    ):
        of = np.repeat(np.arange(begin, end), count[begin:end])
        before = (total - count)[of] - (total - count)[begin]
        yield order[of], by_image[first[of] + np.arange(len(of)) - before]


def _corners(records: Records) -> Array:
    """Return the boxes (N, 4) of `records` as left, top, right, bottom in pixels."""
    import numpy as np

    # Single precision and then double, as supervision has them.
    boxes = np.array([r["bbox"] for r in records], dtype=np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return boxes.astype(np.float64)


def _ious(there: Array, found: Array) -> Array:
    """Return how much of their union each pair of boxes (N, 4) and (N, 4) shares."""
    import numpy as np

    low = np.maximum(there[:, :2], found[:, :2])
    high = np.minimum(there[:, 2:], found[:, 2:])
    both = np.clip(high - low, 0.0, None).prod(axis=1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (there, found)]
    either = areas[0] + areas[1] - both
    ious = np.zeros(both.shape, dtype=np.float32)
    np.divide(both, either, out=ious, where=either > 0)
    return ious
