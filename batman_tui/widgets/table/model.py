"""What a table knows without a terminal: its rows, which of them are shown, in which order."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, Generic, TypeVar

from batman_tui.widgets.table.column import Column

Row = TypeVar("Row")


class TableModel(Generic[Row]):
    """Rows of any type with a filter, an order and marks; a row is known by its `row_key`.

    `search` gives the text that a filter looks into, the first column's unless it is given.
    """

    def __init__(
        self,
        columns: Sequence[Column[Row]],
        row_key: Callable[[Row], Any],
        search: Callable[[Row], str] | None = None,
        order: tuple[str | None, bool] = (None, False),
    ) -> None:
        self.columns = tuple(columns)
        self.row_key = row_key
        self.rows: dict[Any, Row] = {}
        """Every row by its key, in the order they were given."""
        self.visible: list[Any] = []
        """The keys of the rows that are shown, from top to bottom."""
        self.marks: set[Any] = set()
        """The keys of the marked rows, shown or not."""
        self.pins: Collection[Any] = ()
        """The keys of rows that stay above the others, whatever the order."""
        self.order = order
        """The key of the column that the rows are sorted by, and whether backwards."""
        self._search = search or (lambda row: str(columns[0].value(row)))
        self._words: list[str] = []
        self._keep: Callable[[Row], bool] | None = None
        self._text: dict[Any, str] = {}
        self._place: dict[Any, int] = {}

    def place(self, key: Any, otherwise: int = 0) -> int:
        """Return where the row with `key` is shown; if it is not, the shown place by `otherwise`.

        0 when no row is shown.
        """
        return self._place.get(key, max(0, min(otherwise, len(self.visible) - 1)))

    def shows(self, key: Any) -> bool:
        """Return whether the row with `key` is among those that are shown."""
        return key in self._place

    def show(self, keys: Iterable[Any]) -> None:
        """Show the rows with these keys in this order, whatever the filter."""
        self.visible = list(keys)
        self._place = {key: place for place, key in enumerate(self.visible)}

    def set_rows(self, rows: Iterable[Row]) -> None:
        """Replace the rows; marks of rows that stay, the filter and the order stay."""
        self.rows = {self.row_key(row): row for row in rows}
        self._text = {}
        self.marks &= self.rows.keys()
        self._arrange()

    def update_rows(self, rows: Iterable[Row]) -> None:
        """Replace or add some rows by their keys; the others stay."""
        for row in rows:
            key = self.row_key(row)
            self.rows[key] = row
            self._text.pop(key, None)
        self._arrange()

    def filter(self, text: str, keep: Callable[[Row], bool] | None = None) -> None:
        """Show only rows that hold every word of `text`, whatever the case, and that `keep` keeps.

        `keep` is asked again whenever rows change.
        """
        self._words, self._keep = text.casefold().split(), keep
        self._arrange()

    def pin(self, keys: Collection[Any]) -> None:
        """Keep the rows with these keys above the others, and no more those from before."""
        self.pins = keys
        self._arrange()

    def sort_by(self, key: str | None, *, reverse: bool = False) -> None:
        """Order the rows by a column; None is the order they were given in."""
        self.order = key, reverse
        self._arrange()

    def next_order(self, offered: Sequence[str]) -> tuple[str, bool]:
        """Return the order by the next of the columns `offered`: numbers largest first."""
        now = self.order[0]
        key = offered[(offered.index(now) + 1) % len(offered) if now in offered else 0]
        column = self._column(key)
        return key, column is not None and column.kind != "text"

    def toggle_mark(self, key: Any) -> None:
        """Mark the row with `key`, or unmark it."""
        self.marks ^= {key}

    def toggle_all(self) -> None:
        """Mark every row that is shown, or unmark them when all are marked."""
        shown = set(self.visible)
        self.marks = self.marks - shown if shown <= self.marks else self.marks | shown

    def _arrange(self) -> None:
        rows, keys = self.rows, list(self.rows)
        for word in self._words:
            keys = [key for key in keys if word in self._text_of(key)]
        if self._keep is not None:
            keys = [key for key in keys if self._keep(rows[key])]
        by, reverse = self.order
        column = self._column(by)
        if column is not None:
            value = column.sort or column.value
            # Rows without a value come last whichever way round.
            known = [key for key in keys if value(rows[key]) is not None]
            known.sort(key=lambda key: value(rows[key]), reverse=reverse)
            keys = known + [key for key in keys if value(rows[key]) is None]
        if self.pins:
            keys.sort(key=lambda key: key not in self.pins)
        self.show(keys)

    def _column(self, key: str | None) -> Column[Row] | None:
        return next((column for column in self.columns if column.key == key), None)

    def _text_of(self, key: Any) -> str:
        """Return what a filter's words are looked for in; worked out when first asked."""
        text = self._text.get(key)
        if text is None:
            text = self._text[key] = self._search(self.rows[key]).casefold()
        return text
