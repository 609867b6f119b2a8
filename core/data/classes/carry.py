"""What goes with a class that joins another, besides its labels: suggestions, prompts, tracks.

The rows are those of `core.data.labels`, which stands above this room.
"""

from __future__ import annotations

import json
from typing import Any

from core.data.store import Change, Project
from core.data.store.sqlite_errors import stored_json

# Of two open suggestions of one class that overlap by so much the surer one stays, as when a
# labeller's own are thinned out (`core.data.labels.suppress`); one that overlaps a label of its
# class by as much agrees with it (`core.data.labels.matching.SAME`).
_SAME = 0.5
# How much two boxes share, as a condition: the intersection is at least so much of the union.
_OVERLAP = """
    max(0, min({a}.x + {a}.w, {b}.x + {b}.w) - max({a}.x, {b}.x))
        * max(0, min({a}.y + {a}.h, {b}.y + {b}.h) - max({a}.y, {b}.y))
    >= ? * ({a}.w * {a}.h + {b}.w * {b}.h
        - max(0, min({a}.x + {a}.w, {b}.x + {b}.w) - max({a}.x, {b}.x))
        * max(0, min({a}.y + {a}.h, {b}.y + {b}.h) - max({a}.y, {b}.y)))
"""


def carry(project: Project, change: Change, class_id: int, to: int) -> None:
    """Hand the suggestions, prompts and tracks of a class, and what passes looked for, to `to`."""
    moving = project.db.execute(
        "SELECT id FROM suggestions WHERE class_id = ?", (class_id,)
    ).fetchall()
    change.update_many("suggestions", ["class_id"], [(row[0], to) for row in moving])
    tracks = project.db.execute("SELECT id FROM tracks WHERE class_id = ?", (class_id,)).fetchall()
    change.update_many("tracks", ["class_id"], [(row[0], to) for row in tracks])
    for number, text in project.db.execute("SELECT id, detail FROM passes").fetchall():
        detail = stored_json(text)
        looked_for = detail.get("classes")
        if isinstance(looked_for, list) and class_id in looked_for:
            new = dict.fromkeys(to if one == class_id else one for one in looked_for)
            detail["classes"] = list(new)
            change.update("passes", number, {"detail": json.dumps(detail)})
    _prompts(project, change, class_id, to)


def settle(project: Project, change: Change, class_id: int) -> None:
    """Close the open suggestions of a class that others joined where they say nothing new: a label
    of it is there by now, or a surer suggestion.
    """
    agree = project.db.execute(
        f"""
        SELECT s.id FROM suggestions s WHERE s.class_id = ? AND s.state = 'open' AND EXISTS (
            SELECT 1 FROM v_annotations a WHERE a.image_id = s.image_id AND a.class_id = s.class_id
            AND {_OVERLAP.format(a="s", b="a")})
        """,
        (class_id, _SAME),
    ).fetchall()
    change.update_many("suggestions", ["state"], [(row[0], "agrees") for row in agree])
    _thin_out(project, change, class_id)


def _prompts(project: Project, change: Change, class_id: int, to: int) -> None:
    """Give a class the phrases and examples of another beside its own."""
    rows = {
        row[0]: (row[1], row[2])
        for row in project.db.execute(
            "SELECT id, name, prompts FROM classes WHERE id IN (?, ?)", (class_id, to)
        )
    }
    if rows[class_id][1] is None:
        return
    theirs: dict[str, Any] = stored_json(rows[class_id][1])
    name, own = rows[to]
    ours: dict[str, Any] = {} if own is None else stored_json(own)
    phrases = ours.get("phrases") or []
    if theirs.get("phrases"):
        # A class without phrases of its own is looked for by its name, and shall still be.
        phrases = dict.fromkeys([*(phrases or [name]), *theirs["phrases"]])
    joined = {
        "phrases": list(phrases),
        "examples": [*(ours.get("examples") or []), *(theirs.get("examples") or [])],
        "least": theirs.get("least") if ours.get("least") is None else ours["least"],
    }
    change.update("classes", to, {"prompts": json.dumps(joined)})


def _thin_out(project: Project, change: Change, class_id: int) -> None:
    """Close the open suggestions of a class that overlap a surer one, as superseded."""
    twice = project.db.execute(
        f"""
        SELECT DISTINCT low.id FROM suggestions low
        JOIN suggestions high ON high.image_id = low.image_id AND high.class_id = low.class_id
            AND high.state = 'open' AND (high.score, -high.id) > (low.score, -low.id)
        WHERE low.class_id = ? AND low.state = 'open' AND {_OVERLAP.format(a="low", b="high")}
        """,
        (class_id, _SAME),
    ).fetchall()
    change.update_many("suggestions", ["state"], [(row[0], "superseded") for row in twice])
