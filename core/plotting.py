"""Line charts painted on a grid of character cells: braille curves, axes, marks, a cursor.

No user interface here: `paint` returns characters and, for each, the ink it is to be written in;
the app maps inks to the theme's colours, and a plain terminal may do without.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from core import braille, ticks
from core.curves import Floats, Spans, spans

XAxis = Literal["step", "epoch", "time", "recall"]
View = tuple[float, float]

COLOURS = 6
_GUTTER = 6
MARKERS = "●◆▲■▼★"
GLYPHS = {"best": "★", "checkpoint": "◆", "warning": "▲", "restart": "↺", "oom": "✖", "end": "■"}


class Ink(IntEnum):
    """What a cell is written in; curves count on from CURVE and their raw shadows from RAW."""

    BLANK = 0
    AXIS = 1
    LABEL = 2
    GRID = 3
    CHECKPOINT = 4
    BEST = 5
    WARNING = 6
    RESTART = 7
    OOM = 8
    END = 9
    CURVE = 16
    RAW = 24


MARK_INK = {
    "checkpoint": Ink.CHECKPOINT,
    "best": Ink.BEST,
    "warning": Ink.WARNING,
    "restart": Ink.RESTART,
    "oom": Ink.OOM,
    "end": Ink.END,
}
_LINED = ("warning", "restart", "oom")


@dataclass(frozen=True, eq=False)
class Curve:
    """One line of a chart.

    Attributes:
        name: What the legend calls it.
        x: float64 (n,), ascending and finite (`core.curves.as_curve`).
        y: float64 (n,); NaN is a gap.
        colour: Index into the palette, 0 to COLOURS - 1.
        markers: Draw a marker at each point while they do not touch: for few values.
        smoothed: float64 (n,), drawn over y, which is then its dim shadow; None for none.
        said: What the legend says beside the name; empty for the last value.
    """

    name: str
    x: Floats
    y: Floats
    colour: int = 0
    markers: bool = False
    smoothed: Floats | None = None
    said: str = ""


@dataclass(frozen=True)
class Mark:
    """An event at a place on the x axis; `kind` is a key of GLYPHS."""

    x: float
    kind: str
    label: str


@dataclass(frozen=True, eq=False)
class Chart:
    """All there is to draw.

    Attributes:
        curves: Drawn in order, the first one on top.
        marks: Events on the x axis.
        x_axis: How x is labelled: step (a count), epoch (a count with fractions), time (seconds),
            recall (a share).
        view: The part of x to show; None for all of it.
        log: A logarithmic y axis.
        floor: A value the y axis always reaches down to (0 for metrics); None for none.
        least: The least height above the floor that the y axis spans.
        span: What "all of x" is; None for the extent of the curves. Charts that share an axis
            share it.
    """

    curves: tuple[Curve, ...] = ()
    marks: tuple[Mark, ...] = ()
    x_axis: XAxis = "step"
    view: View | None = None
    log: bool = False
    floor: float | None = None
    least: float = 0.0
    span: View | None = None

    def extent(self) -> View | None:
        """All of x: `span`, else first and last x of all curves; None when there is no point."""
        ends = [(c.x[0], c.x[-1]) for c in self.curves if c.x.size]
        if not ends:
            return None
        if self.span is not None:
            return self.span
        return float(min(e[0] for e in ends)), float(max(e[1] for e in ends))

    def window(self) -> View | None:
        """The part of x that is drawn, never of zero width; None when there is no point."""
        shown = self.view or self.extent()
        if shown is None:
            return None
        x0, x1 = shown
        return (x0, x1) if x1 > x0 else (x0 - 0.5, x0 + 0.5)


@dataclass(frozen=True, eq=False)
class Picture:
    """A painted chart.

    Attributes:
        chars: uint32 (height, width), code points.
        inks: uint8 (height, width), of `Ink`.
        left: First column of the plotting area; it reaches to the right edge.
        rows: Rows of the plotting area, from the top.
        window: The x at the plotting area's left and right edge.
        low: Lower end of the y axis (its log10 for a log axis).
        high: Upper end.
        extents: For each curve, its spans over the pixel columns (log10 for a log axis).
    """

    chars: NDArray[np.uint32]
    inks: NDArray[np.uint8]
    left: int = 0
    rows: int = 0
    window: View = (0.0, 1.0)
    low: float = 0.0
    high: float = 1.0
    extents: tuple[Spans, ...] = field(default=())

    @property
    def columns(self) -> int:
        """Cell columns of the plotting area."""
        return self.chars.shape[1] - self.left

    def column_of(self, x: float) -> int | None:
        """The cell column (from the picture's left edge) that shows x; None when outside."""
        x0, x1 = self.window
        if not x0 <= x <= x1 or self.columns < 1:
            return None
        return self.left + min(int((x - x0) / (x1 - x0) * self.columns), self.columns - 1)

    def x_at(self, column: int) -> float:
        """The x in the middle of a cell column (counted from the picture's left edge)."""
        x0, x1 = self.window
        return x0 + (column - self.left + 0.5) / max(self.columns, 1) * (x1 - x0)

    def runs(self, row: int) -> list[tuple[str, int, int]]:
        """A row as (text, ink, first column) pieces of one ink each."""
        inks = self.inks[row]
        cuts = [0, *(np.flatnonzero(inks[1:] != inks[:-1]) + 1).tolist(), inks.size]
        text = self.chars[row].astype("<u4").tobytes().decode("utf-32-le")
        return [(text[a:b], int(inks[a]), a) for a, b in itertools.pairwise(cuts) if b > a]

    def text(self) -> str:
        """The picture without its inks, one line a row."""
        return "\n".join("".join(run[0] for run in self.runs(y)) for y in range(len(self.chars)))


def paint(chart: Chart, width: int, height: int) -> Picture:
    """Draw a chart of `width` by `height` cells, axes included.

    The cost is that of one pass over the visible points (`core.curves.spans`); everything after it
    works on the pixels of the picture alone.
    """
    chars = np.full((max(height, 0), max(width, 0)), ord(" "), dtype=np.uint32)
    inks = np.zeros(chars.shape, dtype=np.uint8)
    window = chart.window()
    axis_rows = 2 if height >= 5 else 0
    rows = height - axis_rows
    if window is None or rows < 1 or width < 12:
        return Picture(chars, inks)

    # The gutter's width depends on the labels, these on the range, and the range on what is seen in
    # the columns that remain. Nearly every label fits the usual gutter, which also makes plots
    # above each other line up; only a wider one costs a second measurement.
    left = _GUTTER
    drawn = _measure(chart, window, (width - left) * braille.DOTS_ACROSS)
    low, high = _range(chart, drawn)
    at, labels = _y_ticks(low, high, rows, chart.log)
    needed = max((len(text) for text in labels), default=1) + 1
    if needed > left:
        left = min(needed, width - 6)
        drawn = _measure(chart, window, (width - left) * braille.DOTS_ACROSS)

    area, area_inks = chars[:rows, left:], inks[:rows, left:]
    _y_axis(chars, inks, at, labels, left, rows, (low, high))
    if axis_rows:
        _x_axis(chars, inks, chart.x_axis, window, left, rows)
    _marks(chars, inks, chart.marks, window, left, rows, bool(axis_rows))
    layers = list(reversed(list(zip(chart.curves, drawn, strict=True))))
    for curve, (raw, smooth) in layers:
        if smooth:
            _stroke(area, area_inks, raw, low, high, Ink.RAW + curve.colour % COLOURS)
    for curve, (raw, smooth) in layers:
        _stroke(area, area_inks, smooth or raw, low, high, Ink.CURVE + curve.colour % COLOURS)
    for curve, _ in layers:
        if curve.markers:
            _points(area, area_inks, curve, window, (low, high), chart.log)
    return Picture(chars, inks, left, rows, window, low, high, tuple(raw for raw, _ in drawn))


def _measure(chart: Chart, window: View, columns: int) -> list[tuple[Spans, Spans | None]]:
    def of(curve: Curve, y: Floats) -> Spans:
        return spans(curve.x, y, *window, columns, log=chart.log)

    return [
        (of(c, c.y), of(c, c.smoothed) if c.smoothed is not None else None) for c in chart.curves
    ]


def _range(chart: Chart, drawn: list[tuple[Spans, Spans | None]]) -> View:
    """The y axis' ends for what is seen, with a little air; exponents for a log axis."""
    found = [bounds for raw, _ in drawn if (bounds := raw.bounds()) is not None]
    if not found:
        return (-1.0, 1.0) if chart.log else (0.0, 1.0)
    low, high = min(b[0] for b in found), max(b[1] for b in found)
    if chart.log:
        return (low - 0.05, high + 0.05) if high - low > 0.1 else (low - 0.5, high + 0.5)
    if chart.floor is not None:
        low, high = min(low, chart.floor), max(high, chart.floor + chart.least)
    elif 0 < low < 0.3 * high:
        low = 0.0
    if high == low:
        air = abs(high) * 0.5 or 1.0
        return low - (0.0 if low == 0 else air), high + air
    air = (high - low) * 0.04
    return (low if low in (0.0, chart.floor) else low - air), high + air


def _y_ticks(low: float, high: float, rows: int, log: bool) -> tuple[list[float], list[str]]:
    most = max(2, min((rows + 1) // 2, 8))
    if not log:
        at = ticks.linear_ticks(low, high, most)
        return at, ticks.tick_labels(at)
    at = ticks.log_ticks(low, high, most)
    return at, [ticks.number(10**e, 3) for e in at]


def _write(
    chars: NDArray[np.uint32], inks: NDArray[np.uint8], row: int, column: int, text: str, ink: int
) -> None:
    room = chars.shape[1] - column
    cells = [ord(char) for char in text[: max(room, 0)]]
    chars[row, column : column + len(cells)] = cells
    inks[row, column : column + len(cells)] = ink


def _y_axis(
    chars: NDArray[np.uint32],
    inks: NDArray[np.uint8],
    at: list[float],
    labels: list[str],
    left: int,
    rows: int,
    ends: View,
) -> None:
    chars[:rows, left - 1] = ord("│")
    inks[:rows, left - 1] = Ink.AXIS
    pixel_rows = braille.rows_of(np.array(at), *ends, rows * braille.DOTS_DOWN)
    for pixel, label in zip(pixel_rows.tolist(), labels, strict=True):
        row = int(pixel) // braille.DOTS_DOWN
        if not 0 <= row < rows:
            continue
        short = label[: left - 1]
        _write(chars, inks, row, left - 1 - len(short), short, Ink.LABEL)
        _write(chars, inks, row, left - 1, "┤", Ink.AXIS)
        chars[row, left:] = ord("┈")
        inks[row, left:] = Ink.GRID


def _x_axis(
    chars: NDArray[np.uint32],
    inks: NDArray[np.uint8],
    kind: XAxis,
    window: View,
    left: int,
    rows: int,
) -> None:
    width = chars.shape[1] - left
    _write(chars, inks, rows, left - 1, "└" + "─" * width, Ink.AXIS)
    x0, x1 = window
    most = max(2, min(width // 8, 10))
    if kind == "time":
        at = ticks.time_ticks(x0, x1, most)
        labels = [ticks.clock(v) for v in at]
    else:
        at = (ticks.whole_ticks if x1 - x0 >= 2 else ticks.linear_ticks)(x0, x1, most)
        labels = ticks.tick_labels(at)
    # The gutter's own place says what is counted.
    _write(chars, inks, rows + 1, 0, kind, Ink.LABEL)
    free = len(kind) + 1
    for value, label in zip(at, labels, strict=True):
        column = left + min(int((value - x0) / (x1 - x0) * width), width - 1)
        chars[rows, column] = ord("┬")
        start = min(max(column - len(label) // 2, 0), left + width - len(label))
        if start >= free and start >= 0:
            _write(chars, inks, rows + 1, start, label, Ink.LABEL)
            free = start + len(label) + 1


def _marks(
    chars: NDArray[np.uint32],
    inks: NDArray[np.uint8],
    marks: tuple[Mark, ...],
    window: View,
    left: int,
    rows: int,
    on_axis: bool,
) -> None:
    x0, x1 = window
    width = chars.shape[1] - left
    for mark in sorted(marks, key=lambda m: m.kind != "checkpoint"):
        if not x0 <= mark.x <= x1:
            continue
        column = left + min(int((mark.x - x0) / (x1 - x0) * width), width - 1)
        ink = MARK_INK[mark.kind]
        if mark.kind in _LINED:
            chars[:rows, column] = ord("┊")
            inks[:rows, column] = ink
        if on_axis:
            _write(chars, inks, rows, column, GLYPHS[mark.kind], ink)


def _stroke(
    area: NDArray[np.uint32],
    inks: NDArray[np.uint8],
    curve: Spans,
    low: float,
    high: float,
    ink: int,
) -> None:
    rows, columns = area.shape
    dots = braille.pack(braille.raster(curve, low, high, rows * braille.DOTS_DOWN))
    on = dots[:, :columns] > 0
    area[on] = braille.BLANK + dots[:, :columns][on].astype(np.uint32)
    inks[on] = ink


def _points(
    area: NDArray[np.uint32],
    inks: NDArray[np.uint8],
    curve: Curve,
    window: View,
    ends: View,
    log: bool,
) -> None:
    rows, columns = area.shape
    x0, x1 = window
    first, last = np.searchsorted(curve.x, x0, "left"), np.searchsorted(curve.x, x1, "right")
    if last <= first or last - first > max(columns // 2, 1):
        return
    x, y = curve.x[first:last], curve.y[first:last]
    if log:
        with np.errstate(divide="ignore", invalid="ignore"):
            y = np.where(y > 0, np.log10(y), np.nan)
    pixel = braille.rows_of(y, *ends, rows * braille.DOTS_DOWN)
    seen = np.isfinite(pixel) & (pixel >= 0) & (pixel < rows * braille.DOTS_DOWN)
    at_row = (pixel[seen] // braille.DOTS_DOWN).astype(np.int64)
    at_column = np.minimum(((x[seen] - x0) / (x1 - x0) * columns).astype(np.int64), columns - 1)
    area[at_row, at_column] = ord(MARKERS[curve.colour % len(MARKERS)])
    inks[at_row, at_column] = Ink.CURVE + curve.colour % COLOURS


def zoom(view: View, factor: float, anchor: float, extent: View, smallest: float) -> View | None:
    """The view made `factor` times as wide around `anchor`; None when that shows everything.

    It never leaves `extent` and never becomes narrower than `smallest`.
    """
    x0, x1 = view
    width = max((x1 - x0) * factor, smallest)
    if width >= extent[1] - extent[0]:
        return None
    share = (anchor - x0) / (x1 - x0) if x1 > x0 else 0.5
    start = anchor - share * width
    start = min(max(start, extent[0]), extent[1] - width)
    return start, start + width
