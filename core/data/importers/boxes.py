"""The rules for boxes: what is taken as it is, what is clipped, what is left out.

A box is x, y (its top left corner), width and height in pixels of the image, as in COCO.

- A number that is not finite, or a width or height that is not above zero: left out.
- Past the image's edge by at most `ROUNDING` pixels: drawn to the edge without a word. Formats
  write rounded numbers (YOLO six digits of the image's size), and that is no mistake in the data.
- Past the edge by more, and at least one pixel wide and high inside: clipped.
- Less than a pixel of it inside: left out.
- Inside the image, however small: taken as it is. Tiny boxes are `batman check`'s business.
"""

from __future__ import annotations

import math

from core.data.importers.report import Action

ROUNDING = 0.1
# A pixel, but for the rounding of fractions: a height of 48/48 - 47/48 is 0.99999999999999978.
LEAST = 1.0 - 1e-6

Box = tuple[float, float, float, float]


def fit(box: Box, width: float, height: float) -> tuple[Box | None, str, Action]:
    """Return the box as it can be stored, or None; what was wrong, if anything; what was done.

    The kind of problem is empty when the box is taken without a word.
    """
    x, y, w, h = box
    if not all(map(math.isfinite, box)):
        return None, "non-finite number", "left out"
    if w <= 0 or h <= 0:
        return None, "zero-size box", "left out"
    left, top = max(x, 0.0), max(y, 0.0)
    right, bottom = min(x + w, width), min(y + h, height)
    past = max(left - x, top - y, x + w - right, y + h - bottom)
    if past <= 0:
        return box, "", "kept"
    inside = (left, top, right - left, bottom - top)
    if past <= ROUNDING and inside[2] > 0 and inside[3] > 0:
        return inside, "", "kept"
    if inside[2] < LEAST or inside[3] < LEAST:
        return None, "box outside the image", "left out"
    return inside, "box past the edge", "clipped"


def describe(box: Box) -> str:
    """Return the box as people read it: `x 504, y 337, 0 × 0`."""
    x, y, w, h = (f"{value:.6g}" for value in box)
    return f"x {x}, y {y}, {w} × {h}"


def around(points: list[float]) -> Box:
    """Return the smallest box around a polygon given as x, y, x, y, …"""
    xs, ys = points[0::2], points[1::2]
    return min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)
