"""Passes: one run of one labeller over pictures, and what it proposes.

A pass comes into a project whole or not at all. What agrees with a label is no suggestion, what was
rejected is not asked again, and what an earlier pass left open is replaced where this one looked
for the same class; all of it is kept with its state, and comes back when the pass is undone.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from core.common.text import clean, plural
from core.data.labels.matching import SAME, SAME_AGAIN, agreeing, as_boxes
from core.data.labels.suppress import suppress
from core.data.labels.view import Edges, LabelError
from core.data.store import Change, ChangedSince, HistoryEntry, Project
from core.data.store.project_file import now, who
from core.data.store.sqlite_errors import stored_json

KEPT = 0.1
"""The least score of what a labeller keeps: everything shown later is a view of that."""


class Found(NamedTuple):
    """An object that a labeller found: its class, box (x, y, w, h in pixels), score and track.

    `track` is the labeller's own number of an object in a video; each becomes a track there.
    """

    class_id: int
    box: Edges
    score: float
    track: int | None = None


@dataclass(frozen=True)
class PassInfo:
    """What a pass was: the kind of labeller, its model, the classes it looked for, and the rest."""

    labeller: str
    model: str
    class_ids: tuple[int, ...]
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PassReport:
    """What became of a pass; the counts after `images` are of suggestions.

    `gone_images` were looked at and are no longer in the project; `gone_objects` are of classes
    that are not.
    """

    pass_id: int
    history_id: int
    images: int
    open: int
    agrees: int
    repeated: int
    superseded: int
    gone_images: int = 0
    gone_objects: int = 0


@dataclass(frozen=True)
class PassLine:
    """A pass as lists show it, with its suggestions by state."""

    id: int
    at: str
    who: str
    labeller: str
    model: str
    images: int
    states: Mapping[str, int]
    detail: Mapping[str, Any]


def record_pass(
    project: Project, info: PassInfo, found: Iterable[tuple[int, Sequence[Found]]]
) -> PassReport:
    """Take what a labeller found, a picture at a time, into the project as one step.

    Pictures that are gone meanwhile are passed over, and so is what is found of classes that are;
    the report counts them. What is of a class that joined another meanwhile is of that one. Raises
    `LabelError` when no picture is left, and `ProjectLocked`; nothing is changed then.
    """
    with project.change("labels.pass", f"Suggestions of {info.model}") as change:
        class_of = _Classes(project)
        tracks: dict[tuple[str, int], int] = {}
        looked_for = class_of.now(info.class_ids)
        row = {
            "at": now(),
            "who": who(),
            "labeller": info.labeller,
            "model": info.model,
            "detail": json.dumps({**info.detail, "classes": looked_for}),
        }
        # What an earlier pass left is looked at before this one's rows are there.
        pass_id = change.insert("passes", row)
        counts: Counter[str] = Counter()
        superseded: list[int] = []
        for image_id, objects in found:
            size = project.db.execute(
                "SELECT width, height FROM v_images WHERE id = ?", (image_id,)
            ).fetchone()
            if size is None:
                counts["gone images"] += 1
                continue
            known = class_of.known(objects)
            counts["gone objects"] += len(objects) - len(known)
            known = [
                item._replace(box=box)
                for item in known
                if (box := clipped(item.box, *size)) is not None
            ]
            if class_of.joined:  # two of one object, each of a class of its own before
                boxes, scores = [item.box for item in known], [item.score for item in known]
                stay = suppress(boxes, scores, [item.class_id for item in known])
                known = [known[place] for place in sorted(stay)]
            superseded += _left_open(project, image_id, looked_for)
            states = _states(project, image_id, known)
            known = _on_tracks(project, change, image_id, known, tracks)
            project.db.execute(
                "INSERT OR IGNORE INTO pass_images VALUES (?, ?)", (pass_id, image_id)
            )
            project.db.executemany(
                "INSERT INTO suggestions(pass_id, image_id, class_id, x, y, w, h, score, track,"
                " state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (pass_id, image_id, item.class_id, *item.box, item.score, item.track, state)
                    for item, state in zip(known, states, strict=True)
                ],
            )
            counts["images"] += 1
            counts.update(states)
        if not counts["images"]:
            raise LabelError(
                "None of the pictures of this pass is in the project.",
                "Look at the filter of its pictures.",
            )
        change.update_many("suggestions", ["state"], [(i, "superseded") for i in superseded])
        report = PassReport(
            pass_id,
            change.history_id,
            counts["images"],
            counts["open"],
            counts["agrees"],
            counts["repeated"],
            len(superseded),
            counts["gone images"],
            counts["gone objects"],
        )
        project.describe(
            change,
            f"{plural(report.open, 'suggestion')} of {clean(info.model)}"
            f" on {plural(report.images, 'picture')}",
            {"pass": pass_id, "images": report.images, "open": report.open},
        )
    return report


class _Classes:
    """The classes that found objects are of: as they were begun with, and as they are now."""

    def __init__(self, project: Project) -> None:
        self._there = {row[0] for row in project.db.execute("SELECT id FROM classes")}
        self._project = project
        self._joined: dict[int, int] | None = None
        # Whether a class that was asked for has joined another since.
        self.joined = False

    def now(self, class_ids: Iterable[int]) -> list[int]:
        """Return what classes are now, each once and without those that are gone."""
        found = (self._now(class_id) for class_id in class_ids)
        return list(dict.fromkeys(class_id for class_id in found if class_id is not None))

    def known(self, found: Sequence[Found]) -> list[Found]:
        """Return objects with their classes as these are now, without those of no class."""
        return [
            item if class_id == item.class_id else item._replace(class_id=class_id)
            for item in found
            if (class_id := self._now(item.class_id)) is not None
        ]

    def _now(self, class_id: int) -> int | None:
        if class_id in self._there:
            return class_id
        if self._joined is None:
            self._joined = {
                int(old): new
                for (text,) in self._project.db.execute(
                    "SELECT json_extract(detail, '$.joined') AS joined FROM history"
                    " WHERE undone = 0 AND joined IS NOT NULL ORDER BY id"
                )
                for old, new in stored_json(text).items()
            }
        # A class that joined another is not given its number again: this comes to an end.
        at: int | None = class_id
        while at is not None and at not in self._there:
            at = self._joined.get(at)
        self.joined |= at is not None
        return at


def withdraw_pass(project: Project, pass_id: int) -> HistoryEntry:
    """Take a whole pass back, as one step that can be undone.

    Its suggestions are gone, and those that it had replaced are open again, unless a later pass
    that stands replaces them. Labels that were made of its suggestions stay. Raises `LabelError`
    for a pass that is not there, and `ChangedSince` where what it changed was changed since.
    """
    row = project.db.execute(
        "SELECT history.id, history.summary FROM passes JOIN history"
        " ON history.kind = 'labels.pass' AND json_extract(history.detail, '$.pass') = passes.id"
        " WHERE passes.id = ? AND passes.active = 1 AND history.undone = 0",
        (pass_id,),
    ).fetchone()
    if row is None:
        raise LabelError(
            f"There is no pass {pass_id} to take back.", "See batman labels passes; it may be gone."
        )
    detail = {"of": row["id"], "pass": pass_id}
    with project.change("labels.withdraw", f"Took back: {row['summary']}", detail) as change:
        if not change.invert(row["id"]):
            raise ChangedSince(
                f"'{clean(row['summary'])}' cannot be taken back: what it had replaced was changed"
                " since.",
                "Take back what came after it first.",
            )
        again = [
            each[0]
            for each in project.db.execute(
                "SELECT id FROM v_suggestions AS s WHERE state = 'open' AND pass_id < ?"
                " AND EXISTS (SELECT 1 FROM passes JOIN pass_images ON pass_id = passes.id"
                " WHERE passes.id > ? AND active = 1 AND image_id = s.image_id AND s.class_id IN"
                " (SELECT value FROM json_each(detail, '$.classes')))",
                (pass_id, pass_id),
            )
        ]
        change.update_many("suggestions", ["state"], [(each, "superseded") for each in again])
    return project.entry(change.history_id)


def list_passes(project: Project) -> list[PassLine]:
    """Return the passes that stand, the newest first."""
    states: dict[int, dict[str, int]] = {}
    for pass_id, state, count in project.db.execute(
        "SELECT pass_id, state, count(*) FROM suggestions GROUP BY pass_id, state"
    ):
        states.setdefault(pass_id, {})[state] = count
    return [
        PassLine(
            id=row["id"],
            at=row["at"],
            who=row["who"],
            labeller=row["labeller"],
            model=row["model"],
            images=row["images"],
            states=states.get(row["id"], {}),
            detail=json.loads(row["detail"]),
        )
        for row in project.db.execute(
            "SELECT *, (SELECT count(*) FROM pass_images WHERE pass_id = passes.id) AS images"
            " FROM passes WHERE active = 1 ORDER BY id DESC"
        )
    ]


def clipped(box: Edges, width: int, height: int) -> Edges | None:
    """Return the part of a box that lies on the picture, or None where that is under one pixel."""
    x, y, w, h = box
    left, top = max(0.0, x), max(0.0, y)
    right, bottom = min(float(width), x + w), min(float(height), y + h)
    seen = all(map(math.isfinite, box)) and right - left >= 1 and bottom - top >= 1
    return (left, top, right - left, bottom - top) if seen else None


def _on_tracks(
    project: Project,
    change: Change,
    image_id: int,
    found: Sequence[Found],
    tracks: dict[tuple[str, int], int],
) -> list[Found]:
    """Return what was found with the project's tracks for the labeller's numbers.

    `tracks` has those made so far. A picture of no video has none, and of two objects with one
    number the surer has it.
    """
    if all(item.track is None for item in found):
        return list(found)
    (group,) = project.db.execute("SELECT grp FROM images WHERE id = ?", (image_id,)).fetchone()
    placed = list(found)
    there: set[int] = set()
    for place in sorted(range(len(found)), key=lambda place: -found[place].score):
        item = found[place]
        number = item.track
        if group is None or number is None or number in there:
            placed[place] = item._replace(track=None)
            continue
        there.add(number)
        if (group, number) not in tracks:
            row = {"grp": group, "class_id": item.class_id}
            tracks[group, number] = change.insert("tracks", row)
        placed[place] = item._replace(track=tracks[group, number])
    return placed


def _left_open(project: Project, image_id: int, classes: Sequence[int]) -> list[int]:
    return [
        row[0]
        for row in project.db.execute(
            "SELECT id FROM v_suggestions WHERE image_id = ? AND state = 'open'"
            " AND class_id IN (SELECT value FROM json_each(?))",
            (image_id, json.dumps(list(classes))),
        )
    ]


def _states(project: Project, image_id: int, found: Sequence[Found]) -> list[str]:
    """Return the state that each found object has from the beginning."""
    if not found:
        return []
    labels = project.db.execute(
        "SELECT class_id, x, y, w, h FROM v_annotations WHERE image_id = ?", (image_id,)
    ).fetchall()
    rejected = project.db.execute(
        "SELECT class_id, x, y, w, h FROM v_suggestions WHERE image_id = ? AND state = 'rejected'",
        (image_id,),
    ).fetchall()
    boxes, classes = as_boxes([item.box for item in found]), [item.class_id for item in found]
    agrees, repeated = (
        agreeing(
            boxes,
            classes,
            as_boxes([tuple(row)[1:] for row in rows]),
            [row["class_id"] for row in rows],
            least,
        )
        for rows, least in ((labels, SAME), (rejected, SAME_AGAIN))
    )
    return [
        "agrees" if same else "repeated" if again else "open"
        for same, again in zip(agrees, repeated, strict=True)
    ]
