"""What a model found on many pictures, held against their labels: pairs, and what is left over."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from core.data.labels.matching import SAME
from core.data.labels.queue.columns import Boxes, Places, cores
from core.data.labels.queue.pair_up import Pairs, candidates, greedy

TIGHT = 0.8
"""Pairs that overlap by less are worth a look for their box."""

# So many pictures are worth a core of their own.
_WORTH_A_PART = 5_000


@dataclass(frozen=True)
class Objects:
    """Suggestions, or labels: their numbers, the place of their picture, class and box.

    They come in the order of pictures, then classes. Suggestions have `score` and whether a person
    `judged` them, with the `annotation` they became or -1; labels whether they are a `crowd`.
    """

    ids: Places
    at: Places
    of_class: Places
    boxes: Boxes
    score: NDArray[np.float64]
    judged: NDArray[np.bool_]
    annotation: Places
    crowd: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.ids)

    def slice(self, rows: slice) -> Objects:
        """Return those in `rows`."""
        return Objects(*(getattr(self, field.name)[..., rows] for field in fields(self)))


@dataclass(frozen=True)
class Matched:
    """What differs: places of suggestions and of labels that are alone, and pairs of both.

    `extra` are suggestions, `missing` labels; `weighed` are all pairs of a class that a person is
    to judge, `loose` those of them that overlap too little.
    """

    extra: Places
    missing: Places
    other: Pairs
    loose: Pairs
    weighed: Pairs

    def moved(self, found: int, labels: int) -> Matched:
        """Return the same with places that begin so much later."""
        pairs = (
            Pairs(pairs.first + found, pairs.second + labels, pairs.iou)
            for pairs in (self.other, self.loose, self.weighed)
        )
        return Matched(self.extra + found, self.missing + labels, *pairs)


def match_pictures(
    found: Objects, labels: Objects, shown: NDArray[np.bool_], sought: NDArray[np.bool_]
) -> Matched:
    """Hold what was found against the labels, picture by picture, on several cores.

    `shown` (of each suggestion) is whether it is sure enough to count without a label, `sought` (of
    each label) whether its class was looked for.
    """
    pictures = 1 + int(max(found.at.max(initial=0), labels.at.max(initial=0)))
    parts = max(1, min(cores(), pictures // _WORTH_A_PART))
    edges = np.arange(parts + 1) * pictures // parts
    pieces = [
        (slice(*a), slice(*b))
        for a, b in zip(
            pairwise(np.searchsorted(found.at, edges).tolist()),
            pairwise(np.searchsorted(labels.at, edges).tolist()),
            strict=True,
        )
    ]

    def piece(rows: tuple[slice, slice]) -> Matched:
        of_found, of_labels = rows
        matched = _match(
            found.slice(of_found), labels.slice(of_labels), shown[of_found], sought[of_labels]
        )
        return matched.moved(of_found.start, of_labels.start)

    if parts == 1:
        return piece(pieces[0])
    # NumPy works without Python's lock on arrays as long as these.
    with ThreadPoolExecutor(parts, "match") as beside:
        done = list(beside.map(piece, pieces))
    return Matched(
        np.concatenate([part.extra for part in done]),
        np.concatenate([part.missing for part in done]),
        Pairs.joined([part.other for part in done]),
        Pairs.joined([part.loose for part in done]),
        Pairs.joined([part.weighed for part in done]),
    )


def _match(
    found: Objects, labels: Objects, shown: NDArray[np.bool_], sought: NDArray[np.bool_]
) -> Matched:
    counted = sought & ~labels.crowd
    classes = 1 + max(found.of_class.max(initial=0), labels.of_class.max(initial=0))

    # Each class by itself, the surest suggestion first, at the label that it overlaps most.
    own = candidates(
        found.at * classes + found.of_class, found.boxes,
        labels.at * classes + labels.of_class, labels.boxes, SAME,
    )  # fmt: skip
    own = own.take(~labels.crowd[own.second])
    own = own.take(greedy(own, found.score))
    score_of = np.full(len(labels), -1.0)
    score_of[own.second] = found.score[own.first]
    free = shown & ~found.judged
    free[own.first] = False

    # What is left and sure enough, at a label of another class that is found less surely.
    left = np.flatnonzero(free)
    near = candidates(found.at[left], found.boxes[:, left], labels.at, labels.boxes, SAME)
    near = Pairs(left[near.first], near.second, near.iou)
    other = counted[near.second] & (labels.of_class[near.second] != found.of_class[near.first])
    cross = near.take(other & (found.score[near.first] > score_of[near.second]))
    cross = cross.take(greedy(cross, found.score))
    free[cross.first] = False
    # What lies on a crowd, or on a class that was not looked for, is labelled in its way.
    free[near.first[~counted[near.second]]] = False

    unfound = counted & (score_of < 0)
    unfound[cross.second] = False
    unfound[np.isin(labels.ids, found.annotation[found.judged])] = False
    # A box that a person accepted, as it was or mended, is settled.
    weighed = own.take(shown[own.first] & counted[own.second])
    weighed = weighed.take(~found.judged[weighed.first])
    loose = weighed.take(weighed.iou < TIGHT)
    return Matched(np.flatnonzero(free), np.flatnonzero(unfound), cross, loose, weighed)
