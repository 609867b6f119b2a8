"""Open suggestions by class and score, for the page of crops where a person looks through them."""

from __future__ import annotations

import random
from dataclasses import dataclass
from sqlite3 import Row

from core.data.images.class_colours import class_colour
from core.data.images.thumbnails import Crop
from core.data.labels.least_score import SHOWN
from core.data.labels.prompts import prompts_of
from core.data.store import Project


@dataclass(frozen=True)
class OpenClass:
    """A class with open suggestions: how many, and how many score at least `least`."""

    class_id: int
    name: str
    open: int
    shown: int
    least: float


@dataclass(frozen=True)
class Candidate:
    """An open suggestion: its score, its picture, and where it is cut from."""

    id: int
    image_id: int
    image_name: str
    score: float
    crop: Crop


def open_classes(project: Project, least: dict[int, float] | None = None) -> list[OpenClass]:
    """Return the classes with open suggestions, those with the most in sight first.

    `least` has scores by class id; of other classes it is the one kept with them, or else 0.5.
    """
    kept = {number: each.least for number, each in prompts_of(project).items()}
    found = []
    for row in project.db.execute(
        "SELECT class_id, class_name, count(*) AS n FROM v_suggestions WHERE state = 'open'"
        " GROUP BY class_id"
    ).fetchall():
        own = kept.get(row["class_id"])
        score = (least or {}).get(row["class_id"], SHOWN if own is None else own)
        shown = count_open(project, row["class_id"], score)
        found.append(OpenClass(row["class_id"], row["class_name"], row["n"], shown, score))
    return sorted(found, key=lambda each: (-each.shown, -each.open, each.name))


def count_open(project: Project, class_id: int, least: float) -> int:
    """Return how many open suggestions of a class score `least` or more."""
    query = (
        "SELECT count(*) FROM v_suggestions WHERE state = 'open' AND class_id = ? AND score >= ?"
    )
    return int(project.db.execute(query, (class_id, least)).fetchone()[0])


def open_of_class(
    project: Project,
    class_id: int,
    least: float,
    limit: int,
    *,
    skip: int = 0,
    lowest_first: bool = False,
) -> list[Candidate]:
    """Return up to `limit` open suggestions of a class from the score `least` on.

    The surest first, or the least sure; the first `skip` are left out.
    """
    order = "ASC" if lowest_first else "DESC"
    rows = project.db.execute(
        f"{_CANDIDATES} AND s.class_id = ? AND s.score >= ?"
        f" ORDER BY s.score {order}, s.id LIMIT ? OFFSET ?",
        (class_id, least, limit, skip),
    )
    return [_candidate(project, row) for row in rows.fetchall()]


def sample_of_class(
    project: Project, class_id: int, least: float, count: int, seed: int = 0
) -> list[Candidate]:
    """Return `count` of the open suggestions of a class by chance, the same for a `seed`."""
    ids = [
        row[0]
        for row in project.db.execute(
            "SELECT id FROM v_suggestions WHERE state = 'open' AND class_id = ? AND score >= ?"
            " ORDER BY id",
            (class_id, least),
        )
    ]
    chosen = random.Random(seed).sample(ids, min(count, len(ids)))
    marks = ", ".join("?" * len(chosen))
    rows = project.db.execute(f"{_CANDIDATES} AND s.id IN ({marks})", chosen).fetchall()
    order = {number: place for place, number in enumerate(chosen)}
    return sorted((_candidate(project, row) for row in rows), key=lambda each: order[each.id])


_CANDIDATES = (
    "SELECT s.id, s.image_id, s.class_id, s.score, s.x, s.y, s.w, s.h, i.name, i.path, i.width,"
    " i.height FROM v_suggestions s JOIN v_images i ON i.id = s.image_id WHERE s.state = 'open'"
)


def _candidate(project: Project, row: Row) -> Candidate:
    crop = Crop(
        project.image_file(row["path"]),
        (row["width"], row["height"]),
        (row["x"], row["y"], row["w"], row["h"]),
        class_colour(row["class_id"]),
    )
    return Candidate(row["id"], row["image_id"], row["name"], row["score"], crop)
