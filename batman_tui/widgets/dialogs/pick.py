"""A dialog to take one of a list, found by moving or by typing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from batman_tui.keys import bindings
from batman_tui.widgets.frame.base import BatmanDialog
from batman_tui.widgets.frame.keybar import KeyBar
from batman_tui.widgets.table.filter import FilterInput
from batman_tui.widgets.table.table import Column, VirtualTable
from core.common.text import clean


@dataclass(frozen=True)
class Item:
    """Something to take: what the dialog returns, its name, of what kind, and how many it has."""

    value: str
    name: str
    kind: str = ""
    count: int | None = None


class PickDialog(BatmanDialog[str]):
    """Lists the items; the result is the `value` of the one that is taken, or None."""

    BINDINGS: ClassVar[list[BindingType]] = bindings("pick")
    DEFAULT_CSS = """
    PickDialog {
        & > .dialog { width: 64; height: auto; padding: 1 1 0 1; }
        VirtualTable { background: $surface; height: auto; max-height: 18; min-height: 5; }
        KeyBar { dock: none; background: $surface; }
        Static { padding: 0 1 1 1; }
    }
    """

    def __init__(
        self, title: str, items: Sequence[Item], *, text: str = "", noun: str = ""
    ) -> None:
        """Make it; `text` stands above the list, `noun` heads the column of counts."""
        super().__init__()
        self._title = title
        self._items = items
        self._text = text
        columns: list[Column[Item]] = [Column("name", "Name", lambda item: item.name)]
        if any(item.kind for item in items):
            columns.insert(0, Column("kind", "", lambda item: item.kind, width=9, muted=True))
        if noun:
            columns.append(Column("count", noun, lambda item: item.count, "number", 11))
        self.table: VirtualTable[Item] = VirtualTable(
            columns, lambda item: item.value, search=lambda item: f"{item.kind} {item.name}"
        )
        self.table.nothing = "Nothing is called that."

    def compose(self) -> ComposeResult:
        """Lay out the text, the list and the keys."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = Content(clean(self._title))
            if self._text:
                yield Static(clean(self._text), markup=False, classes="dialog--hint")
            yield FilterInput("Filter by name")
            yield self.table
            yield KeyBar()

    def on_mount(self) -> None:
        """List the items."""
        self.table.set_rows(self._items)
        self.table.styles.height = min(18, len(self._items) + 2)
        self.table.focus()

    @on(FilterInput.Filter)
    def _filter(self, message: FilterInput.Filter) -> None:
        self.table.filter(message.text)
        if message.done:
            self.table.focus()

    @on(VirtualTable.Opened)
    def _clicked(self) -> None:
        self.action_choose()

    def action_choose(self) -> None:
        """Take the item with the cursor."""
        if self.table.cursor_key is not None:
            self.dismiss(self.table.cursor_key)

    def action_filter(self) -> None:
        """Type a filter."""
        self.query_one(FilterInput).open()
