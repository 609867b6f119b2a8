"""Boxes and letters over a picture: where they are, and their painting in real pixels.

No widget here. Corners are in pixels of the view, which may be past its edges: a side that is out
of sight is not drawn. Letters are on cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import TYPE_CHECKING, Literal

from PIL import ImageDraw, ImageFont
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from core.data.images.class_colours import Colour
from core.data.images.draw_boxes import ink_on

if TYPE_CHECKING:
    from PIL.Image import Image

Pen = Literal["solid", "quiet", "dotted", "faint", "heavy", "missed", "chosen", "struck"]
WHITE: Colour = (255, 255, 255)


@dataclass(frozen=True)
class Mark:
    """A box: left, top, right, bottom in view pixels. `dotted` is what nobody said yes to yet.

    What is wrong is told by its stroke from what is `solid`: `heavy` is found where nothing is,
    `missed` (heavy dashes) is there and was not found; beside them what is right is `quiet`. What
    is `chosen` has dashes of white and its colour, to be told from any ground; what is `faint` has
    a dot here and there; what is `struck` is crossed out.
    """

    corners: tuple[float, float, float, float]
    colour: Colour
    pen: Pen = "solid"


@dataclass(frozen=True)
class Letters:
    """Text on the cells of a picture, from `column` of `line` on, counted from its corner.

    Without an `ink` of its own it is black or white, what is read better on its ground.
    """

    line: int
    column: int
    text: str
    ground: Colour = (0, 0, 0)
    ink: Colour | None = None

    @property
    def style(self) -> Style:
        """Return the style, which is read on any picture: bold on a ground of its own."""
        return Style(
            color=Color.from_rgb(*(self.ink or ink_on(self.ground))),
            bgcolor=Color.from_rgb(*self.ground),
            bold=True,
        )


def paint(image: Image, marks: Sequence[Mark], width: int = 1, top: int = 0) -> None:
    """Draw `marks` on a picture in real pixels whose first line is the `top`th of the view.

    On one with transparency they are opaque. The chosen one is drawn last, over all others.
    """
    pen = ImageDraw.Draw(image)
    for mark in sorted(marks, key=lambda mark: mark.pen == "chosen"):
        left, right = floor(mark.corners[0]), max(ceil(mark.corners[2]) - 1, floor(mark.corners[0]))
        upper = floor(mark.corners[1])
        lower = max(ceil(mark.corners[3]) - 1, upper)
        at = (left, upper - top, right, lower - top)
        if mark.pen == "heavy":
            pen.rectangle(at, outline=mark.colour, width=2 * width)
        elif mark.pen in ("solid", "quiet", "struck"):
            pen.rectangle(at, outline=mark.colour, width=width)
            if mark.pen == "struck":
                pen.line(at, mark.colour, width)
                pen.line((at[0], at[3], at[2], at[1]), mark.colour, width)
        elif mark.pen == "chosen":
            pen.rectangle(at, outline=WHITE, width=width)
            _dashes(pen, image.size, at, mark.colour, width, (3 * width, 6 * width))
        else:
            wide = 2 * width if mark.pen == "missed" else width
            dash = 3 * wide
            apart = dash * (4 if mark.pen == "faint" else 2)
            _dashes(pen, image.size, at, mark.colour, wide, (dash, apart))


def _dashes(
    pen: ImageDraw.ImageDraw,
    size: tuple[int, int],
    at: tuple[int, int, int, int],
    colour: Colour,
    width: int,
    dash: tuple[int, int],
) -> None:
    """Draw the sides in dashes: `dash` is how long one is, and from where to where it is."""
    left, top, right, bottom = at
    long, apart = dash
    # Only the dashes in sight, however far in one looks.
    first = left + max(0, -left // apart) * apart
    for x in range(first, min(right, size[0]) + 1, apart):
        end = min(x + long - 1, right)
        pen.rectangle((x, top, end, min(top + width - 1, bottom)), fill=colour)
        pen.rectangle((x, max(bottom - width + 1, top), end, bottom), fill=colour)
    first = top + max(0, -top // apart) * apart
    for y in range(first, min(bottom, size[1]) + 1, apart):
        end = min(y + long - 1, bottom)
        pen.rectangle((left, y, min(left + width - 1, right), end), fill=colour)
        pen.rectangle((max(right - width + 1, left), y, right, end), fill=colour)


def paint_letters(image: Image, letters: Sequence[Letters], cell: tuple[int, int]) -> None:
    """Draw letters on a picture in real pixels, where their cells of `cell` pixels are."""
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(max(8, int(cell[1] * 0.7)))
    for each in letters:
        left, top = each.column * cell[0], each.line * cell[1]
        right = left + len(each.text) * cell[0]
        pen.rectangle((left, top, right - 1, top + cell[1] - 1), fill=each.ground)
        for number, letter in enumerate(each.text):
            middle = (left + (number + 0.5) * cell[0], top + cell[1] / 2)
            pen.text(middle, letter, each.ink or ink_on(each.ground), font, anchor="mm")


def lettered(line: Strip, letters: Sequence[Letters]) -> Strip:
    """Return a line of cells with letters on it; what is past its ends is cut."""
    width = line.cell_length
    parts: list[Strip] = []
    at = 0
    for each in sorted(letters, key=lambda each: each.column):
        start, end = max(at, each.column), min(width, each.column + len(each.text))
        if end <= start:
            continue
        parts.append(line.crop(at, start))
        text = each.text[start - each.column : end - each.column]
        parts.append(Strip([Segment(text, each.style)], end - start))
        at = end
    parts.append(line.crop(at, width))
    return Strip.join(parts)
