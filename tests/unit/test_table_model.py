"""What a table knows of its rows, and how its columns share the width, without a terminal."""

from __future__ import annotations

import itertools
import subprocess
import sys
from dataclasses import dataclass

import pytest
from rich.cells import cell_len

from batman_tui.widgets.table.column import GAP, Column, cell_text, heading, lay_out
from batman_tui.widgets.table.model import TableModel


@dataclass(frozen=True)
class Thing:
    key: int
    name: str
    count: int | None = 0


COLUMNS: list[Column[Thing]] = [
    Column("name", "Name", lambda thing: thing.name),
    Column("count", "Count", lambda thing: thing.count, "number", 8),
]


def model(*things: Thing, **options) -> TableModel[Thing]:
    made: TableModel[Thing] = TableModel(COLUMNS, lambda thing: thing.key, **options)
    made.set_rows(things)
    return made


HOOKS = (Thing(1, "Crane Hook", 5), Thing(2, "hook", None), Thing(3, "HOOKED crane", 50))


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("", [1, 2, 3]),
        ("hook", [1, 2, 3]),
        ("hook CRANE", [1, 3]),
        ("crane  hooked ", [3]),
        ("none", []),
        ("[", []),
    ],
)
def test_a_filter_wants_every_word_whatever_the_case(text: str, keys: list[int]) -> None:
    things = model(*HOOKS)
    things.filter(text)
    assert things.visible == keys
    assert len(things.rows) == 3, "what is not shown is still there"


def test_a_filter_stays_when_rows_change_and_asks_anew_of_changed_ones() -> None:
    things = model(*HOOKS)
    things.filter("hook", keep=lambda thing: thing.count != 5)
    assert things.visible == [2, 3]
    things.update_rows([Thing(2, "rope"), Thing(4, "another hook"), Thing(1, "hook", 6)])
    assert things.visible == [1, 3, 4]
    things.set_rows([Thing(9, "hook"), Thing(8, "rope")])
    assert things.visible == [9]
    things.filter("")
    assert things.visible == [9, 8]


def test_a_filter_looks_where_it_is_told() -> None:
    things = model(*HOOKS, search=lambda thing: f"number-{thing.count}")
    things.filter("number-5")
    assert things.visible == [1, 3]


def test_an_order_puts_rows_without_a_value_last_whichever_way_round() -> None:
    things = model(*HOOKS)
    for key, reverse, keys in (
        ("count", True, [3, 1, 2]),
        ("count", False, [1, 3, 2]),
        ("name", False, [1, 3, 2]),
        ("name", True, [2, 3, 1]),
        ("no such column", True, [1, 2, 3]),
        (None, False, [1, 2, 3]),
    ):
        things.sort_by(key, reverse=reverse)
        assert (things.visible, things.order) == (keys, (key, reverse))


def test_equal_rows_stay_in_the_order_they_were_given() -> None:
    things = model(*(Thing(number, "same", number % 2) for number in range(6)))
    things.sort_by("count")
    assert things.visible == [0, 2, 4, 1, 3, 5]
    things.sort_by("count", reverse=True)
    assert things.visible == [1, 3, 5, 0, 2, 4]


def test_a_column_may_be_sorted_by_something_else() -> None:
    by_length: Column[Thing] = Column("name", "Name", lambda t: t.name, sort=lambda t: len(t.name))
    things: TableModel[Thing] = TableModel([by_length], lambda t: t.key, order=("name", True))
    things.set_rows(HOOKS)
    assert things.visible == [3, 1, 2]


def test_the_next_order_goes_round_with_numbers_largest_first() -> None:
    things = model(*HOOKS)
    offered = ["name", "count"]
    for key, reverse in (("name", False), ("count", True), ("name", False)):
        assert things.next_order(offered) == (key, reverse)
        things.sort_by(key, reverse=reverse)
    things.sort_by("count")
    assert things.next_order(["name"]) == ("name", False), "the present one is not offered"


def test_marks_stay_with_their_rows() -> None:
    things = model(*(Thing(number, f"t{number:02}") for number in range(20)))
    things.toggle_mark(0)
    things.toggle_mark(3)
    things.toggle_mark(3)
    assert things.marks == {0}
    things.filter("t1")
    things.toggle_all()
    assert things.marks == {0, *range(10, 20)}, "the one that is not shown stays marked"
    things.toggle_mark(12)
    things.toggle_all()
    assert things.marks == {0, *range(10, 20)}, "one was missing: all are marked"
    things.toggle_all()
    assert things.marks == {0}
    things.update_rows([Thing(0, "new name")])
    assert things.marks == {0}
    things.set_rows([Thing(5, "thing 5")])
    assert things.marks == set()


def test_where_a_row_is_or_what_is_nearest_to_where_it_was() -> None:
    things = model(*(Thing(number, f"t{number:02}") for number in range(20)))
    things.filter("t1")
    assert (things.place(12), things.shows(12), things.shows(2)) == (2, True, False)
    assert things.place(2, 3) == 3
    assert things.place(2, 99) == 9
    things.filter("nothing")
    assert things.place(2, 3) == 0


def test_keys_may_be_shown_before_their_rows_are_known() -> None:
    things = model()
    things.show(range(100_000))
    assert (things.place(99_999), things.rows) == (99_999, {})


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("text", "crane", "crane   "),
        ("text", "a crane hook", "a crane…"),
        ("text", None, "–       "),
        ("text", 7, "7       "),
        ("number", 12345, "  12,345"),
        ("number", None, "       –"),
        ("percent", 0.1234, "   12.3%"),
        ("bar", 0.5, "━━━━    "),
        ("bar", None, "       –"),
    ],
)
def test_a_value_as_people_read_it(kind, value: object, said: str) -> None:
    column: Column[object] = Column("key", "Title", lambda row: row, kind)
    assert cell_text(column, value, 8) == said


def test_a_heading_has_an_arrow_where_there_is_a_title() -> None:
    assert heading(COLUMNS[0], 8, "↑") == "Name ↑  "
    assert heading(COLUMNS[1], 8) == "   Count"
    assert heading(Column("bar", "", lambda row: row), 4, "↑") == "    "


@pytest.mark.parametrize("marks", [0, 2])
def test_columns_share_the_width_to_the_last_cell(marks: int) -> None:
    columns: list[Column[Thing]] = [
        *COLUMNS,
        Column("second", "Second", lambda thing: thing.name, least=4),
        Column("third", "Third", lambda thing: thing.name, least=4),
        Column("wide", "Wide", lambda thing: thing.name, width=9, from_width=70),
    ]
    for width in range(40, 120):
        laid = lay_out(columns, width, marks)
        assert ("wide" in [column.key for column, _ in laid]) == (width >= 70)
        assert marks + sum(cells for _, cells in laid) + GAP * (len(laid) - 1) == width
        assert {column.key: cells for column, cells in laid}["count"] == 8
        for column, cells in laid:
            assert cell_len(heading(column, cells)) == cells


def test_columns_keep_their_least_where_there_is_no_room() -> None:
    for width, marks in itertools.product(range(20), (0, 2)):
        assert [cells for _, cells in lay_out(COLUMNS, width, marks)] == [
            max(8, width - marks - GAP - 8),
            8,
        ]


def test_it_needs_no_terminal() -> None:
    code = (
        "import sys, batman_tui.widgets.table.model\n"
        "sys.exit(', '.join(name for name in sys.modules if name.split('.')[0] == 'textual') or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
