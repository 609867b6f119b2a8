"""What may be wrong with a track: a queue, the worst first.

The rules and how bad a case is are those of the original Batman
(`backend/app/services/tracker.py` `detect_problems`, @55998ed), but on the boxes there are: it was
given tracks without their frames, and found nothing. A change of class is ours.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from core.common.text import clean
from core.data.labels.tracks.view import TrackBox, VideoPicture, tracks_with_boxes
from core.data.store import Project

JUMP = 0.2
"""A middle that moves by more than this, in fractions of the picture's sides, has jumped."""
GROWTH = 2.0
"""An area that is more than so many times, or less than one such part of, the one before."""
GAP = 10
"""A track that is seen next more than so many pictures later has a gap."""

What = Literal["box jump", "size jump", "gap", "class change"]


@dataclass(frozen=True)
class Problem:
    """Something odd between a box of a track and the one before: on which picture, and how bad.

    `severity` is from 0 to 1, `says` a sentence for people.
    """

    track_id: int
    video: str
    picture: VideoPicture
    what: What
    severity: float
    says: str


def find_problems(
    project: Project, video: str | None = None, *, approved: bool = False
) -> list[Problem]:
    """Return what is odd in the tracks of a video, or of all, the worst first.

    Approved tracks have been looked at and are left out unless asked for. A label counts before a
    suggestion on the same picture.
    """
    names = dict(project.db.execute("SELECT id, name FROM classes").fetchall())
    found = [
        Problem(track.id, track.video, picture, what, severity, says)
        for track, boxes in tracks_with_boxes(project, video)
        if approved or not track.approved
        for picture, what, severity, says in _between(boxes, names)
    ]
    return sorted(found, key=lambda p: (-p.severity, p.video, p.picture.place, p.track_id))


def _between(
    boxes: Sequence[TrackBox], names: dict[int, str]
) -> Iterator[tuple[VideoPicture, What, float, str]]:
    seen = list({box.picture.place: box for box in reversed(boxes)}.values())[::-1]
    for before, box in pairwise(seen):
        moved = math.dist(_middle(before), _middle(box))
        if moved > JUMP:
            says = f"moved by {moved:.0%} of the picture"
            yield box.picture, "box jump", min(moved / 0.5, 1.0), says
        growth = _area(box) / _area(before)
        if not 1 / GROWTH <= growth <= GROWTH:
            says = f"is {growth:.1f} times as large" if growth > 1 else f"shrank to {growth:.0%}"
            yield box.picture, "size jump", min(abs(math.log(growth)) / 2, 1.0), says
        gap = box.picture.place - before.picture.place
        if gap > GAP:
            yield box.picture, "gap", min(gap / 50, 1.0), f"not seen for {gap - 1} pictures"
        if box.class_id != before.class_id:
            old, new = names.get(before.class_id, "?"), names.get(box.class_id, "?")
            yield box.picture, "class change", 1.0, f"{clean(old)} became {clean(new)}"


def _middle(box: TrackBox) -> tuple[float, float]:
    x, y, w, h = box.box
    return (x + w / 2) / box.picture.width, (y + h / 2) / box.picture.height


def _area(box: TrackBox) -> float:
    """Return the part of the picture that a box takes up: a video may change its size."""
    return max(box.box[2] * box.box[3], 1e-9) / (box.picture.width * box.picture.height)
