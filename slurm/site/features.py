"""Features of nodes as constraints: `--constraint` of sbatch(1), held against what nodes have."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

from core.common.text import clean

_WORD = re.compile(r"[^&|,()\[\]*\s]+")
_TOKEN = re.compile(r"[&|,()\[\]]|\*\d+|[^&|,()\[\]*\s]+")


class NoConstraint(ValueError):
    """A text that is no constraint; the message says why."""


def feature_names(constraint: str) -> list[str]:
    """Return the features that a constraint names, each once. Raises `NoConstraint`."""
    _Reader(constraint).read(())
    return list(dict.fromkeys(_WORD.findall(re.sub(r"\*\d+", "", constraint))))


def fits(constraint: str, features: Collection[str]) -> bool:
    """Return whether a node with such features can be one of a job's. Raises `NoConstraint`.

    As SLURM reads it (held against 22.05): `&`, a comma and `|` from left to right, parentheses
    first; features are told apart by case. In brackets each part is for other nodes, so that any of
    them will do; of what some nodes only must have (`rack1*2`) the others need nothing.
    """
    return not constraint.strip() or _Reader(constraint).read(features)


def joined(constraints: Iterable[str]) -> str:
    """Return one constraint that asks for all of them; what stands there twice stands once."""
    parts: list[str] = []
    for constraint in constraints:
        text = constraint.strip()
        plain = not re.search(r"[|\[\]()*]", text)
        for part in re.split(r"[&,]", text) if plain else [text]:
            if part and part not in parts:
                parts.append(part)
    if len(parts) < 2:
        return "".join(parts)
    return "&".join(f"({part})" if "|" in part and part[0] not in "([" else part for part in parts)


def without(constraint: str, taken: str) -> str:
    """Return a constraint without what `taken`, joined to it by `joined`, asks for."""
    if not taken or constraint == taken:
        return "" if taken else constraint
    gone = set(joined([taken]).split("&")) | {f"({taken})"}
    return "&".join(part for part in constraint.split("&") if part not in gone)


class _Reader:
    """Reads a constraint from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._left: Sequence[str] = _TOKEN.findall(text)
        if "".join(self._left) != text.strip():
            raise NoConstraint(f"'{clean(text)}' is no constraint: write a100&rack1")

    def read(self, features: Collection[str]) -> bool:
        value = self._several(features, any_=False)
        if self._left:
            raise NoConstraint(f"'{clean(self._text)}': '{clean(self._left[0])}' closes nothing")
        return value

    def _several(self, features: Collection[str], *, any_: bool) -> bool:
        value = self._one(features)
        while self._left and self._left[0] in ("&", ",", "|"):
            sign, *self._left = self._left
            other = self._one(features)
            value = value or other if any_ or sign == "|" else value and other
        return value

    def _one(self, features: Collection[str]) -> bool:
        if not self._left or self._left[0] in ("&", ",", "|", ")", "]"):
            raise NoConstraint(f"'{clean(self._text)}': a feature is missing")
        first, *self._left = self._left
        if first in ("(", "["):
            value = self._several(features, any_=first == "[")
            if not self._left or self._left[0] != {"(": ")", "[": "]"}[first]:
                raise NoConstraint(f"'{clean(self._text)}': '{first}' is not closed")
            self._left = self._left[1:]
        elif first.startswith("*"):
            raise NoConstraint(f"'{clean(self._text)}': a feature is missing before '{first}'")
        else:
            value = first in features
        if self._left and self._left[0].startswith("*"):
            self._left = self._left[1:]
            return True
        return value
