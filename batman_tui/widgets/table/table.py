"""A table that paints only what is seen: thousands of rows at the price of a screenful."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Literal, TypeVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from batman_tui.keys import bindings
from batman_tui.widgets.table.cells import bar, fit

Row = TypeVar("Row")
MARK = "● "
_SHADES = 8


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


class VirtualTable(ScrollView, Generic[Row], can_focus=True):
    """Rows of any type with a cursor, marks, a filter and an order.

    `row_key` gives what a row is known by: the cursor and the marks stay on their keys when the
    rows are replaced, so a reload does not move anybody. Values are data and are never read as
    markup. With `markable`, a column of marks stands at the left.
    """

    BINDINGS: ClassVar[list[BindingType]] = bindings("table")
    COMPONENT_CLASSES = {
        "table--header",
        "table--row",
        "table--muted",
        "table--number",
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
        & > .table--number { color: $foreground; }
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
    class Highlighted(Message):
        """The cursor is on another row, or on none (`key` is None)."""

        table: VirtualTable[Any]
        key: Any

        @property
        def control(self) -> VirtualTable[Any]:
            """The table, for `@on`."""
            return self.table

    @dataclass
    class Opened(Message):
        """The row with `key` was clicked while it had the cursor."""

        table: VirtualTable[Any]
        key: Any

        @property
        def control(self) -> VirtualTable[Any]:
            """The table, for `@on`."""
            return self.table

    @dataclass
    class Shown(Message):
        """Which rows are visible or marked changed."""

        table: VirtualTable[Any]

        @property
        def control(self) -> VirtualTable[Any]:
            """The table, for `@on`."""
            return self.table

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
        self.columns = tuple(columns)
        self.row_key = row_key
        self.marks: set[Any] = set()
        self.nothing = ""
        """What to say when no row is visible."""
        self._search = search or (lambda row: str(columns[0].value(row)))
        self._markable = markable
        self._sort_key = sort
        self._reverse = reverse
        self._filter = ""
        self._keep: Callable[[Row], bool] | None = None
        self._rows: dict[Any, Row] = {}
        self._text: dict[Any, str] = {}
        self._visible: list[Any] = []
        self._place: dict[Any, int] = {}
        self._layout: list[tuple[Column[Row], int]] = []
        self._styles: dict[tuple[str, ...], Style] = {}

    # Rows

    @property
    def row_count(self) -> int:
        """How many rows there are, hidden by the filter or not."""
        return len(self._rows)

    @property
    def visible_keys(self) -> Sequence[Any]:
        """The keys of the visible rows, in order."""
        return self._visible

    @property
    def keys_in_sight(self) -> Sequence[Any]:
        """The keys of the rows that are on the terminal now."""
        top = round(self.scroll_offset.y)
        return self._visible[top : top + max(0, self.size.height - 1)]

    @property
    def cursor_key(self) -> Any:
        """The key of the row with the cursor, or None when no row is visible."""
        return self._visible[self.cursor] if self.cursor < len(self._visible) else None

    @property
    def cursor_row(self) -> Row | None:
        """The row with the cursor, or None when no row is visible."""
        key = self.cursor_key
        return None if key is None else self._rows[key]

    @property
    def order(self) -> tuple[str | None, bool]:
        """The key of the column that the rows are sorted by, and whether backwards."""
        return self._sort_key, self._reverse

    def row(self, key: Any) -> Row:
        """Return the row with `key`. Raises `KeyError`."""
        return self._rows[key]

    def has(self, key: Any) -> bool:
        """Return whether there is a row with `key`, visible or not."""
        return key in self._rows

    def rows(self) -> list[Row]:
        """Return every row, in the order they were given."""
        return list(self._rows.values())

    def set_rows(self, rows: Iterable[Row]) -> None:
        """Replace the rows; cursor, marks, filter and order stay."""
        self._rows = {self.row_key(row): row for row in rows}
        self._text = {}
        self.marks &= self._rows.keys()
        self._arrange()

    def update_rows(self, rows: Iterable[Row]) -> None:
        """Replace or add some rows by their keys; the others stay."""
        for row in rows:
            key = self.row_key(row)
            self._rows[key] = row
            self._text.pop(key, None)
        self._arrange()

    def filter(self, text: str, keep: Callable[[Row], bool] | None = None) -> None:
        """Show only rows that hold every word of `text`, whatever the case, and that `keep` keeps.

        `keep` is asked again whenever rows change.
        """
        self._filter, self._keep = text, keep
        self._arrange()

    def set_columns(self, columns: Sequence[Column[Row]]) -> None:
        """Show other columns; rows, cursor, marks and order stay."""
        self.columns = tuple(columns)
        self._resize()
        self.refresh()

    def sort_by(self, key: str | None, *, reverse: bool = False) -> None:
        """Order the rows by a column; None is the order they were given in."""
        self._sort_key, self._reverse = key, reverse
        self._arrange()

    def move_to(self, key: Any) -> bool:
        """Put the cursor on the row with `key`; return whether it is visible."""
        place = self._place.get(key)
        if place is None:
            return False
        self.cursor = place
        return True

    def _arrange(self) -> None:
        """Work out which rows are visible, keeping the cursor on its row."""
        here, place = self.cursor_key, self.cursor
        words = self._filter.casefold().split()
        keys = list(self._rows)
        for word in words:
            keys = [key for key in keys if word in self._text_of(key)]
        if self._keep is not None:
            keys = [key for key in keys if self._keep(self._rows[key])]
        column = next((item for item in self.columns if item.key == self._sort_key), None)
        if column is not None:
            value, rows = column.sort or column.value, self._rows
            # Rows without a value come last whichever way round.
            known = [key for key in keys if value(rows[key]) is not None]
            known.sort(key=lambda key: value(rows[key]), reverse=self._reverse)
            keys = known + [key for key in keys if value(rows[key]) is None]
        self._visible = keys
        self._place = {key: number for number, key in enumerate(keys)}
        self._resize()
        place = self._place.get(here, min(place, max(0, len(keys) - 1)))
        self.set_reactive(VirtualTable.cursor, place)
        self._follow()
        self.refresh()
        if self.cursor_key != here:
            self.post_message(self.Highlighted(self, self.cursor_key))
        self.post_message(self.Shown(self))

    def _text_of(self, key: Any) -> str:
        """Return what a filter's words are looked for in; worked out when first asked."""
        text = self._text.get(key)
        if text is None:
            text = self._text[key] = self._search(self._rows[key]).casefold()
        return text

    # Marks

    def toggle_mark(self) -> None:
        """Mark the row with the cursor, or unmark it, and go to the next."""
        key = self.cursor_key
        if key is None or not self._markable:
            return
        self.marks ^= {key}
        self._paint(self.cursor)
        self.action_cursor_down()
        self.post_message(self.Shown(self))

    def toggle_all(self) -> None:
        """Mark every visible row, or unmark them when all are marked."""
        shown = set(self._visible)
        self.marks = self.marks - shown if shown <= self.marks else self.marks | shown
        self.refresh()
        self.post_message(self.Shown(self))

    def clear_marks(self) -> None:
        """Unmark every row."""
        self.marks = set()
        self.refresh()
        self.post_message(self.Shown(self))

    # The cursor

    def validate_cursor(self, place: int) -> int:
        """Keep the cursor on a row."""
        return max(0, min(place, len(self._visible) - 1))

    def watch_cursor(self, before: int, after: int) -> None:
        """Paint the two rows anew and keep the cursor in sight."""
        if before == after:
            return
        self._paint(before)
        self._paint(after)
        self._follow()
        self.post_message(self.Highlighted(self, self.cursor_key))

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
        self.cursor = len(self._visible) - 1

    def action_page_down(self) -> None:
        """Go a page down."""
        self.cursor += self._page()

    def action_page_up(self) -> None:
        """Go a page up."""
        self.cursor -= self._page()

    def action_sort(self) -> None:
        """Sort by the next column: numbers largest first, text from A to Z."""
        keys = [column.key for column, _ in self._layout if column.title]
        now = keys.index(self._sort_key) if self._sort_key in keys else -1
        key = keys[(now + 1) % len(keys)]
        column = next(item for item in self.columns if item.key == key)
        self.sort_by(key, reverse=column.kind != "text")

    def action_reverse(self) -> None:
        """Turn the order round."""
        self.sort_by(self._sort_key or self.columns[0].key, reverse=not self._reverse)

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the row; a click on the row that has it opens it."""
        place = self.scroll_offset.y + event.y - 1
        if event.y < 1 or place >= len(self._visible):
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
        self._lay_out(self.scrollable_content_region.width)
        self.refresh()

    def _resize(self) -> None:
        width, height = self.scrollable_content_region.width, self.container_size.height
        size, before = Size(width, len(self._visible) + 1), self.virtual_size
        same_bar = (size.height > height) == (before.height > height)
        if height and same_bar and size.width == before.width and not self.styles.auto_dimensions:
            # Nothing moves but the scrollbar's thumb: laying out the whole screen for every
            # letter of a filter would cost another frame.
            self.set_reactive(VirtualTable.virtual_size, size)
            self._scroll_update(size)
        else:
            self.virtual_size = size
        self._lay_out(width)

    def _lay_out(self, width: int) -> None:
        shown = [column for column in self.columns if width >= column.from_width]
        room = width - (len(MARK) if self._markable else 0) - 2 * max(0, len(shown) - 1)
        room -= sum(column.width or 0 for column in shown)
        flexible = [column for column in shown if column.width is None]
        self._layout = []
        for column in shown:
            cells = column.width
            if cells is None:
                cells = max(column.least, room // len(flexible))
                if column is flexible[0]:
                    cells = max(column.least, room - room // len(flexible) * (len(flexible) - 1))
            self._layout.append((column, cells))

    def notify_style_update(self) -> None:
        """Forget the colours of the theme before."""
        super().notify_style_update()
        self._styles = {}

    def _style(self, *names: str) -> Style:
        found = self._styles.get(names)
        if found is None:
            # The first is blended with the background, for muted colours are translucent.
            found = self.get_component_rich_style(names[0])
            for name in names[1:]:
                found += self.get_component_rich_style(name, partial=True)
            self._styles[names] = found
        return found

    def _shaded(self, style: Style, share: float) -> Style:
        """Return `style` on a ground that is filled by `share`, in one of a few steps."""
        step = round(min(1.0, max(0.0, share)) * _SHADES)
        # Sixteen colours have nothing in between: the figures must do.
        if not step or self.app.console.color_system == "standard":
            return style
        found = self._styles.get(("shade", str(step)))
        if found is None:
            ground, full = self.styles.background, self.get_component_styles("table--shade").color
            filled = ground.blend(full, 0.1 + 0.7 * step / _SHADES, 1.0)
            # Black or white, whichever can be read on it.
            letters = filled.get_contrast_text(1.0)
            found = Style(color=letters.rich_color, bgcolor=filled.rich_color)
            self._styles[("shade", str(step))] = found
        return found

    def on_focus(self) -> None:
        """Paint the cursor as the one in use."""
        self._paint(self.cursor)

    def on_blur(self) -> None:
        """Paint the cursor as one that is elsewhere."""
        self._paint(self.cursor)

    def render_line(self, y: int) -> Strip:
        """Return one line: the heading, or the row that is scrolled to line `y`."""
        width = self.size.width
        if y == 0:
            return self._header(width)
        place = self.scroll_offset.y + y - 1
        if place >= len(self._visible):
            text = self.nothing if y == 2 and not self._visible else ""
            return Strip([Segment(fit(text, width), self._style("table--muted"))], width)
        return self._row(place, width)

    def _header(self, width: int) -> Strip:
        style = self._style("table--header")
        text = " " * len(MARK) if self._markable else ""
        for number, (column, cells) in enumerate(self._layout):
            title = column.title
            if column.key == self._sort_key and title:
                title = f"{title} {'↓' if self._reverse else '↑'}"
            right = column.kind in ("number", "percent")
            text += ("  " if number else "") + fit(title, cells, "right" if right else "left")
        return Strip([Segment(fit(text, width), style)], width)

    def _row(self, place: int, width: int) -> Strip:
        key = self._visible[place]
        row = self._rows[key]
        cursor: tuple[str, ...] = ()
        if place == self.cursor:
            cursor = ("table--cursor" if self.has_focus else "table--cursor-blurred",)
        base = self._style("table--row", *cursor)
        segments: list[Segment] = []
        marked = key in self.marks
        if self._markable:
            # On the cursor every colour but its own would be hard to see.
            style = base if cursor else self._style("table--row", "table--mark")
            segments.append(Segment(MARK if marked else " " * len(MARK), style))
        for number, (column, cells) in enumerate(self._layout):
            if number:
                segments.append(Segment("  ", base))
            value = column.value(row)
            style = base
            if not cursor and (value is None or column.muted):
                style = self._style("table--muted")
            elif not cursor and column.kind == "bar":
                style = self._style("table--row", "table--bar")
            elif not cursor and marked and number == 0:
                style = self._style("table--row", "table--mark")
            if value is None:
                text = fit("–", cells, "left" if column.kind == "text" else "right")
            elif column.kind == "number":
                text = fit(f"{value:,}", cells, "right")
            elif column.kind == "percent":
                text = fit(f"{value:.1%}", cells, "right")
            elif column.kind == "bar":
                text = bar(value, cells)
            else:
                text = fit(str(value), cells, keep=column.keep)
            if column.shade is not None:
                style = self._shaded(style, column.shade(row))
            segments.append(Segment(text, style))
        strip = Strip(segments)
        return strip.adjust_cell_length(width, base)
