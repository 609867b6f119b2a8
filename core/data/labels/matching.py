"""How much boxes overlap, and which of two lists are the same objects.

Boxes are rows x, y, w, h in pixels, x and y the top left corner.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from core.late import late

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray
else:
    np = late("numpy")


Boxes: TypeAlias = "NDArray[np.float64]"

SAME = 0.5
"""The least overlap of a suggestion with the label it agrees with, as COCO's AP50 has it."""
SAME_AGAIN = 0.7
"""The least overlap of a suggestion with one that was rejected, to be the same question again."""


def as_boxes(boxes: ArrayLike) -> Boxes:
    """Return an array (n, 4), also of no boxes."""
    return np.asarray(boxes, dtype=np.float64).reshape(-1, 4)


def overlaps(first: Boxes, second: Boxes) -> Boxes:
    """Return the intersection over union of each of (n, 4) boxes with each of (m, 4): (n, m).

    A box without an area overlaps nothing.
    """
    shared = shared_area(first, second)
    areas = (first[:, 2] * first[:, 3])[:, None] + (second[:, 2] * second[:, 3])[None, :]
    union = areas - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def shared_area(first: Boxes, second: Boxes) -> Boxes:
    """Return the area in square pixels that each of (n, 4) boxes shares with each of (m, 4)."""
    left = np.maximum(first[:, None, :2], second[None, :, :2])
    right = np.minimum(
        first[:, None, :2] + first[:, None, 2:], second[None, :, :2] + second[None, :, 2:]
    )
    sides = np.clip(right - left, 0, None)
    return np.asarray(sides[..., 0] * sides[..., 1])


def agreeing(
    boxes: Boxes,
    classes: Sequence[int],
    others: Boxes,
    of_others: Sequence[int],
    least: float = SAME,
) -> NDArray[np.bool_]:
    """Return which of (n, 4) boxes overlap one of (m, 4) others of the same class by `least`: (n,).

    `classes` has n class ids, `of_others` m.
    """
    if not len(boxes) or not len(others):  # most pictures of a large pass
        return np.zeros(len(boxes), dtype=bool)
    same = np.asarray(classes, np.int64)[:, None] == np.asarray(of_others, np.int64)[None, :]
    return np.asarray(((overlaps(boxes, others) >= least) & same).any(axis=1))


class Pair(NamedTuple):
    """A box of the first list (its position), one of the second, and how much they overlap."""

    first: int
    second: int
    iou: float


def match(first: Boxes, second: Boxes, least: float = SAME) -> list[Pair]:
    """Pair boxes of two lists, each at most once, those that overlap most before the others.

    Only pairs that overlap by `least` or more. Ties go to what comes first in the lists.
    """
    table = overlaps(first, second)
    rows, columns = np.nonzero(table >= least)
    order = np.lexsort((columns, rows, -table[rows, columns]))
    taken_first: set[int] = set()
    taken_second: set[int] = set()
    pairs: list[Pair] = []
    for place in order:
        row, column = int(rows[place]), int(columns[place])
        if row not in taken_first and column not in taken_second:
            taken_first.add(row)
            taken_second.add(column)
            pairs.append(Pair(row, column, float(table[row, column])))
    return pairs
