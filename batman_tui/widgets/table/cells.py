"""Text and bars that take up an exact number of terminal cells."""

from __future__ import annotations

from typing import Literal

from rich.cells import cell_len, set_cell_size

from core.common.text import clean


def fit(
    text: str,
    cells: int,
    align: Literal["left", "right"] = "left",
    keep: Literal["start", "end"] = "start",
) -> str:
    """Return `text`, made safe, in exactly `cells` cells: padded, or cut with `…`.

    Of a text that is too long, `keep` says which end stays. Wide characters count as the two cells
    that they take.
    """
    text = clean(text)
    length = cell_len(text)
    if length > cells:
        if cells <= 0:
            return ""
        if keep == "end":
            while cell_len(text) >= cells:
                text = text[1:]
            return set_cell_size("…" + text, cells)
        return set_cell_size(set_cell_size(text, cells - 1).rstrip() + "…", cells)
    padding = " " * (cells - length)
    return padding + text if align == "right" else text + padding


def bar(share: float, cells: int) -> str:
    """Return a thin bar of `share` (0 to 1) of `cells`, in halves; above zero it is never empty."""
    halves = round(max(0.0, min(1.0, share)) * cells * 2)
    if share > 0:
        halves = max(1, halves)
    return ("━" * (halves // 2) + "╸" * (halves % 2)).ljust(cells)[:cells]
