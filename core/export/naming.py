"""Whether class names that were given with an export fit the model."""

from __future__ import annotations

from collections.abc import Sequence

from core.common.errors import ClassError
from core.common.text import clean, plural


def split_names(text: str | Sequence[str]) -> list[str]:
    """Return the class names in `text`: between bars where it has any, else between commas.

    Bars, as `--filter-classes` has them, are for names that hold a comma. Several words are a name
    each; a comma after one is none of it.
    """
    words = [text] if isinstance(text, str) else list(text)
    if len(words) > 1:
        return [word.strip().removesuffix(",").strip() for word in words]
    (one,) = words
    return [name.strip() for name in one.split("|" if "|" in one else ",")]


def check_classes(own: Sequence[str], given: Sequence[str] | None) -> tuple[list[str], list[str]]:
    """Return the class names to export with, and what to warn about.

    `own` are the model's, in the order of its class ids; `given` are those that were asked for,
    None to take the model's. The same names in another order stay in the model's order, because
    that is what its numbers mean. Other names rename the classes one by one, in order. Raises
    ClassError when the number differs, a name is empty or twice, or a name of the model is given
    for another of its classes.
    """
    if given is None:
        return list(own), []
    names = [name.strip() for name in given]
    shown = ", ".join(clean(name) for name in own)
    if any("," in name for name in own):
        shown = "|".join(clean(name) for name in own)
    order = f"In the model's order they are: {shown}."
    if len(names) != len(own):
        raise ClassError(
            f"{plural(len(names), 'class', 'classes')} given, and the model has {len(own)}.",
            f"{order} Name each, or leave out --classes.",
        )
    if not all(names) or len(set(names)) < len(names):
        raise ClassError("A class name is empty or given twice.", order)
    stripped = [name.strip() for name in own]
    if names == stripped:
        return list(own), []
    if sorted(names) == sorted(stripped):
        return list(own), [
            f"The classes were given in another order than the model's, which is kept: {shown}."
        ]
    changes = [(old, new) for old, new in zip(stripped, names, strict=True) if old != new]
    for old, new in changes:
        if new in stripped:
            raise ClassError(
                f"'{clean(new)}' was given for the class '{clean(old)}', "
                "and another class of the model has that name.",
                f"{order} Give new names in that order, or leave out --classes.",
            )
    renamed = ", ".join(f"'{clean(old)}' to '{clean(new)}'" for old, new in changes)
    return names, [f"Renamed, because the model calls them otherwise: {renamed}."]
