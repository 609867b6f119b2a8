"""Which columns the list of jobs has, and in which order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widgets import Static

from batman_tui.keys import bindings
from batman_tui.widgets.frame.base import BatmanDialog
from batman_tui.widgets.frame.keybar import KeyBar
from batman_tui.widgets.table.table import Column, VirtualTable

_TEXT = "Space shows or hides a column, J and K move it. None marked: all that fit."


class ColumnsDialog(BatmanDialog[list[str]]):
    """Lists all columns, those that are shown marked; the result is the keys of the marked ones.

    `titles` are the titles of all columns by key, `shown` the keys of those shown now, in order.
    """

    BINDINGS: ClassVar[list[BindingType]] = bindings("columns")
    DEFAULT_CSS = """
    ColumnsDialog {
        & > .dialog { width: 52; padding: 1 1 0 1; }
        VirtualTable { background: $surface; }
        KeyBar { dock: none; background: $surface; }
        Static { padding: 0 1 1 1; }
    }
    """

    def __init__(self, titles: Mapping[str, str], shown: Sequence[str]) -> None:
        super().__init__()
        self._names = [*shown, *(name for name in titles if name not in shown)]
        self._shown = set(shown)
        self.table: VirtualTable[str] = VirtualTable(
            [Column("name", "Column", lambda name: titles[name])], lambda name: name, markable=True
        )

    def compose(self) -> ComposeResult:
        """Lay out the list and the keys."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = "Columns"
            yield Static(_TEXT, markup=False, classes="dialog--hint")
            yield self.table
            yield KeyBar()

    def on_mount(self) -> None:
        """List the columns."""
        self.table.set_rows(self._names)
        self.table.marks = set(self._shown)
        self.table.styles.height = min(16, len(self._names) + 1)
        self.table.focus()

    def action_mark(self) -> None:
        """Show the column, or hide it."""
        self.table.toggle_mark()

    def action_move(self, by: int) -> None:
        """Move the column with the cursor up or down."""
        at = self.table.cursor
        to = at + by
        if 0 <= to < len(self._names):
            names = self._names
            names[at], names[to] = names[to], names[at]
            self.table.set_rows(names)

    def action_choose(self) -> None:
        """Take the columns that are marked."""
        self.dismiss([name for name in self._names if name in self.table.marks])
