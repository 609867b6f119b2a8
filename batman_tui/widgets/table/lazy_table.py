"""A table of which only the keys are known: rows are asked for as they come into sight."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from textual.message import Message
from textual.strip import Strip

from batman_tui.widgets.table.table import Column, VirtualTable

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
        self._most = 0

    @property
    def wanted_lines(self) -> int:
        """The lines that the heading and the most rows that there ever were need."""
        self._most = max(self._most, self.row_count)
        return 1 + self._most

    @property
    def row_count(self) -> int:
        """How many rows are shown, read or not."""
        return len(self.visible_keys)

    @property
    def order(self) -> tuple[str | None, bool]:
        """The key of the column that the owner is to order by, and whether backwards."""
        return self.model.order

    def set_keys(self, keys: Sequence[Any]) -> None:
        """Show the rows with these keys; the cursor stays on its key where it can."""
        with self._arranging():
            self.model.show(keys)
            self._asked = set()

    def put_rows(self, rows: Iterable[Row]) -> None:
        """Take rows that were asked for, and show them."""
        if len(self.model.rows) > KEPT:
            # All at once, so that no page is half there; what is in sight is asked for again.
            self.forget()
        self.model.rows.update((self.model.row_key(row), row) for row in rows)
        self.refresh()

    def forget(self) -> None:
        """Have every row read anew: they have changed."""
        self.model.rows, self._asked = {}, set()

    def sort_by(self, key: str | None, *, reverse: bool = False) -> None:
        """Ask the owner for an order."""
        self.model.order = key, reverse
        self.post_message(self.Ordered())

    def action_sort(self) -> None:
        """Sort by the next column that can be: numbers largest first, text from A to Z."""
        key, reverse = self.model.next_order(self._sortable)
        self.sort_by(key, reverse=reverse)

    def paint_row(self, place: int, key: Any, width: int, cursor: str) -> Strip:
        """Return the line of a row; one that is not there yet is asked for."""
        if key in self.model.rows:
            return super().paint_row(place, key, width, cursor)
        self._ask(place)
        return self.painter.unread(width, cursor, key in self.model.marks)

    def _ask(self, place: int) -> None:
        page = place // PAGE
        if page not in self._asked:
            self._asked.add(page)
            self.post_message(self.Wanted(self.visible_keys[page * PAGE : (page + 1) * PAGE]))
