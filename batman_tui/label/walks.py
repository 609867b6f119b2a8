"""Which pictures are walked through, and in which order."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from batman_tui.label.session import Key
from core.data.images.filter import find_images, parse_filter
from core.data.labels.queue.compare import Difference, compare
from core.data.labels.queue.unsure import By, unsure
from core.data.store import Project

MOST = 1000
"""So many pictures that differ most are walked through; the next ones come when those are done."""


@dataclass(frozen=True)
class Stop:
    """A picture on the way: `why` it is worth a look, and the boxes to look at first.

    `first` are suggestions and labels by their kind and number.
    """

    image_id: int
    why: str = ""
    first: tuple[Key, ...] = ()


@dataclass(frozen=True)
class Walk:
    """A way through the pictures: its name, and what gives its stops among those wanted."""

    id: str
    title: str
    stops: Callable[[Project, Sequence[int]], list[Stop]]


def _suggested(project: Project, among: Sequence[int]) -> list[Stop]:
    """Return those with open suggestions, the most first."""
    rows = project.db.execute(
        "SELECT image_id FROM v_suggestions WHERE state = 'open'"
        " AND image_id IN (SELECT value FROM json_each(?))"
        " GROUP BY image_id ORDER BY count(*) DESC, image_id",
        (json.dumps(list(among)),),
    )
    return [Stop(row[0]) for row in rows]


def _by(by: By) -> Callable[[Project, Sequence[int]], list[Stop]]:
    def stops(project: Project, among: Sequence[int]) -> list[Stop]:
        wanted = set(among)
        found = unsure(project, by=by, limit=None).entries
        return [Stop(each.image_id, each.why) for each in found if each.image_id in wanted]

    return stops


def _differing(project: Project, among: Sequence[int]) -> list[Stop]:
    """Return those on which a model and the labels differ, with what differs."""
    found = compare(project, limit=MOST, image_ids=among)
    return [
        Stop(each.image_id, each.why, tuple(map(_key, each.differences))) for each in found.entries
    ]


def _key(of: Difference) -> Key:
    # What is only found is a suggestion; all else is about a label that is there.
    if of.annotation_id is None:
        return Key("suggestion", of.suggestion_id or 0)
    return Key("label", of.annotation_id)


def _unreviewed(project: Project, among: Sequence[int]) -> list[Stop]:
    """Return those that nobody reviewed, in the order of their names."""
    done = {row[0] for row in project.db.execute("SELECT id FROM v_images WHERE review = 'done'")}
    return [Stop(number) for number in among if number not in done]


def _all(_project: Project, among: Sequence[int]) -> list[Stop]:
    return [Stop(number) for number in among]


WALKS: tuple[Walk, ...] = (
    Walk("suggested", "With suggestions, most first", _suggested),
    Walk("unsure", "Unlabelled: the model is unsure", _by("unsure")),
    Walk("rare", "Unlabelled: the model sees what is rare", _by("rare")),
    Walk("differ", "Model against labels", _differing),
    Walk("unreviewed", "Not reviewed, by name", _unreviewed),
    Walk("name", "All, by name", _all),
)


def walk_of(name: str) -> Walk:
    """Return the walk called `name`; KeyError when there is none."""
    return {walk.id: walk for walk in WALKS}[name]


def pictures(
    project: Project, walk: str, text: str, findings: Mapping[str, frozenset[int]] | None = None
) -> list[Stop]:
    """Return the stops of a walk among the pictures that the filter `text` means."""
    among = find_images(project, parse_filter(text, findings), order="name")
    return walk_of(walk).stops(project, among)


def first_walk(project: Project) -> str:
    """Return where to begin: suggestions where there are any, else what nobody looked at."""
    row = project.db.execute("SELECT 1 FROM v_suggestions WHERE state = 'open' LIMIT 1").fetchone()
    return "suggested" if row else "unreviewed"


def picture_before(project: Project, image_id: int) -> int | None:
    """Return the picture before one in its video; None at its beginning, and outside of videos."""
    row = project.db.execute(
        "SELECT before.id FROM v_images this JOIN v_images before ON before.grp = this.grp"
        " AND before.import_id = this.import_id WHERE this.id = ?"
        " AND (before.time, before.id) < (this.time, this.id)"
        " ORDER BY before.time DESC, before.id DESC LIMIT 1",
        (image_id,),
    ).fetchone()
    return None if row is None else int(row[0])
