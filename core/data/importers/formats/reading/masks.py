"""Masks of pixels in runs, as Label Studio's brush and V7's raster layer have them: their boxes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from core.data.importers.boxes import Box
from core.data.importers.image_files import plausible


class MaskBox(NamedTuple):
    """The smallest box around a mask, in pixels, and how many pixels the mask has."""

    box: Box
    area: int


class _Around:
    """Collects runs of pixels, row by row, into the box around them."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.left, self.right, self.top, self.bottom, self.area = width, -1, -1, -1, 0

    def add(self, first: int, last: int) -> None:
        """Add the pixels from `first` to `last`, counted along the rows."""
        (top, x1), (bottom, x2) = divmod(first, self.width), divmod(last, self.width)
        if top != bottom:
            x1, x2 = 0, self.width - 1
        self.left, self.right = min(self.left, x1), max(self.right, x2)
        self.top = top if self.top < 0 else min(self.top, top)
        self.bottom = max(self.bottom, bottom)
        self.area += last - first + 1

    def found(self) -> MaskBox | None:
        """Return what is around, None around nothing."""
        if not self.area:
            return None
        width, height = self.right - self.left + 1, self.bottom - self.top + 1
        return MaskBox((float(self.left), float(self.top), float(width), float(height)), self.area)


def brush_box(rle: Any, width: int, height: int) -> MaskBox | None:
    """Return the box of a brush's mask of Label Studio, None for one that is empty or broken.

    Its bytes are bits: 32 for the number of values, 5 for the size of a value less one, four times
    4 for the sizes of lengths less one; then in turns a bit (a run of one value, or values one by
    one), 2 bits that choose the size of the length, the length less one, and the values. Values
    are the four channels of each pixel along the rows; the fourth is the mask (label-studio-sdk
    2.1.2, `converter/brush.py`, `decode_rle`).
    """
    if not plausible(width, height) or not isinstance(rle, list):
        return None
    try:
        data = bytes(rle)
    except (TypeError, ValueError):
        return None
    end, at = 8 * len(data), 0

    def read(size: int) -> int:
        nonlocal at
        at += size
        if at > end:
            raise EOFError
        first, last = (at - size) // 8, (at + 7) // 8
        part = int.from_bytes(data[first:last], "big")
        return part >> (8 * last - at) & ((1 << size) - 1)

    around = _Around(width)
    try:
        count, size = read(32), read(5) + 1
        lengths = [read(4) + 1 for _ in range(4)]
        if count != 4 * width * height:
            return None
        place = 0
        while place < count:
            run = read(1)
            length = read(lengths[read(2)]) + 1
            for _ in range(1 if run else length):
                value, many = read(size), length if run else 1
                # The pixels whose fourth value is one of these.
                first, last = place // 4, (place + many - 4) // 4
                if value and first <= last:
                    around.add(first, min(last, width * height - 1))
                place += many
    except EOFError:
        return None
    return around.found()


def raster_boxes(rle: Any, width: int, height: int) -> dict[int, MaskBox]:
    """Return the boxes of the masks in a raster layer of V7 by their numbers, {} for a broken one.

    It is pairs of a number, 0 for no mask, and of how many pixels have it, along the rows
    (darwin-py 3, `utils/utils.py` and `exporter/formats/mask.py`, `rle_decode`).
    """
    if not plausible(width, height) or not isinstance(rle, list) or len(rle) % 2:
        return {}
    if not all(isinstance(value, int) and value >= 0 for value in rle):
        return {}
    if sum(rle[1::2]) != width * height:
        return {}
    found: dict[int, _Around] = {}
    at = 0
    for number, count in _pairs(rle):
        if number and count:
            found.setdefault(number, _Around(width)).add(at, at + count - 1)
        at += count
    boxes = {number: around.found() for number, around in found.items()}
    return {number: box for number, box in boxes.items() if box is not None}


def _pairs(values: list[int]) -> Iterable[tuple[int, int]]:
    return zip(values[0::2], values[1::2], strict=True)
