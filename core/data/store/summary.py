"""What a list of projects shows of one."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from core.data.store.sqlite_errors import stored_time

SPLITS = ("train", "valid", "test")


@dataclass(frozen=True)
class ProjectSummary:
    """What a list of projects shows; only what is visible is counted.

    `splits` counts images by split, None standing for those without one; `reviewed` those that a
    person has reviewed.
    """

    name: str
    path: Path
    description: str
    images: int
    annotations: int
    classes: int
    imports: int
    updated_at: datetime
    splits: dict[str | None, int]
    reviewed: int


def read_summary(
    db: sqlite3.Connection, path: Path, description: str, created_at: str
) -> ProjectSummary:
    """Return the summary of the project in the folder `path` whose file is open as `db`.

    `created_at` is the time of its last change where it has no history.
    """
    by_split = db.execute(
        "SELECT split, count(*), sum(review IS 'done') FROM v_images GROUP BY split"
    ).fetchall()
    counts = {row[0]: row[1] for row in by_split}
    annotations, classes, imports, changed = db.execute(
        """SELECT
        (SELECT coalesce(sum(labels.annotations), 0) FROM labels
            JOIN imports ON imports.id = labels.import_id
            WHERE imports.active = 1 AND labels.class_id IS NOT NULL),
        (SELECT count(*) FROM classes),
        (SELECT count(*) FROM imports WHERE active = 1),
        (SELECT max(at) FROM history)"""
    ).fetchone()
    return ProjectSummary(
        name=path.name,
        path=path,
        description=description,
        images=sum(counts.values()),
        annotations=annotations,
        classes=classes,
        imports=imports,
        updated_at=stored_time(changed or created_at),
        splits={name: counts[name] for name in (*SPLITS, None) if counts.get(name)},
        reviewed=sum(row[2] or 0 for row in by_split),
    )
