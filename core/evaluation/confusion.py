"""What a model takes for what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from core.evaluation.ground_truth import Truth, by_image
from core.evaluation.result import Confusion

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
    there = by_image(a for a in truth.annotations if not a["iscrowd"])
    seen = by_image(
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
