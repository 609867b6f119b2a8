"""Paints a chart on a grid of character cells: braille curves, axes, marks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.plots import braille, ticks
from core.plots.chart import (
    COLOURS,
    GLYPHS,
    MARK_INK,
    MARKERS,
    Chart,
    Curve,
    Ink,
    Mark,
    Picture,
    View,
    XAxis,
)
from core.plots.thin_and_smooth import Floats, Spans, spans
from core.plots.y_axis import y_limits

_GUTTER = 6
_LINED = ("warning", "restart", "oom")
# Cells between two values at the upper edge: a sign, four characters and a point.
_APART = 7


def paint(chart: Chart, width: int, height: int) -> Picture:
    """Draw a chart of `width` by `height` cells, axes included.

    The cost is that of one pass over the visible points (`core.plots.thin_and_smooth.spans`);
    everything after it works on the pixels of the picture alone.
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
    low, high = y_limits(chart, [raw for raw, _ in drawn])
    at, labels = ticks.y_ticks(low, high, rows, log=chart.log)
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
    _over_the_edge(area, area_inks, layers, high)
    return Picture(chars, inks, left, rows, window, low, high, tuple(raw for raw, _ in drawn))


def _measure(chart: Chart, window: View, columns: int) -> list[tuple[Spans, Spans | None]]:
    def of(curve: Curve, y: Floats) -> Spans:
        return spans(curve.x, y, *window, columns, log=chart.log)

    return [
        (of(c, c.y), of(c, c.smoothed) if c.smoothed is not None else None) for c in chart.curves
    ]


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
    at, labels = ticks.x_ticks(kind, x0, x1, width)
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


def _over_the_edge(
    area: NDArray[np.uint32],
    inks: NDArray[np.uint8],
    layers: list[tuple[Curve, tuple[Spans, Spans | None]]],
    high: float,
) -> None:
    """Put an arrow where a curve leaves the picture upwards, with the value that it reaches."""
    tops: dict[int, tuple[float, int]] = {}
    for curve, (raw, _) in layers:
        for column in np.flatnonzero(raw.high > high).tolist():
            cell = min(column // braille.DOTS_ACROSS, area.shape[1] - 1)
            reached = (float(raw.high[column]), Ink.CURVE + curve.colour % COLOURS)
            tops[cell] = max(reached, tops.get(cell, reached))
    for cell, (top, ink) in tops.items():
        if all(tops[beside][0] <= top for beside in (cell - 1, cell + 1) if beside in tops):
            area[0, cell], inks[0, cell] = ord("↑"), ink
    said: list[int] = []
    for cell in sorted(tops, key=lambda at: -tops[at][0]):
        if all(abs(cell - other) > _APART for other in said):
            text = ticks.number(tops[cell][0], 3)
            fits = len(text) < area.shape[1] - cell
            _write(area, inks, 0, cell + 1 if fits else cell - len(text), text, Ink.LABEL)
            said.append(cell)
