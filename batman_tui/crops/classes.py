"""The classes with open suggestions: their numbers, and how many are in sight."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.widget import Widget

from batman_tui.widgets.table.cells import fit
from core.common.text import clean
from core.data.images.class_colours import class_colour, hex_colour
from core.data.labels.open_suggestions import OpenClass


class ClassLines(Widget):
    """A line for each class; where it is low, all on one line."""

    DEFAULT_CSS = "ClassLines { width: 1fr; height: 1fr; }"

    def __init__(self) -> None:
        super().__init__()
        self._rows: Sequence[OpenClass] = ()
        self._chosen: int | None = None

    def show(self, rows: Sequence[OpenClass], chosen: int | None) -> None:
        """Show these classes."""
        self._rows, self._chosen = rows, chosen
        self.refresh()

    def render(self) -> Content:
        """Return the lines, those around the chosen one where not all fit."""
        width, height = self.size
        if width < 1 or height < 1:
            return Content("")
        if height < 3:
            parts = [self._class(number, row) for number, row in enumerate(self._rows, 1)]
            return Content("  ").join(self._around(parts, 4)).truncate(width, ellipsis=True)
        lines = [self._class(number, row, width) for number, row in enumerate(self._rows, 1)]
        return Content("\n").join(self._around(lines, height))

    def _around(self, lines: list[Content], most: int) -> list[Content]:
        at = next((n for n, row in enumerate(self._rows) if row.class_id == self._chosen), 0)
        first = min(max(0, at - most // 2), max(0, len(lines) - most))
        return lines[first : first + most]

    def _class(self, number: int, row: OpenClass, width: int = 0) -> Content:
        count = f"{row.shown:,}/{row.open:,}"
        name = clean(row.name)
        if width:
            name = fit(name, max(4, width - len(count) - 5))
        return Content.assemble(
            (f"{number}" if number < 10 else " ", "$footer-key-foreground bold"),
            " ",
            ("■ ", hex_colour(class_colour(row.class_id))),
            (name, "bold" if row.class_id == self._chosen else ""),
            (f" {count}", "$foreground-muted"),
        )
