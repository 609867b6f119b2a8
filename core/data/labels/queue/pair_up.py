"""Pairing the boxes of many pictures at once: what `matching` does, for a hundred thousand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.data.labels.queue.columns import Boxes, Places

# Pairs whose overlap is worked out at a time: some hundred megabytes would else be needed.
_AT_ONCE = 1_000_000


@dataclass(frozen=True)
class Pairs:
    """Places in the first list and in the second, and how much the boxes overlap, each (n,)."""

    first: Places
    second: Places
    iou: NDArray[np.float64]

    def take(self, which: NDArray[Any]) -> Pairs:
        """Return some of the pairs, by a mask or their places."""
        return Pairs(self.first[which], self.second[which], self.iou[which])

    @classmethod
    def joined(cls, several: Sequence[Pairs]) -> Pairs:
        """Return the pairs of all of them, one after the other."""
        return cls(
            np.concatenate([pairs.first for pairs in several]),
            np.concatenate([pairs.second for pairs in several]),
            np.concatenate([pairs.iou for pairs in several]),
        )


def candidates(
    of_first: Places, first: Boxes, of_second: Places, second: Boxes, least: float
) -> Pairs:
    """Return the pairs of boxes that belong together and overlap by `least` or more.

    Boxes belong together whose number in `of_first` (n,) and `of_second` (m,) is the same, such as
    that of a picture; the second are in ascending order.
    """
    begin, count = _runs(of_second, of_first)
    ends = np.cumsum(count)
    areas, other_areas = _area(first), _area(second)
    found = [Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))]
    start = 0
    while start < len(of_first):
        done = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, done + _AT_ONCE, "right")))
        many = count[start:stop]
        one = np.repeat(np.arange(start, stop), many)
        other = np.arange(len(one)) + np.repeat(begin[start:stop] - np.cumsum(many) + many, many)
        # Most pairs are apart, and most of those from left to right.
        across = _shared(first, one, second, other, 0)
        near = np.flatnonzero(across > 0)
        one, other, across = one[near], other[near], across[near]
        shared = across * np.maximum(_shared(first, one, second, other, 1), 0)
        iou = shared / (areas[one] + other_areas[other] - shared)
        close = np.flatnonzero((iou >= least) & (shared > 0))
        found.append(Pairs(one[close], other[close], iou[close]))
        start = stop
    return Pairs.joined(found)


def _runs(ascending: Places, wanted: Places) -> tuple[Places, Places]:
    """Return from which place of `ascending` on each of `wanted` is there, and how often."""
    highest = max(ascending.max(initial=0), wanted.max(initial=0))
    if highest < 4 * (len(ascending) + len(wanted)):
        often = np.bincount(ascending, minlength=highest + 1)
        return (np.cumsum(often) - often)[wanted], often[wanted]
    begin = np.searchsorted(ascending, wanted, "left")
    return begin, np.searchsorted(ascending, wanted, "right") - begin


def _shared(first: Boxes, one: Places, second: Boxes, other: Places, axis: int) -> Any:
    """Return by how much boxes overlap along an axis, (n,); negative where they are apart."""
    ends = np.minimum(first[axis + 2][one], second[axis + 2][other])
    return ends - np.maximum(first[axis][one], second[axis][other])


def greedy(pairs: Pairs, scores: NDArray[np.float64]) -> Places:
    """Return the places of the pairs that stay when each box may be in one only.

    The box of the first list with the highest of `scores` chooses first, the one it overlaps most.
    """
    alone = _alone(pairs.first) & _alone(pairs.second)
    stays = np.flatnonzero(alone)
    rest = np.flatnonzero(~alone)
    order = rest[np.lexsort((pairs.second[rest], -pairs.iou[rest], -scores[pairs.first[rest]]))]
    taken_first: set[int] = set()
    taken_second: set[int] = set()
    more = []
    for place, one, other in zip(
        order.tolist(), pairs.first[order].tolist(), pairs.second[order].tolist(), strict=True
    ):
        if one not in taken_first and other not in taken_second:
            taken_first.add(one)
            taken_second.add(other)
            more.append(place)
    return np.sort(np.concatenate([stays, np.array(more, np.int64)]))


def _alone(places: Places) -> NDArray[np.bool_]:
    """Return of each place whether it is there once."""
    if not len(places):
        return np.zeros(0, bool)
    return np.asarray(np.bincount(places)[places] == 1)


def _area(boxes: Boxes) -> NDArray[np.float64]:
    area: NDArray[np.float64] = (boxes[2] - boxes[0]) * (boxes[3] - boxes[1])
    return area
