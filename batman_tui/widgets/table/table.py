"""A table that paints only what is seen: thousands of rows at the price of a screenful."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from textual import events
from textual.binding import BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from batman_tui.keys import bindings
from batman_tui.widgets.frame.explains import Explains
from batman_tui.widgets.table.column import Column
from batman_tui.widgets.table.model import TableModel
from batman_tui.widgets.table.painter import TablePainter

__all__ = ["Column", "VirtualTable"]

Row = TypeVar("Row")


class VirtualTable(Explains, ScrollView, Generic[Row], can_focus=True):
    """Rows of any type with a cursor, marks, a filter and an order, which a `TableModel` keeps.

    `row_key` gives what a row is known by: the cursor and the marks stay on their keys when the
    rows are replaced, so a reload does not move anybody. Values are data and are never read as
    markup. With `markable`, a column of marks stands at the left.
    """

    BINDINGS: ClassVar[list[BindingType]] = bindings("table")
    COMPONENT_CLASSES = {
        "table--header",
        "table--row",
        "table--muted",
        "table--bar",
        "table--shade",
        "table--mark",
        "table--cursor",
        "table--cursor-blurred",
    }
    DEFAULT_CSS = """
    VirtualTable {
        background: $background; color: $foreground; height: 1fr; width: 1fr;
        overflow-x: hidden; overflow-y: auto; scrollbar-size-vertical: 1;
        & > .table--header { color: $foreground-muted; text-style: bold; }
        & > .table--row { color: $foreground; }
        & > .table--muted { color: $foreground-muted; }
        & > .table--bar { color: $secondary; }
        & > .table--shade { color: $secondary; }
        & > .table--mark { color: $accent; text-style: bold; }
        & > .table--cursor {
            background: $block-cursor-background; color: $block-cursor-foreground;
        }
        & > .table--cursor-blurred {
            background: $block-cursor-blurred-background; color: $block-cursor-blurred-foreground;
        }
    }
    """

    cursor: reactive[int] = reactive(0, repaint=False)
    """The position of the cursor among the visible rows; 0 while there is none."""

    @dataclass
    class Told(Message):
        """What a table tells of itself; `table` is the one that `@on` selects by."""

        table: VirtualTable[Any]

        @property
        def control(self) -> VirtualTable[Any]:
            """The table, for `@on`."""
            return self.table

    @dataclass
    class Highlighted(Told):
        """The cursor is on another row, or on none (`key` is None)."""

        key: Any

    @dataclass
    class Opened(Told):
        """The row with `key` was clicked while it had the cursor."""

        key: Any

    class Shown(Told):
        """Which rows are visible or marked changed."""

    def __init__(
        self,
        columns: Sequence[Column[Row]],
        row_key: Callable[[Row], Any],
        *,
        search: Callable[[Row], str] | None = None,
        markable: bool = False,
        sort: str | None = None,
        reverse: bool = False,
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self.model = TableModel(columns, row_key, search, (sort, reverse))
        self.nothing = ""
        """What to say when no row is visible."""
        self.painter: TablePainter[Row] = TablePainter(self, markable)
        self._markable = markable
        self._wanted: Any = None
        self._laid_out = 0

    # Rows

    @property
    def columns(self) -> tuple[Column[Row], ...]:
        """The columns, hidden ones included."""
        return self.model.columns

    @property
    def row_count(self) -> int:
        """How many rows there are, hidden by the filter or not."""
        return len(self.model.rows)

    @property
    def visible_keys(self) -> Sequence[Any]:
        """The keys of the visible rows, in order."""
        return self.model.visible

    @property
    def keys_in_sight(self) -> Sequence[Any]:
        """The keys of the rows that are on the terminal now."""
        top = round(self.scroll_offset.y)
        return self.visible_keys[top : top + max(0, self.size.height - 1)]

    @property
    def cursor_key(self) -> Any:
        """The key of the row with the cursor, or None when no row is visible."""
        keys = self.model.visible
        return keys[self.cursor] if self.cursor < len(keys) else None

    @property
    def cursor_row(self) -> Row | None:
        """The row with the cursor, or None when no row is visible or it is not read yet."""
        return self.model.rows.get(self.cursor_key)

    @property
    def wanted_lines(self) -> int:
        """The lines that the heading and all rows need, whatever the filter hides.

        What is laid out by them does not move with every letter of a filter.
        """
        return 1 + max(self.row_count, 2 if self.nothing else 0)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return how high it is where the style sheet leaves that to the rows."""
        return self.wanted_lines

    def row(self, key: Any) -> Row:
        """Return the row with `key`. Raises `KeyError`."""
        return self.model.rows[key]

    def has(self, key: Any) -> bool:
        """Return whether there is a row with `key`, visible or not."""
        return key in self.model.rows

    def rows(self) -> list[Row]:
        """Return every row, in the order they were given."""
        return list(self.model.rows.values())

    def set_rows(self, rows: Iterable[Row]) -> None:
        """Replace the rows; cursor, marks, filter and order stay."""
        with self._arranging():
            self.model.set_rows(rows)

    def update_rows(self, rows: Iterable[Row]) -> None:
        """Replace or add some rows by their keys; the others stay."""
        with self._arranging():
            self.model.update_rows(rows)

    def filter(self, text: str, keep: Callable[[Row], bool] | None = None) -> None:
        """Show only rows that `TableModel.filter` lets through."""
        with self._arranging():
            self.model.filter(text, keep)

    def pin(self, keys: Collection[Any]) -> None:
        """Keep the rows with these keys above the others, and no more those from before."""
        with self._arranging():
            self.model.pin(keys)

    def sort_by(self, key: str | None, *, reverse: bool = False) -> None:
        """Order the rows by a column; None is the order they were given in."""
        with self._arranging():
            self.model.sort_by(key, reverse=reverse)

    def set_columns(self, columns: Sequence[Column[Row]]) -> None:
        """Show other columns; rows, cursor, marks and order stay."""
        self.model.columns = tuple(columns)
        self._resize()
        self.refresh()

    @contextmanager
    def _arranging(self) -> Iterator[None]:
        """Show what the model shows after the body has changed it; the cursor stays on its row."""
        here, place = self.cursor_key, self.cursor
        yield
        self._resize()
        key = here
        if self._wanted is not None and self.model.shows(self._wanted):
            key, self._wanted = self._wanted, None
        self.set_reactive(VirtualTable.cursor, self.model.place(key, place))
        self._follow()
        self.refresh()
        if self.cursor_key != here:
            self.post_message(self.Highlighted(self, self.cursor_key))
        self.post_message(self.Shown(self))

    # Marks

    @property
    def marks(self) -> set[Any]:
        """The keys of the marked rows."""
        return self.model.marks

    @marks.setter
    def marks(self, keys: set[Any]) -> None:
        self.model.marks = keys
        self._marked()

    def toggle_mark(self) -> None:
        """Mark the row with the cursor, or unmark it, and go to the next."""
        key = self.cursor_key
        if key is None or not self._markable:
            return
        self.model.toggle_mark(key)
        self._paint(self.cursor)
        self.action_cursor_down()
        self.post_message(self.Shown(self))

    def toggle_all(self) -> None:
        """Mark every visible row, or unmark them when all are marked."""
        self.model.toggle_all()
        self._marked()

    def clear_marks(self) -> None:
        """Unmark every row."""
        self.marks = set()

    def _marked(self) -> None:
        self.refresh()
        self.post_message(self.Shown(self))

    # The cursor

    def move_to(self, key: Any) -> bool:
        """Put the cursor on the row with `key`; return whether it is visible."""
        if not self.model.shows(key):
            return False
        self.cursor = self.model.place(key)
        return True

    def want(self, key: Any) -> None:
        """Put the cursor on the row with `key`: now, or when it is read, if nobody moves it."""
        if key is not None and not self.move_to(key):
            self._wanted = key

    def validate_cursor(self, place: int) -> int:
        """Keep the cursor on a row."""
        return max(0, min(place, len(self.model.visible) - 1))

    def watch_cursor(self, before: int, after: int) -> None:
        """Paint the two rows anew and keep the cursor in sight."""
        if before == after:
            return
        self._wanted = None
        self._paint(before)
        self._paint(after)
        self._follow()
        self.post_message(self.Highlighted(self, self.cursor_key))

    def why_not(self, action: str, parameters: tuple[object, ...]) -> str:
        """Say that there is no row to go to, or to sort."""
        if self.model.visible:
            return ""
        if self.row_count:
            return "No row matches the filter."
        return self.nothing or "There is nothing in this list yet."

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave the keys that scroll sideways to the screen: a list has its width always."""
        if action in ("scroll_left", "scroll_right"):
            return False
        return super().check_action(action, parameters)

    def action_cursor_down(self) -> None:
        """Go to the next row."""
        self.cursor += 1

    def action_cursor_up(self) -> None:
        """Go to the previous row."""
        self.cursor -= 1

    def action_first(self) -> None:
        """Go to the first row."""
        self.cursor = 0

    def action_last(self) -> None:
        """Go to the last row."""
        self.cursor = len(self.model.visible) - 1

    def action_page_down(self) -> None:
        """Go a page down."""
        self.cursor += self._page()

    def action_page_up(self) -> None:
        """Go a page up."""
        self.cursor -= self._page()

    def action_sort(self) -> None:
        """Sort by the next column: numbers largest first, text from A to Z."""
        offered = [column.key for column, _ in self.painter.layout if column.title]
        key, reverse = self.model.next_order(offered)
        self.sort_by(key, reverse=reverse)

    def action_reverse(self) -> None:
        """Turn the order round."""
        key, reverse = self.model.order
        self.sort_by(key or self.columns[0].key, reverse=not reverse)

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the row; a click on the row that has it opens it."""
        place = self.scroll_offset.y + event.y - 1
        if event.y < 1 or place >= len(self.model.visible):
            return
        if place == self.cursor:
            self.post_message(self.Opened(self, self.cursor_key))
        self.cursor = place

    def _page(self) -> int:
        return max(1, self.size.height - 2)

    def _follow(self) -> None:
        """Scroll so that the cursor is in sight below the heading."""
        height = self.scrollable_content_region.height - 1
        if height <= 0:
            return
        top = round(self.scroll_offset.y)
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, immediate=True)
        elif self.cursor >= top + height:
            self.scroll_to(y=self.cursor - height + 1, animate=False, immediate=True)

    def _paint(self, place: int) -> None:
        """Have one row painted anew."""
        self.refresh(Region(0, place + 1 - self.scroll_offset.y, self.size.width, 1))

    # Layout and painting

    def on_resize(self) -> None:
        """Lay the columns out for the new width."""
        self._resize()
        self._follow()

    def watch_show_vertical_scrollbar(self) -> None:
        """Lay the columns out for the width that is left; a scrollbar is no resize."""
        self.call_after_refresh(self._lay_out_again)

    def _lay_out_again(self) -> None:
        self._lay_out()
        self.refresh()

    def _lay_out(self) -> None:
        self.painter.lay_out(self.columns, self.scrollable_content_region.width)

    def _resize(self) -> None:
        width, height = self.scrollable_content_region.width, self.container_size.height
        size, before = Size(width, len(self.model.visible) + 1), self.virtual_size
        same_bar = (size.height > height) == (before.height > height)
        # Where the rows say how high it is, more or fewer of them move the rest of the screen.
        grown = self.styles.auto_dimensions and self.wanted_lines != self._laid_out
        self._laid_out = self.wanted_lines
        if height and same_bar and size.width == before.width and not grown:
            # Nothing moves but the scrollbar's thumb: laying out the whole screen for every
            # letter of a filter would cost another frame.
            self.set_reactive(VirtualTable.virtual_size, size)
            self._scroll_update(size)
        else:
            self.virtual_size = size
        self._lay_out()

    def notify_style_update(self) -> None:
        """Forget the colours of the theme before."""
        super().notify_style_update()
        self.painter.forget_styles()

    def on_focus(self) -> None:
        """Paint the cursor as the one in use."""
        self._paint(self.cursor)

    def on_blur(self) -> None:
        """Paint the cursor as one that is elsewhere."""
        self._paint(self.cursor)

    def render_line(self, y: int) -> Strip:
        """Return one line: the heading, or the row that is scrolled to line `y`."""
        width, keys = self.size.width, self.model.visible
        if not self.painter.layout:
            # The first frame is painted before a widget is told of its size.
            self._lay_out()
        if y == 0:
            return self.painter.heading(width, self.model.order)
        place = self.scroll_offset.y + y - 1
        if place >= len(keys):
            return self.painter.sentence(self.nothing if y == 2 and not keys else "", width)
        cursor = ""
        if place == self.cursor:
            cursor = "table--cursor" if self.has_focus else "table--cursor-blurred"
        return self.paint_row(place, keys[place], width, cursor)

    def paint_row(self, place: int, key: Any, width: int, cursor: str) -> Strip:
        """Return the line of the row with `key`, shown at `place`, as `TablePainter.row` does."""
        marked, pinned = key in self.model.marks, key in self.model.pins
        return self.painter.row(self.model.rows[key], width, cursor, marked, pinned)
