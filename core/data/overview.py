"""What a project holds, at a glance: counts, splits, its largest classes and its imports."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from datetime import datetime

from core.data.classes import ClassRow, list_classes
from core.data.store import Project, ProjectSummary
from core.data.store.sqlite_errors import stored_time


@dataclass(frozen=True)
class ImportLine:
    """One import that is in the project: what kind, from where, when, how many images of it."""

    id: int
    kind: str
    origin: str
    at: datetime
    images: int


@dataclass(frozen=True)
class Overview:
    """A project at a glance. `splits` counts images; None stands for images without a split.

    `largest` are the classes with the most annotations, most first; `imports` the newest first.
    """

    summary: ProjectSummary
    splits: dict[str | None, int]
    largest: tuple[ClassRow, ...]
    imports: tuple[ImportLine, ...]


def overview(project: Project, *, classes: int = 12) -> Overview:
    """Return the project at a glance, with at most `classes` classes."""
    largest = heapq.nlargest(classes, list_classes(project), key=lambda row: row.annotations)
    summary = project.summary()
    return Overview(
        summary=summary,
        splits=summary.splits,
        largest=tuple(largest),
        imports=import_lines(project),
    )


def import_lines(project: Project) -> tuple[ImportLine, ...]:
    """Return the imports that the project consists of, the newest first."""
    rows = project.db.execute(
        "SELECT imports.id, kind, origin, at, count(images.id) FROM imports"
        " LEFT JOIN images ON images.import_id = imports.id AND images.deleted = 0"
        " WHERE active = 1 GROUP BY imports.id ORDER BY imports.id DESC"
    )
    return tuple(ImportLine(row[0], row[1], row[2], stored_time(row[3]), row[4]) for row in rows)
