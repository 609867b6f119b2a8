"""The balance of an import in words, for the command line and the app, from its plain values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from core.common.text import clean, plural
from core.data.importers.balance.sheet import VIDEOS, Part, Sheet

_NAMES = 3


class Row(NamedTuple):
    """A line of the balance: what, how much of it lay there and came in, where the rest went."""

    what: str
    found: int
    taken: int
    rest: str


def _sheet(balance: Mapping[str, Any]) -> Sheet | None:
    """Return a stored balance, None for none or one of another version."""
    try:
        return msgspec.convert(balance, Sheet)
    except msgspec.ValidationError:
        return None


def all_well(balance: Mapping[str, Any]) -> bool:
    """Whether nothing needs to be said that the list of problems does not say."""
    sheet = _sheet(balance)
    return sheet is None or not (
        sheet.images.left
        or sheet.labels.left
        or sheet.lines.left
        or None in sheet.splits.values()
        or _all_bare(sheet)
        or any(ending in VIDEOS for ending in sheet.other)
    )


def in_short(balance: Mapping[str, Any]) -> str:
    """Return the balance in one sentence, for an import of which all came in; "" without one."""
    sheet = _sheet(balance)
    if sheet is None:
        return ""
    parts = [plural(sheet.images.found, "image")]
    if sheet.bare:
        parts[0] += f" ({sheet.bare:,} without an annotation)"
    if sheet.labels.found:
        parts.append(plural(sheet.labels.found, "label file"))
        if sheet.empty:
            parts[-1] += f" ({sheet.empty:,} empty)"
    if sheet.objects.found:
        parts.append(plural(sheet.objects.found, "annotation"))
    if sheet.lines.found:
        parts.append(plural(sheet.lines.found, "line of a list", "lines of lists"))
    left = sheet.objects.found - sheet.objects.taken
    told = f"All that lay there came in: {', '.join(parts)}"
    if left:
        told = (
            f"Of what lay there, all but {plural(left, 'annotation')} came in: {', '.join(parts)}"
        )
    if bare := _bare_names(sheet):
        told += f"; {bare}"
    if other := _other(sheet):
        told += f"; {plural(sum(sheet.other.values()), 'other file')}: {other}"
    return f"{told}."


def rows(balance: Mapping[str, Any]) -> list[Row]:
    """Return the balance line by line, [] without one."""
    sheet = _sheet(balance)
    if sheet is None:
        return []
    found = [
        Row("images", *_numbers(sheet.images), _rest(sheet.images, _bare(sheet))),
        Row("label files", *_numbers(sheet.labels), _rest(sheet.labels, _empty(sheet))),
        Row("annotations", *_numbers(sheet.objects), _rest(sheet.objects)),
        Row("lines of lists", *_numbers(sheet.lines), _rest(sheet.lines)),
        _splits(sheet),
        _classes(sheet),
    ]
    if other := sum(sheet.other.values()):
        found.append(Row("other files", other, 0, _other(sheet)))
    return [row for row in found if row.found or row.rest]


def warnings(balance: Mapping[str, Any]) -> list[str]:
    """Return what did not come in, a sentence for each sort; what problems say is left out."""
    return [
        f"{row.what.capitalize()}: {row.taken:,} of {row.found:,}; {row.rest}."
        for row in ([] if all_well(balance) else rows(balance))
        if row.rest and row.what not in ("annotations", "classes", "other files")
    ]


def _numbers(part: Part) -> tuple[int, int]:
    return part.found, part.taken


def _rest(part: Part, *more: str) -> str:
    told = []
    for why, count in sorted(part.left.items(), key=lambda item: -item[1]):
        names = [clean(name) for name in part.examples.get(why, [])]
        such = f" ({', '.join(names)}{', …' if count > len(names) else ''})" if names else ""
        told.append(f"{count:,} left out: {clean(why)}{such}")
    return "; ".join([*told, *filter(None, more)])


def _all_bare(sheet: Sheet) -> bool:
    return 0 < sheet.images.taken == sheet.bare


def _bare(sheet: Sheet) -> str:
    if _all_bare(sheet):
        return "all without an annotation: nothing is labelled"
    return f"{sheet.bare:,} without an annotation" if sheet.bare else ""


def _empty(sheet: Sheet) -> str:
    if 0 < sheet.labels.taken == sheet.empty:
        return "all empty"
    return f"{sheet.empty:,} empty" if sheet.empty else ""


def _splits(sheet: Sheet) -> Row:
    unknown = [clean(name) for name, split in sheet.splits.items() if split is None]
    known = [f"{name} is {split}" for name, split in sheet.splits.items() if split]
    renamed = [clean(text) for text in known if text.split(" is ")[0] != text.split(" is ")[-1]]
    told = f"no split: {_names(unknown)}" if unknown else ""
    return Row(
        "splits", len(sheet.splits), len(known), "; ".join(filter(None, [told, _names(renamed)]))
    )


def _classes(sheet: Sheet) -> Row:
    used = sheet.classes - len(sheet.unused)
    return Row("classes", sheet.classes, used, _bare_names(sheet))


def _bare_names(sheet: Sheet) -> str:
    """Return which classes came in without an annotation, and which names made no class for it."""
    told = []
    for names, one, more, what in (
        (sheet.unused, "class", "classes", ""),
        (sheet.idle, "category", "categories", ", not taken as a class"),
    ):
        if names:
            count = plural(len(names), one, more)
            said = _names([clean(name) for name in names])
            told.append(f"{count} without annotations{what}: {said}")
    return "; ".join(told)


def _other(sheet: Sheet) -> str:
    few = sum(sheet.other.values()) <= _NAMES
    parts = []
    for ending, count in [*sheet.other.items()][:6]:
        names = [clean(name) for name in sheet.other_names.get(ending, [])]
        if len(names) == count and (few or count == 1):
            parts += names
        else:
            such = f" ({names[0]}, …)" if names else ""
            parts.append(f"{count:,} {clean(ending)}{such}")
    told = ", ".join(parts) + (", …" if len(sheet.other) > 6 else "")
    videos = any(ending in VIDEOS for ending in sheet.other)
    return f"{told}; frames of videos come in with batman import video" if videos else told


def _names(names: list[str]) -> str:
    return ", ".join(names[:_NAMES]) + (
        f" and {len(names) - _NAMES:,} more" * (len(names) > _NAMES)
    )
