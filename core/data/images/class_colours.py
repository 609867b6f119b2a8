"""The colour of a class, the same wherever its boxes are drawn.

A colour goes with the class's id in the project, which never changes and is never given twice: it
stays when classes are added, dropped, renamed or listed in another order, and the first classes
of a project never share one. A run takes the ids along (`DatasetInfo.class_ids`), its exports and
evaluations too; a model from elsewhere has names only, which count from 1 in the order of its
labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.common.errors import BatmanError
from core.common.files import read_json

Colour = tuple[int, int, int]

TRUTH: Colour = (255, 255, 255)
"""What is there, beside what was predicted."""
UNKNOWN: Colour = (128, 128, 128)
"""A class that is not among those asked about."""

# The first seven are Okabe and Ito's without the black ("Color Universal Design", 2008). Each of
# the others is that colour of a grid (15 a step, L* of 35 to 90) which is furthest from white and
# from all before it, measured by CIEDE2000 (Sharma, Wu & Dalal 2005) and as the least of three
# distances: as most people see them, and by Machado, Oliveira & Fernandes (2009) with protanopia
# and with deuteranopia. Any two of the first 7 are 11.6 apart at least, of 24 8.5, of all 4.8.
PALETTE: tuple[Colour, ...] = tuple(
    (code >> 16, code >> 8 & 255, code & 255)
    for code in (
        0x56B4E9, 0x009E73, 0xF0E442, 0x0072B2, 0xD55E00, 0xCC79A7, 0xE69F00, 0x4B5A5A,
        0xA51E1E, 0x00E1A5, 0xC3E1FF, 0x3C87FF, 0x4B694B, 0xC30F87, 0x87D2C3, 0xFF4B78,
        0x4B00FF, 0x69D269, 0x006978, 0x3C963C, 0xD28796, 0x5AFF96, 0x1ED2D2, 0xC32D00,
        0x5A5AFF, 0xA5F0D2, 0x008769, 0x0F874B, 0xE169C3, 0xD20FB4, 0xB46987, 0x5AD2FF,
        0x78B4A5, 0x00A5FF, 0xD2E1E1, 0xC35A96, 0xA51E3C, 0xFFA596, 0x3C5A4B, 0x87A54B,
        0x785A96, 0x781EC3, 0x00FFB4, 0xE1A5B4, 0xF000D2, 0xFFB400, 0xD25A69, 0x78C387,
        0xB40069, 0x965A2D, 0x960096, 0xD20069, 0xFFB4E1, 0xC3E169, 0x3C8778, 0x3C5A3C,
        0xD2A5C3, 0x3CA587, 0xF06900, 0x5A78D2, 0x3C4BF0, 0xB4A569, 0x2D96E1, 0xE10F2D,
    )
)  # fmt: skip


def class_colour(class_id: int) -> Colour:
    """Return the colour of the class with this id (from 1); after 64 they begin again."""
    return PALETTE[(class_id - 1) % len(PALETTE)]


def class_colours(names: Sequence[str], ids: Sequence[int] | None = None) -> dict[str, Colour]:
    """Return the colour of each class by its name; `ids` are those of the project, as `names` go.

    Ids of another number are not those of these names, and are not looked at.
    """
    if ids is None or len(ids) != len(names):
        ids = range(1, len(names) + 1)
    return {name: class_colour(number) for name, number in zip(names, ids, strict=True)}


def model_class_ids(model: Path) -> list[int] | None:
    """Return what the run or the export that a model file lies in says of its classes' ids."""
    for file, keys in (("batman.json", ()), ("training_config.json", ("dataset",))):
        try:
            found: Any = read_json(model.with_name(file))
        except BatmanError:
            continue
        for key in (*keys, "class_ids"):
            found = found.get(key) if isinstance(found, dict) else None
        if isinstance(found, list) and all(type(number) is int for number in found):
            return found or None
    return None


def hex_colour(colour: Colour) -> str:
    """Return a colour as `#rrggbb`."""
    return "#{:02x}{:02x}{:02x}".format(*colour)
