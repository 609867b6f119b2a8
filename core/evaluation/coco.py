"""COCO's metrics by pycocotools, on predictions in COCO's format.

Imports pycocotools: for the process that evaluates.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from core.evaluation.ground_truth import Truth
from core.evaluation.metrics import Matches, mean_of
from core.evaluation.result import SIZES

# COCO's own limit of predictions an image and class; also the one its published figures use.
COCO_LIMIT = 100
# Places in pycocotools' arrays: IoU 0.50 and 0.75 among 0.50:0.05:0.95, and the area ranges.
_IOU50, _IOU75, _ALL = 0, 5, 0


@dataclass(frozen=True, slots=True, eq=False)
class CocoMetrics:
    """pycocotools' arrays, read by class id, size of object and limit of predictions.

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
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    images = [{"id": image["id"]} for image in truth.images]
    categories = [{"id": number} for number in sorted(truth.category_of)]
    records = [
        {**found, "id": number, "iscrowd": 0, "area": found["bbox"][2] * found["bbox"][3]}
        for number, found in enumerate(predictions, start=1)
    ]
    # pycocotools prints what it does.
    with contextlib.redirect_stdout(io.StringIO()):
        there, found = COCO(), COCO()
        for coco, annotations in ((there, truth.annotations), (found, records)):
            coco.dataset = {
                "images": images,
                "categories": categories,
                "annotations": [dict(record) for record in annotations],
            }
            coco.createIndex()
        evaluation = COCOeval(there, found, "bbox")
        params = evaluation.params
        params.imgIds = [image["id"] for image in images]
        params.catIds = truth.category_of
        params.maxDets = sorted({1, 10, COCO_LIMIT, limit})
        evaluation.evaluate()
        evaluation.accumulate()
    # pycocotools sorts the categories: back to the order of the class ids.
    order = [evaluation.params.catIds.index(number) for number in truth.category_of]
    arrays = evaluation.eval
    return CocoMetrics(
        precision=arrays["precision"][:, :, order],
        recall=arrays["recall"][:, order],
        scores=arrays["scores"][:, :, order],
        limits=list(params.maxDets),
        **_matched(evaluation.evalImgs, order, len(evaluation.params.imgIds)),
    )


def _matched(
    per_image: list[dict[str, Any] | None], order: list[int], images: int
) -> dict[str, Any]:
    """Read from pycocotools' matching at IoU 0.5, all sizes, what was right.

    Its list goes by class, then size, then image.
    """
    sizes = len(SIZES) + 1
    pairs: dict[int, int] = {}
    ignored: set[int] = set()
    matches = []
    for place in order:
        scores: list[npt.NDArray[np.float64]] = []
        hits: list[npt.NDArray[np.bool_]] = []
        objects = 0
        start = place * sizes * images
        for entry in per_image[start : start + images]:
            if entry is None:
                continue
            ids = np.asarray(entry["dtIds"], dtype=np.int64)
            partners = np.asarray(entry["dtMatches"])[_IOU50].astype(np.int64)
            matched = partners > 0
            # A prediction on a crowd counts neither way.
            counts = ~np.asarray(entry["dtIgnore"], dtype=bool)[_IOU50]
            scores.append(np.asarray(entry["dtScores"], dtype=np.float64)[counts])
            hits.append(matched[counts])
            objects += int((~np.asarray(entry["gtIgnore"], dtype=bool)).sum())
            both = matched & counts
            pairs.update(zip(ids[both].tolist(), partners[both].tolist(), strict=True))
            ignored.update(ids[~counts].tolist())
        empty = np.zeros(0)
        matches.append(
            Matches(
                np.concatenate(scores) if scores else empty,
                np.concatenate(hits) if hits else empty.astype(bool),
                objects,
            )
        )
    return {"matches": matches, "pairs": pairs, "ignored": ignored}
