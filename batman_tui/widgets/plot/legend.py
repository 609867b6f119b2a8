"""What stands above a plot: every curve with its newest value, or with that under the cursor.

An entry is a list of pieces, each a text and the component class of `Plot` that it is painted in.
"""

from __future__ import annotations

import numpy as np
from rich.cells import cell_len

from core.common.text import clean
from core.plots import ticks
from core.plots.chart import COLOURS, GLYPHS, MARKERS, Chart, Curve, Picture
from core.plots.thin_and_smooth import nearest

Pieces = list[tuple[str, str]]
# Of a long run of gaps at a curve's end, so many points are looked at for a value.
_TAIL = 256
_WIDE = 50


def legend(chart: Chart, picture: Picture, cursor: float | None, room: int) -> list[Pieces]:
    """Return the entries for `chart`, drawn as `picture`, to be shown in `room` cells.

    With a `cursor` they are shorter where otherwise some curve would have none: without the range
    of its values there, in fewer digits, at last without its name.
    """
    if cursor is None:
        return [_entry(curve, curve.said or _newest(chart, curve)) for curve in chart.curves]
    entries: list[Pieces] = []
    for ranges, digits, names in (
        (True, 4, True), (False, 4, True), (False, 3, True), (False, 3, False),
    ):  # fmt: skip
        where: Pieces = [(f" {x_text(chart, cursor, room)} ", "plot--cursor")]
        values = _values(chart, picture, cursor, ranges, digits, names)
        # The values come before the marks' words: a long warning must not push them off.
        entries = [where, *values, *_marks(chart, picture, cursor)]
        if sum(cell_len(text) for entry in [where, *values] for text, _ in entry) <= room:
            break
    return entries


def x_text(chart: Chart, x: float, room: int) -> str:
    """Return a place on the x axis in words."""
    if chart.x_axis == "time":
        return ticks.clock(x)
    if chart.x_axis == "step":
        return f"step {x:,.0f}" if room >= _WIDE else f"{x:,.0f}"
    if chart.x_axis == "recall":
        return f"recall {x:.2f}"
    return f"epoch {x:,.2f}".rstrip("0").rstrip(".") if x % 1 else f"epoch {x:,.0f}"


def _newest(chart: Chart, curve: Curve) -> str:
    """Return the last value that is a number; a long run of gaps at the end shows as a dash."""
    tail = (curve.smoothed if curve.smoothed is not None else curve.y)[-_TAIL:]
    tail = tail[np.isfinite(tail)]
    return _value(chart, float(tail[-1])) if tail.size else "–"


def _value(chart: Chart, value: float, digits: int = 4) -> str:
    """Return a value as the tables have it: nothing that is next to nothing is written as 8e-6."""
    if chart.least and 0 < abs(value) < chart.least / 20:
        return "0.000"
    return ticks.number(value, digits)


def _entry(curve: Curve, value: str, named: bool = True) -> Pieces:
    marker = MARKERS[curve.colour % len(MARKERS)] if curve.markers else "━"
    return [
        (f" {marker} ", f"plot--curve-{curve.colour % COLOURS}"),
        (f"{clean(curve.name)} " if named else "", "plot--legend"),
        (f"{value} ", "plot--value"),
    ]


def _values(
    chart: Chart, picture: Picture, cursor: float, ranges: bool, digits: int, names: bool
) -> list[Pieces]:
    """Return the curves' values at the cursor, with their `ranges` in its column if wanted."""
    column = picture.column_of(cursor)
    first = picture.left if column is None else (column - picture.left) * 2
    x0, x1 = picture.window
    cell = (x1 - x0) / max(picture.columns, 1)
    entries: list[Pieces] = []
    for curve, extent in zip(chart.curves, picture.extents, strict=False):
        index = nearest(curve.x, cursor)
        if index is None:
            continue
        line = curve.smoothed if curve.smoothed is not None else curve.y
        value = _value(chart, float(line[index]), digits)
        many = column is not None and curve.x.size > 1 and _points_in(curve, cursor, cell) > 1
        if ranges and many:
            low, high = extent.low[first : first + 2], extent.high[first : first + 2]
            ends = [float(low.min()), float(high.max())]
            if ends[0] == ends[0] and ends[1] == ends[1]:
                if chart.log:
                    ends = [10**e for e in ends]
                least, most = (ticks.number(end, 3) for end in ends)
                value += f" ({least}…{most})" if least != most else ""
        entries.append(_entry(curve, value, named=names))
    return entries


def _marks(chart: Chart, picture: Picture, cursor: float) -> list[Pieces]:
    """Return what happened in the cursor's column."""
    column = picture.column_of(cursor)
    happened: list[Pieces] = []
    for mark in chart.marks:
        if column is not None and picture.column_of(mark.x) == column:
            kind = mark.kind if mark.kind != "end" else "checkpoint"
            happened.append([(f" {GLYPHS[mark.kind]} {clean(mark.label)} ", f"plot--{kind}")])
    return happened


def _points_in(curve: Curve, cursor: float, width: float) -> int:
    low, high = cursor - width / 2, cursor + width / 2
    return int(curve.x.searchsorted(high, "right") - curve.x.searchsorted(low, "left"))
