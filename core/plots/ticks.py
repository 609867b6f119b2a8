"""Axis ticks at round values, and numbers written short enough for an axis."""

from __future__ import annotations

import itertools
import math

_TIME_STEPS = (
    *(1, 2, 5, 10, 15, 30),
    *(60, 120, 300, 600, 900, 1800),
    *(3600, 7200, 10800, 21600, 43200, 86400),
)


def linear_ticks(low: float, high: float, most: int) -> list[float]:
    """At most `most` (two or more) multiples of 1, 2 or 5 times a power of ten in [low, high]."""
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
        return [low] if math.isfinite(low) else []
    raw = (high - low) / max(most - 1, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    for factor in (1, 2, 5, 10, 20, 50):
        found = _multiples(low, high, factor * power)
        if len(found) <= max(most, 2):
            return found
    return found


def whole_ticks(low: float, high: float, most: int) -> list[float]:
    """Like `linear_ticks`, for a count (steps, epochs): never between two whole numbers."""
    found = linear_ticks(low, high, most)
    if all(tick == int(tick) for tick in found):
        return found
    return [float(v) for v in range(math.ceil(low), math.floor(high) + 1)][: max(most, 2)]


def time_ticks(low: float, high: float, most: int) -> list[float]:
    """At most `most` round times in [low, high]; seconds in, seconds out."""
    raw = (high - low) / max(most - 1, 1)
    for step in _TIME_STEPS:
        if step >= raw:
            found = _multiples(low, high, float(step))
            if len(found) <= max(most, 2):
                return found
    return [day * 86400.0 for day in linear_ticks(low / 86400, high / 86400, most)]


def log_ticks(low: float, high: float, most: int) -> list[float]:
    """Ticks for a log axis from exponent `low` to `high`, as exponents (log10 of the value).

    Powers of ten, every n-th of them when there are too many; with 2 and 5 between them when there
    is room; plain round values when the axis spans less than that.
    """
    if high <= low:
        return [low]
    decades = [float(e) for e in range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1)]
    fine = [
        e + math.log10(m)
        for e in range(math.floor(low), math.ceil(high) + 1)
        for m in (1, 2, 5)
        if low - 1e-9 <= e + math.log10(m) <= high + 1e-9
    ]
    if 2 <= len(fine) <= most:
        return fine
    if len(decades) >= 2:
        every = -(-len(decades) // max(most, 2))
        return decades[::every]
    if len(fine) >= 2:
        return fine[: max(most, 2)]
    return [math.log10(v) for v in linear_ticks(10**low, 10**high, most) if v > 0]


def _multiples(low: float, high: float, step: float) -> list[float]:
    slack = step * 1e-9
    first = math.ceil((low - slack) / step)
    last = math.floor((high + slack) / step)
    # Dividing by the inverse keeps 3 * 0.1 at 0.3: what is shown should not end in ...04.
    if step < 1:
        inverse = round(1 / step)
        return [n / inverse for n in range(first, last + 1)]
    return [n * step for n in range(first, last + 1)]


def number(value: float, digits: int = 4) -> str:
    """A value in `digits` significant digits at most: 0.5312, 12.35k, 3.1e-5; – for NaN."""
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    size = abs(value)
    if size == 0:
        return "0"
    if size >= 1e15 or size < 1e-3:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        return f"{_strip(mantissa)}e{int(exponent)}"
    for limit, base, unit in ((1e12, 1e12, "T"), (1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k")):
        if size >= limit:
            return f"{_plain(value / base, digits)}{unit}"
    return _plain(value, digits)


def _plain(value: float, digits: int) -> str:
    exponent = math.floor(math.log10(abs(value)))
    return _strip(f"{value:.{max(digits - 1 - exponent, 0)}f}")


def _strip(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def tick_labels(values: list[float]) -> list[str]:
    """Labels for ticks, all with the decimals the closest two of them need."""
    if not values:
        return []
    gaps = [abs(b - a) for a, b in itertools.pairwise(values) if b != a]
    gap = min(gaps) if gaps else abs(values[0]) or 1.0
    size = max(abs(v) for v in values)
    if size and (size >= 1e4 or size < 2e-2):
        return [number(v, 4) for v in values]
    decimals = min(max(0, -math.floor(math.log10(gap) + 1e-9)), 6)
    return [f"{v:.{decimals}f}" for v in values]


def y_ticks(low: float, high: float, rows: int, *, log: bool) -> tuple[list[float], list[str]]:
    """Ticks and labels for a y axis `rows` cells high; exponents in and out for a `log` one."""
    most = max(2, min((rows + 1) // 2, 8))
    if not log:
        at = linear_ticks(low, high, most)
        return at, tick_labels(at)
    at = log_ticks(low, high, most)
    return at, [number(10**e, 3) for e in at]


def x_ticks(kind: str, low: float, high: float, width: int) -> tuple[list[float], list[str]]:
    """Ticks and labels for an x axis `width` cells wide; of kind `time` they are seconds."""
    most = max(2, min(width // 8, 10))
    if kind == "time":
        at = time_ticks(low, high, most)
        return at, [clock(v) for v in at]
    at = (whole_ticks if high - low >= 2 else linear_ticks)(low, high, most)
    return at, tick_labels(at)


def clock(seconds: float) -> str:
    """A time since the start, as a clock shows it: 0:45, 3:20, 1:02:03, 2d 4h."""
    if not math.isfinite(seconds):
        return "–"
    sign = "-" if seconds < 0 else ""
    total = round(abs(seconds))
    minutes, rest = divmod(total, 60)
    hours, minutes = divmod(minutes, 60)
    if not hours:
        return f"{sign}{minutes}:{rest:02d}"
    if hours < 48:
        return f"{sign}{hours}:{minutes:02d}:{rest:02d}"
    days, hours = divmod(hours, 24)
    return f"{sign}{days}d {hours}h"
