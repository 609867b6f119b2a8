"""Draws boxes with labels on pictures: the one painter of lists, training, evaluation, inference.

Pillow only. Lines and letters grow with the picture.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from PIL import Image, ImageDraw, ImageFont

from core.common.text import clean
from core.data.images.class_colours import Colour

Corners = tuple[float, float, float, float]
Pen = Literal["solid", "thin", "dashed", "struck"]

# A line takes this part of the picture's shorter side, a letter that one; in pixels at least.
_LINE, _LETTER = 1 / 200, 1 / 45
_LEAST_LETTER = 11
_PAD = 2


@dataclass(frozen=True, slots=True)
class DrawnBox:
    """A box to draw: left, top, right, bottom in pixels of the picture, past its edges or not.

    `label` stands above it in a ground of its colour, or `below`. `pen` is how its sides are
    drawn: `dashed` ones and those `struck` out are told from others without a colour.
    """

    corners: Corners
    colour: Colour
    label: str = ""
    pen: Pen = "solid"
    below: bool = False


def draw_boxes(picture: Image.Image, boxes: Iterable[DrawnBox]) -> None:
    """Draw `boxes` on an RGB picture, later ones over earlier ones and labels over all boxes.

    A box thinner than a pixel is still to be seen, and one past the edge is drawn at it.
    """
    draw = ImageDraw.Draw(picture)
    line = line_width(picture.size)
    placed = [(box, box_inside(box.corners, picture.size)) for box in boxes]
    for box, at in placed:
        if box.pen == "dashed":
            _dash(draw, at, box.colour, line)
            continue
        draw.rectangle(at, outline=box.colour, width=1 if box.pen == "thin" else line)
        if box.pen == "struck":
            draw.line(at, box.colour, max(1, line // 2))
    letter = letter_height(picture.size)
    for box, at in placed:
        if box.label:
            tag = label_picture(box.label, box.colour, letter)
            picture.paste(tag, label_place(tag, picture.size, at, box.below))


def line_width(size: tuple[int, int]) -> int:
    """Return how many pixels wide the lines of boxes are on a picture of this width and height."""
    return max(1, int(min(size) * _LINE))


def letter_height(size: tuple[int, int]) -> int:
    """Return how many pixels high the letters are on a picture of this width and height."""
    return max(_LEAST_LETTER, int(min(size) * _LETTER))


def ink_on(ground: Colour) -> Colour:
    """Return black or white, whichever is read better on `ground`.

    By the contrast ratio of WCAG 2.1, which is 4.58 (the root of 21) or more for one of the two.
    """
    # (L + 0.05) / 0.05 against 1.05 / (L + 0.05)
    return (0, 0, 0) if (luminance(ground) + 0.05) ** 2 >= 0.05 * 1.05 else (255, 255, 255)


def luminance(colour: Colour) -> float:
    """Return the relative luminance of an sRGB colour, 0 to 1 (WCAG 2.1, "relative luminance")."""
    red, green, blue = (
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4
        for part in (value / 255 for value in colour)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def box_inside(corners: Corners, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of a box in whole pixels of a picture, both ends in it."""
    across, down = size[0] - 1, size[1] - 1
    left = min(max(0, int(corners[0])), across)
    top = min(max(0, int(corners[1])), down)
    return (
        left,
        top,
        min(max(left, int(corners[2])), across),
        min(max(top, int(corners[3])), down),
    )


def _dash(
    draw: ImageDraw.ImageDraw, at: tuple[int, int, int, int], colour: Colour, line: int
) -> None:
    left, top, right, bottom = at
    # As long as there are gaps in a short side too.
    dash = max(line, min(3 * line, (right - left) // 5))
    for x in range(left, right + 1, 2 * dash):
        end = min(x + dash - 1, right)
        draw.rectangle((x, top, end, min(top + line - 1, bottom)), fill=colour)
        draw.rectangle((x, max(bottom - line + 1, top), end, bottom), fill=colour)
    dash = max(line, min(3 * line, (bottom - top) // 5))
    for y in range(top, bottom + 1, 2 * dash):
        end = min(y + dash - 1, bottom)
        draw.rectangle((left, y, min(left + line - 1, right), end), fill=colour)
        draw.rectangle((max(right - line + 1, left), y, right, end), fill=colour)


def label_place(
    tag: Image.Image, size: tuple[int, int], at: tuple[int, int, int, int], below: bool
) -> tuple[int, int]:
    """Return where a label goes: outside of its box where there is room, else inside."""
    left, top, _, bottom = at
    outside = bottom + 1 if below else top - tag.height
    fits = outside >= 0 and outside + tag.height <= size[1]
    inside = bottom - tag.height if below else top
    y = outside if fits else min(max(0, inside), max(0, size[1] - tag.height))
    return max(0, min(left, size[0] - tag.width)), y


# The frames of a video have the same few hundred labels again and again.
@functools.lru_cache(maxsize=2048)
def label_picture(label: str, ground: Colour, letter: int) -> Image.Image:
    """Return a label in Pillow's own font, `letter` pixels high."""
    text, font = clean(label), _font(letter)
    width, height = round(font.getlength(text)), sum(font.getmetrics())
    tag = Image.new("RGB", (width + 2 * _PAD, height + _PAD), ground)
    ImageDraw.Draw(tag).text((_PAD, _PAD // 2), text, fill=ink_on(ground), font=font)
    return tag


@functools.lru_cache(maxsize=8)
def _font(letter: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(letter)
    assert isinstance(font, ImageFont.FreeTypeFont), "Pillow is built without FreeType"
    return font
