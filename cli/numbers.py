"""Numbers on the command line: types for `argparse` that refuse what is none, or out of bounds."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable

# What SQLite, numpy and the screens take without a thought.
MOST = 10**9


def whole(least: int = 0, most: int = MOST) -> Callable[[str], int]:
    """Return a type that takes whole numbers from `least` to `most`."""

    def convert(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{_shown(text)} is no whole number") from None
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(_bounds(text, least, most))
        return value

    return convert


def number(
    least: float = 0.0, most: float = float(MOST), *, above: bool = False
) -> Callable[[str], float]:
    """Return a type that takes finite numbers from `least` (or only `above` it) to `most`."""

    def convert(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{_shown(text)} is no number") from None
        if not math.isfinite(value):
            raise argparse.ArgumentTypeError(f"{_shown(text)} is no finite number")
        if not least <= value <= most or (above and value == least):
            raise argparse.ArgumentTypeError(_bounds(text, least, most, above=above))
        return value

    return convert


def _bounds(text: str, least: float, most: float, *, above: bool = False) -> str:
    low = f"must be more than {least:g}" if above else f"must be at least {least:g}"
    high = "" if most == MOST else f" and at most {most:.10g}"
    return f"{_shown(text)} {low}{high}"


def _shown(text: str) -> str:
    return f"'{text[:40]}…'" if len(text) > 40 else f"'{text}'"
