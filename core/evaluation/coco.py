"""COCO's metrics on predictions in COCO's format, for the process that evaluates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from core.evaluation.ground_truth import Truth
from core.evaluation.result import SIZES
from core.metrics import coco
from core.metrics.boxes import Floats, Found, Ints, Objects
from core.metrics.thresholds import Matches, matches_by_class, mean_of

# COCO's own limit of predictions an image and class; also the one its published figures use.
COCO_LIMIT = 100
# Places in COCO's arrays: IoU 0.50 and 0.75 among 0.50:0.05:0.95, and the area ranges.
_IOU50, _IOU75, _ALL = 0, 5, 0


@dataclass(frozen=True, slots=True, eq=False)
class CocoMetrics:
    """COCO's arrays, read by class id, size of object and limit of predictions.

    `precision` is (10 IoUs, 101 recalls, K classes, 4 sizes, M limits), `recall` (10, K, 4, M),
    `scores` as precision; -1 where there is nothing to measure. Matching at IoU 0.5: `matches` has
    one entry a class, `pairs` the id of the annotation that each right prediction (by its id)
    matches, `ignored` the ids of predictions that match a crowd and count neither way.
    """

    precision: npt.NDArray[np.float64]
    recall: npt.NDArray[np.float64]
    scores: npt.NDArray[np.float64]
    limits: list[int]
    matches: list[Matches]
    pairs: dict[int, int]
    ignored: set[int]

    def ap(self, *, iou: int | None = None, of: int | None = None, size: int = _ALL,
           limit: int | None = None) -> float | None:  # fmt: skip
        """Return AP: at one IoU (index) or their mean, of one class id or all, of one size."""
        values = self.precision[:, :, :, size, self._place(limit)]
        values = values if iou is None else values[iou : iou + 1]
        return mean_of(values if of is None else values[:, :, of])

    def ar(
        self, *, of: int | None = None, size: int = _ALL, limit: int | None = None
    ) -> float | None:
        """Return the mean recall over IoUs, of one class id or all."""
        values = self.recall[:, :, size, self._place(limit)]
        return mean_of(values if of is None else values[:, of])

    def summary(self, limit: int | None = None) -> dict[str, float | None]:
        """Return map50_95, map50, map75 and ar over all classes."""
        return {
            "map50_95": self.ap(limit=limit),
            "map50": self.ap(iou=_IOU50, limit=limit),
            "map75": self.ap(iou=_IOU75, limit=limit),
            "ar": self.ar(limit=limit),
        }

    def of_class(self, index: int) -> dict[str, Any]:
        """Return ap, ap50, ap75, ar, by_size, curve and curve_scores of a class id."""
        curve = self.precision[_IOU50, :, index, _ALL, -1]
        scores = self.scores[_IOU50, :, index, _ALL, -1]
        measured = bool((curve > -1).any())
        return {
            "ap": self.ap(of=index),
            "ap50": self.ap(iou=_IOU50, of=index),
            "ap75": self.ap(iou=_IOU75, of=index),
            "ar": self.ar(of=index),
            "by_size": {
                name: self.ap(of=index, size=place) for place, name in enumerate(SIZES, start=1)
            },
            "curve": [round(float(value), 6) for value in curve] if measured else [],
            "curve_scores": [round(float(value), 6) for value in scores] if measured else [],
        }

    def _place(self, limit: int | None) -> int:
        return -1 if limit is None else self.limits.index(limit)


def measure(truth: Truth, predictions: Sequence[dict[str, Any]], limit: int) -> CocoMetrics:
    """Return COCO's metrics of `predictions` on `truth`.

    `predictions` are COCO results: image_id, category_id, bbox (left, top, width, height in
    pixels) and score, in the order of their ids from 1. At most `limit` of an image and class
    count.
    """
    images = _Places(image["id"] for image in truth.images)
    classes = _Places(truth.category_of)
    objects = Objects(
        images=images.of(truth.annotations, "image_id"),
        classes=classes.of(truth.annotations, "category_id"),
        boxes=_boxes(truth.annotations),
        areas=_column(truth.annotations, "area"),
        crowd=_column(truth.annotations, "iscrowd") != 0,
    )
    found = Found(
        images=images.of(predictions, "image_id"),
        classes=classes.of(predictions, "category_id"),
        boxes=_boxes(predictions),
        scores=_column(predictions, "score"),
    )
    limits = sorted({1, 10, COCO_LIMIT, limit})
    measured = coco.measure(objects, found, len(images), len(classes), limits)
    # The places of classes are in the order of their categories: back to that of the class ids.
    order = [classes[number] for number in truth.category_of]
    matching = measured.matching
    paired = (matching.objects >= 0) & ~matching.ignored
    ids = np.array([record["id"] for record in truth.annotations], dtype=np.int64)
    matches = matches_by_class(objects, found, matching, len(classes))
    partners = ids[matching.objects[paired]]
    return CocoMetrics(
        precision=measured.precision[:, :, order],
        recall=measured.recall[:, order],
        scores=measured.scores[:, :, order],
        limits=limits,
        matches=[matches[place] for place in order],
        pairs=dict(zip((matching.found[paired] + 1).tolist(), partners.tolist(), strict=True)),
        ignored=set((matching.found[matching.ignored] + 1).tolist()),
    )


class _Places:
    """Where each id stands among all of its kind, from the least."""

    def __init__(self, ids: Iterable[int]) -> None:
        self._place = {number: place for place, number in enumerate(sorted(set(ids)))}

    def __len__(self) -> int:
        return len(self._place)

    def __getitem__(self, number: int) -> int:
        return self._place[number]

    def of(self, records: Sequence[dict[str, Any]], key: str) -> Ints:
        """Return the places of what the records have under `key`."""
        place = self._place
        return np.fromiter((place[record[key]] for record in records), np.int64, len(records))


def _column(records: Sequence[dict[str, Any]], key: str) -> Floats:
    return np.fromiter((record[key] for record in records), np.float64, len(records))


def _boxes(records: Sequence[dict[str, Any]]) -> Floats:
    sides = (side for record in records for side in record["bbox"])
    return np.fromiter(sides, np.float64, 4 * len(records)).reshape(-1, 4)
