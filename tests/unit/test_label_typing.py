"""Keys typed one after the other: an edge by its ruler, a new box by its corners."""

from __future__ import annotations

import pytest

from batman_tui.label.grammar import EdgeAt, NewBox, Typing, start_corners, start_edge
from batman_tui.label.hints import typing_letters
from batman_tui.label.ruler import corner, place


def typed(state: Typing, keys: str):
    """What comes of keys: the state after them and what was wanted at the last."""
    wish = None
    for key in keys:
        assert wish is None, "it was complete before the last key"
        state, wish = state.key(key)
    return state, wish


def test_an_edge_takes_three_keys_after_e() -> None:
    state, wish = typed(start_edge(), "lmq")
    assert wish == EdgeAt("l", place("m", "q"))
    assert not state.active


def test_capital_letters_are_the_same_keys() -> None:
    assert typed(start_edge(), "LMQ") == typed(start_edge(), "lmq")


def test_a_new_box_takes_six_keys_after_n() -> None:
    state, wish = typed(start_corners(), "abqzlc")
    assert wish == NewBox(corner("abq"), corner("zlc"))
    assert not state.active


@pytest.mark.parametrize(
    ("state", "before", "wrong"),
    [(start_edge(), "", "x"), (start_edge(), "l", "1"), (start_corners(), "a", "m"),
     (start_corners(), "ab", "b"), (start_corners(), "abqz", "?")],
)  # fmt: skip
def test_a_key_without_a_meaning_changes_nothing_and_is_said(state, before, wrong) -> None:
    state, _ = typed(state, before)
    after, wish = state.key(wrong)
    assert wish is None
    assert after.active
    assert (after.mode, after.edge, after.typed) == (state.mode, state.edge, state.typed)
    assert f"({wrong} is none)" in after.prompt()


def test_backspace_goes_back_key_by_key() -> None:
    state, _ = typed(start_edge(), "la")
    state = state.back()
    assert (state.mode, state.typed) == ("ruler", "")
    state = state.back()
    assert state == start_edge()
    assert not state.back().active
    state, _ = typed(start_corners(), "abqz")
    assert state.back().typed == "abq"


def test_every_state_says_what_comes_next() -> None:
    state, said = start_corners(), []
    for key in "abqzl":
        said.append(state.prompt())
        state, _ = state.key(key)
    assert said[0] == "New box, first corner: type the column · Esc ends it"
    assert "second corner: type the column" in said[3]
    assert Typing().prompt() == ""


@pytest.mark.parametrize("cells", [(118, 34), (78, 18)], ids=str)
def test_letters_stand_where_the_keys_lead(cells) -> None:
    """What a person reads at a place is what puts the edge, or the corner, there."""
    state, _ = typed(start_edge(), "l")
    for each in typing_letters(state, cells):
        share = place(each.text, "m")
        assert abs(share * cells[0] - (each.column + 0.5)) <= 3
    grid = typing_letters(start_corners(), cells)
    assert len({each.text for each in grid}) == 26 * 12
    for each in grid:
        x, y = corner(each.text + "s")
        assert abs(x * cells[0] - (each.column + 1)) <= 2
        assert abs(y * cells[1] - (each.line + 0.5)) <= 1
    state, _ = typed(start_corners(), "dc")
    for each in typing_letters(state, cells):
        x, y = corner(f"dc{each.text}")
        assert (int(x * cells[0]), int(y * cells[1])) == (each.column, each.line)
