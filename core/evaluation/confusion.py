"""What a model takes for what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.evaluation.ground_truth import Truth, by_image
from core.evaluation.result import Confusion

Records = Sequence[dict[str, Any]]


def confusion(
    truth: Truth, predictions: Records, classes: Sequence[str], confidence: float
) -> Confusion:
    """Return supervision's confusion matrix at IoU 0.5 of what scores at least `confidence`.

    Imports supervision.
    """
    import numpy as np
    import supervision as sv

    class_of = truth.class_of()
    there = by_image(a for a in truth.annotations if not a["iscrowd"])
    seen = by_image(p for p in predictions if p["score"] >= confidence)

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
