"""Changing tracks: split, merge, re-class, approve, remove, each one step that can be undone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.common.text import clean, plural
from core.data.labels.bulk import accept_rows
from core.data.labels.edit import label_for
from core.data.labels.tracks.view import TrackBox, track_boxes, track_row, video_pictures
from core.data.labels.view import LabelError
from core.data.store import Change, HistoryEntry, Project

KIND = "labels.tracks"
# So many pictures are named before "and n more".
_NAMED = 3


def split_track(project: Project, track_id: int, image_id: int) -> HistoryEntry:
    """Make the boxes of a track from a picture on a track of their own.

    The picture need not have a box of it. `detail["new"]` of the entry is the new track's number.
    Raises `LabelError` where one of the two would be empty or the picture is not of the video.
    """
    with project.change(KIND, f"Split of track {track_id}") as change:
        row = track_row(project, track_id)
        places = {picture.id: picture for picture in video_pictures(project, row["grp"])}
        if image_id not in places:
            raise LabelError(
                f"Picture {image_id} is not of the video '{clean(row['grp'])}'.",
                "Name a picture of the track's video.",
            )
        at = places[image_id]
        boxes = track_boxes(project, track_id)
        later = [box for box in boxes if box.picture.place >= at.place]
        if not later or len(later) == len(boxes):
            raise LabelError(
                f"Track {track_id} has no box {'from' if not later else 'before'}"
                f" '{clean(at.name)}'{' on' if not later else ''}.",
                "Split it at a picture after its first.",
            )
        new = change.insert(
            "tracks", {"grp": row["grp"], "class_id": row["class_id"], "approved": row["approved"]}
        )
        put_on(change, later, new)
        said = f"Split track {track_id} at {clean(at.name)}: {plural(len(later), 'box', 'boxes')}"
        project.describe(
            change,
            f"{said} are track {new}",
            {"video": row["grp"], "track": track_id, "new": new, "image": image_id},
        )
    return project.entry(change.history_id)


def merge_tracks(project: Project, track_id: int, other: int) -> HistoryEntry:
    """Put the boxes of track `other` on `track_id`; they keep their own classes.

    Raises `LabelError` when both are on one picture, of two videos, or one and the same.
    """
    with project.change(KIND, f"Merge of tracks {track_id} and {other}") as change:
        row, gone = track_row(project, track_id), track_row(project, other)
        if track_id == other:
            raise LabelError(f"Track {track_id} cannot be merged with itself.", "Name two tracks.")
        if row["grp"] != gone["grp"]:
            raise LabelError(
                f"Track {track_id} is of the video '{clean(row['grp'])}', {other} of"
                f" '{clean(gone['grp'])}'.",
                "An object has a track in each video.",
            )
        mine = {box.picture.id for box in track_boxes(project, track_id)}
        coming = track_boxes(project, other)
        both = {box.picture.id: box.picture for box in coming if box.picture.id in mine}
        if both:
            raise LabelError(
                f"Tracks {track_id} and {other} are both on {_named(list(both.values()))}:"
                " a track has one box on a picture.",
                "Split one of them there, or remove the box that is wrong, and merge again.",
            )
        put_on(change, coming, track_id)
        _off_elsewhere(project, change, other)
        # What two approved tracks are together is right only if somebody says so of it too.
        change.update("tracks", track_id, {"approved": int(row["approved"] and gone["approved"])})
        change.delete("tracks", other)
        project.describe(
            change,
            f"Merged track {other} into {track_id}: {plural(len(coming), 'box', 'boxes')}",
            {"video": row["grp"], "track": track_id, "gone": other},
        )
    return project.entry(change.history_id)


def reclass_track(project: Project, track_id: int, class_id: int) -> HistoryEntry | None:
    """Give a track and all its labels a class; its open suggestions take it when accepted so.

    Returns None when they have it already. Raises `LabelError` for an unknown track or class.
    """
    with project.change(KIND, f"Class of track {track_id}") as change:
        row = track_row(project, track_id)
        labels = [box for box in track_boxes(project, track_id) if not box.suggested]
        other = [box for box in labels if box.class_id != class_id]
        name = class_name(project, class_id)
        reclass(project, change, other, class_id)
        change.update("tracks", track_id, {"class_id": class_id})
        if change.empty:
            return None
        project.describe(
            change,
            f"Track {track_id} is {clean(name)}: {plural(len(other), 'label')} changed",
            {"video": row["grp"], "track": track_id, "class": class_id},
        )
    return project.entry(change.history_id)


def approve_track(
    project: Project, track_id: int, approved: bool = True, *, accept: bool = False
) -> HistoryEntry | None:
    """Say that a track is right, or (not `approved`) that it is to be looked at again.

    With `accept` its open suggestions become labels, of the track's class where it has one.
    Returns None when there was nothing to do. Raises `LabelError` for an unknown track.
    """
    with project.change(KIND, f"Approval of track {track_id}") as change:
        row = track_row(project, track_id)
        change.update("tracks", track_id, {"approved": int(approved)})
        taken = _accept(project, change, track_id, row["class_id"]) if accept and approved else 0
        if change.empty:
            return None
        said = f"Approved track {track_id}" if approved else f"Track {track_id} is to be looked at"
        project.describe(
            change,
            said + (f": {plural(taken, 'suggestion')} accepted" if taken else ""),
            {"video": row["grp"], "track": track_id, "approved": approved, "accepted": taken},
        )
    return project.entry(change.history_id)


def remove_track(project: Project, track_id: int) -> HistoryEntry:
    """Remove a track with its labels, and reject its open suggestions and those it was made of.

    Raises `LabelError` for an unknown track.
    """
    with project.change(KIND, f"Removal of track {track_id}") as change:
        row = track_row(project, track_id)
        boxes = track_boxes(project, track_id)
        labels = [box.id for box in boxes if not box.suggested]
        change.update_many("annotations", ["deleted"], [(number, 1) for number in labels])
        made = [
            found[0]
            for number in labels
            for found in project.db.execute(
                "SELECT id FROM suggestions WHERE state = 'accepted' AND annotation_id = ?"
                " AND image_id = (SELECT image_id FROM annotations WHERE id = ?)",
                (number, number),
            ).fetchall()
        ]
        wrong = [box.id for box in boxes if box.suggested] + made
        change.update_many("suggestions", ["state"], [(number, "rejected") for number in wrong])
        _off_elsewhere(project, change, track_id)
        change.delete("tracks", track_id)
        project.describe(
            change,
            f"Removed track {track_id}: {plural(len(labels), 'label')} removed,"
            f" {plural(len(wrong), 'suggestion')} rejected",
            {"video": row["grp"], "track": track_id},
        )
    return project.entry(change.history_id)


def put_on(change: Change, boxes: Sequence[TrackBox], track_id: int | None) -> None:
    """Set the track of labels and suggestions."""
    for table, suggested in (("annotations", False), ("suggestions", True)):
        rows = [(box.id, track_id) for box in boxes if box.suggested is suggested]
        change.update_many(table, ["track"], rows)


def class_name(project: Project, class_id: int) -> str:
    """Return a class's name. Raises `LabelError` when there is no such class."""
    row = project.db.execute("SELECT name FROM classes WHERE id = ?", (class_id,)).fetchone()
    if row is None:
        raise LabelError(
            f"There is no class {class_id} in the project.", "It may have been merged since."
        )
    return str(row[0])


def reclass(project: Project, change: Change, labels: Sequence[TrackBox], class_id: int) -> None:
    """Give labels a class, as a person's change."""
    known: dict[int, int] = {}
    rows = []
    for box in labels:
        (import_id,) = project.db.execute(
            "SELECT import_id FROM images WHERE id = ?", (box.picture.id,)
        ).fetchone()
        if import_id not in known:
            known[import_id] = label_for(project, change, box.picture.id, class_id)
        rows.append((box.id, known[import_id], 1))
    change.update_many("annotations", ["label_id", "edited"], rows)


def _accept(project: Project, change: Change, track_id: int, class_id: int | None) -> int:
    """Make labels of a track's open suggestions where it has none on the picture."""
    labels = {box.picture.id for box in track_boxes(project, track_id) if not box.suggested}
    rows = project.db.execute(
        "SELECT * FROM v_suggestions WHERE state = 'open' AND track = ?"
        " ORDER BY image_id, score DESC, id",
        (track_id,),
    ).fetchall()
    free: list[Any] = []
    for row in rows:
        if row["image_id"] not in labels:
            labels.add(row["image_id"])
            free.append(row)
    taken = accept_rows(project, change, free)
    if class_id is not None:
        made = [box for box in track_boxes(project, track_id) if not box.suggested]
        ours = {row["image_id"] for row in free}
        other = [box for box in made if box.picture.id in ours and box.class_id != class_id]
        reclass(project, change, other, class_id)
    return taken


def _off_elsewhere(project: Project, change: Change, track_id: int) -> None:
    """Take from a track that goes what is not seen at present: hidden, removed, decided, undone."""
    for table in ("annotations", "suggestions"):
        rows = project.db.execute(f"SELECT id FROM {table} WHERE track = ?", (track_id,)).fetchall()
        change.update_many(table, ["track"], [(row[0], None) for row in rows])


def _named(pictures: Sequence[Any]) -> str:
    names = ", ".join(f"'{clean(picture.name)}'" for picture in pictures[:_NAMED])
    more = len(pictures) - _NAMED
    return names + (f" and {more:,} more" if more > 0 else "")
