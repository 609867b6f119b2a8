"""The lines of the table of classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from batman_tui.widgets.table.table import Column
from core.data.classes import ClassRow
from core.data.classes.columns import CLASS_COLUMNS, ClassShare
from core.data.images.filter import SPLIT_NAMES

if TYPE_CHECKING:
    from core.data.splits.edit import SplitCounts


@dataclass(frozen=True)
class ClassLine:
    """A class in the table. `share` is of all annotations, `bar` of the largest class.

    `splits` are the annotations in each split, "none" included; empty while nobody wants them.
    """

    row: ClassRow
    share: float
    bar: float
    splits: Mapping[str, int] = field(default_factory=dict)

    @property
    def was(self) -> str | None:
        """All names that the imports had for it, where one of them is something else."""
        labels = self.row.labels
        return ", ".join(labels) if any(label != self.row.name for label in labels) else None


def lines_of(rows: Sequence[ClassRow], counts: SplitCounts | None = None) -> list[ClassLine]:
    """Return the lines of the table, with each class's share, and its splits where counted."""
    total = max(1, sum(row.annotations for row in rows))
    most = max(1, max((row.annotations for row in rows), default=0))
    splits = {} if counts is None else {row.name: row.annotations for row in counts.classes}
    return [
        ClassLine(row, row.annotations / total, row.annotations / most, splits.get(row.name, {}))
        for row in rows
    ]


def split_images(counts: SplitCounts) -> str:
    """Return the images of each split for a badge: `train 70, valid 15, no split 3`."""
    return ", ".join(f"{_title(name)} {count:,}" for name, count in counts.images.items() if count)


def _in(split: str) -> Callable[[ClassLine], int]:
    return lambda line: line.splits.get(split, 0)


def _title(split: str) -> str:
    return "no split" if split == "none" else split


def _shared(line: ClassLine) -> ClassShare:
    return ClassShare(line.row, line.share)


COLUMNS: tuple[Column[ClassLine], ...] = (
    *(column.of(_shared) for column in CLASS_COLUMNS.values()),
    Column("bar", "", lambda line: line.bar, "bar", 14, from_width=66),
    Column("was", "Imported as", lambda line: line.was, width=24, from_width=100, muted=True),
)

SPLIT_COLUMNS: tuple[Column[ClassLine], ...] = (
    COLUMNS[0],
    *(Column(name, _title(name), _in(name), "number", 9) for name in SPLIT_NAMES),
    replace(COLUMNS[1], from_width=84),
    Column("bar", "", lambda line: line.bar, "bar", 14, from_width=104),
)
"""The same with the annotations of each split."""
