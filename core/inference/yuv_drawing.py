"""Draws boxes and labels straight into the planes of a decoded frame, in its own colours.

To make a frame of a film RGB and back again costs more than to draw on it, and every pixel that is
not drawn on would be rounded twice. For pictures in 4:2:0: Y a pixel, U and V for two by two.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from core.data.images.class_colours import Colour
from core.data.images.draw_boxes import (
    DrawnBox,
    box_inside,
    label_place,
    label_picture,
    letter_height,
    line_width,
)
from core.models.detector import Pixels

Counts: TypeAlias = "npt.NDArray[np.uint16]"

# ffmpeg's names of planar 4:2:0 of 8 bits: limited range unless it says otherwise, and full range.
_LIMITED, _FULL = "yuv420p", "yuvj420p"
# ITU-T H.273, table 4: what red and blue weigh in Y. Films that do not say (2) are taken for
# BT.601, as libswscale takes them.
_WEIGHTS = {
    1: (0.2126, 0.0722),
    2: (0.299, 0.114),
    4: (0.30, 0.11),
    5: (0.299, 0.114),
    6: (0.299, 0.114),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
}
_FULL_RANGE = 2  # ffmpeg's AVCOL_RANGE_JPEG


@dataclass(frozen=True, slots=True)
class Colours:
    """How a film's planes tell colours: ffmpeg's pixel format, matrix (H.273), whole range."""

    format: str
    matrix: int
    full: bool

    @classmethod
    def of(cls, picture: Any) -> Colours | None:
        """Return those of an av frame, None where they are not 4:2:0 of 8 bits or not known."""
        if picture.format.name not in (_LIMITED, _FULL) or picture.colorspace not in _WEIGHTS:
            return None
        if any(plane.line_size < plane.width for plane in picture.planes):
            return None  # stored from the bottom up
        full = picture.format.name == _FULL or picture.color_range == _FULL_RANGE
        return cls(picture.format.name, int(picture.colorspace), full)

    def from_rgb(self, pixels: Any) -> npt.NDArray[np.float32]:
        """Return RGB (..., 3) as Y, U and V (..., 3), not rounded; H.273, 8.3."""
        red, blue = _WEIGHTS[self.matrix]
        rgb = np.asarray(pixels, np.float32)
        y = red * rgb[..., 0] + (1 - red - blue) * rgb[..., 1] + blue * rgb[..., 2]
        u = (rgb[..., 2] - y) / (2 * (1 - blue))
        v = (rgb[..., 0] - y) / (2 * (1 - red))
        if self.full:
            return np.stack([y, u + 128, v + 128], -1)
        return np.stack([16 + y * 219 / 255, 128 + u * 224 / 255, 128 + v * 224 / 255], -1)


BT601 = Colours(_LIMITED, 2, False)
"""What a film gets whose frames come as RGB; a film that does not say is taken for it."""


def planes_of(picture: Any) -> list[Pixels]:
    """Return the planes of an av frame, as views that can be written to if the frame can."""
    return [
        np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width]
        for plane in picture.planes
    ]


def draw_boxes_yuv(
    planes: Sequence[Pixels], size: tuple[int, int], boxes: Iterable[DrawnBox], colours: Colours
) -> None:
    """Draw solid boxes on the planes Y, U and V of a picture, as `draw_boxes` does on RGB.

    `size` is the picture's width and height; where one is odd, the planes have one line more, which
    fills it up: what reaches the edge is drawn there too. U and V of a pair of pixels that is drawn
    on in part are mixed by that part. Raises ValueError for a pen other than solid.
    """
    placed = [(box, box_inside(box.corners, size)) for box in boxes]
    line, letter = line_width(size), letter_height(size)
    for box, at in placed:
        if box.pen != "solid":
            raise ValueError(f"a {box.pen} box cannot be drawn on planes")
        y, u, v = _rounded(colours, box.colour)
        left, top, right, bottom = at
        if right - left < 2 * line or bottom - top < 2 * line:
            _draw_small(planes, size, at, line, (y, u, v))
            continue
        right, bottom = _filled_up(right, size[0]), _filled_up(bottom, size[1])
        hole = left + line, top + line, at[2] - line, at[3] - line
        across = _counts(left, right, hole[0], hole[2])
        down = _counts(top, bottom, hole[1], hole[3])
        luma = planes[0]
        luma[top : hole[1], left : right + 1] = y
        luma[hole[3] + 1 : bottom + 1, left : right + 1] = y
        luma[hole[1] : hole[3] + 1, left : hole[0]] = y
        luma[hole[1] : hole[3] + 1, hole[2] + 1 : right + 1] = y
        chroma = [plane[top // 2 :, left // 2 :] for plane in planes[1:]]
        _draw_lines(chroma, (u, v), across, down)
    for box, at in placed:
        if box.label:
            _draw_label(planes, size, box, at, letter, colours)


def _rounded(colours: Colours, colour: Colour) -> tuple[int, int, int]:
    y, u, v = np.rint(colours.from_rgb(colour)).clip(0, 255).astype(int).tolist()
    return y, u, v


def _filled_up(last: int, length: int) -> int:
    """Return where what ends with the pixel `last` ends in a plane of an even length."""
    return last + 1 if length % 2 and last == length - 1 else last


def _counts(first: int, last: int, hole_first: int, hole_last: int) -> tuple[Counts, Counts]:
    """Return how many pixels, 0 to 2, of each pair belong to a box, and how many to its hole."""
    pairs = np.arange(first // 2, last // 2 + 1) * 2

    def within(low: int, high: int) -> Counts:
        inside = np.minimum(pairs + 1, high) - np.maximum(pairs, low) + 1
        return inside.clip(0, 2).astype(np.uint16)

    return within(first, last), within(hole_first, hole_last)


def _draw_lines(
    chroma: Sequence[Pixels],
    values: Sequence[int],
    across: tuple[Counts, Counts],
    down: tuple[Counts, Counts],
) -> None:
    """Mix `values` into U and V, which begin with the box's first pair, where its lines are."""
    whole_rows, whole_columns = np.flatnonzero(down[1] == 2), np.flatnonzero(across[1] == 2)
    rows, columns = len(down[0]), len(across[0])
    if not len(whole_rows) or not len(whole_columns):
        blocks = [(0, rows, 0, columns)]
    else:
        top, bottom = int(whole_rows[0]), int(whole_rows[-1]) + 1
        left, right = int(whole_columns[0]), int(whole_columns[-1]) + 1
        blocks = [
            (0, top, 0, columns),
            (bottom, rows, 0, columns),
            (top, bottom, 0, left),
            (top, bottom, right, columns),
        ]
    for y0, y1, x0, x1 in blocks:
        drawn = np.outer(down[0][y0:y1], across[0][x0:x1])
        drawn -= np.outer(down[1][y0:y1], across[1][x0:x1])
        for plane, value in zip(chroma, values, strict=True):
            _mix(plane[y0:y1, x0:x1], drawn * np.uint16(value), drawn)


def _mix(plane: Pixels, total: Counts, drawn: Counts) -> None:
    """Set each place to the mean of its four pixels, `drawn` of which add up to `total`."""
    plane[:] = (plane * (4 - drawn) + total + 2) >> 2


def _draw_small(
    planes: Sequence[Pixels],
    size: tuple[int, int],
    at: tuple[int, int, int, int],
    line: int,
    colour: tuple[int, int, int],
) -> None:
    """Draw a box without a hole, whose lines Pillow draws past it, through a mask."""
    x0, y0 = max(0, at[0] - line) // 2 * 2, max(0, at[1] - line) // 2 * 2
    x1, y1 = min(at[2] + line + 1, size[0]), min(at[3] + line + 1, size[1])
    mask = Image.new("L", (x1 - x0, y1 - y0))
    moved = (at[0] - x0, at[1] - y0, at[2] - x0, at[3] - y0)
    ImageDraw.Draw(mask).rectangle(moved, outline=1, width=line)
    # An odd end is filled up at the picture's edge, and is not drawn on elsewhere.
    fill = (y1 - y0) % 2, (x1 - x0) % 2
    edge = "edge" if y1 == size[1] else "constant", "edge" if x1 == size[0] else "constant"
    whole = np.pad(np.asarray(mask), ((0, fill[0]), (0, 0)), mode=edge[0])  # type: ignore[call-overload]
    whole = np.pad(whole, ((0, 0), (0, fill[1])), mode=edge[1])
    rows, columns = whole.shape
    planes[0][y0 : y0 + rows, x0 : x0 + columns][whole > 0] = colour[0]
    drawn = _by_pairs(whole)
    for plane, value in ((planes[1], colour[1]), (planes[2], colour[2])):
        part = plane[y0 // 2 : (y0 + rows) // 2, x0 // 2 : (x0 + columns) // 2]
        _mix(part, drawn * np.uint16(value), drawn)


def _by_pairs(values: Any) -> Counts:
    """Return the sum of each two by two places; both sides are even."""
    height, width = values.shape
    summed = values.reshape(height // 2, 2, width // 2, 2).sum((1, 3))
    return np.asarray(np.rint(summed).astype(np.uint16))


def _draw_label(
    planes: Sequence[Pixels],
    size: tuple[int, int],
    box: DrawnBox,
    at: tuple[int, int, int, int],
    letter: int,
    colours: Colours,
) -> None:
    tag = label_picture(box.label, box.colour, letter)
    x, y = label_place(tag, size, at, box.below)
    shown = min(tag.width, size[0] - x), min(tag.height, size[1] - y)
    filled = (
        _filled_up(x + shown[0] - 1, size[0]) - x + 1,
        _filled_up(y + shown[1] - 1, size[1]) - y + 1,
    )
    luma, drawn, chroma = _label(
        box.label, box.colour, letter, colours, shown, filled, (x % 2, y % 2)
    )
    planes[0][y : y + filled[1], x : x + filled[0]] = luma
    rows, columns = drawn.shape
    for plane, total in zip(planes[1:], chroma, strict=True):
        _mix(plane[y // 2 : y // 2 + rows, x // 2 : x // 2 + columns], total, drawn)


# As many as a film has again and again; of 1080p about 15 kB each.
@functools.lru_cache(maxsize=1024)
def _label(
    text: str,
    ground: Colour,
    letter: int,
    colours: Colours,
    shown: tuple[int, int],
    filled: tuple[int, int],
    odd: tuple[int, int],
) -> tuple[Pixels, Counts, tuple[Counts, Counts]]:
    """Return a label for planes: its Y, how many pixels of each pair are its own, their U and V.

    `shown` is the part that lies on the picture, `filled` that with what fills up an odd side,
    `odd` where its first pixel stands in its pair.
    """
    pixels = np.asarray(label_picture(text, ground, letter).crop((0, 0, *shown)))
    more = ((0, filled[1] - shown[1]), (0, filled[0] - shown[0]))
    planes = colours.from_rgb(np.pad(pixels, (*more, (0, 0)), mode="edge"))
    around = tuple(
        (first, (first + length) % 2) for first, length in zip(odd[::-1], filled[::-1], strict=True)
    )
    drawn = _by_pairs(np.pad(np.ones(filled[::-1], np.uint8), around))
    u, v = (_by_pairs(np.pad(planes[..., k], around)) for k in (1, 2))
    return np.rint(planes[..., 0]).clip(0, 255).astype(np.uint8), drawn, (u, v)
