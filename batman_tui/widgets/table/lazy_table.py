"""A table of which only the keys are known: rows are asked for as they come into sight."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from rich.segment import Segment
from textual.message import Message
from textual.strip import Strip

from batman_tui.widgets.table.cells import fit
from batman_tui.widgets.table.table import MARK, Column, VirtualTable

Row = TypeVar("Row")
PAGE = 100
KEPT = 4000


class LazyTable(VirtualTable[Row], Generic[Row]):
    """A `VirtualTable` for a hundred thousand rows that lie in a database.

    `set_keys` gives the keys in the order to show them: filtering and sorting are up to the
    owner, whom `Ordered` tells what the person wants. `Wanted` asks for a page of rows, to be
    answered by `put_rows`. Marks stay when their rows are filtered out.
    """

    @dataclass
    class Wanted(Message):
        """The rows with these keys come into sight and are not there."""

        keys: Sequence[Any]

    class Ordered(Message):
        """The person wants another order: see `order`."""

    def __init__(
        self,
        columns: Sequence[Column[Row]],
        row_key: Callable[[Row], Any],
        *,
        sortable: Sequence[str] = (),
        id: str | None = None,
    ) -> None:
        """Make the table; `sortable` are the columns that the owner can order by."""
        super().__init__(columns, row_key, markable=True, id=id)
        self._sortable = tuple(sortable)
        self._asked: set[int] = set()

    @property
    def row_count(self) -> int:
        """How many rows are shown, read or not."""
        return len(self._visible)

    @property
    def cursor_row(self) -> Row | None:
        """The row with the cursor, or None when there is none or it is not read yet."""
        return self._rows.get(self.cursor_key)

    def set_keys(self, keys: Sequence[Any]) -> None:
        """Show the rows with these keys; the cursor stays on its key where it can."""
        here, place = self.cursor_key, self.cursor
        self._visible = list(keys)
        self._place = {key: number for number, key in enumerate(self._visible)}
        self._asked = set()
        self._resize()
        self.set_reactive(
            VirtualTable.cursor, self._place.get(here, min(place, max(0, len(keys) - 1)))
        )
        self._follow()
        self.refresh()
        if self.cursor_key != here:
            self.post_message(self.Highlighted(self, self.cursor_key))
        self.post_message(self.Shown(self))

    def put_rows(self, rows: Iterable[Row]) -> None:
        """Take rows that were asked for, and show them."""
        if len(self._rows) > KEPT:
            # All at once, so that no page is half there; what is in sight is asked for again.
            self._rows, self._asked = {}, set()
        self._rows.update((self.row_key(row), row) for row in rows)
        self.refresh()

    def forget(self) -> None:
        """Have every row read anew: they have changed."""
        self._rows, self._asked = {}, set()

    def sort_by(self, key: str | None, *, reverse: bool = False) -> None:
        """Ask the owner for an order."""
        self._sort_key, self._reverse = key, reverse
        self.post_message(self.Ordered())

    def action_sort(self) -> None:
        """Sort by the next column that can be: numbers largest first, text from A to Z."""
        now = self._sortable.index(self._sort_key) if self._sort_key in self._sortable else -1
        key = self._sortable[(now + 1) % len(self._sortable)]
        column = next(item for item in self.columns if item.key == key)
        self.sort_by(key, reverse=column.kind != "text")

    def _row(self, place: int, width: int) -> Strip:
        key = self._visible[place]
        if key in self._rows:
            return super()._row(place, width)
        self._ask(place)
        cursor: tuple[str, ...] = ()
        if place == self.cursor:
            cursor = ("table--cursor" if self.has_focus else "table--cursor-blurred",)
        mark = Segment(
            MARK if key in self.marks else " " * len(MARK),
            self._style("table--row", *cursor, "table--mark"),
        )
        style = self._style("table--row", *cursor) if cursor else self._style("table--muted")
        return Strip([mark, Segment(fit("…", width - len(MARK)), style)], width)

    def _ask(self, place: int) -> None:
        page = place // PAGE
        if page not in self._asked:
            self._asked.add(page)
            self.post_message(self.Wanted(self._visible[page * PAGE : (page + 1) * PAGE]))
