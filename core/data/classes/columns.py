"""The columns of a list of classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.common.lists.columns import Column, by_key
from core.data.classes.edit import ClassRow


@dataclass(frozen=True)
class ClassShare:
    """A class and its `share` of all annotations; None where there is none at all."""

    row: ClassRow
    share: float | None


def class_shares(rows: Sequence[ClassRow]) -> list[ClassShare]:
    """Return each class with its share."""
    total = sum(row.annotations for row in rows)
    return [ClassShare(row, row.annotations / total if total else None) for row in rows]


CLASS_COLUMNS = by_key(
    [
        Column[ClassShare]("name", "Class", lambda line: line.row.name, least=16),
        Column("annotations", "Annotations", lambda line: line.row.annotations, "number", 13),
        Column("images", "Images", lambda line: line.row.images, "number", 9),
        Column("share", "Share", lambda line: line.share, "percent", 7),
    ]
)
