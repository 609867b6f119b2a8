"""The lines of the table of classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from batman_tui.widgets.table import Column
from core.classes import ClassRow


@dataclass(frozen=True)
class ClassLine:
    """A class in the table. `share` is of all annotations, `bar` of the largest class."""

    row: ClassRow
    share: float
    bar: float

    @property
    def was(self) -> str | None:
        """What the imports called it, where that is something else."""
        return ", ".join(label for label in self.row.labels if label != self.row.name) or None


def lines_of(rows: Sequence[ClassRow]) -> list[ClassLine]:
    """Return the lines of the table, with each class's share."""
    total = max(1, sum(row.annotations for row in rows))
    most = max(1, max((row.annotations for row in rows), default=0))
    return [ClassLine(row, row.annotations / total, row.annotations / most) for row in rows]


COLUMNS: tuple[Column[ClassLine], ...] = (
    Column("name", "Class", lambda line: line.row.name, least=16),
    Column("annotations", "Annotations", lambda line: line.row.annotations, "number", 13),
    Column("images", "Images", lambda line: line.row.images, "number", 9),
    Column("share", "Share", lambda line: line.share, "percent", 7),
    Column("bar", "", lambda line: line.bar, "bar", 14, from_width=66),
    Column("was", "Imported as", lambda line: line.was, width=24, from_width=100, muted=True),
)
