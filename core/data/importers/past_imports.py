"""Where a project's images came from, and taking an import out again as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from core.common.errors import ProjectError
from core.common.files import expand_user
from core.common.text import plural
from core.data.store import HistoryEntry, Project
from core.data.store.sqlite_errors import stored_json, stored_time


@dataclass(frozen=True)
class ImportRow:
    """One import: what it was, when, how much of it the project has now, and its own record."""

    id: int
    kind: str
    origin: str
    at: datetime
    images: int
    annotations: int
    classes: list[str]
    detail: dict[str, Any]


def list_imports(project: Project) -> list[ImportRow]:
    """Return the imports that the project consists of, newest first."""
    rows = project.db.execute(
        "SELECT id, kind, origin, at, detail,"
        " (SELECT count(*) FROM images WHERE import_id = imports.id AND deleted = 0),"
        " (SELECT coalesce(sum(annotations), 0) FROM labels"
        "   WHERE import_id = imports.id AND class_id IS NOT NULL)"
        " FROM imports WHERE active = 1 ORDER BY id DESC"
    ).fetchall()
    return [
        ImportRow(
            id=row[0],
            kind=row[1],
            origin=row[2],
            at=stored_time(row[3]),
            images=row[5],
            annotations=row[6],
            classes=_classes(project, row[0]),
            detail=stored_json(row[4]),
        )
        for row in rows
    ]


def imported_before(project: Project, source: Path) -> ImportRow | None:
    """Return the newest import of the files at `source` that the project consists of, if any."""
    place = expand_user(source).resolve()
    # Only the origins, until one fits: a dialog asks this with every letter that is typed.
    for number, origin in project.db.execute(
        "SELECT id, origin FROM imports WHERE active = 1 ORDER BY id DESC"
    ).fetchall():
        if origin.startswith("/") and Path(origin).resolve() == place:
            return next(row for row in list_imports(project) if row.id == number)
    return None


def no_such_import(project: Project, import_id: int) -> ProjectError:
    """Return the error for a number that no import of the project has."""
    numbers = ", ".join(str(row.id) for row in list_imports(project)) or "none"
    return ProjectError(
        f"There is no import {import_id} in the project '{project.name}'.",
        f"Its imports: {numbers}.",
    )


def remove_import(project: Project, import_id: int) -> HistoryEntry:
    """Take an import out of the project, with the classes that no other import has.

    One step that can be undone, which is why the image files stay. Raises `ProjectError` when
    there is no such import.
    """
    with project.change("import.remove", "remove an import") as change:
        found = next((row for row in list_imports(project) if row.id == import_id), None)
        if found is None:
            raise no_such_import(project, import_id)
        change.update("imports", import_id, {"active": 0})
        for (class_id,) in project.db.execute(
            "SELECT DISTINCT class_id FROM labels WHERE import_id = ? AND class_id IS NOT NULL"
            " AND class_id NOT IN (SELECT class_id FROM labels JOIN imports"
            "   ON imports.id = labels.import_id WHERE active = 1 AND class_id IS NOT NULL)",
            (import_id,),
        ).fetchall():
            labels = project.db.execute("SELECT id FROM labels WHERE class_id = ?", (class_id,))
            rows = [(label[0], None) for label in labels.fetchall()]
            change.update_many("labels", ["class_id"], rows)
            change.delete("classes", class_id)
        project.describe(
            change,
            f"Removed the import of {found.origin} ({plural(found.images, 'image')},"
            f" {plural(found.annotations, 'annotation')})",
            {"import_id": import_id, "images": found.images, "annotations": found.annotations},
        )
    return project.entry(change.history_id)


def _classes(project: Project, import_id: int) -> list[str]:
    rows = project.db.execute(
        "SELECT DISTINCT classes.name FROM labels JOIN classes ON classes.id = class_id"
        " WHERE import_id = ? ORDER BY classes.name",
        (import_id,),
    )
    return [row[0] for row in rows]
