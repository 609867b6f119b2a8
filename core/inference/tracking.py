"""Following objects through a video: one number for each, whatever frames it is seen on."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from core.inference.options import TRACK_BUFFER, TRACK_OVERLAP
from core.models.detector import Prediction

# ByteTrack's second association takes weak detections down to here (its paper, section 3).
LOW_SCORE = 0.1


# DETR models suppress nothing: one object may be found twice, which would be two tracks that take
# turns. Boxes of a class that share this much of their union are one object; of any class, boxes
# that are as good as the same.
_SAME_CLASS, _SAME_BOX = 0.7, 0.95


Numbers = list[int | None]
"""Of each prediction of a frame the number of its track, from 1; None for one that is on none."""


class Numbered(NamedTuple):
    """The numbers on the frame that was looked at, and on the one before, now that it is known.

    A track begins with the second frame in a row that has it: `now` it has its number, and what it
    was on the frame before has got it too (`before`, empty on the first frame).
    """

    now: Numbers
    before: Numbers


class Tracker:
    """Gives the objects of one video numbers that they keep, by ByteTrack.

    Objects scoring at least `confidence` start a track; weaker ones, down to `LOW_SCORE`, only keep
    one alive. `rate` is of the frames that are looked at, in frames a second. A
    track that is not seen waits for `buffer` frames of a film of 30 a second, and is the same
    object if the boxes share `overlap` of their union. What is found twice is on one track: the
    best has the number, with `doubles` the others have it too.
    """

    def __init__(
        self,
        rate: Fraction,
        confidence: float,
        buffer: int = TRACK_BUFFER,
        overlap: float = TRACK_OVERLAP,
        *,
        doubles: bool = False,
    ) -> None:
        from core.inference.byte_track import ByteTrackTracker

        self._tracker = ByteTrackTracker(
            frame_rate=float(rate),
            track_activation_threshold=confidence,
            high_conf_det_threshold=confidence,
            lost_track_buffer=buffer,
            minimum_iou_threshold=overlap,
        )
        self._doubles = doubles
        self._last = Prediction.none()
        self._numbers: list[int] = []
        # Of the frame before: its numbers, what is the same object, and which row began which of
        # the tracker's tracks (one without a number yet; it gets it now, or never).
        self._before: Numbers = []
        self._same_before = np.zeros(0, np.int64)
        self._begun: list[tuple[Any, int]] = []

    def update(self, found: Prediction) -> Numbered:
        """Number the next frame's predictions (best first), and those of the frame before anew."""
        same = same_objects(found)
        kept = np.flatnonzero(same == np.arange(len(same)))
        known = {id(track): track for track in self._tracker.tracks}
        result = self._update(found.keep(same == np.arange(len(same))))
        of_each: Numbers = [None] * len(found)
        for row, number in zip(result.data.get("row", []), _numbers(result), strict=True):
            if number >= 0:
                of_each[kept[row]] = int(number) + 1  # from 1, as people count
        on = np.array([number is not None for number in of_each], dtype=bool)
        self._last = found.keep(on)
        self._numbers = [number for number in of_each if number is not None]

        before = list(self._before)
        for track, row in self._begun:
            if track.tracker_id >= 0:
                before[row] = int(track.tracker_id) + 1
        told = Numbered(
            self._with_doubles(of_each, same), self._with_doubles(before, self._same_before)
        )
        self._before, self._same_before = of_each, same
        self._begun = [
            (track, _row_at(found, track.get_state_bbox()))
            for track in self._tracker.tracks
            if id(track) not in known
        ]
        return told

    def _with_doubles(self, numbers: Numbers, same: npt.NDArray[np.int64]) -> Numbers:
        return [numbers[row] for row in same] if self._doubles else list(numbers)

    def _update(self, found: Prediction) -> Any:
        """Have the tracker look at a frame; its answer's `data["row"]` are places in `found`."""
        from core.inference.byte_track import Detections

        return self._tracker.update(
            Detections(
                xyxy=found.boxes,
                confidence=found.scores,
                class_id=found.class_ids,
                data={"row": np.arange(len(found))},
            )
        )

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


def single(found: Prediction) -> npt.NDArray[np.bool_]:
    """Return which predictions (best first) are not of an object that a better one is of, (N,)."""
    return np.asarray(same_objects(found) == np.arange(len(found)))


def same_objects(found: Prediction) -> npt.NDArray[np.int64]:
    """Return of each prediction (best first) the row of the best one of its object, (N,).

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
    alike = found.class_ids[:, None] == found.class_ids[None]
    double = iou >= np.where(alike, _SAME_CLASS, _SAME_BOX)
    same = np.arange(len(found))
    for place in range(len(found)):
        if same[place] == place:
            after = np.flatnonzero(double[place, place + 1 :]) + place + 1
            same[after[same[after] == after]] = place
    return same


def _row_at(found: Prediction, box: npt.NDArray[np.float64]) -> int:
    """Return the row that a track begins with: a new track's box is that of its detection."""
    return int(np.abs(found.boxes - np.ravel(box)).sum(axis=1).argmin())


def _numbers(result: Any) -> npt.NDArray[np.int64]:
    """Return the tracker's own numbers in its answer, from 0, -1 for what is on no track."""
    return np.asarray(result.tracker_id if result.tracker_id is not None else [], dtype=np.int64)
