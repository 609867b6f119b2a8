"""Draws boxes and labels straight into the planes of a decoded frame, in its own colours.

To make a frame of a film RGB and back again costs more than to draw on it, and every pixel that is
not drawn on would be rounded twice. For pictures in 4:2:0: Y a pixel, U and V for two by two.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from core.data.images.class_colours import Colour
from core.data.images.draw_boxes import (
    DrawnBox,
    box_inside,
    label_picture,
    label_place,
    letter_height,
    line_width,
)
from core.models.detector import Pixels

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
    fills it up: its last one again. Two by two pixels of which one is drawn
    on take its colour, as with ffmpeg's drawbox: lines of a single pixel keep theirs. Raises
    ValueError for a pen other than solid.
    """
    placed = [(box, box_inside(box.corners, size)) for box in boxes]
    line, letter = line_width(size), letter_height(size)
    for box, at in placed:
        if box.pen != "solid":
            raise ValueError(f"a {box.pen} box cannot be drawn on planes")
        colour = np.rint(colours.from_rgb(box.colour)).clip(0, 255).astype(np.uint8)
        for left, top, right, bottom in _lines(at, line):
            x, end_x = max(0, left), min(right + 1, size[0])
            y, end_y = max(0, top), min(bottom + 1, size[1])
            planes[0][y:end_y, x:end_x] = colour[0]
            for plane, value in zip(planes[1:], colour[1:], strict=True):
                plane[y // 2 : (end_y + 1) // 2, x // 2 : (end_x + 1) // 2] = value
    for box, at in placed:
        if box.label:
            tag = label_picture(box.label, box.colour, letter)
            x, y = label_place(tag, size, at, box.below)
            shown = min(tag.width, size[0] - x), min(tag.height, size[1] - y)
            label = _label(box.label, box.colour, letter, colours, shown, (x % 2, y % 2))
            for place, (plane, values) in enumerate(zip(planes, label, strict=True)):
                at_x, at_y = (x, y) if place == 0 else (x // 2, y // 2)
                height, width = values.shape
                plane[at_y : at_y + height, at_x : at_x + width] = values
    if size[0] % 2:
        planes[0][:, size[0]] = planes[0][:, size[0] - 1]
    if size[1] % 2:
        planes[0][size[1]] = planes[0][size[1] - 1]


def _lines(at: tuple[int, int, int, int], width: int) -> list[tuple[int, int, int, int]]:
    """Return the four lines of a box, as Pillow 13 draws them, also of one smaller than they are.

    Left, top, right and bottom of each, both ends in it.
    """
    left, top, right, bottom = at
    inner = sorted((top + width, bottom - width + 1))
    return [
        (left, top, right, top + width - 1),
        (left, bottom - width + 1, right, bottom),
        (left, inner[0], left + width - 1, inner[1]),
        (right - width + 1, inner[0], right, inner[1]),
    ]


# As many as a film has again and again; of 1080p about 8 kB each.
@functools.lru_cache(maxsize=1024)
def _label(
    text: str,
    ground: Colour,
    letter: int,
    colours: Colours,
    shown: tuple[int, int],
    odd: tuple[int, int],
) -> tuple[Pixels, Pixels, Pixels]:
    """Return the Y, U and V of a label, of which `shown` (width, height) lies on the picture.

    `odd` is where its first pixel stands in its two by two: those outside of it do not count.
    """
    pixels = colours.from_rgb(label_picture(text, ground, letter).crop((0, 0, *shown)))
    more = [(first, (first + length) % 2) for first, length in zip(odd, shown, strict=True)]
    pairs = np.pad(pixels, (more[1], more[0], (0, 0)), mode="edge")
    pairs = pairs.reshape(pairs.shape[0] // 2, 2, pairs.shape[1] // 2, 2, 3).mean((1, 3))
    y, u, v = (
        np.rint(part).clip(0, 255).astype(np.uint8)
        for part in (pixels[..., 0], pairs[..., 1], pairs[..., 2])
    )
    return y, u, v
