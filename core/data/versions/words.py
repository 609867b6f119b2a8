"""The difference between two states in words."""

from __future__ import annotations

from collections.abc import Sequence

from core.common.text import clean, plural
from core.data.versions.compare import Difference

_MOST = 8


def difference_lines(found: Difference) -> list[str]:
    """Return a line for each kind of difference; one that says so where there is none."""
    if found.nothing:
        return ["There is no difference."]
    lines = [
        _counted("pictures", found.pictures_added, found.pictures_removed),
        _counted("boxes", found.boxes_added, found.boxes_removed),
    ]
    if found.redrawn:
        lines.append(f"{plural(found.redrawn, 'box', 'boxes')} moved or resized")
    if found.reclassed:
        lines.append(f"{plural(found.reclassed, 'box', 'boxes')} of another class")
    for (old, new), count in found.moved.items():
        lines.append(f"{plural(count, 'picture')} from {_split(old)} to {_split(new)}")
    if found.classes_added:
        lines.append(f"new classes: {_listed(found.classes_added)}")
    if found.classes_removed:
        lines.append(f"classes gone: {_listed(found.classes_removed)}")
    if found.renamed:
        names = [f"{old} → {new}" for old, new in found.renamed]
        lines.append(f"classes renamed: {_listed(names)}")
    return [line for line in lines if line]


def _counted(what: str, added: int, removed: int) -> str:
    parts = [f"+{added:,}"] if added else []
    parts += [f"−{removed:,}"] if removed else []
    return f"{what}: {', '.join(parts)}" if parts else ""


def _split(name: str) -> str:
    return "no split" if name == "none" else name


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(clean, names[:_MOST]))
    return shown + (f" and {len(names) - _MOST} more" if len(names) > _MOST else "")
