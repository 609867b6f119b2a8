"""Following objects through a video: one number for each, whatever frames it is seen on."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from core.inference.options import TRACK_BUFFER, TRACK_OVERLAP
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
    once (`without_doubles`). `rate` is of the frames that are looked at, in frames a second. A
    track that is not seen waits for `buffer` frames of a film of 30 a second, and is the same
    object if the boxes share `overlap` of their union.
    """

    def __init__(
        self,
        rate: Fraction,
        confidence: float,
        buffer: int = TRACK_BUFFER,
        overlap: float = TRACK_OVERLAP,
    ) -> None:
        from trackers import ByteTrackTracker

        self._tracker = ByteTrackTracker(
            frame_rate=float(rate),
            track_activation_threshold=confidence,
            high_conf_det_threshold=confidence,
            lost_track_buffer=buffer,
            minimum_iou_threshold=overlap,
        )
        self._last = Prediction.none()
        self._numbers: list[int] = []

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
        self._last, self._numbers = Prediction.none(), []
        if on.any():
            self._last = Prediction(
                np.asarray(result.xyxy, dtype=np.float32)[on],
                np.asarray(result.confidence, dtype=np.float32)[on],
                np.asarray(result.class_id, dtype=np.int64)[on],
            )
            # Numbers from 1, as people count.
            self._numbers = [int(number) + 1 for number in numbers[on]]
        return self._last, list(self._numbers)

    def between(self, part: float) -> tuple[Prediction, list[int]]:
        """Return where what was on a track in the last frame is by now, and the tracks' numbers.

        `part` (0 to 1) is how much of the time to the next frame that is looked at has passed. A
        box moves as fast as its track's Kalman filter has it, whose state is four sides and their
        four speeds a step (trackers 2.6.1 `XYXYStateEstimator`).
        """
        speeds = {
            int(track.tracker_id) + 1: np.ravel(track.state_estimator.kf.state)[4:8]
            for track in self._tracker.tracks
        }
        still = np.zeros(4)
        moved = [speeds.get(number, still) * part for number in self._numbers]
        boxes = self._last.boxes + np.array(moved, dtype=np.float32).reshape(-1, 4)
        return Prediction(boxes, self._last.scores, self._last.class_ids), list(self._numbers)


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
