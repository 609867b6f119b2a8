"""A column of a table: where its values come from, how wide it is and how a value is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from batman_tui.widgets.table.cells import bar, fit

Row = TypeVar("Row")
GAP = 2
"""Cells between two columns."""


@dataclass(frozen=True)
class Column(Generic[Row]):
    """A column: a heading, how to get the value of a row, and how it is laid out.

    `value` returns text, a number, or, for the kinds `bar` and `percent`, a share from 0 to 1.
    Numbers are right aligned with thousands separators; None is shown as `–`. `width` is in
    cells; None shares what is left, but has at least `least`. A column is left out while the
    table is narrower than `from_width` cells. `sort` gives what to sort by when it is not the
    value; `muted` paints it in the quiet colour; `keep` says which end of a text too long for it
    stays, the end for paths; `shade` gives how strongly a cell is filled with
    the theme's second colour, from 0 to 1.
    """

    key: str
    title: str
    value: Callable[[Row], Any]
    kind: Literal["text", "number", "percent", "bar"] = "text"
    width: int | None = None
    least: int = 8
    from_width: int = 0
    sort: Callable[[Row], Any] | None = None
    muted: bool = False
    keep: Literal["start", "end"] = "start"
    shade: Callable[[Row], float] | None = None

    def heading(self, cells: int, arrow: str = "") -> str:
        """Return the title in exactly `cells` cells, with the `arrow` of the order behind it."""
        title = f"{self.title} {arrow}" if arrow and self.title else self.title
        return fit(title, cells, "right" if self.kind in ("number", "percent") else "left")

    def text(self, value: Any, cells: int) -> str:
        """Return `value` as people read it in exactly `cells` cells."""
        if value is None:
            return fit("–", cells, "left" if self.kind == "text" else "right")
        if self.kind == "bar":
            return bar(value, cells)
        if self.kind == "text":
            return fit(str(value), cells, keep=self.keep)
        return fit(f"{value:,}" if self.kind == "number" else f"{value:.1%}", cells, "right")


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
