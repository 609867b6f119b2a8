"""Editing the labels of a picture: a few edits, one step of the history.

The page, the app and the command line all edit through `edit`, so that each sees the other's work,
nobody writes over what changed meanwhile, and every edit can be taken back.
"""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import UNSET

from core.common.text import clean
from core.data.labels.matching import agreeing, as_boxes
from core.data.labels.ops import (
    Accept,
    Add,
    Copy,
    Delete,
    Known,
    Op,
    Reject,
    Reopen,
    Review,
    Set,
)
from core.data.labels.passes import clipped
from core.data.labels.review import looked_at_since
from core.data.labels.view import Edges, LabelError, PictureLabels, label_boxes, picture_labels
from core.data.store import Change, Project
from core.data.store.project_file import now, who

# Numbers that a browser and SQLite both keep exactly do not differ; a typed one may be rounded.
_CLOSE = 1e-3
# A copied box that overlaps one of its class by this much is there already.
_THERE = 0.9


class EditConflict(LabelError):
    """What was to be edited is no longer as it was seen; `picture` is how it is now."""

    def __init__(self, message: str, hint: str, picture: PictureLabels) -> None:
        super().__init__(message, hint)
        self.picture = picture


@dataclass(frozen=True)
class Edited:
    """What an edit did: its number in the history (None: nothing), the row of each op, the result.

    The row is that of the label an op made or changed, else None.
    """

    history_id: int | None
    ids: tuple[int | None, ...]
    picture: PictureLabels


def edit(project: Project, image_id: int, ops: Sequence[Op], key: str | None = None) -> Edited:
    """Do `ops` to the labels of a picture, all of them or none, as one step.

    `key` names the request: one that was done already is answered as it was then and not done
    again. Raises `EditConflict` when a label or suggestion is not as it was seen, `LabelError` for
    what makes no sense, and `ProjectLocked`.
    """
    if key is not None and (done := _done(project, key)) is not None:
        return Edited(*done, picture_labels(project, image_id))
    picture = picture_labels(project, image_id)
    detail: dict[str, Any] = {"image": image_id, "name": picture.name}
    with (
        _as_it_is(project, image_id),
        project.change("labels.edit", f"Edit of {clean(picture.name)}", detail) as change,
    ):
        # Read again under the lock: another may have asked the same, or changed the picture.
        if key is not None and (done := _done(project, key)) is not None:
            ids: list[int | None] = list(done[1])
        else:
            done = None
            hand = _Hand(project, change, picture_labels(project, image_id))
            ids = [hand.do(op) for op in ops]
            hand.settle()
            project.describe(change, hand.summary(), {**detail, "ops": dict(hand.counts)})
            if key is not None:
                number = None if change.empty else change.history_id
                project.db.execute(
                    "INSERT INTO edit_keys VALUES (?, ?, ?)", (key, number or 0, json.dumps(ids))
                )
    history_id = done[0] if done else None if change.empty else change.history_id
    return Edited(history_id, tuple(ids), picture_labels(project, image_id))


@contextlib.contextmanager
def _as_it_is(project: Project, image_id: int) -> Iterator[None]:
    """Let a conflict show the picture as it is once the change was rolled back."""
    try:
        yield
    except EditConflict as error:
        picture = picture_labels(project, image_id)
        raise EditConflict(error.message, error.hint, picture) from None


def label_for(project: Project, change: Change, image_id: int, class_id: int) -> int:
    """Return the label by which an annotation of a picture is of a class, made where it is missing.

    Raises `LabelError` for a class that is not there.
    """
    row = project.db.execute("SELECT name FROM classes WHERE id = ?", (class_id,)).fetchone()
    if row is None:
        raise LabelError(
            f"There is no class {class_id} in the project.", "It may have been merged since."
        )
    found = project.db.execute(
        "SELECT labels.id FROM labels JOIN images ON images.import_id = labels.import_id"
        " WHERE images.id = ? AND labels.class_id = ? ORDER BY labels.name != ?, labels.id LIMIT 1",
        (image_id, class_id, row[0]),
    ).fetchone()
    if found is not None:
        return int(found[0])
    (import_id,) = project.db.execute(
        "SELECT import_id FROM images WHERE id = ?", (image_id,)
    ).fetchone()
    return change.insert("labels", {"import_id": import_id, "name": row[0], "class_id": class_id})


def fitting(box: Edges, width: int, height: int) -> Edges:
    """Return the part of a box that is on the picture. Raises `LabelError` where there is none."""
    found = clipped(box, width, height)
    if found is None:
        raise LabelError(
            f"The box {', '.join(f'{side:g}' for side in box)} has no pixel on the picture of"
            f" {width} × {height}.",
            "Draw it larger, and on the picture.",
        )
    return found


def close_agreeing(project: Project, change: Change, image_id: int) -> None:
    """Close the open suggestions of a picture that agree with a label which is there now."""
    rows = project.db.execute(
        "SELECT id, class_id, x, y, w, h FROM v_suggestions WHERE image_id = ? AND state = 'open'",
        (image_id,),
    ).fetchall()
    boxes = label_boxes(project, image_id)
    agree = agreeing(
        as_boxes([tuple(row)[2:] for row in rows]),
        [row["class_id"] for row in rows],
        as_boxes([box.box for box in boxes]),
        [box.class_id for box in boxes],
    )
    closed = [(row["id"], "agrees") for row, same in zip(rows, agree, strict=True) if same]
    change.update_many("suggestions", ["state"], closed)


def track_taken(project: Project, image_id: int, track: int, besides: int = 0) -> bool:
    """Whether a label of the picture, other than `besides`, is on a track already."""
    row = project.db.execute(
        "SELECT 1 FROM v_annotations WHERE image_id = ? AND track = ? AND id != ?",
        (image_id, track, besides),
    ).fetchone()
    return row is not None


class _Hand:
    """What does the edits of one picture, in an open change."""

    def __init__(self, project: Project, change: Change, picture: PictureLabels) -> None:
        self._project = project
        self._change = change
        self._picture = picture
        self.counts: Counter[str] = Counter()

    def do(self, op: Op) -> int | None:
        """Do one edit and return the label's row."""
        match op:
            case Add():
                self.counts["added"] += 1
                self._require_track(op.track)
                return self._add(op.class_id, op.box, {"source": "person", "track": op.track})
            case Set():
                return self._set(op)
            case Delete():
                self._delete(op)
            case Accept():
                return self._accept(op)
            case Reject():
                self._decide(op.id, "rejected", ("open",))
            case Reopen():
                self._decide(op.id, "open", ("rejected", "repeated"))
            case Review():
                self._review(op)
            case Copy():
                self._copy(op.image_id)
        return None

    def settle(self) -> None:
        """Close the suggestions that agree with a label which is there now."""
        if not self.counts.keys() & {"added", "moved", "reclassed", "accepted", "copied"}:
            return
        close_agreeing(self._project, self._change, self._picture.image_id)

    def summary(self) -> str:
        """Return the step in a line for people."""
        said = ", ".join(f"{count} {what}" for what, count in self.counts.items())
        return f"{clean(self._picture.name)}: {said or 'nothing'}"

    def _require_track(self, track: int | None, besides: int = 0) -> None:
        """Raise `LabelError` unless a label of the picture may be on a track."""
        if track is None:
            return
        group = self._picture.group
        found = self._project.db.execute(
            "SELECT 1 FROM tracks WHERE id = ? AND grp = ?", (track, group)
        ).fetchone()
        if found is None:
            raise LabelError(
                f"There is no track {track} in the video of '{clean(self._picture.name)}'.",
                "It may have been merged since; look at the video's tracks again.",
            )
        if track_taken(self._project, self._picture.image_id, track, besides):
            raise LabelError(
                f"Track {track} has a box on '{clean(self._picture.name)}' already.",
                "A track has one box on a picture: move that one, or leave out the track.",
            )

    def _add(self, class_id: int, box: Edges, more: dict[str, Any]) -> int:
        track = more.get("track")
        if track is not None and track_taken(self._project, self._picture.image_id, track):
            more = {**more, "track": None}
        x, y, w, h = fitting(box, self._picture.width, self._picture.height)
        label = label_for(self._project, self._change, self._picture.image_id, class_id)
        row = {"image_id": self._picture.image_id, "label_id": label, "x": x, "y": y, "w": w}
        return self._change.insert("annotations", {**row, "h": h, **more})

    def _set(self, op: Set) -> int:
        row = self._seen(op.id, op.was)
        new: dict[str, Any] = {}
        if op.box is not None:
            box = fitting(op.box, self._picture.width, self._picture.height)
            if box != (row["x"], row["y"], row["w"], row["h"]):
                # The outline and its area were those of the old box.
                new |= dict(zip("xywh", box, strict=True)) | {"segmentation": None, "area": None}
                self.counts["moved"] += 1
        if op.class_id is not None and op.class_id != row["class_id"]:
            image = self._picture.image_id
            new["label_id"] = label_for(self._project, self._change, image, op.class_id)
            self.counts["reclassed"] += 1
        if new:
            new["edited"] = 1
        if op.track is not UNSET:
            self._require_track(op.track, op.id)
            new["track"] = op.track
            self.counts["put on a track" if op.track is not None else "off its track"] += 1
        if new:
            self._change.update("annotations", op.id, new)
        return op.id

    def _delete(self, op: Delete) -> None:
        self._seen(op.id, op.was)
        self._change.update("annotations", op.id, {"deleted": 1})
        # An accepted suggestion that turned out wrong is not made again, and counts as wrong.
        made = self._project.db.execute(
            "SELECT id FROM suggestions WHERE image_id = ? AND annotation_id = ?"
            " AND state = 'accepted'",
            (self._picture.image_id, op.id),
        ).fetchall()
        self._change.update_many("suggestions", ["state"], [(row[0], "rejected") for row in made])
        self.counts["deleted"] += 1

    def _accept(self, op: Accept) -> int:
        row = self._suggestion(op.id, ("open", "rejected", "repeated"))
        box = (row["x"], row["y"], row["w"], row["h"])
        mended = (op.box is not None and op.box != box) or op.class_id not in (
            None,
            row["class_id"],
        )
        more = {
            "source": "model",
            "model": row["model"],
            "score": row["score"],
            "edited": int(mended),
            "track": row["track"],
        }
        class_id = row["class_id"] if op.class_id is None else op.class_id
        made = self._add(class_id, box if op.box is None else op.box, more)
        self._change.update("suggestions", op.id, {"state": "accepted", "annotation_id": made})
        self.counts["accepted"] += 1
        return made

    def _decide(self, suggestion_id: int, state: str, have: tuple[str, ...]) -> None:
        self._suggestion(suggestion_id, have)
        self._change.update("suggestions", suggestion_id, {"state": state})
        self.counts["reopened" if state == "open" else state] += 1

    def _review(self, op: Review) -> None:
        if op.state == self._picture.review and not (
            op.state == "done" and looked_at_since(self._project, self._picture.image_id)
        ):
            return
        row = {
            "review": op.state,
            "reviewed_at": op.state and now(),
            "reviewed_by": op.state and who(),
        }
        self._change.update("images", self._picture.image_id, row)
        self.counts[
            {"done": "reviewed", "later": "put off"}.get(op.state or "", "to do again")
        ] += 1

    def _copy(self, image_id: int) -> None:
        source = picture_labels(self._project, image_id)
        here = label_boxes(self._project, self._picture.image_id)
        there, classes = as_boxes([box.box for box in here]), [box.class_id for box in here]
        video = source.group is not None and source.group == self._picture.group
        for box in source.boxes:
            edges = clipped(box.box, self._picture.width, self._picture.height)
            if edges is None or box.crowd:
                continue
            if agreeing(as_boxes(edges), [box.class_id], there, classes, _THERE)[0]:
                continue
            more = {"source": "person", "track": box.track if video else None}
            self._add(box.class_id, edges, more)
            self.counts["copied"] += 1

    def _seen(self, annotation_id: int, was: Known) -> Any:
        """Return a label's row. Raises `EditConflict` unless it is as it was seen."""
        row = self._project.db.execute(
            "SELECT id, class_id, x, y, w, h FROM v_annotations WHERE id = ? AND image_id = ?",
            (annotation_id, self._picture.image_id),
        ).fetchone()
        if row is None:
            raise self._conflict("The box is not there any more.")
        is_now = (row["x"], row["y"], row["w"], row["h"])
        close = all(abs(a - b) <= _CLOSE for a, b in zip(is_now, was.box, strict=True))
        if not close or row["class_id"] != was.class_id:
            raise self._conflict("The box was changed meanwhile.")
        return row

    def _suggestion(self, suggestion_id: int, states: tuple[str, ...]) -> Any:
        row = self._project.db.execute(
            "SELECT * FROM v_suggestions WHERE id = ? AND image_id = ?",
            (suggestion_id, self._picture.image_id),
        ).fetchone()
        if row is None:
            raise self._conflict("The suggestion is not there any more.")
        if row["state"] not in states:
            raise self._conflict(f"The suggestion was {row['state']} meanwhile.")
        return row

    def _conflict(self, message: str) -> EditConflict:
        hint = "Look at the picture as it is now, and edit again."
        return EditConflict(message, hint, self._picture)


def _done(project: Project, key: str) -> tuple[int | None, tuple[int | None, ...]] | None:
    """Return history number and rows of a request that was done, or None."""
    row = project.db.execute(
        "SELECT history_id, answer FROM edit_keys WHERE key = ?", (key,)
    ).fetchone()
    return None if row is None else (row[0] or None, tuple(json.loads(row[1])))
