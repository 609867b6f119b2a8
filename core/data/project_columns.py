"""What a list of projects tells of each, on the command line and in the app."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.common.lists.columns import Column, by_key
from core.common.text import ago, minute

if TYPE_CHECKING:
    from core.data.store import ProjectSummary

_COLUMNS: list[Column[ProjectSummary]] = [
    Column("name", "Name", lambda row: row.name, least=16),
    Column("images", "Images", lambda row: row.images, "number", 9),
    Column("annotations", "Annotations", lambda row: row.annotations, "number", 12),
    Column("classes", "Classes", lambda row: row.classes, "number", 9),
    Column("imports", "Imports", lambda row: row.imports, "number", 9),
    Column(
        "updated", "Changed", lambda row: minute(row.updated_at.timestamp()), width=11, muted=True,
        sort=lambda row: row.updated_at, seen=lambda row, now: ago(row.updated_at, now),
    ),
    Column("description", "Description", lambda row: row.description, least=16),
]  # fmt: skip
PROJECT_COLUMNS = by_key(_COLUMNS)
