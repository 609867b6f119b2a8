"""The table that paints only what is seen."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from harness import screen_text
from sample_data import HOSTILE
from textual.app import App, ComposeResult

from batman_tui.widgets.table.table import Column, VirtualTable


@dataclass(frozen=True)
class Thing:
    key: int
    name: str
    count: int | None


class TableApp(App[None]):
    """A table and nothing else."""

    def __init__(self, things: list[Thing]) -> None:
        super().__init__()
        self.seen: list[object] = []
        self.opened: list[object] = []
        self.table: VirtualTable[Thing] = VirtualTable(
            [
                Column("name", "Name", lambda thing: thing.name),
                Column("count", "Count", lambda thing: thing.count, "number", 8),
                Column("wide", "Wide", lambda thing: "only when wide", width=14, from_width=60),
            ],
            lambda thing: thing.key,
            markable=True,
        )
        self.things = things

    def compose(self):
        yield self.table

    def on_mount(self) -> None:
        self.table.set_rows(self.things)
        self.table.focus()

    def on_virtual_table_highlighted(self, message: VirtualTable.Highlighted) -> None:
        self.seen.append(message.key)

    def on_virtual_table_opened(self, message: VirtualTable.Opened) -> None:
        self.opened.append(message.key)

    def lines(self) -> list[str]:
        return [self.table.render_line(y).text for y in range(self.table.size.height)]


def things(count: int) -> list[Thing]:
    return [Thing(number, f"thing {number:05}", number * 3) for number in range(count)]


async def test_moves_with_arrows_and_vim_keys_and_stays_on_the_rows() -> None:
    app = TableApp(things(100))
    async with app.run_test(size=(40, 12)) as pilot:
        for keys, place in (
            (["j"], 1),
            (["down"], 2),
            (["k"], 1),
            (["k", "k"], 0),
            (["G"], 99),
            (["j"], 99),
            (["g"], 0),
            (["pagedown"], 10),
            (["ctrl+d"], 20),
            (["ctrl+u"], 10),
            (["end"], 99),
            (["home"], 0),
        ):
            await pilot.press(*keys)
            assert app.table.cursor == place, keys
        assert app.seen[-1] == 0


async def test_the_cursor_is_always_in_sight_below_the_heading() -> None:
    app = TableApp(things(1000))
    async with app.run_test(size=(40, 12)) as pilot:
        await pilot.press("G")
        assert app.lines()[0].strip().startswith("Name")
        assert "thing 00999" in app.lines()[11]
        await pilot.press("g")
        assert "thing 00000" in app.lines()[1]
        for _ in range(11):
            await pilot.press("j")
        assert "thing 00011" in app.lines()[11]
        assert "thing 00001" in app.lines()[1]


@pytest.mark.usefixtures("painting")
async def test_paints_no_more_rows_than_are_seen() -> None:
    app = TableApp([])
    asked: list[int] = []

    def name(thing: Thing) -> str:
        asked.append(thing.key)
        return thing.name

    async with app.run_test(size=(40, 12)) as pilot:
        app.table.set_columns([Column("name", "Name", name)])
        app.table.set_rows(things(50_000))
        asked.clear()
        await pilot.pause()
        assert 0 < len(set(asked)) <= 11


async def test_the_cursor_and_marks_stay_on_their_rows_when_rows_are_replaced() -> None:
    app = TableApp(things(50))
    async with app.run_test(size=(40, 12)) as pilot:
        await pilot.press("j")
        for _ in range(9):
            await pilot.press("j")
        app.table.toggle_mark()
        assert app.table.cursor_key == 11
        app.table.set_rows(things(50)[5:])
        assert app.table.cursor_key == 11
        assert app.table.marks == {10}
        app.table.set_rows(things(8))
        assert app.table.marks == set()
        assert app.table.cursor_key == 6, "the cursor keeps its place when its row is gone"
        app.table.set_rows(things(2))
        assert app.table.cursor_key == 1


async def test_filters_by_every_word_whatever_the_case() -> None:
    app = TableApp([Thing(1, "Crane Hook", 1), Thing(2, "hook", 2), Thing(3, "HOOKED crane", 3)])
    async with app.run_test(size=(40, 12)) as pilot:
        app.table.filter("hook CRANE")
        assert list(app.table.visible_keys) == [1, 3]
        assert app.table.why_not("cursor_down", ()) == ""
        app.table.filter("nothing like it")
        assert app.table.why_not("cursor_down", ()) == "No row matches the filter."
        app.table.nothing = "No match."
        await pilot.pause()
        assert app.table.cursor_key is None
        assert "No match." in app.lines()[2]
        app.table.filter("")
        assert list(app.table.visible_keys) == [1, 2, 3]


async def test_sorts_numbers_largest_first_and_rows_without_a_value_last() -> None:
    app = TableApp([Thing(1, "b", 5), Thing(2, "a", None), Thing(3, "c", 50)])
    async with app.run_test(size=(40, 12)) as pilot:
        await pilot.press("o")
        assert list(app.table.visible_keys) == [2, 1, 3]
        await pilot.press("o")
        assert list(app.table.visible_keys) == [3, 1, 2]
        await pilot.press("O")
        assert list(app.table.visible_keys) == [1, 3, 2]


async def test_marks_all_that_the_filter_shows_and_keeps_other_marks() -> None:
    app = TableApp(things(20))
    async with app.run_test(size=(40, 12)):
        app.table.toggle_mark()
        app.table.filter("0001")
        app.table.toggle_all()
        assert app.table.marks == {0, 1, *range(10, 20)}
        app.table.toggle_all()
        assert app.table.marks == {0}


async def test_every_line_has_the_width_of_the_table_whatever_the_names() -> None:
    rows = [Thing(number, name, 1) for number, name in enumerate(HOSTILE)]
    app = TableApp(rows)
    async with app.run_test(size=(48, 14)) as pilot:
        await pilot.pause()
        for y in range(12):
            strip = app.table.render_line(y)
            assert strip.cell_length == app.table.size.width, strip.text
            assert "\x1b" not in strip.text
        assert "person [front]" in app.lines()[1]
        assert "[/data]" in app.lines()[2]
        assert "[bold]x" in app.lines()[3]


async def test_leaves_columns_out_where_it_is_narrow() -> None:
    app = TableApp(things(3))
    async with app.run_test(size=(50, 12)) as pilot:
        assert "only when wide" not in app.lines()[1]
        await pilot.resize_terminal(90, 12)
        await pilot.pause()
        assert "only when wide" in app.lines()[1]
        assert app.table.render_line(1).cell_length == 90


async def test_a_click_puts_the_cursor_there_and_a_second_opens() -> None:
    app = TableApp(things(30))
    async with app.run_test(size=(40, 12)) as pilot:
        await pilot.click(VirtualTable, offset=(5, 4))
        assert app.table.cursor == 3
        assert app.opened == []
        await pilot.click(VirtualTable, offset=(5, 4))
        assert app.opened == [3]
        await pilot.click(VirtualTable, offset=(5, 0))
        assert app.table.cursor == 3, "the heading is no row"


async def test_a_long_filter_keeps_its_cursor_in_sight() -> None:
    from batman_tui.widgets.table.filter import FilterInput

    heard: list[str] = []

    class Line(App[None]):
        def compose(self) -> ComposeResult:
            yield FilterInput("Filter", now=heard.append)

    app = Line()
    async with app.run_test(size=(30, 5)) as pilot:
        line = app.query_one(FilterInput)
        line.open()
        await pilot.press(*"abcdefghij" * 5, "Z")
        await pilot.pause()
        assert screen_text(app).splitlines()[0].rstrip().endswith("Z")  # type: ignore[arg-type]
        assert heard[-1] == line.value
        assert len(heard) == 51
        await pilot.press("home")
        await pilot.pause()
        assert screen_text(app).splitlines()[0].strip().startswith("abc")  # type: ignore[arg-type]
