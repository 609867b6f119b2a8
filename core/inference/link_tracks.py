"""Linking the boxes of a video into tracks: `python -m core.inference.link_tracks` as a job.

The tracker (ByteTrack, of `trackers`) brings OpenCV and SciPy along, which is why the app and the
page have it in a process of its own, by `link_in_child`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from core.common.errors import Cancelled
from core.common.progress import Cancelled as IsCancelled
from core.common.progress import Progress, Report, never, nothing
from core.common.text import clean
from core.data.labels.least_score import SHOWN
from core.data.labels.matching import as_boxes
from core.data.labels.tracks.link import Linkable, link_boxes, linkable_boxes
from core.data.store import HistoryEntry, Project
from core.inference.tracking import LOW_SCORE, Tracker
from core.models.detector import Prediction
from core.processes.job import run_job, serve_job

MODULE = "core.inference.link_tracks"
UNSEEN = 10
"""So many pictures a track waits to be seen again."""
# Pictures for labelling are far apart in time, and objects have moved: the boxes of an object share
# little. `trackers` has 0.1 too.
OVERLAP = 0.1
# ByteTrack counts its buffer in frames of a film of 30 a second: at this rate, in pictures.
_EACH = Fraction(30)


@dataclass(frozen=True)
class LinkOptions:
    """What to link: a video of the project in a folder, suggestions from the score `least` on.

    `unseen` and `overlap` as for `link_video`.
    """

    project: Path
    video: str
    least: float = SHOWN
    unseen: int = UNSEEN
    overlap: float = OVERLAP


def link_video(
    project: Project,
    options: LinkOptions,
    report: Report = nothing,
    cancelled: IsCancelled = never,
) -> HistoryEntry | None:
    """Link a video's labels and open suggestions into tracks, as one step of the history.

    Two boxes are one object when they share `overlap` of their union, the movement so far reckoned
    in; a track that is not seen waits for `unseen` pictures. What is seen on one picture only is no
    track. What becomes of tracks that are there is said at `link_boxes`. Returns None when there
    was nothing to link. Raises `LabelError` for no such video, `Cancelled` and `ProjectLocked`.
    """
    pictures = linkable_boxes(project, options.video, min(options.least, 1.0))
    tracker = Tracker(_EACH, max(options.least, LOW_SCORE), options.unseen, options.overlap)
    numbers: dict[tuple[bool, int], int] = {}
    before: list[Linkable] = []
    for place, (_, boxes) in enumerate(pictures):
        if cancelled():
            raise Cancelled("Linking was stopped.", "Nothing was changed.")
        report(Progress(f"linking {clean(options.video)}", place, len(pictures)))
        told = tracker.update(_prediction(boxes))
        # A track gets its number with its second box, and so does its first.
        for box, number in [
            *zip(before, told.before, strict=True),
            *zip(boxes, told.now, strict=True),
        ]:
            if number is not None:
                numbers[box.suggested, box.id] = number
        before = boxes
    return link_boxes(project, options.video, numbers, least=options.least)


def link_in_child(
    options: LinkOptions, report: Report = nothing, cancelled: IsCancelled = never
) -> int | None:
    """Do `link_video` in a child process; return the number of the step, None for nothing.

    Raises as `link_video` does, and RunError with the child's last words when it died.
    """
    number = run_job(MODULE, options, report, cancelled, name="Linking")
    return None if number is None else int(number)


def _prediction(boxes: Sequence[Linkable]) -> Prediction:
    """Return boxes (best first) as the tracker has them: x0, y0, x1, y1."""
    sides = as_boxes([box.box for box in boxes])
    corners = np.concatenate([sides[:, :2], sides[:, :2] + sides[:, 2:]], axis=1)
    return Prediction(
        corners.astype(np.float32),
        np.array([box.score for box in boxes], dtype=np.float32),
        np.array([box.class_id for box in boxes], dtype=np.int64),
    )


def _link(options: LinkOptions, report: Report, cancelled: IsCancelled) -> int | None:
    with Project.open(options.project) as project:
        entry = link_video(project, options, report, cancelled)
    return None if entry is None else entry.id


if __name__ == "__main__":
    sys.exit(serve_job(LinkOptions, _link))
