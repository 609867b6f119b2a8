"""Random edits, passes and class changes in a row: counts stay true, undo and redo lose nothing."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from core.common.errors import BatmanError
from core.data.classes.edit import add, delete, list_classes, merge, rename
from core.data.images.rows import delete_images
from core.data.labels.bulk import accept_all, decide, reject_all
from core.data.labels.edit import edit
from core.data.labels.ops import parse_ops
from core.data.labels.passes import Found, PassInfo, record_pass
from core.data.labels.view import picture_labels
from core.data.store import Project

SEEDS = int(os.environ.get("BATMAN_LABEL_SEEDS", "8"))
STEPS = 60


def make(path: Path) -> Project:
    project = Project.create(path)
    project.db.execute("PRAGMA synchronous = OFF")
    with project.change("import", "Import") as change:
        change.insert("imports", {"kind": "coco", "origin": "o", "at": "2026", "active": 1})
        for number in range(1, 4):
            change.insert("classes", {"name": f"c{number}"})
            change.insert("labels", {"import_id": 1, "name": f"c{number}", "class_id": number})
        for name in "abcde":
            row = {"import_id": 1, "path": f"1/{name}.jpg", "name": f"{name}.jpg", "grp": "v"}
            change.insert("images", {**row, "width": 100, "height": 80})
    return project


def rows(project: Project) -> dict[str, list[tuple[object, ...]]]:
    """All rows but the history's, and those that an undone pass hides."""
    tables = ("images", "annotations", "labels", "classes", "passes", "tracks")
    found = {
        table: [tuple(row) for row in project.db.execute(f"SELECT * FROM {table} ORDER BY id")]
        for table in tables
    }
    seen = "SELECT * FROM suggestions WHERE pass_id IN (SELECT id FROM passes) ORDER BY id"
    found["suggestions"] = [tuple(row) for row in project.db.execute(seen)]
    return found


def box(rng: random.Random) -> list[float]:
    return [rng.uniform(-10, 80), rng.uniform(-10, 60), rng.uniform(2, 50), rng.uniform(2, 50)]


def step(project: Project, rng: random.Random) -> None:
    """Do one thing that a person may do, sensible or not."""
    images = [row[0] for row in project.db.execute("SELECT id FROM v_images")]
    classes = {row.id: row.name for row in list_classes(project)}
    image, some = rng.choice(images or [1]), rng.choice([*classes, 99])
    names = list(classes.values())
    what = rng.randrange(14)
    if what < 7:
        seen = picture_labels(project, image)
        labels = [{"id": b.id, "was": {"box": b.box, "class": b.class_id}} for b in seen.boxes] or [
            {"id": 77, "was": {"box": [0, 0, 1, 1], "class": 1}}
        ]
        suggested = [s.id for s in seen.suggestions] or [88]
        ops = rng.choices(
            [
                {"op": "add", "class": some, "box": box(rng)},
                {"op": "set", **rng.choice(labels), "box": box(rng)},
                {"op": "set", **rng.choice(labels), "class": some},
                {"op": "delete", **rng.choice(labels)},
                {"op": "accept", "id": rng.choice(suggested)},
                {"op": "reject", "id": rng.choice(suggested)},
                {"op": "review", "state": rng.choice(["done", "later", None])},
                {"op": "copy", "image": rng.choice(images or [1])},
            ],
            k=rng.randint(1, 2),
        )
        edit(project, image, parse_ops(ops), rng.choice([None, f"key {rng.random()}"]))
    elif what == 7:
        found = [
            (i, [Found(rng.choice([*classes, 99]), tuple(box(rng)), rng.random())])  # type: ignore[arg-type]
            for i in images
            if rng.random() < 0.7
        ]
        record_pass(project, PassInfo("run", "r", tuple(classes)), found)
    elif what == 8:
        accept_all(project, rng.choice([None, some]), rng.random())
    elif what == 9:
        reject_all(project, some, most=rng.random())
    elif what == 10:
        ids = [r[0] for r in project.db.execute("SELECT id FROM v_suggestions LIMIT 5")]
        decide(project, ids[:2], ids[2:])
    elif what == 11:
        history = [e.id for e in project.history(10) if e.kind.startswith("labels.")]
        project.take_back(rng.choice([*history, 999]))
    elif what == 12:
        newest = project.newest()
        if newest is not None and newest.kind != "import":
            rng.choice([project.undo, project.redo])()
    elif names:
        one, other = rng.choice(names), rng.choice(names)
        if rng.random() < 0.4:
            merge(project, [one], other)
        elif rng.random() < 0.5:
            rename(project, one, f"{other}x")
        elif rng.random() < 0.3:
            delete(project, [one])
        elif rng.random() < 0.5:
            delete_images(project, [image])
        else:
            add(project, f"new {rng.random():.3f}")


def check(project: Project) -> None:
    counted = project.db.execute(
        "SELECT id, (SELECT count(*) FROM annotations WHERE label_id = l.id AND deleted = 0),"
        " (SELECT count(DISTINCT image_id) FROM annotations WHERE label_id = l.id AND deleted = 0)"
        " FROM labels l ORDER BY id"
    ).fetchall()
    stored = project.db.execute("SELECT id, annotations, images FROM labels ORDER BY id").fetchall()
    assert [tuple(row) for row in stored] == [tuple(row) for row in counted]
    for (accepted,) in project.db.execute(
        "SELECT annotation_id FROM v_suggestions WHERE state = 'accepted'"
    ):
        made = project.db.execute("SELECT source FROM annotations WHERE id = ?", (accepted,))
        assert made.fetchone()[0] == "model"


def back(project: Project) -> None:
    """Take back everything but the import."""
    while (newest := project.newest()) is not None and newest.kind != "import":
        assert project.undo() is not None
        check(project)


def forth(project: Project) -> None:
    """Do everything again."""
    while project.redo() is not None:
        check(project)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_whatever_is_done_in_a_row_is_counted_and_can_be_taken_back(
    tmp_path: Path, seed: int
) -> None:
    rng = random.Random(seed)
    with make(tmp_path / "p") as project:
        start, done = rows(project), 0
        for _ in range(STEPS):
            before = rows(project)
            try:
                step(project, rng)
                done += 1
            except BatmanError:
                assert rows(project) == before
            check(project)
        assert done > STEPS // 4
        settled, end = not any(entry.undone for entry in project.history()), rows(project)
        back(project)
        assert rows(project) == start
        forth(project)
        again = rows(project)
        # What was undone last in the random steps is done again with the rest.
        assert again == end or not settled
        back(project)
        assert rows(project) == start
        forth(project)
        assert rows(project) == again
