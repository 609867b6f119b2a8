"""A picture as cells of a terminal: two colours each, and a character that says which is where.

A cell is cut into parts: two by half blocks (U+2580, in every font that has block elements), four
by quadrants (U+2596 to 259F), six by sextants (U+1FB00 to 1FB3B, Unicode 13), eight by octants
(U+1CD00 to 1CDE5, Unicode 16, which hardly any font has yet). With two parts each has its own
colour; with more the parts of a cell are sorted into the two colours that are least wrong.

Numpy only, no widget: a picture of 120×40 cells takes some milliseconds. `chafa.py` 1.2.0, beside
which this was measured (docs/pictures.md), gives pixels no closer to the picture, knows no octants
and brings a C library of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import ceil
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from rich.color import Color, ColorType
from rich.color_triplet import ColorTriplet
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from batman_tui.widgets.picture.modes import PARTS, Glyphs
from core.processes.garbage_collector import paused

if TYPE_CHECKING:
    from PIL.Image import Image


CLEAR = -1
"""The colour of what has none: the ground of the widget."""

# Octants that had a character before (Unicode 16.0, "Symbols for Legacy Computing Supplement":
# the 230 others follow each other in the order of their bits, the upper left part being bit 0).
_OCTANTS = {
    0x01: 0x1CEA8, 0x02: 0x1CEAB, 0x40: 0x1CEA3, 0x80: 0x1CEA0, 0x03: 0x1FB82, 0x3F: 0x1FB85,
    0xC0: 0x2582, 0xFC: 0x2586, 0x14: 0x1FBE6, 0x28: 0x1FBE7,
}  # fmt: skip
_QUADRANTS = " ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█"


@lru_cache(maxsize=4)
def characters(glyphs: Glyphs) -> str:
    """Return the character for each set of parts that have the foreground's colour.

    Parts are bits from the upper left one (1), along the lines. For half blocks there are four,
    none, upper, lower and both.
    """
    if glyphs == "blocks":
        return " ▀▄█"
    if glyphs == "quadrants":
        return _QUADRANTS
    if glyphs == "sextants":
        # Four of them had a character before (Unicode 13.0, "Symbols for Legacy Computing").
        old = {0: " ", 21: "▌", 42: "▐", 63: "█"}
        new = iter(range(0x1FB00, 0x1FB3C))
        return "".join(old[bits] if bits in old else chr(next(new)) for bits in range(64))
    # A quadrant is two parts, one above the other.
    quarters = (0x05, 0x0A, 0x50, 0xA0)
    known = {
        sum(part for place, part in enumerate(quarters) if bits >> place & 1): _QUADRANTS[bits]
        for bits in range(16)
    } | {bits: chr(code) for bits, code in _OCTANTS.items()}
    codes = iter(range(0x1CD00, 0x1CDE6))
    return "".join(known[bits] if bits in known else chr(next(codes)) for bits in range(256))


@dataclass
class Mosaic:
    """Lines × columns of cells: `code` is the character, the colours are 0xRRGGBB or `CLEAR`.

    `mean` is the colour of the whole cell, for what is written on it.
    """

    code: NDArray[np.int32]
    fore: NDArray[np.int32]
    ground: NDArray[np.int32]
    mean: NDArray[np.int32]

    @property
    def size(self) -> tuple[int, int]:
        """Columns and lines."""
        return self.code.shape[1], self.code.shape[0]

    def part(self, first: int, end: int) -> Mosaic:
        """Return a copy of some lines, for changes."""
        rows = slice(first, end)
        return Mosaic(
            self.code[rows].copy(), self.fore[rows].copy(), self.ground[rows].copy(),
            self.mean[rows],
        )  # fmt: skip


def fitted_to(image: Image, cell: tuple[float, float], glyphs: Glyphs) -> Image:
    """Return a picture for cells of `cell` pixels as one with a pixel for each part of a cell."""
    across, down = PARTS[glyphs]
    if cell == (across, down) and glyphs == "blocks":
        return image  # a line too few is left clear
    size = (across * ceil(image.width / cell[0]), down * ceil(image.height / cell[1]))
    return image if image.size == size else image.resize(size)


def mosaic(image: Image, glyphs: Glyphs = "blocks", *, fine: bool = False) -> Mosaic:
    """Return the picture (RGB or RGBA) in cells, with a pixel for each part of a cell.

    What is more than half transparent has no colour of its own. Unless it is to be `fine` colours
    have 32 shades a channel, which nobody sees on parts of that size: half the styles.
    """
    across, down = PARTS[glyphs]
    columns, lines = -(-image.width // across), -(-image.height // down)
    pixels = np.zeros((lines * down, columns * across, 4), np.uint8)
    pixels[: image.height, : image.width] = np.asarray(image.convert("RGBA"))
    # A plane of cells for each part and channel: numpy is fastest along what is long.
    planes = np.ascontiguousarray(
        pixels.reshape(lines, down, columns, across, 4).transpose(1, 3, 4, 0, 2)
    ).reshape(down * across, 4, lines * columns)
    parts, there = planes[:, :3].astype(np.int16), planes[:, 3] > 127
    mask = _upper(parts) if glyphs == "blocks" else _sorted(parts)
    # Where some parts have no colour the others have the foreground.
    torn = ~there.all(axis=0)
    mask[:, torn] = there[:, torn]
    fore, ground = _packed(_mean(parts, mask)), _packed(_mean(parts, ~mask))
    if not fine:
        fore, ground = fore & 0xF8F8F8 | 0x040404, ground & 0xF8F8F8 | 0x040404
    mean = _packed(_mean(parts, there))
    nothing = ~there.any(axis=0)
    ground[torn] = CLEAR
    fore[nothing] = mean[nothing] = CLEAR
    table = np.array([ord(each) for each in characters(glyphs)], np.int32)
    bits = (mask * (1 << np.arange(down * across, dtype=np.int32))[:, None]).sum(axis=0)
    shape = (lines, columns)
    return Mosaic(
        table[bits].reshape(shape), fore.reshape(shape), ground.reshape(shape), mean.reshape(shape)
    )


# Of all below: parts × channels × cells, and masks of parts × cells.


def _upper(parts: NDArray[np.int16]) -> NDArray[np.bool_]:
    mask = np.zeros((len(parts), parts.shape[2]), bool)
    mask[0] = True
    return mask


def _sorted(parts: NDArray[np.int16]) -> NDArray[np.bool_]:
    """Return which parts of each cell get the brighter of its two colours.

    Cells are cut at the middle of the channel in which their parts differ most, and each part
    goes once more to the nearer of the two means: a step of k-means, whose second changes little.
    """
    low, high = parts.min(axis=0), parts.max(axis=0)
    channel = (high - low).argmax(axis=0)
    every = np.arange(parts.shape[2])
    values = parts[:, channel, every]
    mask = values >= (low[channel, every] + high[channel, every] + 1) // 2
    one, other = _mean(parts, mask), _mean(parts, ~mask)
    # Nearer to the one: its side of the plane in the middle between the two.
    towards = one - other
    middle = ((one + other) * towards).sum(axis=0) / 2
    nearer = (parts * towards).sum(axis=1) >= middle
    return np.asarray(nearer, bool)


def _mean(parts: NDArray[np.int16], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    total = (parts * mask[:, None]).sum(axis=0, dtype=np.float32)
    return np.asarray(total / np.maximum(1, mask.sum(axis=0)), np.float32)


def _packed(colours: NDArray[np.float32]) -> NDArray[np.int32]:
    red, green, blue = np.rint(colours).astype(np.int32)
    return np.asarray(red << 16 | green << 8 | blue, np.int32)


Styles = dict[tuple[int, int], Style]
"""The style of a foreground and a ground, as they were made before."""


def strips(
    cells: Mosaic, styles: Styles | None = None, *, true_colour: bool = False
) -> list[Strip]:
    """Return cells as lines of a widget; `styles` are looked up and added to.

    With `true_colour` they are for a terminal that has it: each style is born with its escape
    codes, which Textual would work out for each by itself when it is first drawn.
    """
    # Thousands of styles, none in a cycle: the collector would go through all of the app for them.
    with paused():
        return _strips(cells, {} if styles is None else styles, true_colour)


def _strips(cells: Mosaic, styles: Styles, true_colour: bool) -> list[Strip]:
    width = cells.size[0]
    code, fore, ground = cells.code, cells.fore, cells.ground
    starts = np.ones(code.shape, bool)
    starts[:, 1:] = (fore[:, 1:] != fore[:, :-1]) | (ground[:, 1:] != ground[:, :-1])
    # A photograph has nearly as many pairs of colours as cells: all is made the shortest way.
    make = tuple.__new__
    found = []
    for line in range(len(code)):
        text = code[line].astype("<u4").tobytes().decode("utf-32-le")
        at = np.flatnonzero(starts[line])
        segments = []
        for first, end, *pair in zip(
            at.tolist(), [*at[1:].tolist(), width],
            fore[line][at].tolist(), ground[line][at].tolist(), strict=True,
        ):  # fmt: skip
            key = make(tuple, pair)
            style = styles.get(key)
            if style is None:
                front, over, _ = _colour(pair[0])
                back, _, under = _colour(pair[1])
                style = Style.from_color(front, back)
                if true_colour:
                    # What `Style.render` puts there by itself.
                    style._ansi = f"{over};{under}" if over and under else over or under
                styles[key] = style
            segments.append(make(Segment, (text[first:end], style, None)))
        found.append(Strip(segments, width))
    return found


@lru_cache(maxsize=1 << 15)
def _colour(value: int) -> tuple[Color | None, str, str]:
    """Return a colour, and the escape codes for it as foreground and as ground.

    All shades of a picture that is not `fine` are kept: they come again with each picture.
    """
    if value == CLEAR:
        return None, "", ""
    red, green, blue = value >> 16, value >> 8 & 255, value & 255
    # Three times as fast as `Color.from_rgb`.
    make = tuple.__new__
    colour = make(Color, ("", ColorType.TRUECOLOR, None, make(ColorTriplet, (red, green, blue))))
    said = f"2;{red};{green};{blue}"
    return colour, f"38;{said}", f"48;{said}"
