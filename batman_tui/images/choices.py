"""What images can be narrowed to and which splits they can be put into, with counts."""

from __future__ import annotations

import re
from collections.abc import Mapping

from batman_tui.widgets.dialogs.pick import Item
from core.common.errors import ConfigError
from core.data.classes import list_classes
from core.data.images.filter import find_images, parse_filter
from core.data.overview import import_lines
from core.data.splits.edit import NO_SPLIT, images_by_split
from core.data.splits.shares import DEFAULT_SEED, DEFAULT_SHARES
from core.data.store import Project

# What stands for drawing every image's split anew, among the splits to choose from.
DRAW = "draw"
# States of labelling; what no image is in is not offered.
_LABELLING = (
    ("is:reviewed", "reviewed"),
    ("is:later", "put off"),
    ("is:open", "with open suggestions"),
    ("source:model", "with boxes by a model"),
    ("source:person", "with boxes by a person"),
)
_SHARES = re.compile(r"^\s*([\d.]+)[\s,/]+([\d.]+)[\s,/]+([\d.]+)(?:[\s,]+seed\s+(\d+))?\s*$")


def narrowings(project: Project, findings: Mapping[str, frozenset[int]]) -> list[Item]:
    """Return the filters that make sense for a project: splits, review, findings, and so on."""
    items = [
        Item(f"split:{name}", "no split" if name == NO_SPLIT else name, "split", count)
        for name, count in images_by_split(project).items()
        if count
    ]
    unlabelled = len(find_images(project, parse_filter("is:unlabelled")))
    items.append(Item("is:unlabelled", "without boxes", "boxes", unlabelled))
    items += [
        Item(text, name, "labelling", count)
        for text, name in _LABELLING
        if (count := len(find_images(project, parse_filter(text))))
    ]
    items += [
        Item(f"finding:{kind}", kind, "finding", len(ids)) for kind, ids in findings.items() if ids
    ]
    items += [
        Item(f"import:{row.id}", f"{row.id}  {row.kind}  {row.origin}", "import", row.images)
        for row in reversed(import_lines(project))
        if row.images
    ]
    items += [
        Item(quoted("class", row.name), row.name, "class", row.images)
        for row in list_classes(project)
    ]
    return items


def splits(project: Project) -> list[Item]:
    """Return the splits with their numbers of images, and the way to draw all anew."""
    counts = images_by_split(project)
    items = [
        Item(name, "no split" if name == NO_SPLIT else name, count=count)
        for name, count in counts.items()
    ]
    items.append(Item(DRAW, "draw every image anew …", count=sum(counts.values())))
    return items


def quoted(key: str, value: str) -> str:
    """Return `key:"value"` for a filter, "" without a value; a quote in it is written twice."""
    return f'{key}:"{value.replace(chr(34), chr(34) * 2)}"' if value else ""


DEFAULT_DRAW = f"{' '.join(f'{share:.0%}'[:-1] for share in DEFAULT_SHARES)} seed {DEFAULT_SEED}"
"""What the line for new splits begins with."""


def read_shares(text: str) -> tuple[tuple[float, float, float], int]:
    """Return the shares (summing to 1) and the seed in a line such as `DEFAULT_DRAW`.

    Raises ConfigError when it is something else or train has no share.
    """
    found = _SHARES.match(text)
    try:
        parts = [float(found[place]) for place in (1, 2, 3)] if found else []
    except ValueError:
        parts = []
    total = sum(parts)
    if found is None or total <= 0 or parts[0] <= 0:
        raise ConfigError(
            "Give three numbers, train's above zero,", f"and a seed if you like: {DEFAULT_DRAW}"
        )
    train, valid, test = (part / total for part in parts)
    return (train, valid, 1 - train - valid if test else 0.0), int(found[4] or DEFAULT_SEED)
