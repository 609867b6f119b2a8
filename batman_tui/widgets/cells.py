"""Text and bars that take up an exact number of terminal cells."""

from __future__ import annotations

from typing import Literal

from rich.cells import cell_len, set_cell_size

from core.text import clean

_EIGHTHS = " ▏▎▍▌▋▊▉"


def fit(text: str, cells: int, align: Literal["left", "right"] = "left") -> str:
    """Return `text`, made safe, in exactly `cells` cells: padded, or cut with `…`.

    Wide characters count as the two cells that they take.
    """
    text = clean(text)
    length = cell_len(text)
    if length > cells:
        if cells <= 0:
            return ""
        return set_cell_size(set_cell_size(text, cells - 1).rstrip() + "…", cells)
    padding = " " * (cells - length)
    return padding + text if align == "right" else text + padding


def bar(share: float, cells: int) -> str:
    """Return a bar of `share` (0 to 1) of `cells`, in eighths; what is not zero shows a sliver."""
    filled = max(0.0, min(1.0, share)) * cells
    whole = int(filled)
    eighth = round((filled - whole) * 8)
    if eighth == 8:
        whole, eighth = whole + 1, 0
    if share > 0 and whole == 0 and eighth == 0:
        eighth = 1
    text = "█" * whole + (_EIGHTHS[eighth] if eighth else "")
    return text.ljust(cells)[:cells]
