"""Curves made small enough to draw: decimation to pixel columns, smoothing, gaps.

A run can hold a million steps and a terminal some two hundred pixel columns. What the eye must not
lose on the way is a spike of one single step, so every column keeps the smallest and the largest
value of the points that fall into it, and the first and the last one, through which neighbouring
columns are joined (the four values that make a line chart exact to the pixel: Jugel et al.,
"M4: a visualization-oriented time series data aggregation", VLDB 2014). Buckets are the pixel
columns themselves: buckets that do not line up with them leave gaps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from core.late import late

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    np = late("numpy")


Floats: TypeAlias = "NDArray[np.float64]"

_PART = 32 * 1024
# Below this share of itself a value changes no bit of what follows.
_FELT = 1e-30


@dataclass(frozen=True, slots=True)
class Spans:
    """The vertical extent of a curve in each of n pixel columns, in the units of y.

    Attributes:
        low: float64 (n,), the lower end; NaN where the curve has nothing to draw.
        high: float64 (n,), the upper end; NaN where the curve has nothing to draw.
        filled: bool (n,), True where a point of the curve lies (not only a line passing through).
    """

    low: Floats
    high: Floats
    filled: NDArray[np.bool_]

    def bounds(self) -> tuple[float, float] | None:
        """The smallest and the largest finite value of all columns; None when there is none."""
        low, high = self.low[np.isfinite(self.low)], self.high[np.isfinite(self.high)]
        if not low.size or not high.size:
            return None
        return float(low.min()), float(high.max())


def as_curve(x: object, y: object) -> tuple[Floats, Floats]:
    """Two equally long float64 arrays with x ascending and finite; infinities of y become NaN.

    Points whose x is not finite are dropped. The input is not changed, and is returned itself when
    it is fit already.

    Raises:
        ValueError: x and y differ in length.
    """
    xs, ys = np.asarray(x, dtype=np.float64).ravel(), np.asarray(y, dtype=np.float64).ravel()
    if xs.size != ys.size:
        raise ValueError(f"x holds {xs.size} values and y {ys.size}")
    if xs.size == 0:
        return xs, ys
    # One sum tells whether anything is not finite; the exact search is only made when it does.
    if not np.isfinite(xs.sum()):
        keep = np.isfinite(xs)
        xs, ys = xs[keep], ys[keep]
    if xs.size > 1 and bool((xs[1:] < xs[:-1]).any()):
        order = np.argsort(xs, kind="stable")
        xs, ys = xs[order], ys[order]
    if not np.isfinite(ys.sum()) and bool(np.isinf(ys).any()):
        ys = np.where(np.isinf(ys), np.nan, ys)
    return xs, ys


def spans(x: Floats, y: Floats, x0: float, x1: float, columns: int, *, log: bool = False) -> Spans:
    """What the line through (x, y) covers in each of `columns` equal columns of [x0, x1].

    Args:
        x: float64 (n,), ascending and finite (see `as_curve`).
        y: float64 (n,); NaN interrupts the line.
        x0: Left edge of the first column.
        x1: Right edge of the last column; a point exactly on it belongs to the last column.
        columns: Number of pixel columns.
        log: Return log10 of the values and join columns by lines straight on a log scale. Values
            of zero or less have no place there and interrupt the line; in a column that also holds
            positive ones the lower end is minus infinity, so that it is drawn to the floor.

    Returns:
        Spans of length `columns`.
    """
    columns = max(columns, 1)
    nothing = np.full(columns, np.nan)
    empty = Spans(nothing, nothing.copy(), np.zeros(columns, dtype=bool))
    if x.size == 0 or not x1 > x0:
        return empty
    edges = x0 + (x1 - x0) * np.arange(columns + 1) / columns
    cuts = np.searchsorted(x, edges, side="left")
    cuts[-1] = np.searchsorted(x, x1, side="right")
    filled = cuts[1:] > cuts[:-1]
    index = np.flatnonzero(filled)
    starts, ends = cuts[:-1][index], cuts[1:][index]

    low, high = nothing.copy(), nothing.copy()
    if index.size:
        window = y[starts[0] : ends[-1]]
        offsets = starts - starts[0]
        low[index] = _reduce(np.minimum, np.fmin, window, offsets)
        high[index] = _reduce(np.maximum, np.fmax, window, offsets)

    # The polyline's knots: two for each filled column, at its middle, and one neighbour on either
    # side of the window so that a line that leaves the picture is drawn to its edge.
    scale = columns / (x1 - x0)
    knot_x = np.repeat(index + 0.5, 2)
    knot_y = np.empty(2 * index.size)
    knot_y[0::2], knot_y[1::2] = y[starts], y[ends - 1]
    if cuts[0] > 0:
        before = cuts[0] - 1
        knot_x = np.concatenate(([(x[before] - x0) * scale], knot_x))
        knot_y = np.concatenate(([y[before]], knot_y))
    if cuts[-1] < x.size:
        after = cuts[-1]
        knot_x = np.concatenate((knot_x, [(x[after] - x0) * scale]))
        knot_y = np.concatenate((knot_y, [y[after]]))
    if log:
        low, high, knot_y = _log(low, high, knot_y)

    if knot_x.size > 1 and columns > 1:
        # Where the line crosses the border between two columns, both reach for the same height.
        borders = np.arange(1, columns, dtype=np.float64)
        right = np.searchsorted(knot_x, borders, side="left")
        inside = (right > 0) & (right < knot_x.size)
        b, r = borders[inside], right[inside]
        # A NaN knot on either side makes the crossing NaN, which is the gap.
        left_x, left_y = knot_x[r - 1], knot_y[r - 1]
        crossing = np.full(columns - 1, np.nan)
        crossing[inside] = left_y + (knot_y[r] - left_y) * (b - left_x) / (knot_x[r] - left_x)
        for part in (slice(0, columns - 1), slice(1, columns)):
            low[part] = np.fmin(low[part], crossing)
            high[part] = np.fmax(high[part], crossing)
        # The first and the last column have no border outside; a line that only passes through
        # them was given its inner border above, which is as good to half a pixel.
    return Spans(low, high, filled)


def _reduce(fast: np.ufunc, safe: np.ufunc, window: Floats, offsets: NDArray[np.intp]) -> Floats:
    """Reduce each slice of the window; the NaN-skipping function only where it is needed."""
    result: Floats = fast.reduceat(window, offsets)
    if np.isnan(result).any():
        result = safe.reduceat(window, offsets)
    return result


def _log(low: Floats, high: Floats, knot_y: Floats) -> tuple[Floats, Floats, Floats]:
    with np.errstate(divide="ignore", invalid="ignore"):
        logged_high = np.where(high > 0, np.log10(high), np.nan)
        logged_low = np.where(high > 0, np.where(low > 0, np.log10(low), -np.inf), np.nan)
        knots = np.where(knot_y > 0, np.log10(knot_y), np.nan)
    return logged_low, logged_high, knots


def ema(y: Floats, weight: float) -> Floats:
    """Exponential moving average with the start-up bias removed, as TensorBoard smooths curves.

    s(t) = weight * s(t-1) + (1 - weight) * y(t), from s = 0, divided by 1 - weight**(t+1). Values
    that are not finite are left out of the average and stay NaN in the result.

    Args:
        y: float64 (n,).
        weight: 0 (no smoothing) to below 1.

    Returns:
        float64 (n,).
    """
    return Smoother(weight).update(y)


class Smoother:
    """The same average for a curve that grows: only new points are computed.

    `update` is given the whole curve each time; when what was seen before is still its beginning
    (which the last value seen tells), it goes on from there, else it starts again.
    """

    def __init__(self, weight: float) -> None:
        if not 0 <= weight < 1:
            raise ValueError(f"a smoothing weight lies in [0, 1), not {weight}")
        self.weight = weight
        self._out: Floats = np.empty(0)
        self._size = 0
        self._sum = 0.0
        self._count = 0
        self._probe: tuple[float, float] = (np.nan, np.nan)

    def update(self, y: Floats) -> Floats:
        """The smoothed curve for y, float64 of the same length (a read-only view)."""
        if not self._continues(y):
            self._out, self._size, self._sum, self._count = np.empty(0), 0, 0.0, 0
        new = y[self._size :]
        if new.size:
            self._reserve(y.size)
            self._out[self._size : y.size] = self._extend(new)
            self._size = y.size
            self._probe = (float(y[0]), float(y[-1]))
        view = self._out[: self._size]
        view.flags.writeable = False
        return view

    def _continues(self, y: Floats) -> bool:
        if self._size == 0 or y.size < self._size:
            return False
        seen = np.array([y[0], y[self._size - 1]])
        return bool(np.array_equal(seen, np.array(self._probe), equal_nan=True))

    def _reserve(self, size: int) -> None:
        if self._out.size < size:
            # Growing by a half keeps appending to a long run cheap, as lists do it. A new array is
            # made rather than resized: views handed out before stay as they were.
            grown = np.empty(size + size // 2 + 16)
            grown[: self._size] = self._out[: self._size]
            self._out = grown

    def _extend(self, new: Floats) -> Floats:
        finite = np.isfinite(new)
        whole = bool(finite.all())
        values = new if whole else new[finite]
        if not values.size:
            return np.full(new.size, np.nan)
        sums = recurrence((1 - self.weight) * values, self.weight, self._sum)
        self._sum = float(sums[-1])
        # After this many values the bias is below the last bit of a float64.
        young = int(40 / (1 - self.weight)) - self._count
        if young > 0:
            head = sums[:young]
            head /= 1 - self.weight ** (self._count + 1 + np.arange(head.size, dtype=np.float64))
        self._count += values.size
        if whole:
            return sums
        result = np.full(new.size, np.nan)
        result[finite] = sums
        return result


def recurrence(v: Floats, weight: float, start: float = 0.0) -> Floats:
    """s(t) = weight * s(t-1) + v(t) with s(-1) = start, for all t at once; float64 (n,).

    By recursive doubling (Kogge and Stone, "A Parallel Algorithm for the Efficient Solution of a
    General Class of Recurrence Equations", 1973), as far as a value is felt, in parts that stay
    in the processor's cache. A million points take 7 ms; a product of matrices takes 30 ms of a
    processor for them, its threads that wait for each other included.
    """
    out = np.empty(v.size)
    for at in range(0, v.size, _PART):
        part = out[at : at + _PART]
        part[:] = v[at : at + _PART]
        part[0] += weight * start
        reach, factor = 1, weight
        while reach < part.size and factor > _FELT:
            part[reach:] += factor * part[:-reach]
            reach, factor = 2 * reach, factor * factor
        start = float(part[-1])
    return out


def nearest(x: Floats, at: float) -> int | None:
    """The index of the point whose x lies nearest to `at`; None for an empty curve."""
    if x.size == 0:
        return None
    right = int(np.searchsorted(x, at))
    if right == 0:
        return 0
    if right == x.size:
        return x.size - 1
    return right if x[right] - at < at - x[right - 1] else right - 1
