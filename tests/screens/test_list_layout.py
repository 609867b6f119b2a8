"""A list and what belongs to it: each has the lines that the other does not need."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from textual.app import App, ComposeResult
from textual.widgets import Static

from batman_tui.widgets.panel.list_layout import ListLayout
from batman_tui.widgets.panel.panel import Panel
from batman_tui.widgets.table.filter import FilterInput
from batman_tui.widgets.table.table import Column, VirtualTable


class Lists(App[None]):
    """A list of numbers with a panel that belongs to it."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]
    CSS = "#layout.-beside > #list { width: 30; }"

    def __init__(self, rows: Iterable[int], *, beside: bool, spare: bool) -> None:
        super().__init__()
        self.numbers, self.beside = list(rows), beside
        self.table = VirtualTable[int]([Column("n", "Number", str)], lambda row: row)
        self.spare = "-spare" if spare else ""

    def compose(self) -> ComposeResult:
        yield ListLayout(
            Panel(FilterInput("Filter"), self.table, title="List", id="list", classes="-list"),
            Panel(Static("what"), title="What", id="rest", classes=self.spare),
            id="layout",
            beside=self.beside,
        )

    def on_mount(self) -> None:
        self.table.set_rows(self.numbers)

    def sizes(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return width and height of the list and of the rest."""
        a, b = self.query_one("#list"), self.query_one("#rest")
        return (a.outer_size.width, a.outer_size.height), (b.outer_size.width, b.outer_size.height)


@pytest.mark.parametrize(
    ("size", "rows", "beside", "sizes"),
    [
        ((120, 40), 100, True, ((30, 40), (90, 40))),  # much to list: all the height
        ((120, 40), 3, True, ((120, 6), (120, 34))),  # a frame, the heading, three rows
        ((80, 24), 100, True, ((80, 12), (80, 12))),
        ((80, 24), 3, True, ((80, 6), (80, 18))),
        ((120, 40), 100, False, ((120, 20), (120, 20))),
    ],
)
async def test_what_the_list_does_not_need_the_rest_has(
    size: tuple[int, int], rows: int, beside: bool, sizes: object
) -> None:
    app = Lists(range(rows), beside=beside, spare=False)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        assert app.sizes() == sizes
        before = app.sizes()
        app.table.filter("2")
        await pilot.pause()
        assert app.sizes() == before, "nothing moves with the letters of a filter"
        app.query_one(FilterInput).open()
        await pilot.pause()
        await pilot.pause()
        table = app.table.region
        assert app.query_one("#list").region.contains_region(table), "the filter covers no row"


async def test_a_list_without_the_rest_has_all() -> None:
    app = Lists(range(30), beside=False, spare=True)
    async with app.run_test(size=(80, 20)) as pilot:
        await pilot.pause()
        rest = app.query_one("#rest")
        assert not rest.display, "the list would be too short for it"
        assert app.query_one("#layout").has_class("-alone")
        await pilot.resize_terminal(80, 40)
        await pilot.pause()
        assert rest.display
        app.table.set_rows(range(2))
        await pilot.resize_terminal(80, 20)
        await pilot.pause()
        assert rest.display


class Filling(Lists):
    """The list is empty at first, and the screen gives the focus to what it finds."""

    AUTO_FOCUS = "*"

    def on_mount(self) -> None:
        self.query_one("#list", Panel).empty = "Nothing here yet."

    def fill(self) -> None:
        self.table.set_rows(self.numbers)
        self.query_one("#list", Panel).empty = ""


async def test_the_first_row_has_the_keys_and_not_the_filter_that_nobody_opened() -> None:
    app = Filling([1, 2], beside=False, spare=False)
    async with app.run_test(size=(80, 24)) as pilot:
        app.query_one("#rest").add_class("-of-row")
        app.query_one(ListLayout).share_out()
        await pilot.pause()
        assert not app.query_one("#rest").display, "there is no row to tell of"
        app.screen.set_focus(app.query_one(FilterInput))
        await pilot.pause()
        assert app.focused is None, "what is hidden has no focus"
        app.fill()
        await pilot.pause()
        assert app.query_one("#rest").display
        assert app.focused is app.table
