"""Accepting and rejecting suggestions over many pictures, each as one step."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from core.common.text import clean, plural
from core.data.labels.edit import label_for, track_taken
from core.data.labels.least_score import SHOWN
from core.data.labels.matching import agreeing, as_boxes
from core.data.labels.view import LabelError
from core.data.store import Change, HistoryEntry, Project

_COLUMNS = ("image_id", "label_id", "x", "y", "w", "h", "source", "model", "score", "track")


def accept_all(
    project: Project,
    class_id: int | None = None,
    least: float = SHOWN,
    image_ids: Sequence[int] | None = None,
) -> HistoryEntry | None:
    """Make labels of all open suggestions from the score `least` on, as one step.

    Of one class and of some pictures only where they are given. What overlaps a label of its class
    by 0.5 or more by now is not accepted twice: it agrees. Returns None when there was none.
    """
    with project.change("labels.accept", "accept suggestions") as change:
        rows = _open(project, class_id, least, image_ids)
        accepted = accept_rows(project, change, rows)
        if change.empty:
            return None
        said = f"Accepted {plural(accepted, 'suggestion')}{_which(project, class_id, least)}"
        project.describe(change, said, {"accepted": accepted, "class": class_id, "least": least})
    return project.entry(change.history_id)


def reject_all(
    project: Project,
    class_id: int | None = None,
    least: float = 0.0,
    image_ids: Sequence[int] | None = None,
    most: float = 1.0,
) -> HistoryEntry | None:
    """Reject all open suggestions that score from `least` to `most`; else as `accept_all`."""
    with project.change("labels.reject", "reject suggestions") as change:
        ids = [r["id"] for r in _open(project, class_id, least, image_ids) if r["score"] <= most]
        change.update_many("suggestions", ["state"], [(i, "rejected") for i in ids])
        if change.empty:
            return None
        said = f"Rejected {plural(len(ids), 'suggestion')}{_which(project, class_id, least)}"
        project.describe(change, said, {"rejected": len(ids), "class": class_id, "least": least})
    return project.entry(change.history_id)


def decide(
    project: Project,
    accept: Sequence[int] = (),
    reject: Sequence[int] = (),
    key: str | None = None,
) -> HistoryEntry | None:
    """Accept some suggestions and reject others, on any pictures, as one step: a page of crops.

    What somebody else decided meanwhile stays as that is. `key` as for `edit`. Returns None when
    nothing was left to decide. Raises `LabelError` for a number that is both or no suggestion.
    """
    if both := set(accept) & set(reject):
        raise LabelError(f"Suggestion {min(both)} is accepted and rejected at once.", "Choose.")
    with project.change("labels.review", "review suggestions") as change:
        if key is not None:
            query = "SELECT history_id FROM edit_keys WHERE key = ?"
            done = project.db.execute(query, (key,)).fetchone()
            if done is not None:
                return project.entry(done[0]) if done[0] else None
        wanted = json.dumps([*accept, *reject])
        rows = project.db.execute(
            "SELECT * FROM v_suggestions WHERE id IN (SELECT value FROM json_each(?))"
            " ORDER BY image_id, score DESC, id",
            (wanted,),
        ).fetchall()
        if missing := {*accept, *reject} - {row["id"] for row in rows}:
            raise LabelError(
                f"There is no suggestion {min(missing)}.", "Its pass may have been undone."
            )
        taken = set(accept)
        still = [row for row in rows if row["state"] == "open"]
        accepted = accept_rows(project, change, [row for row in still if row["id"] in taken])
        wrong = [(row["id"], "rejected") for row in still if row["id"] not in taken]
        change.update_many("suggestions", ["state"], wrong)
        number = 0 if change.empty else change.history_id
        if key is not None:
            project.db.execute("INSERT INTO edit_keys VALUES (?, ?, '[]')", (key, number))
        if change.empty:
            return None
        project.describe(
            change,
            f"Reviewed {plural(len(still), 'suggestion')}: {accepted} accepted,"
            f" {len(wrong)} rejected",
            {"accepted": accepted, "rejected": len(wrong)},
        )
    return project.entry(change.history_id)


def _open(
    project: Project, class_id: int | None, least: float, image_ids: Sequence[int] | None
) -> list[Any]:
    """Return the rows of open suggestions, a picture after the other, the surest first."""
    where, values = ["state = 'open'", "score >= ?"], [least]
    if class_id is not None:
        where.append("class_id = ?")
        values.append(class_id)
    if image_ids is not None:
        where.append("image_id IN (SELECT value FROM json_each(?))")
        values.append(json.dumps(list(image_ids)))  # type: ignore[arg-type]
    return project.db.execute(
        f"SELECT * FROM v_suggestions WHERE {' AND '.join(where)}"
        " ORDER BY image_id, score DESC, id",
        values,
    ).fetchall()


def accept_rows(project: Project, change: Change, rows: Sequence[Any]) -> int:
    """Make labels of suggestions, and return how many.

    `rows` are those of `v_suggestions`, ordered by picture. What agrees with a label by now is none
    more; a track that has a label on the picture gets no second one.
    """
    label_ids: dict[tuple[int, int], int] = {}
    new: list[tuple[Any, ...]] = []
    accepted: list[int] = []
    agree: list[int] = []
    for image_id, of_picture in groupby(rows, key=lambda row: row["image_id"]):
        (import_id,) = project.db.execute(
            "SELECT import_id FROM images WHERE id = ?", (image_id,)
        ).fetchone()
        tracks: set[int] = set()
        for row, there in _with_labels(project, image_id, list(of_picture)):
            if there:
                agree.append(row["id"])
                continue
            track = row["track"]
            if track is not None and (track in tracks or track_taken(project, image_id, track)):
                track = None
            elif track is not None:
                tracks.add(track)
            at = (import_id, row["class_id"])
            if at not in label_ids:
                label_ids[at] = label_for(project, change, image_id, row["class_id"])
            box = (row["x"], row["y"], row["w"], row["h"])
            of = ("model", row["model"], row["score"], track)
            new.append((image_id, label_ids[at], *box, *of))
            accepted.append(row["id"])
    made = change.insert_many("annotations", _COLUMNS, new)
    change.update_many(
        "suggestions",
        ["state", "annotation_id"],
        [(i, "accepted", label) for i, label in zip(accepted, made, strict=True)],
    )
    change.update_many("suggestions", ["state"], [(i, "agrees") for i in agree])
    return len(accepted)


def _with_labels(project: Project, image_id: int, rows: list[Any]) -> Iterator[tuple[Any, bool]]:
    """Yield each suggestion and whether a label of its class is there already."""
    labels = project.db.execute(
        "SELECT class_id, x, y, w, h FROM v_annotations WHERE image_id = ?", (image_id,)
    ).fetchall()
    there = agreeing(
        as_boxes([(row["x"], row["y"], row["w"], row["h"]) for row in rows]),
        [row["class_id"] for row in rows],
        as_boxes([tuple(label)[1:] for label in labels]),
        [label["class_id"] for label in labels],
    )
    yield from zip(rows, map(bool, there), strict=True)


def _which(project: Project, class_id: int | None, least: float) -> str:
    if class_id is None:
        return f" from {least:.2f} on"
    row = project.db.execute("SELECT name FROM classes WHERE id = ?", (class_id,)).fetchone()
    if row is None:
        raise LabelError(f"There is no class {class_id}.", "It may have been merged since.")
    return f" of {clean(row[0])} from {least:.2f} on"
