"""What a line chart is made of: curves, marks, the part that is shown; and its painted picture.

No user interface here: a picture holds characters and, for each, the ink it is to be written in
(`core.plots.paint`); the app maps inks to the theme's colours.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Literal

from core.late import late
from core.plots.thin_and_smooth import Floats, Spans

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    np = late("numpy")


XAxis = Literal["step", "epoch", "time", "recall"]
View = tuple[float, float]

COLOURS = 6
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


@dataclass(frozen=True, eq=False)
class Curve:
    """One line of a chart.

    Attributes:
        name: What the legend calls it.
        x: float64 (n,), ascending and finite (`core.plots.thin_and_smooth.as_curve`).
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
        crop: Let a short spike reach over the upper edge where the rest would be flat beside it
            (`core.plots.y_axis`): an arrow and its value stand there. For what is told step by
            step.
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
    crop: bool = False
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
        return int(self.chars.shape[1]) - self.left

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
