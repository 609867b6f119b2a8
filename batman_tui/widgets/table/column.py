"""How the columns of a table share its width, and how a value is written in a cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from batman_tui.widgets.table.cells import bar, fit
from core.common.lists.columns import Column as Column

Row = TypeVar("Row")
GAP = 2
"""Cells between two columns."""


def heading(column: Column[Any], cells: int, arrow: str = "") -> str:
    """Return the title in exactly `cells` cells, with the `arrow` of the order behind it."""
    title = f"{column.title} {arrow}" if arrow and column.title else column.title
    return fit(title, cells, "right" if column.kind in ("number", "percent") else "left")


def cell_text(column: Column[Any], value: Any, cells: int) -> str:
    """Return `value` as people read it in exactly `cells` cells."""
    if value is None:
        return fit("–", cells, "left" if column.kind == "text" else "right")
    if column.kind == "bar":
        return bar(value, cells)
    if column.kind == "text":
        return fit(str(value), cells, keep=column.keep)
    return fit(f"{value:,}" if column.kind == "number" else f"{value:.1%}", cells, "right")


def lay_out(
    columns: Sequence[Column[Row]], width: int, marks: int = 0
) -> list[tuple[Column[Row], int]]:
    """Return the columns that a table of `width` cells shows, each with its cells.

    `marks` is the part of the width that the column of marks takes.
    """
    shown = [column for column in columns if width >= column.from_width]
    room = width - marks - GAP * max(0, len(shown) - 1)
    room -= sum(column.width or 0 for column in shown)
    flexible = [column for column in shown if column.width is None]
    share, rest = divmod(room, max(1, len(flexible)))
    cells = {column.key: column.width for column in shown if column.width is not None}
    for number, column in enumerate(flexible):
        # What cannot be shared goes to the first.
        cells[column.key] = max(column.least, share if number else share + rest)
    return [(column, cells[column.key]) for column in shown]
