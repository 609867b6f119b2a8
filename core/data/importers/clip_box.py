"""The part of a box that lies in its image."""

from __future__ import annotations

import math

# A side of less than this many pixels is noise of an editor, and no box to learn.
MIN_SIDE = 0.5


def clip(
    x: float, y: float, w: float, h: float, width: int, height: int
) -> tuple[float, float, float, float] | None:
    """Return the part of a box (x, y, width, height in pixels) inside an image of this size.

    None if less than half a pixel is left in either direction, or a number is not finite. A box
    inside comes back unchanged, to the last bit.
    """
    if not all(map(math.isfinite, (x, y, w, h))):
        return None
    if x < 0 or x + w > width:
        left, right = max(x, 0.0), min(x + w, float(width))
        x, w = left, right - left
    if y < 0 or y + h > height:
        top, bottom = max(y, 0.0), min(y + h, float(height))
        y, h = top, bottom - top
    return (x, y, w, h) if w >= MIN_SIDE and h >= MIN_SIDE else None
