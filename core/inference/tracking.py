"""Following objects through a video: one number for each, whatever frames it is seen on."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from core.models import Prediction

# ByteTrack's second association takes weak detections down to here (its paper, section 3).
LOW_SCORE = 0.1


# DETR models suppress nothing: one object may be found twice, which would be two tracks that take
# turns. Boxes of a class that share this much of their union are one object; of any class, boxes
# that are as good as the same.
_SAME_CLASS, _SAME_BOX = 0.7, 0.95


class Tracker:
    """Gives the objects of one video numbers that they keep, by ByteTrack.

    Objects scoring at least `confidence` start a track; weaker ones, down to `LOW_SCORE`, only keep
    one alive. A track's number comes with its second frame in a row. What is found twice counts
    once (`without_doubles`).
    """

    def __init__(self, rate: Fraction, confidence: float) -> None:
        from trackers import ByteTrackTracker

        self._tracker = ByteTrackTracker(
            frame_rate=float(rate),
            track_activation_threshold=confidence,
            high_conf_det_threshold=confidence,
        )

    def update(self, found: Prediction) -> tuple[Prediction, list[int]]:
        """Return what of the next frame's predictions is on a track, and the tracks' numbers."""
        import supervision as sv

        found = without_doubles(found)
        detections = sv.Detections(
            xyxy=found.boxes, confidence=found.scores, class_id=found.class_ids
        )
        result = self._tracker.update(detections)
        numbers = np.asarray(result.tracker_id if result.tracker_id is not None else [], dtype=int)
        on = numbers >= 0
        if not on.any():
            return found.keep(np.zeros(len(found), dtype=bool)), []
        tracked = Prediction(
            np.asarray(result.xyxy, dtype=np.float32)[on],
            np.asarray(result.confidence, dtype=np.float32)[on],
            np.asarray(result.class_id, dtype=np.int64)[on],
        )
        # Numbers from 1, as people count.
        return tracked, [int(number) + 1 for number in numbers[on]]


def without_doubles(found: Prediction) -> Prediction:
    """Return the predictions (best first) without those of an object that a better one is of.

    That is greedy non-maximum suppression: at an IoU of 0.7 within a class, of 0.95 between
    classes.
    """
    boxes = found.boxes.astype(np.float64)
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=2)
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    union = area[:, None] + area[None] - shared
    iou = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    same = found.class_ids[:, None] == found.class_ids[None]
    double = iou >= np.where(same, _SAME_CLASS, _SAME_BOX)
    keep = np.ones(len(found), dtype=bool)
    for place in range(len(found)):
        if keep[place]:
            keep[place + 1 :] &= ~double[place, place + 1 :]
    return found.keep(keep)
