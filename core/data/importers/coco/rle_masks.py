"""Masks as run lengths, as COCO's tools write them: the box around one, and its area."""

from __future__ import annotations

from core.data.importers.boxes import Box
from core.data.importers.coco.records import Rle
from core.data.importers.image_files import plausible


def mask_box(mask: Rle) -> Box | None:
    """Return the smallest box around a mask, None for one that is empty or broken.

    Runs count pixels down the columns, the first one those outside, then in turns; `size` is
    height and width (the COCO API, `maskApi.h`).
    """
    runs = _runs_of(mask)
    if runs is None:
        return None
    height = mask.size[0]
    xs: list[int] = []
    ys: list[int] = []
    at = 0
    for number, run in enumerate(runs):
        if number % 2 and run:
            first, last = at, at + run - 1
            xs += (first // height, last // height)
            # A run that goes on in the next column touches the lower edge, and the upper one.
            ys += (first % height, last % height) if xs[-1] == xs[-2] else (0, height - 1)
        at += run
    if not xs:
        return None
    left, top = min(xs), min(ys)
    return float(left), float(top), float(max(xs) - left + 1), float(max(ys) - top + 1)


def mask_area(mask: Rle) -> int:
    """Return how many pixels a mask has, 0 for one that is empty or broken."""
    return sum((_runs_of(mask) or [])[1::2])


def _runs_of(mask: Rle) -> list[int] | None:
    """Return the runs of a mask, None when they cannot be of a picture of its size."""
    if len(mask.size) != 2 or not plausible(*mask.size):
        return None
    runs = _runs(mask.counts) if isinstance(mask.counts, str) else mask.counts
    if runs is None or min(runs, default=0) < 0 or sum(runs) > mask.size[0] * mask.size[1]:
        return None
    return runs


def _runs(text: str) -> list[int] | None:
    """Return the runs of a compressed mask, None for what is none.

    A character holds five bits of a number, the lowest first, and whether more follow; from the
    fourth run on the number is the difference from the run before last (`rleFrString`).
    """
    runs: list[int] = []
    value, shift = 0, 0
    for char in text:
        bits = ord(char) - 48
        if not 0 <= bits < 64 or shift > 60:
            return None
        value |= (bits & 0x1F) << shift
        shift += 5
        if not bits & 0x20:
            if bits & 0x10:
                value -= 1 << shift
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value, shift = 0, 0
    return None if shift else runs
