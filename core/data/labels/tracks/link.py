"""Giving the boxes of a video their tracks, by what a tracker says of them.

The tracker itself is `core.inference.link_tracks`: here are the boxes it gets, and what is made of
its answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from core.common.text import clean, plural
from core.data.labels.tracks.edit import KIND
from core.data.labels.tracks.view import VideoPicture, video_pictures
from core.data.labels.view import Edges
from core.data.store import HistoryEntry, Project


@dataclass(frozen=True)
class Linkable:
    """A label, or (`suggested`) an open suggestion, that may be on a track.

    A label's score is 1: it is there. `track` is the one that it is on already.
    """

    id: int
    suggested: bool
    box: Edges
    class_id: int
    score: float
    track: int | None


def linkable_boxes(
    project: Project, video: str, least: float
) -> list[tuple[VideoPicture, list[Linkable]]]:
    """Return the pictures of a video in their order with their labels and open suggestions.

    Suggestions from the score `least` on; crowds are no objects. Raises `LabelError` for no video.
    """
    pictures = video_pictures(project, video)
    found: dict[int, list[Linkable]] = {picture.id: [] for picture in pictures}
    for row in project.db.execute(
        "SELECT id, image_id, x, y, w, h, class_id, 1.0 AS score, track, 0 AS suggested"
        " FROM v_annotations WHERE iscrowd = 0"
        " AND image_id IN (SELECT id FROM images WHERE grp = ?) UNION ALL"
        " SELECT id, image_id, x, y, w, h, class_id, score, track, 1 FROM v_suggestions"
        " WHERE state = 'open' AND score >= ?"
        " AND image_id IN (SELECT id FROM images WHERE grp = ?) ORDER BY suggested, score DESC, id",
        (video, least, video),
    ):
        if row["image_id"] in found:
            found[row["image_id"]].append(
                Linkable(
                    row["id"],
                    bool(row["suggested"]),
                    (row["x"], row["y"], row["w"], row["h"]),
                    row["class_id"],
                    row["score"],
                    row["track"],
                )
            )
    return [(picture, found[picture.id]) for picture in pictures]


def link_boxes(
    project: Project,
    video: str,
    numbers: Mapping[tuple[bool, int], int],
    *,
    least: float = 0.0,
) -> HistoryEntry | None:
    """Put boxes on tracks: `numbers` is the tracker's number of each (suggested, id), as one step.

    A box that is on a track stays there, and those of its number join that one; what was split or
    put right by hand is not undone. Numbers without such a box become new tracks, of the class that
    most of their boxes have. No track gets two boxes on a picture: of two the label stays, then the
    surer one. A track that was approved and gains boxes is to be looked at again. Boxes that are
    gone by now are passed over. Returns None when nothing was linked.
    """
    with project.change(KIND, f"Links in {clean(video)}") as change:
        pictures = linkable_boxes(project, video, least)
        known = {
            row[0] for row in project.db.execute("SELECT id FROM tracks WHERE grp = ?", (video,))
        }
        of_number: dict[int, list[tuple[int, Linkable]]] = {}
        there: dict[int, set[int]] = {}
        for picture, boxes in pictures:
            for box in boxes:
                if box.track in known:
                    there.setdefault(picture.id, set()).add(box.track or 0)
                number = numbers.get((box.suggested, box.id))
                if number is not None:
                    of_number.setdefault(number, []).append((picture.id, box))
        rows: dict[bool, list[tuple[int, int]]] = {False: [], True: []}
        new, joined = 0, set[int]()
        for number in sorted(of_number):
            own = Counter(box.track for _, box in of_number[number] if box.track in known)
            free = [(image, box) for image, box in of_number[number] if box.track not in known]
            if not free:
                continue
            if own:
                track = own.most_common(1)[0][0] or 0
                free = [item for item in free if track not in there.get(item[0], ())]
                if free:
                    joined.add(track)
            else:
                usual = Counter(box.class_id for _, box in free).most_common(1)[0][0]
                track = change.insert("tracks", {"grp": video, "class_id": usual})
                new += 1
            for image, box in free:
                if track not in there.setdefault(image, set()):
                    there[image].add(track)
                    rows[box.suggested].append((box.id, track))
        linked = sum(map(len, rows.values()))
        without = sum(box.track not in known for _, boxes in pictures for box in boxes) - linked
        change.update_many("annotations", ["track"], rows[False])
        change.update_many("suggestions", ["track"], rows[True])
        change.update_many("tracks", ["approved"], [(track, 0) for track in sorted(joined)])
        if change.empty:
            return None
        said = (
            f"Linked {plural(linked, 'box', 'boxes')} of {clean(video)}: {plural(new, 'new track')}"
        )
        if joined:
            said += f", {plural(len(joined), 'track')} grew"
        if without:
            alone = (
                "1 box met no other and is"
                if without == 1
                else f"{without:,} boxes met no other and are"
            )
            said += f"; {alone} on none"
        found = {"video": video, "linked": linked, "new": new, "grew": len(joined)}
        project.describe(change, said, {**found, "without": without})
    return project.entry(change.history_id)
