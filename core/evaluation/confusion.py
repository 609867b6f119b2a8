"""What a model takes for what, and the images it gets most wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from core.evaluation.ground_truth import Truth
from core.evaluation.result import Box, Confusion, WorstImage

if TYPE_CHECKING:
    from core.evaluation.coco import CocoMetrics

Records = Sequence[dict[str, Any]]


def confusion(
    truth: Truth,
    predictions: Records,
    metrics: CocoMetrics,
    classes: Sequence[str],
    confidence: float,
) -> Confusion:
    """Return supervision's confusion matrix at IoU 0.5 of what scores at least `confidence`.

    Crowds count neither way: they are no objects to find, and predictions that lie in one of their
    class are not counted. Imports supervision.
    """
    import numpy as np
    import supervision as sv

    class_of = truth.class_of()
    there = _by_image(a for a in truth.annotations if not a["iscrowd"])
    seen = _by_image(
        record
        for number, record in enumerate(predictions, start=1)
        if record["score"] >= confidence and number not in metrics.ignored
    )

    def detections(records: Records, scored: bool) -> Any:
        boxes = np.array([r["bbox"] for r in records], dtype=np.float32).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        return sv.Detections(
            xyxy=boxes,
            class_id=np.array([class_of[r["category_id"]] for r in records], dtype=int),
            confidence=np.array([r["score"] for r in records]) if scored else None,
        )

    matrix = sv.ConfusionMatrix.from_detections(
        predictions=[detections(seen.get(i["id"], []), True) for i in truth.images],
        targets=[detections(there.get(i["id"], []), False) for i in truth.images],
        classes=list(classes),
        conf_threshold=0.0,
        iou_threshold=0.5,
    ).matrix
    return Confusion(
        labels=[*classes, "background"],
        matrix=[[int(value) for value in row] for row in matrix],
    )


def worst_images(
    truth: Truth,
    predictions: Records,
    metrics: CocoMetrics,
    classes: Sequence[str],
    confidence: float,
) -> list[WorstImage]:
    """Return the images with mistakes among what scores at least `confidence`, worst first.

    The most false positives and missed objects together come first; of equally bad images the one
    that was surer of its false positives, then the one with the lower id.
    """
    class_of = truth.class_of()
    there = _by_image(truth.annotations)
    seen: dict[int, list[tuple[int, dict[str, Any]]]] = {}
    for number, record in enumerate(predictions, start=1):
        if record["score"] >= confidence and number not in metrics.ignored:
            seen.setdefault(record["image_id"], []).append((number, record))
    found = {
        metrics.pairs[number]
        for records in seen.values()
        for number, _ in records
        if number in metrics.pairs
    }
    ranked = []
    for image in truth.images:
        objects = [a for a in there.get(image["id"], []) if not a["iscrowd"]]
        guesses = seen.get(image["id"], [])
        wrong = [record["score"] for number, record in guesses if number not in metrics.pairs]
        missed = sum(a["id"] not in found for a in objects)
        if wrong or missed:
            ranked.append(((-len(wrong) - missed, -sum(wrong), image["id"]), image, missed))
    result = []
    for rank, (key, image, missed) in enumerate(sorted(ranked, key=lambda r: r[0]), start=1):
        truth_boxes = [
            _box(a, classes[class_of[a["category_id"]]], a["id"] in found)
            for a in there.get(image["id"], [])
            if not a["iscrowd"]
        ]
        guessed = [
            _box(record, classes[class_of[record["category_id"]]], number in metrics.pairs)
            for number, record in seen.get(image["id"], [])
        ]
        result.append(
            WorstImage(
                image_id=image["id"],
                file=image["file_name"],
                width=image["width"],
                height=image["height"],
                false_positives=-key[0] - missed,
                missed=missed,
                picture=f"worst/{rank:03d}.jpg",
                truth=truth_boxes,
                predictions=guessed,
            )
        )
    return result


def _by_image(records: Any) -> dict[int, list[dict[str, Any]]]:
    grouped: dict[int, list[dict[str, Any]]] = {}
    for record in records:
        grouped.setdefault(record["image_id"], []).append(record)
    return grouped


def _box(record: dict[str, Any], name: str, right: bool) -> Box:
    x, y, w, h = (round(float(value), 2) for value in record["bbox"])
    return Box(class_name=name, bbox=(x, y, w, h), right=right, score=record.get("score"))
