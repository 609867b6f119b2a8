"""How far the y axis reaches: over all that is seen, or past a short spike.

A loss that jumps to a hundred for one step leaves the rest of its curve two rows. TensorBoard and
Weights & Biases scale to the middle 90 % of the values then, which takes the beginning of every
loss as well, and show no sign of what is missing. Here only what is short and stands out is cut,
and the painter says where and how high it goes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.plots.chart import Chart, View
from core.plots.thin_and_smooth import Spans

# What may be cut: a sixteenth of a curve's columns, if it stands half as high again above the rest
# and the rest is then drawn three times as high.
_SHARE, _STEP, _GAIN = 1 / 16, 1.5, 3.0
# A curve in fewer columns has no spikes: each of its points takes too much of it.
_COLUMNS = 32


def y_limits(chart: Chart, drawn: Sequence[Spans]) -> View:
    """Return the y axis' ends for what is seen, with a little air; exponents for a log axis.

    `drawn` are the curves' spans over the pixel columns.
    """
    found = [bounds for spans in drawn if (bounds := spans.bounds()) is not None]
    if not found:
        return (-1.0, 1.0) if chart.log else (0.0, 1.0)
    low, high = min(b[0] for b in found), max(b[1] for b in found)
    if chart.log:
        return (low - 0.05, high + 0.05) if high - low > 0.1 else (low - 0.5, high + 0.5)
    if chart.crop:
        rest = max(_without_spikes(spans, low) for spans in drawn if spans.bounds() is not None)
        high = rest if high - low > _GAIN * (rest - low) else high
    if chart.floor is not None:
        low, high = min(low, chart.floor), max(high, chart.floor + chart.least)
    elif 0 < low < 0.3 * high:
        low = 0.0
    if high == low:
        air = abs(high) * 0.5 or 1.0
        return low - (0.0 if low == 0 else air), high + air
    air = (high - low) * 0.04
    return (low if low in (0.0, chart.floor) else low - air), high + air


def _without_spikes(spans: Spans, low: float) -> float:
    """Return the highest value of the curve outside of its spikes; `low` is the axis' lower end.

    What the newest values do is never cut: it may be no spike but the way the curve goes on.
    """
    highs = spans.high[np.isfinite(spans.high)]
    if highs.size < _COLUMNS:
        return float(highs.max())
    highest = np.sort(highs)[::-1][: int(highs.size * _SHARE) + 1]
    steps = np.flatnonzero(highest[:-1] - low >= _STEP * (highest[1:] - low))
    top = float(highest[steps[-1] + 1]) if steps.size else float(highest[0])
    newest = int(np.flatnonzero(highs <= top)[-1])
    return max(top, float(highs[newest:].max()))
