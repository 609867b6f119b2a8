"""Boxes of a track between two keyframes, in a straight line from one to the other."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from core.common.text import clean, plural
from core.data.labels.edit import close_agreeing, label_for
from core.data.labels.tracks.edit import KIND
from core.data.labels.tracks.view import (
    TrackBox,
    VideoPicture,
    track_boxes,
    track_row,
    video_pictures,
)
from core.data.labels.view import Edges, LabelError
from core.data.store import Change, HistoryEntry, Project


def interpolate_track(
    project: Project, track_id: int, first: int | None = None, last: int | None = None
) -> HistoryEntry | None:
    """Draw a track's boxes on the pictures between its keyframes, as one step.

    From the picture `first` to `last`, both keyframes, or between all of them. A box is where it
    would be if the object moved and grew evenly in time (in pictures where times are not known),
    of the class of the keyframe before. Keyframes stay, and so does a picture with an open
    suggestion of the track. Boxes drawn between keyframes earlier are drawn anew. Returns None when
    there is nothing to draw. Raises `LabelError` where a picture is no keyframe of the track.
    """
    with project.change(KIND, f"Interpolation of track {track_id}") as change:
        row = track_row(project, track_id)
        pictures = video_pictures(project, row["grp"])
        boxes = track_boxes(project, track_id)
        keys = [box for box in boxes if box.key and not box.suggested]
        keys = _chosen(track_id, keys, first, last)
        drawn: dict[int, TrackBox] = {
            box.picture.id: box for box in boxes if not box.key and not box.suggested
        }
        taken = {box.picture.id for box in boxes} - drawn.keys()
        new, moved = 0, 0
        for one, other in pairwise(keys):
            between = pictures[one.picture.place + 1 : other.picture.place]
            for picture in between:
                if picture.id in taken:
                    continue
                box = _on(between_boxes(one, other, picture), picture)
                if picture.id in drawn:
                    moved += _move(change, drawn[picture.id], box)
                else:
                    _draw(project, change, picture, one.class_id, box, track_id)
                    new += 1
                close_agreeing(project, change, picture.id)
        if change.empty:
            return None
        said = f"Drew {plural(new, 'box', 'boxes')} of track {track_id} between keyframes"
        project.describe(
            change,
            said + (f", {moved} moved" if moved else ""),
            {"video": row["grp"], "track": track_id, "drawn": new, "moved": moved},
        )
    return project.entry(change.history_id)


def between_boxes(one: TrackBox, other: TrackBox, picture: VideoPicture) -> Edges:
    """Return the box on a picture between two others."""
    start, at, end = one.picture.time, picture.time, other.picture.time
    if start is None or at is None or end is None or end <= start:
        start, at, end = one.picture.place, picture.place, other.picture.place
    part = (at - start) / (end - start)
    x, y, w, h = (a + (b - a) * part for a, b in zip(one.box, other.box, strict=True))
    return x, y, w, h


def _chosen(
    track_id: int, keys: Sequence[TrackBox], first: int | None, last: int | None
) -> list[TrackBox]:
    ends = []
    for image_id in (first, last):
        at = [box.picture.place for box in keys if box.picture.id == image_id]
        if image_id is not None and not at:
            raise LabelError(
                f"Track {track_id} has no keyframe on picture {image_id}.",
                "Draw its box there, or name another picture.",
            )
        ends.append(at[0] if at else None)
    begin, end = ends
    chosen = [
        box
        for box in keys
        if (begin is None or box.picture.place >= begin)
        and (end is None or box.picture.place <= end)
    ]
    if len(chosen) < 2:
        where = f" ('{clean(keys[0].picture.name)}')" if len(keys) == 1 else ""
        raise LabelError(
            f"Track {track_id} has {plural(len(chosen), 'keyframe')}{where}:"
            " boxes are drawn between two.",
            "Draw its box on a second picture first.",
        )
    return chosen


def _on(box: Edges, picture: VideoPicture) -> Edges:
    """Return a box that lies on a picture: a video may change its size."""
    x, y, w, h = box
    w, h = min(w, picture.width), min(h, picture.height)
    return min(max(x, 0.0), picture.width - w), min(max(y, 0.0), picture.height - h), w, h


def _move(change: Change, old: TrackBox, box: Edges) -> int:
    # The outline and its area were those of the old box.
    row = (old.id, *box, None, None)
    return change.update_many("annotations", ["x", "y", "w", "h", "segmentation", "area"], [row])


def _draw(
    project: Project,
    change: Change,
    picture: VideoPicture,
    class_id: int,
    box: Edges,
    track_id: int,
) -> None:
    label = label_for(project, change, picture.id, class_id)
    sides = dict(zip("xywh", box, strict=True))
    of = {"image_id": picture.id, "label_id": label, "source": "interpolation", "track": track_id}
    change.insert("annotations", {**of, **sides})
