"""Boxes drawn into the cells of a picture as thin lines, by the characters that draw boxes.

A line is a stroke through the middle of its cells, on a ground of their mean colour: the picture
is still there on both sides of it, which a line of whole pixels of half blocks would hide. Where
strokes of one kind meet they join. The box in hand is drawn in dots of braille, two across and four
down a cell, for its edges are to be put on the pixel. Numpy only, no widget.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray

from batman_tui.widgets.picture.marks import Mark, Pen
from batman_tui.widgets.picture.mosaic import CLEAR, Mosaic
from core.data.images.class_colours import Colour

N, E, S, W = 1, 2, 4, 8

# By the bits of the sides that a stroke leaves a cell by. U+2500 to U+257F, "Box Drawing".
_LIGHT = " ╵╶└╷│┌├╴┘─┴┐┤┬┼"
_HEAVY = " ╹╺┗╻┃┏┣╸┛━┻┓┫┳╋"
# Straight parts of strokes in dashes: two, three and four a cell.
_DASHES: dict[Pen, tuple[str, str]] = {
    "dotted": ("╌", "╎"), "faint": ("┈", "┊"), "missed": ("╍", "╏"),
}  # fmt: skip
_ONE: dict[bool, str] = {False: "□", True: "■"}
"""A box that is one cell: a small square."""

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""The dots of a cell of braille, by line and column (Unicode, "Braille Patterns")."""

_WHITE = 0xFFFFFF
_NEAR = 100
"""A ground that is nearer than this to its line, in red, green and blue, is made darker or lighter,

the more the nearer it is: a step that one sees would be a block on the picture.
"""
_QUIET = 0.45
"""How much of what is under a quiet line shines through it."""


def _table(pen: Pen) -> NDArray[np.int32]:
    heavy = pen in ("heavy", "missed", "struck")
    found = list(_HEAVY if heavy else _LIGHT)
    if pen in _DASHES:
        across, down = _DASHES[pen]
        for bits, dash in ((E, across), (W, across), (E | W, across), (N, down), (S, down),
                           (N | S, down)):  # fmt: skip
            found[bits] = dash
    return np.array([ord(each) for each in found], np.int32)


_PENS: tuple[Pen, ...] = ("faint", "quiet", "dotted", "solid", "missed", "heavy", "struck")
_TABLES = {pen: _table(pen) for pen in _PENS}


def cells_of(mark: Mark, cell: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return the first and last column and line of cells that a mark's sides are on."""
    left, top, right, bottom = mark.corners
    first = floor(left / cell[0]), floor(top / cell[1])
    last = ceil(right / cell[0]) - 1, ceil(bottom / cell[1]) - 1
    return first[0], first[1], max(first[0], last[0]), max(first[1], last[1])


def lines_touched(marks: Iterable[Mark], cell: tuple[int, int], lines: int) -> set[int]:
    """Return which of `lines` lines of cells the marks are drawn on."""
    found: set[int] = set()
    for mark in marks:
        _, top, _, bottom = cells_of(mark, cell)
        found.update(range(max(0, top), min(lines - 1, bottom) + 1))
    return found


def draw_lines(cells: Mosaic, marks: Sequence[Mark], cell: tuple[int, int], top: int = 0) -> None:
    """Draw marks into cells of `cell` view pixels, the first line being the `top`th of the view.

    Later marks lie over earlier ones, and the chosen one over all. What is past the edges is not
    drawn.
    """
    columns, lines = cells.size
    bits = np.zeros((lines, columns), np.uint8)
    pens = np.full((lines, columns), -1, np.int8)
    ink = np.zeros((lines, columns), np.int32)
    drawn = np.zeros((lines, columns), bool)
    code = np.zeros((lines, columns), np.int32)
    for mark in marks:
        if mark.pen == "chosen":
            continue
        _stroke(mark, cell, top, bits, pens, ink)
        if mark.pen == "struck":
            _cross(mark, cell, top, code, drawn, ink)
    for number, pen in enumerate(_PENS):
        here = (pens == number) & ~drawn
        code[here] = _TABLES[pen][bits[here]]
        alone = here & (bits == 0)
        code[alone] = ord(_ONE[pen in ("heavy", "missed", "struck")])
        drawn |= here
    hand = np.zeros((lines, columns), bool)
    for mark in marks:
        if mark.pen == "chosen":
            _dots(mark, cell, top, code, hand, ink)
    drawn |= hand
    ground = _told_apart(ink, cells.mean)
    quiet = (pens == _PENS.index("quiet")) & (code != 0) & (cells.mean != CLEAR) & ~hand
    mixed = _parts(ink[quiet]) * (1 - _QUIET) + _parts(cells.mean[quiet]) * _QUIET
    ink[quiet] = _joined(mixed)
    cells.code[drawn], cells.fore[drawn] = code[drawn], ink[drawn]
    cells.ground[drawn] = ground[drawn]


def _packed(colour: Colour) -> int:
    return colour[0] << 16 | colour[1] << 8 | colour[2]


def _stroke(
    mark: Mark,
    cell: tuple[int, int],
    above: int,
    bits: NDArray[np.uint8],
    pens: NDArray[np.int8],
    ink: NDArray[np.int32],
) -> None:
    """Note which sides of which cells the four sides of a box go through."""
    lines, columns = bits.shape
    left, top, right, bottom = cells_of(mark, cell)
    top, bottom = top - above, bottom - above
    pen = _PENS.index(mark.pen)
    mine: dict[tuple[int, int], int] = {}

    def go(line: int, column: int, way: int) -> None:
        if 0 <= line < lines and 0 <= column < columns:
            mine[line, column] = mine.get((line, column), 0) | way

    for column in range(max(0, left), min(columns - 1, right) + 1):
        way = (E if column < right else 0) | (W if column > left else 0)
        go(top, column, way)
        go(bottom, column, way)
    for line in range(max(0, top), min(lines - 1, bottom) + 1):
        way = (S if line < bottom else 0) | (N if line > top else 0)
        go(line, left, way)
        go(line, right, way)
    if top == bottom and left != right:
        # A box of one line: |-----|
        go(top, left, N | S)
        go(top, right, N | S)
    elif left == right and top != bottom:
        go(top, left, E | W)
        go(bottom, left, E | W)
    colour = _packed(mark.colour)
    for (line, column), way in mine.items():
        joins = pens[line, column] == pen and mark.pen not in _DASHES
        bits[line, column] = bits[line, column] | way if joins else way
        pens[line, column] = pen
        ink[line, column] = colour


def _cross(
    mark: Mark,
    cell: tuple[int, int],
    above: int,
    code: NDArray[np.int32],
    drawn: NDArray[np.bool_],
    ink: NDArray[np.int32],
) -> None:
    """Cross a box out, a stroke a line of cells each way."""
    lines, columns = code.shape
    left, top, right, bottom = cells_of(mark, cell)
    for line in range(top + 1, bottom):
        share = (line - top) / max(1, bottom - top)
        for start, end, stroke in ((left, right, "╲"), (right, left, "╱")):
            column = round(start + (end - start) * share)
            if 0 <= line - above < lines and 0 <= column < columns:
                at = line - above, column
                code[at], drawn[at], ink[at] = ord(stroke), True, _packed(mark.colour)


def _dots(
    mark: Mark,
    cell: tuple[int, int],
    above: int,
    code: NDArray[np.int32],
    drawn: NDArray[np.bool_],
    ink: NDArray[np.int32],
) -> None:
    """Draw the box in hand in dots, its cells by turns white and of its colour."""
    lines, columns = code.shape
    left, top, right, bottom = mark.corners
    first = floor(left * 2 / cell[0]), floor(top * 4 / cell[1]) - 4 * above
    last = (
        max(first[0], ceil(right * 2 / cell[0]) - 1),
        max(first[1], ceil(bottom * 4 / cell[1]) - 1 - 4 * above),
    )
    patterns: dict[tuple[int, int], int] = {}

    def dot(x: int, y: int) -> None:
        if 0 <= x < 2 * columns and 0 <= y < 4 * lines:
            at = y // 4, x // 2
            patterns[at] = patterns.get(at, 0) | _DOTS[y % 4][x % 2]

    for x in range(max(0, first[0]), min(2 * columns - 1, last[0]) + 1):
        dot(x, first[1])
        dot(x, last[1])
    for y in range(max(0, first[1]), min(4 * lines - 1, last[1]) + 1):
        dot(first[0], y)
        dot(last[0], y)
    colour = _packed(mark.colour)
    for (line, column), pattern in patterns.items():
        code[line, column] = 0x2800 + pattern
        ink[line, column] = colour if (line + above + column) % 2 else _WHITE
        drawn[line, column] = True


def _told_apart(ink: NDArray[np.int32], ground: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the grounds, those darker or lighter on which their line would not be seen."""
    clear = ground == CLEAR
    strokes, under = _parts(ink), _parts(ground)
    near = np.clip(1 - np.sqrt(((strokes - under) ** 2).sum(axis=0)) / _NEAR, 0, 1)
    # Rec. ITU-R BT.601: luma
    luma = np.tensordot(np.array([0.299, 0.587, 0.114]), strokes, 1)
    towards = np.where(luma >= 110, 0.0, 255.0)
    found = _joined(under + (towards - under) * 0.6 * near)
    return np.asarray(np.where(clear, CLEAR, found), np.int32)


def _parts(colours: NDArray[np.int32]) -> NDArray[np.float32]:
    return np.stack([colours >> 16 & 255, colours >> 8 & 255, colours & 255]).astype(np.float32)


def _joined(parts: NDArray[np.float32]) -> NDArray[np.int32]:
    red, green, blue = np.rint(parts).astype(np.int32)
    return np.asarray(red << 16 | green << 8 | blue, np.int32)
