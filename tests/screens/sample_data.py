"""Projects for the screens' tests and pictures, the same every time they are made."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from core.data.store import Project

NOW = datetime(2026, 3, 14, 9, 26, tzinfo=UTC)
"""The time at which the tests' app thinks it is."""

SITE = {
    "crane-hook": 1204,
    "crane_hook": 873,
    "Crane Hook": 96,
    "crane hooks": 12,
    "hook": 310,
    "person": 4821,
    "persons": 41,
    "safety vest": 2210,
    "safety-vest": 18,
    "hard hat": 3120,
    "hardhat": 655,
    "excavator": 402,
    "dump truck": 377,
    "scaffold": 1560,
    "rebar bundle": 734,
    "concrete mixer": 128,
    "traffic cone": 1988,
    "ladder": 266,
    "forklift": 149,
    "tower crane": 88,
}

HOSTILE = {
    "person [front]": 40,
    "[/data]": 30,
    "[bold]x": 20,
    "esc \x1b[31mred\x1b[0m": 12,
    "行人と自転車": 9,
    "🚗 car": 7,
    "a name that goes on and on far past anything that a column can hold, and then some": 5,
    "$primary": 4,
    "new\nline": 3,
}


def make_project(
    path: Path,
    classes: Mapping[str, int],
    *,
    images: int = 200,
    kind: str = "coco",
    origin: str = "/data/sets/site.coco",
    age: timedelta = timedelta(hours=3),
    splits: tuple[int, int, int] = (70, 20, 10),
) -> Path:
    """Make a project with so many annotations a class, spread over the images; return `path`.

    `splits` are the percentages of train, valid and test. The same arguments have the same content:
    it is made once in a session and copied, which takes a twentieth of the time.
    """
    key = (tuple(classes.items()), images, kind, origin, age, splits)
    if key not in _made:
        _made[key] = Path(_templates().name) / str(len(_made))
        _make(_made[key], classes, images, kind, origin, age, splits)
    if path.exists():
        path.rmdir()  # only an empty one can become a project
    shutil.copytree(_made[key], path)
    return path


_made: dict[Any, Path] = {}


@cache
def _templates() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="batman-projects-")


def _make(
    path: Path,
    classes: Mapping[str, int],
    images: int,
    kind: str,
    origin: str,
    age: timedelta,
    splits: tuple[int, int, int],
) -> None:
    with Project.create(path) as project:
        fill(project, classes, images=images, kind=kind, origin=origin, splits=splits)
        at = (NOW - age).isoformat(timespec="milliseconds")
        project.db.execute("UPDATE history SET at = ?, who = 'ada@gotham'", (at,))
        project.db.execute("UPDATE imports SET at = ?", (at,))
        project.db.execute("UPDATE project SET value = ? WHERE key = 'created_at'", (at,))


def fill(
    project: Project,
    classes: Mapping[str, int],
    *,
    images: int,
    kind: str,
    origin: str,
    splits: tuple[int, int, int],
) -> None:
    """Put an import into an open project; no image files are made."""
    dice = random.Random(7)
    marks = (["train"] * splits[0] + ["valid"] * splits[1] + ["test"] * splits[2]) or [None]
    total = sum(classes.values())
    with project.change(
        "import.coco", f"Imported {images} images and {total} annotations from {kind}"
    ) as change:
        number = change.insert(
            "imports",
            {"kind": kind, "origin": origin, "at": NOW.isoformat(), "active": 1},
        )
        first = int(project.db.execute("SELECT coalesce(max(id), 0) + 1 FROM images").fetchone()[0])
        project.db.executemany(
            "INSERT INTO images(id, import_id, path, name, width, height, split)"
            " VALUES (?, ?, ?, ?, 1920, 1080, ?)",
            [
                (first + i, number, f"{number}/{i:06}.jpg", f"{i:06}.jpg", marks[i % len(marks)])
                for i in range(images)
            ],
        )
        for name, count in classes.items():
            found = project.db.execute("SELECT id FROM classes WHERE name = ?", (name,)).fetchone()
            of = found[0] if found else change.insert("classes", {"name": name})
            label = change.insert("labels", {"import_id": number, "name": name, "class_id": of})
            project.db.executemany(
                "INSERT INTO annotations(image_id, label_id, x, y, w, h)"
                " VALUES (?, ?, 5, 5, 60, 40)",
                [(first + dice.randrange(images), label) for _ in range(count)],
            )
            # Written past the change, which counts what goes through it.
            project.db.execute(COUNT, (label,))


COUNT = (
    "UPDATE labels SET (annotations, images) = (SELECT count(*), count(DISTINCT image_id)"
    " FROM annotations WHERE label_id = labels.id AND deleted = 0) WHERE id = ?"
)


def make_workspace(root: Path) -> Path:
    """Make a workspace with five projects of different kinds; return `root`."""
    projects = root / "data" / "projects"
    make_project(projects / "building-site", SITE, images=1480)
    make_project(
        projects / "blood-cells",
        {"Platelets": 361, "RBC": 4153, "WBC": 372},
        images=364,
        origin="/data/sets/bccd",
        age=timedelta(minutes=12),
    )
    make_project(
        projects / "harbour-night",
        {"ship": 512, "buoy": 77, "person": 203},
        images=640,
        kind="yolo",
        origin="/srv/exports/harbour/data.yaml",
        age=timedelta(days=4),
        splits=(0, 0, 0),
    )
    make_project(
        projects / "shelf-audit",
        {f"sku-{number:04}": 30 + number % 17 for number in range(120)},
        images=900,
        kind="voc",
        origin="/mnt/audit/VOC2012",
        age=timedelta(days=40),
    )
    make_project(projects / "new-idea", {}, images=0, age=timedelta(seconds=20))
    with Project.open(projects / "new-idea") as project:
        project.db.execute("UPDATE imports SET active = 0")
    return root
