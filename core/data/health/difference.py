"""What two pictures that look alike differ in: where, how much, and in which labels."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.common.text import plural
from core.data.images.rows import Box, ImageLine
from core.data.images.thumbnails import Size, picture

SIDE = 160
"""Pictures are compared at this many pixels a side: finer is noise of their compression."""

SEEN = 28
"""A pixel is another when it differs by more than this of 255, brightness apart."""


@dataclass(frozen=True)
class Difference:
    """How two pictures differ: `share` of the pixels (0 to 1), within `area` of each.

    `area` is left, top, width and height as shares of the picture, None where no pixel differs.
    `brightness` is how much brighter the second is, of 255.
    """

    share: float
    brightness: float
    area: tuple[float, float, float, float] | None


def difference(one: tuple[Path, Size], other: tuple[Path, Size]) -> Difference:
    """Return how the pixels of two pictures differ, each a file and its recorded size.

    Raises ProjectError when one cannot be read.
    """
    first, second = _small(*one), _small(*other)
    # The median: what was put into one of them does not make the rest another.
    brightness = float(np.median(second - first))
    apart = _clustered(np.abs(second - brightness - first).max(axis=2) > SEEN)
    lines, columns = np.flatnonzero(apart.any(axis=1)), np.flatnonzero(apart.any(axis=0))
    area = None
    if len(lines):
        left, top = columns[0] / SIDE, lines[0] / SIDE
        area = (
            float(left), float(top),
            float((columns[-1] + 1) / SIDE - left), float((lines[-1] + 1) / SIDE - top),
        )  # fmt: skip
    return Difference(float(apart.mean()), brightness, area)


def _clustered(apart: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the pixels of which most around them differ too: not those that compression makes."""
    padded = np.pad(apart.astype(np.int8), 1)
    around = sum(
        padded[line : line + SIDE, column : column + SIDE]
        for line in range(3)
        for column in range(3)
    )
    return np.asarray(apart & (around >= 5), bool)


def _small(file: Path, size: Size) -> NDArray[np.float32]:
    image = picture(file, (2 * SIDE, 2 * SIDE), size)
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX), np.float32)


def said(found: Difference) -> str:
    """Say how the pixels differ, in a few words."""
    parts = []
    if found.share == 0:
        parts.append("the same pixels, but for noise")
    elif found.share < 0.001:
        parts.append("less than 0.1% of the pixels differ")
    else:
        parts.append(f"{found.share:.1%} of the pixels differ")
    if abs(found.brightness) >= 1:
        more = "brighter" if found.brightness > 0 else "darker"
        parts.append(f"the second is {abs(found.brightness):.0f} of 255 {more}")
    return ", ".join(parts)


def facts_differing(
    one: ImageLine, other: ImageLine, boxes: tuple[list[Box], list[Box]]
) -> list[str]:
    """Return what is known of two images and differs: splits, sizes, videos, labels."""
    found = []
    if one.split != other.split:
        found.append(f"splits: {one.split or 'none'} and {other.split or 'none'}")
    if (one.width, one.height) != (other.width, other.height):
        found.append(f"sizes: {one.width}×{one.height} and {other.width}×{other.height}")
    if one.import_id != other.import_id:
        found.append(f"imports: {one.import_id} and {other.import_id}")
    if one.group != other.group:
        found.append(f"videos: {one.group or 'none'} and {other.group or 'none'}")
    counts = [Counter(box.class_name for box in mine) for mine in boxes]
    for name in sorted(counts[0] | counts[1]):
        if counts[0][name] != counts[1][name]:
            found.append(f"{name}: {counts[0][name]:,} and {counts[1][name]:,}")
    moved = _moved(*boxes) if counts[0] == counts[1] else 0
    if moved:
        found.append(f"{plural(moved, 'box', 'boxes')} elsewhere")
    return found


def _moved(one: list[Box], other: list[Box]) -> int:
    """Return how many boxes of the first have none of their class in the same place."""
    places = {(b.class_id, round(b.x), round(b.y), round(b.w), round(b.h)) for b in other}
    return sum(
        (b.class_id, round(b.x), round(b.y), round(b.w), round(b.h)) not in places for b in one
    )
