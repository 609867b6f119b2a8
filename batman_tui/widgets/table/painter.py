"""The lines of a table as they are painted: its heading and its rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from batman_tui.widgets.table.cells import fit
from batman_tui.widgets.table.column import GAP, Column, cell_text, heading, lay_out

Row = TypeVar("Row")
MARK = "● "
PIN = "▴ "
_SHADES = 8


class TablePainter(Generic[Row]):
    """Paints the lines of `table` in the styles that its CSS gives to the classes `table--…`.

    With `markable`, a column of marks stands at the left. A row's `cursor` is the name of the
    cursor's style, "" for a row without it.
    """

    def __init__(self, table: Widget, markable: bool) -> None:
        self.layout: list[tuple[Column[Row], int]] = []
        """The columns that are shown, each with its cells."""
        self._table = table
        self._marks = len(MARK) if markable else 0
        self._styles: dict[tuple[str, ...], Style] = {}

    def lay_out(self, columns: Sequence[Column[Row]], width: int) -> None:
        """Share a width in cells out among the columns."""
        self.layout = lay_out(columns, width, self._marks)

    def forget_styles(self) -> None:
        """Work the styles out anew: the theme is another."""
        self._styles = {}

    def heading(self, width: int, order: tuple[str | None, bool]) -> Strip:
        """Return the line of titles, with an arrow at the column of the order."""
        by, reverse = order
        arrow = "↓" if reverse else "↑"
        titles = [
            heading(column, cells, arrow * (column.key == by)) for column, cells in self.layout
        ]
        text = " " * self._marks + (" " * GAP).join(titles)
        return Strip([Segment(fit(text, width), self._style("table--header"))], width)

    def sentence(self, text: str, width: int) -> Strip:
        """Return a line that says something about the rows, or is empty."""
        return Strip([Segment(fit(text, width), self._style("table--muted"))], width)

    def unread(self, width: int, cursor: str, marked: bool) -> Strip:
        """Return the line of a row that is still to be read."""
        style = self._style("table--row", cursor) if cursor else self._style("table--muted")
        names = ("table--row", cursor, "table--mark") if cursor else ("table--row", "table--mark")
        mark = Segment(MARK if marked else " " * self._marks, self._style(*names))
        return Strip([mark, Segment(fit("…", width - self._marks), style)], width)

    def row(self, row: Row, width: int, cursor: str, marked: bool, pinned: bool = False) -> Strip:
        """Return the line of `row`; a mark hides that it is pinned."""
        base = self._style("table--row", cursor) if cursor else self._style("table--row")
        segments: list[Segment] = []
        if self._marks:
            # On the cursor every colour but its own would be hard to see.
            style = base if cursor else self._style("table--row", "table--mark")
            sign = MARK if marked else PIN if pinned else " " * self._marks
            segments.append(Segment(sign, style))
        for number, (column, cells) in enumerate(self.layout):
            if number:
                segments.append(Segment(" " * GAP, base))
            value = column.value(row)
            style = base
            if not cursor and (value is None or column.muted):
                style = self._style("table--muted")
            elif not cursor and column.kind == "bar":
                style = self._style("table--row", "table--bar")
            elif not cursor and marked and number == 0:
                style = self._style("table--row", "table--mark")
            if column.shade is not None:
                style = self._shaded(style, column.shade(row))
            segments.append(Segment(cell_text(column, value, cells), style))
        return Strip(segments).adjust_cell_length(width, base)

    def _style(self, *names: str) -> Style:
        found = self._styles.get(names)
        if found is None:
            # The first is blended with the background, for muted colours are translucent.
            found = self._table.get_component_rich_style(names[0])
            for name in names[1:]:
                found += self._table.get_component_rich_style(name, partial=True)
            self._styles[names] = found
        return found

    def _shaded(self, style: Style, share: float) -> Style:
        """Return `style` on a ground that is filled by `share`, in one of a few steps."""
        table = self._table
        step = round(min(1.0, max(0.0, share)) * _SHADES)
        # Sixteen colours have nothing in between: the figures must do.
        if not step or table.app.console.color_system == "standard":
            return style
        found = self._styles.get(("shade", str(step)))
        if found is None:
            ground, full = table.styles.background, table.get_component_styles("table--shade").color
            filled = ground.blend(full, 0.1 + 0.7 * step / _SHADES, 1.0)
            # Black or white, whichever can be read on it.
            letters = filled.get_contrast_text(1.0)
            found = Style(color=letters.rich_color, bgcolor=filled.rich_color)
            self._styles[("shade", str(step))] = found
        return found
