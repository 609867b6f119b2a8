"""Counting what is right and wrong at a score, from predictions that are matched already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.metrics.boxes import Found, Matching, Objects


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """The predictions of one class over all images, matched to its objects at one IoU.

    `scores` (N,) and `right` (N,), whether each matches an object; `objects` is how many there are.
    """

    scores: npt.NDArray[np.float64]
    right: npt.NDArray[np.bool_]
    objects: int


def matches_by_class(
    objects: Objects, found: Found, matching: Matching, classes: int
) -> list[Matches]:
    """Return the matches of each class; crowds and what matches one count neither way."""
    counts = matching.found[~matching.ignored]
    right = (matching.objects >= 0)[~matching.ignored]
    of = found.classes[counts]
    order = np.argsort(of, kind="stable")
    ends = np.cumsum(np.bincount(of, minlength=classes))[:-1]
    scores = np.split(found.scores[counts][order], ends)
    there = np.bincount(objects.classes[~objects.crowd], minlength=classes).tolist()
    return [
        Matches(score, hit, number)
        for score, hit, number in zip(scores, np.split(right[order], ends), there, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class At:
    """Precision, recall and F1 (0 to 1) of the predictions that score at least `threshold`."""

    threshold: float
    precision: float
    recall: float
    f1: float


def rates(right: float, wrong: float, objects: int) -> tuple[float, float, float]:
    """Return precision, recall and F1 from counts; 0 where one is not defined."""
    precision = right / (right + wrong) if right + wrong else 0.0
    recall = right / objects if objects else 0.0
    both = precision + recall
    return precision, recall, 2 * precision * recall / both if both else 0.0


def at(matches: Matches, threshold: float) -> At:
    """Return what the class has from `threshold` on."""
    kept = matches.right[matches.scores >= threshold]
    right = int(kept.sum())
    return At(threshold, *rates(right, len(kept) - right, matches.objects))


def best_f1(matches: Matches) -> At | None:
    """Return the score from which on the class has its best F1.

    Every score that occurs is tried; of equally good ones the highest. None when there is no object
    or no prediction. The threshold lies halfway to the next lower score, so that rounding it does
    not lose the prediction it stands for.
    """
    if not matches.objects or not len(matches.scores):
        return None
    order = np.argsort(-matches.scores, kind="stable")
    scores, right = matches.scores[order], matches.right[order]
    found = np.cumsum(right)
    # Predictions of one score come together: only the last of them is a place to cut.
    ends = np.flatnonzero(np.append(scores[1:] != scores[:-1], True))
    f1 = 2 * found[ends] / (ends + 1 + matches.objects)
    best = int(np.argmax(f1))
    end = ends[best]
    lower = scores[end + 1] if end + 1 < len(scores) else 0.0
    threshold = round(float(scores[end] + lower) / 2, 6)
    if not lower < threshold <= scores[end]:
        threshold = float(scores[end])
    return at(matches, threshold)


def best_common(classes: Sequence[Matches]) -> At:
    """Return the one threshold with the best mean F1 over the classes that have objects.

    0.00 to 1.00 in steps of 0.01, of equally good ones the lowest, as rfdetr's
    sweep_confidence_thresholds looks for it; precision, recall and F1 are means over classes.
    """
    counted = [matches for matches in classes if matches.objects]
    if not counted:
        return At(0.0, 0.0, 0.0, 0.0)
    steps = np.linspace(0.0, 1.0, 101)
    table = np.zeros((len(counted), len(steps), 3))
    for row, matches in enumerate(counted):
        order = np.argsort(matches.scores, kind="stable")
        scores, right = matches.scores[order], matches.right[order]
        # How many from each place on are right: sums from the end.
        after = np.append(np.cumsum(right[::-1])[::-1], 0)
        first = np.searchsorted(scores, steps, side="left")
        for column, start in enumerate(first):
            found = int(after[start])
            wrong = len(scores) - int(start) - found
            table[row, column] = rates(found, wrong, matches.objects)
    means = table.mean(axis=0)
    best = int(np.argmax(means[:, 2]))
    precision, recall, f1 = (float(value) for value in means[best])
    return At(float(steps[best]), precision, recall, f1)


def mean_of(values: npt.NDArray[np.float64]) -> float | None:
    """Return the mean of the entries that are not COCO's -1 (nothing to measure), None if none."""
    known = values[values > -1]
    return float(known.mean()) if known.size else None
