"""The videos of a project and the tracks in them, as they are.

A video is a group of pictures (`images.grp`) in the order of their times, or of their names where
they have none. A track is one object in it: labels, and open suggestions that would join it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from core.common.text import clean, did_you_mean
from core.data.labels.view import Edges, LabelError
from core.data.store import Project


@dataclass(frozen=True)
class VideoPicture:
    """A picture of a video: its place there from 0, its second (None: not known), its size."""

    id: int
    name: str
    place: int
    time: float | None
    width: int
    height: int


@dataclass(frozen=True)
class TrackBox:
    """A label of a track, or (`suggested`) an open suggestion: where it is and where it is from.

    `key` says that it is a keyframe: not drawn between two others, or changed since by a person.
    """

    id: int
    picture: VideoPicture
    box: Edges
    class_id: int
    source: str
    score: float | None
    key: bool
    suggested: bool


@dataclass(frozen=True)
class Track:
    """A track as lists show it.

    `sources` counts its labels by who made them (`import`, `person`, `model`, `interpolation`),
    `models` names the models among them and among its open suggestions.
    """

    id: int
    video: str
    class_id: int | None
    class_name: str
    approved: bool
    first: VideoPicture
    last: VideoPicture
    labels: int
    suggestions: int
    sources: Mapping[str, int]
    models: tuple[str, ...]


@dataclass(frozen=True)
class Video:
    """A video as lists show it: pictures, those reviewed, its seconds, tracks, approved ones."""

    name: str
    pictures: int
    reviewed: int
    seconds: float | None
    tracks: int
    approved: int


def list_videos(project: Project) -> list[Video]:
    """Return the groups whose pictures have a time, or that have tracks, by name."""
    tracks: dict[str, list[Track]] = {}
    for track in list_tracks(project):
        tracks.setdefault(track.video, []).append(track)
    return [
        Video(
            name=name,
            pictures=pictures,
            reviewed=int(reviewed),
            seconds=seconds,
            tracks=len(tracks.get(name, ())),
            approved=sum(track.approved for track in tracks.get(name, ())),
        )
        for name, pictures, reviewed, seconds in project.db.execute(
            "SELECT grp, count(*), total(review = 'done'), max(time) FROM v_images"
            " WHERE grp IS NOT NULL GROUP BY grp ORDER BY grp"
        )
        if seconds is not None or name in tracks
    ]


def video_pictures(project: Project, video: str) -> list[VideoPicture]:
    """Return the pictures of a video in their order. Raises `LabelError` when there is none."""
    pictures = _pictures(project, video)
    if not pictures:
        names = [row[0] for row in project.db.execute("SELECT DISTINCT grp FROM v_images")]
        guess = did_you_mean(video, [name for name in names if name is not None])
        raise LabelError(
            f"There is no video '{clean(video)}' in the project '{clean(project.name)}'"
            f"{'; ' + guess if guess else ''}.",
            "See them with: batman labels tracks list.",
        )
    return list(pictures.values())


def list_tracks(project: Project, video: str | None = None) -> list[Track]:
    """Return the tracks of a video, or of all, in the order in which they are first seen.

    A track of which nothing is to be seen (its boxes are removed) is left out.
    """
    return [track for track, _ in tracks_with_boxes(project, video)]


def tracks_with_boxes(
    project: Project, video: str | None = None
) -> list[tuple[Track, list[TrackBox]]]:
    """Return the tracks as `list_tracks` does, each with its boxes as `track_boxes` does."""
    if video is not None:
        video_pictures(project, video)
    names = dict(project.db.execute("SELECT id, name FROM classes").fetchall())
    where, values = ("WHERE grp = ?", [video]) if video is not None else ("", [])
    rows = {row["id"]: row for row in project.db.execute(f"SELECT * FROM tracks {where}", values)}
    if not rows:
        return []
    boxes = _boxes(project, video)
    models = _models(project)
    found = [
        (_track(rows[track_id], of_track, names, models.get(track_id, set())), of_track)
        for track_id, of_track in boxes.items()
        if track_id in rows
    ]
    found.sort(key=lambda item: (item[0].video, item[0].first.place, item[0].id))
    return found


def track_boxes(project: Project, track_id: int) -> list[TrackBox]:
    """Return the boxes of a track in the order of the video; of a picture the label first.

    Raises `LabelError` when there is no such track.
    """
    video = track_row(project, track_id)["grp"]
    return _boxes(project, video, track_id).get(track_id, [])


def track_row(project: Project, track_id: int) -> Any:
    """Return a track's row. Raises `LabelError` when there is none."""
    row = project.db.execute("SELECT * FROM tracks WHERE id = ?", (track_id,)).fetchone()
    if row is None:
        raise LabelError(
            f"There is no track {track_id} in the project '{clean(project.name)}'.",
            "It may have been merged since; see them with: batman labels tracks list.",
        )
    return row


def _track(row: Any, boxes: list[TrackBox], names: Mapping[int, str], models: set[str]) -> Track:
    labels = [box for box in boxes if not box.suggested]
    # A track without a class of its own is of the class that most of its boxes have.
    usual = Counter(box.class_id for box in labels or boxes).most_common(1)[0][0]
    class_id = row["class_id"] if row["class_id"] in names else usual
    return Track(
        id=row["id"],
        video=row["grp"],
        class_id=class_id,
        class_name=names.get(class_id, ""),
        approved=bool(row["approved"]),
        first=boxes[0].picture,
        last=boxes[-1].picture,
        labels=len(labels),
        suggestions=len(boxes) - len(labels),
        sources=dict(Counter(box.source for box in labels)),
        models=tuple(sorted(models)),
    )


def _pictures(project: Project, video: str | None) -> dict[int, VideoPicture]:
    """Return the pictures of one video or of all by id, those of a video in their order."""
    if video is not None and not video.isascii():
        try:
            video.encode()
        except UnicodeEncodeError:
            return {}  # typed as no text is, and SQLite's no name
    which, values = ("= ?", [video]) if video is not None else ("IS NOT NULL", [])
    rows = project.db.execute(
        f"SELECT id, name, time, width, height, grp FROM v_images WHERE grp {which}", values
    ).fetchall()
    rows.sort(key=lambda row: (row["grp"], picture_order(row["time"], row["name"], row["id"])))
    return {
        row["id"]: VideoPicture(
            row["id"], row["name"], place, row["time"], row["width"], row["height"]
        )
        for _, of_video in groupby(rows, key=lambda row: row["grp"])
        for place, row in enumerate(of_video)
    }


def _boxes(
    project: Project, video: str | None, track_id: int | None = None
) -> dict[int, list[TrackBox]]:
    """Return the boxes of one track, of all tracks of a video or of all videos, by track."""
    pictures = _pictures(project, video)
    where, values = ["b.track IS NOT NULL"], list[object]()
    if video is not None:
        where.append("b.image_id IN (SELECT id FROM images WHERE grp = ?)")
        values.append(video)
    if track_id is not None:
        where.append("b.track = ?")
        values.append(track_id)
    which = " AND ".join(where)
    found: dict[int, list[TrackBox]] = {}
    for row in project.db.execute(
        "SELECT b.id, b.image_id, b.x, b.y, b.w, b.h, b.class_id, b.source, b.score, b.edited,"
        f" b.track, 0 AS suggested FROM v_annotations b WHERE {which} UNION ALL"
        " SELECT b.id, b.image_id, b.x, b.y, b.w, b.h, b.class_id, 'model', b.score, 0,"
        f" b.track, 1 FROM v_suggestions b WHERE b.state = 'open' AND {which}",
        values * 2,
    ):
        if row["image_id"] not in pictures:
            continue
        found.setdefault(row["track"], []).append(
            TrackBox(
                id=row["id"],
                picture=pictures[row["image_id"]],
                box=(row["x"], row["y"], row["w"], row["h"]),
                class_id=row["class_id"],
                source=row["source"] or "import",
                score=row["score"],
                key=bool(row["suggested"]) or is_key(row["source"], row["edited"]),
                suggested=bool(row["suggested"]),
            )
        )
    for boxes in found.values():
        boxes.sort(key=lambda box: (box.picture.place, box.suggested, box.id))
    return found


def is_key(source: str | None, edited: int) -> bool:
    """Whether a label is a keyframe: all are but those drawn between two and left as they were."""
    return source != "interpolation" or bool(edited)


def _models(project: Project) -> dict[int, set[str]]:
    models: dict[int, set[str]] = {}
    for track_id, model in project.db.execute(
        "SELECT track, model FROM v_annotations WHERE track IS NOT NULL AND model IS NOT NULL"
        " UNION SELECT track, model FROM v_suggestions WHERE track IS NOT NULL AND state = 'open'"
    ):
        models.setdefault(track_id, set()).add(model)
    return models


def picture_order(time: float | None, name: str, image_id: int) -> tuple[Any, ...]:
    """Return a key that orders the pictures of a video: by time, else by the numbers in names."""
    return time is None, time or 0.0, _natural(name), image_id


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Return a key by which `frame_2` comes before `frame_10`."""
    return [
        (0, int(part), "") if part.isdecimal() else (1, 0, part)
        for part in re.split(r"(\d+)", name)
        if part
    ]
