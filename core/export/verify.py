"""How far apart what two models find is: detections as a set, and ties told from differences.

A two-stage detector takes the best places of its encoder as its queries, in their order, and each
query has embeddings of its own. Where two places score the same but for rounding, one runtime has
them in the one order, another in the other, and both answer rightly with other boxes. So an image
on which two models differ is looked at again by the first with such places exchanged: they tie if
the gap between the scores that decide is far below the tolerance, and the models agree if one of
these orders gives what the second model says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from core.common.errors import ExportFailed
from core.common.text import clean
from core.export.tolerance import TOLERANCE
from core.models.detector import Floats, Pixels, Prediction, decode

if TYPE_CHECKING:
    from core.models.detector import Detector

# Detections that score less are shown to nobody, and there are always some.
LEAST = 0.05
# Two places of the encoder tie when their logits are nearer than this part of the tolerance. In
# float32 two runtimes differ by about 1e-6 to 1e-5 there, and the allowed 1e-3 is a hundred times
# that; neighbours of 300 places are 1e-2 apart on average.
_TIE = 0.1
# Orders of one image that are tried. One tie is what is met; with many nothing is decided by them.
_MOST_ORDERS = 24
# By so many steps of float32 a place is put before another.
_STEPS = 4
# A detection that has none of its class to be compared with.
_NO_COUNTERPART = 1.0
# Makes any pair that agrees better than a pair that does not; costs are below 2.
_APART = 1000.0


@dataclass(frozen=True, slots=True)
class Difference:
    """The largest differences between two models over `images`: in scores, and in boxes.

    Both are relative, 0 to 1; `pixels` is the box's at the model's resolution, `compared` how many
    detections were looked at. On `tied` images queries of equal score come in another order, and
    the differences are those in the same order.
    """

    images: int
    scores: float
    boxes: float
    pixels: float
    compared: int
    tied: int = 0

    @property
    def largest(self) -> float:
        """The larger of the two, which must stay below the tolerance."""
        return max(self.scores, self.boxes)


class _Apart(NamedTuple):
    """How far the detections of two models on one image are apart; `total` is of all of them."""

    scores: float
    boxes: float
    total: float
    compared: int

    @property
    def largest(self) -> float:
        return max(self.scores, self.boxes)


def compare(
    one: Detector,
    other: Detector,
    images: Sequence[Pixels],
    batch: int = 4,
    tolerance: float = TOLERANCE,
) -> Difference:
    """Run both models on the same scaled images and return how far apart what they find is.

    Each detection that counts is compared with one of its class of the other model; their order
    does not matter. Differences above `tolerance` are looked into: see the module. Raises
    ExportFailed when the outputs do not have the same shape or are no numbers.
    """
    scores = boxes = 0.0
    compared = tied = 0
    differ = False
    for start in range(0, len(images), batch):
        scaled = np.stack([one.prepare(image) for image in images[start : start + batch]])
        first, second = one.forward(scaled), other.forward(scaled)
        if first[0].shape != second[0].shape or first[1].shape != second[1].shape:
            raise ExportFailed(
                f"'{clean(other.path.name)}' gives {second[0].shape} boxes and {second[1].shape} "
                f"scores, the original {first[0].shape} and {first[1].shape}."
            )
        for index in range(len(scaled)):
            theirs = _found(other, second, index)
            apart = _apart(one, _found(one, first, index), theirs, tolerance)
            # One image that truly differs is enough: the next need no second look.
            if apart.largest > tolerance and not differ:
                again = _in_other_orders(one, scaled[index : index + 1], theirs, tolerance)
                differ = again is None
                if again is not None:
                    apart, tied = again, tied + 1
            scores, boxes = max(scores, apart.scores), max(boxes, apart.boxes)
            compared += apart.compared
    return Difference(len(images), scores, boxes, boxes * one.resolution, compared, tied)


def require_agreement(
    original: Detector,
    path: Path,
    title: str,
    images: Sequence[Any],
    names: Sequence[str],
    tolerance: float,
) -> Difference:
    """Hold the exported model in `path` against the original and return how far apart they are.

    `title` is what its format is called, `names` the classes it has to have. Raises ExportFailed if
    it says otherwise than the original, or differs by more than `tolerance`.
    """
    from core.models.load import load_detector

    exported = load_detector(path, device="cpu")
    if exported.classes != list(names) or exported.resolution != original.resolution:
        raise ExportFailed(
            f"{path.name} says it has the classes {', '.join(map(clean, exported.classes))} at "
            f"{exported.resolution} pixels, which is not what was exported."
        )
    difference = compare(original, exported, images, tolerance=tolerance)
    if not difference.largest <= tolerance:
        raise ExportFailed(
            f"{path.name} does not agree with the original: scores differ by up to "
            f"{difference.scores:.2g} and boxes by {difference.pixels:.2g} pixels, "
            f"and {tolerance:g} is allowed.",
            f"Report it with the versions of torch, rfdetr and {title}'s packages.",
        )
    return difference


def _found(model: Detector, raw: tuple[Floats, Floats], index: int) -> Prediction:
    """Return what a user gets of an image, with boxes relative to it, 0 to 1."""
    boxes, logits = raw[0][index], raw[1][index]
    if not (np.isfinite(boxes).all() and np.isfinite(logits).all()):
        raise ExportFailed(
            "A model gives values that are no numbers.",
            "Its training went wrong: export an earlier checkpoint.",
        )
    return decode(boxes, logits, (1, 1), len(model.classes), model.num_select)


def _apart(model: Detector, mine: Prediction, theirs: Prediction, tolerance: float) -> _Apart:
    """Return how far the detections of both are from the nearest of the other."""
    scores = boxes = total = 0.0
    compared = 0
    for a, b in ((mine, theirs), (theirs, mine)):
        away = _to_counterparts(a, b, model.num_select, tolerance)
        if len(away):
            scores = max(scores, float(away[:, 0].max()))
            boxes = max(boxes, float(away[:, 1].max()))
        total += float(away.sum())
        compared += len(away)
    return _Apart(scores, boxes, total, compared)


def _to_counterparts(
    a: Prediction, b: Prediction, selected: int, tolerance: float
) -> npt.NDArray[np.float64]:
    """Return the distances in score and box of `a`'s detections to their counterparts, (N, 2).

    Of `b` each is taken once, so that what one model finds twice the other has to find twice. Only
    detections that count; where there is none, the best one. Of more than `selected` the last place
    is a matter of chance where scores are as good as the same.
    """
    from scipy.optimize import linear_sum_assignment  # rfdetr stands on it

    counts = a.scores >= LEAST
    if not counts.any():
        counts = np.arange(len(a)) < 1
    if len(b) >= selected:
        counts &= a.scores > b.scores[-1] + tolerance
    a = a.keep(counts)
    if not len(a):
        return np.zeros((0, 2))
    away = np.full((len(a), len(b) + len(a), 2), _NO_COUNTERPART)
    if len(b):
        same = a.class_ids[:, None] == b.class_ids[None]
        score = np.abs(a.scores.astype(np.float64)[:, None] - b.scores[None])
        box = np.abs(a.boxes.astype(np.float64)[:, None] - b.boxes[None]).max(axis=2)
        near = np.stack([score, box], axis=2)
        away[:, : len(b)] = np.where(same[..., None], near, _NO_COUNTERPART)
    largest = away.max(axis=2)
    rows, columns = linear_sum_assignment(largest + _APART * (largest > tolerance))
    return np.asarray(away[rows, columns])


def _in_other_orders(
    model: Detector, image: Pixels, theirs: Prediction, tolerance: float
) -> _Apart | None:
    """Return how far apart they are where `model` takes queries that tie in another order.

    None where no such order agrees within the tolerance: then the models differ. `image` is
    (1, R, R, 3), scaled.
    """
    selection = model.selection(image)
    if selection is None:
        return None
    scores = selection[0].astype(np.float64)
    added = np.zeros_like(selection)
    # Alone in its batch an image may be rounded otherwise, and the order be another already.
    plain = model.forward(image)
    best = _apart(model, _found(model, plain, 0), theirs, tolerance)
    queries = plain[0].shape[1]
    tried: set[tuple[int, int]] = set()
    while best.largest > tolerance:
        ties = [pair for pair in _ties(scores, queries, _TIE * tolerance) if pair not in tried]
        if not ties or len(tried) >= _MOST_ORDERS:
            return None
        over, place = ties[0]
        tried.add((over, place))
        more = added.copy()
        # As much as it takes to stand before the other, seen in float32.
        more[0, place] += scores[over] - scores[place] + _STEPS * _step(scores[over])
        apart = _apart(model, _found(model, model.forward_with(image, more), 0), theirs, tolerance)
        if apart.total < best.total:
            best, added = apart, more
            scores = selection[0].astype(np.float64) + added[0]
    return best


def _ties(scores: npt.NDArray[np.float64], queries: int, gap: float) -> list[tuple[int, int]]:
    """Return the pairs of places that follow each other and tie, the nearest first.

    Among the best `queries` and the first after them: that one is left out by as little. The second
    of a pair is to be put before the first. Of scores that are equal either may be the first, and
    there is a pair for both.
    """
    order = np.argsort(-scores, kind="stable")[: queries + 1]
    gaps = -np.diff(scores[order])
    pairs: list[tuple[int, int]] = []
    for g, at in sorted((float(g), at) for at, g in enumerate(gaps) if g <= gap):
        first, second = int(order[at]), int(order[at + 1])
        pairs.append((first, second))
        if g <= _step(scores[first]):
            pairs.append((second, first))
    return pairs


def _step(score: float) -> float:
    """Return how far float32 numbers as large as a score lie apart."""
    return float(np.spacing(np.float32(abs(score) + 1)))
