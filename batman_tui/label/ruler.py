"""Places named by letters: a ruler along an edge, a grid for corners; arithmetic, no terminal.

A ruler has 26 letters over the window. The first letter picks a stretch, which is then drawn out
over the whole view (with half a stretch at each side, for one is easily off by one), and the
second picks the place in it. So two letters name one of 26 × 26 places, 1/338 of the window
apart: the place is found within a third of a pixel of a view of up to 220.

The grid names a corner of a new box by three keys: column, row, and one of nine.
"""

from __future__ import annotations

from batman_tui.pictures.window import Point, Window

LETTERS = "abcdefghijklmnopqrstuvwxyz"
ROWS = 12
"""Rows of the grid of corners; its columns are the letters."""
NINE = "qweasdzxc"
"""The ninths of a cell, as they lie on a keyboard."""

EDGES = "hjkl"
"""Left, bottom, top and right, as the keys that move a cursor in vi."""
ACROSS = "hl"
"""The edges that move across; the others move up and down."""

_SPREAD = 2.0
"""How many stretches of the first letter the second ruler is over."""


def stretch(letter: str) -> tuple[float, float]:
    """Return the shares of the window between which the second ruler lies, wider than 0 to 1."""
    start = (LETTERS.index(letter) + 0.5 - _SPREAD / 2) / len(LETTERS)
    return start, start + _SPREAD / len(LETTERS)


def place(first: str, second: str) -> float:
    """Return the share of the window that two letters of the ruler name."""
    start, end = stretch(first)
    return start + (LETTERS.index(second) + 0.5) / len(LETTERS) * (end - start)


def letters_for(share: float) -> tuple[str, str]:
    """Return the two letters that name the place nearest to a share of the window."""
    first = LETTERS[min(len(LETTERS) - 1, max(0, int(share * len(LETTERS))))]
    start, end = stretch(first)
    number = int((share - start) / (end - start) * len(LETTERS))
    return first, LETTERS[min(len(LETTERS) - 1, max(0, number))]


def drawn_out(window: Window, edge: str, letter: str, room: tuple[int, int]) -> Window:
    """Return the window with the stretch of a letter drawn out over the whole of `room`.

    Only in the direction in which the edge moves: along it, all is in sight as before, for the
    outermost point of an object may be anywhere on it.
    """
    start, end = stretch(letter)
    if edge in ACROSS:
        x, w = window.x + start * window.w, (end - start) * window.w
        return Window(x, window.y, w, window.h, (room[0], window.shown[1]))
    y, h = window.y + start * window.h, (end - start) * window.h
    return Window(window.x, y, window.w, h, (window.shown[0], room[1]))


def corner(keys: str) -> Point:
    """Return the shares of the window that a column, a row and a ninth name."""
    column, row, ninth = LETTERS.index(keys[0]), LETTERS.index(keys[1]), NINE.index(keys[2])
    return (
        (column + (ninth % 3 + 0.5) / 3) / len(LETTERS),
        (row + (ninth // 3 + 0.5) / 3) / ROWS,
    )


def keys_for(share: Point) -> str:
    """Return the three keys that name the corner nearest to a share of the window."""
    across = min(max(0.0, share[0]), 1 - 1e-9) * len(LETTERS)
    down = min(max(0.0, share[1]), 1 - 1e-9) * ROWS
    column, row = int(across), int(down)
    ninth = int((down - row) * 3) * 3 + int((across - column) * 3)
    return LETTERS[column] + LETTERS[row] + NINE[ninth]


def ticks(count: int, cells: int) -> list[tuple[int, int]]:
    """Return for each of `count` letters where it stands along `cells` cells, and in which row.

    Where there are fewer cells than letters, two letters that fall on one cell stand side by
    side: the second of each pair is 0, 1, 2 …
    """
    found: list[tuple[int, int]] = []
    taken: dict[int, int] = {}
    for number in range(count):
        at = min(cells - 1, int((number + 0.5) * cells / count))
        found.append((at, taken.get(at, 0)))
        taken[at] = taken.get(at, 0) + 1
    return found
