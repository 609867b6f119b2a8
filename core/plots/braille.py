"""A canvas of braille dots: eight pixels to a character cell, two across and four down.

The dots of Unicode's braille block (U+2800 to U+28FF) are numbered by bits; the order of the bits
is that of the Unicode Standard, chapter 21.1 ("Braille Patterns").
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.plots.thin_and_smooth import Floats, Spans

DOTS_ACROSS = 2
DOTS_DOWN = 4
BLANK = 0x2800

_BITS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], dtype=np.uint8)


def rows_of(values: Floats, low: float, high: float, rows: int) -> Floats:
    """The pixel row of each value, 0 at the top; float64, NaN for NaN, not clipped.

    `high` lies in the middle of the first row and `low` in the middle of the last.
    """
    span = high - low if high > low else 1.0
    with np.errstate(invalid="ignore"):
        return np.floor((high - values) / span * (rows - 1) + 0.5)


def raster(curve: Spans, low: float, high: float, rows: int) -> NDArray[np.bool_]:
    """The pixels a curve covers; bool (rows, columns).

    Args:
        curve: Its extent in each pixel column, in the same units as low and high.
        low: The value of the bottom row.
        high: The value of the top row.
        rows: Number of pixel rows.
    """
    top = rows_of(curve.high, low, high, rows)
    bottom = rows_of(curve.low, low, high, rows)
    seen = ~np.isnan(top) & ~np.isnan(bottom) & (top < rows) & (bottom >= 0)
    top = np.where(seen, np.clip(top, 0, rows - 1), rows).astype(np.int64)
    bottom = np.where(seen, np.clip(bottom, 0, rows - 1), -1).astype(np.int64)
    row = np.arange(rows)[:, None]
    return (row >= top[None, :]) & (row <= bottom[None, :])


def pack(pixels: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Pixels (4 * height, 2 * width) to the dot bits of cells, uint8 (height, width)."""
    height, width = pixels.shape[0] // DOTS_DOWN, pixels.shape[1] // DOTS_ACROSS
    cells = pixels.reshape(height, DOTS_DOWN, width, DOTS_ACROSS)
    bits = cells * _BITS[None, :, None, :]
    packed: NDArray[np.uint8] = bits.sum(axis=(1, 3), dtype=np.uint8)
    return packed
