"""Names that differ and look the same: letters of other scripts in the place of Latin ones.

A project with `hook` and `hооk` (Cyrillic о) has two classes, and nobody sees why. Unicode's
skeletons tell them (UTS #39, section 4: NFD, each letter replaced by its prototype, NFD); of its
confusables.txt (https://www.unicode.org/Public/security/latest/confusables.txt) these are the
Cyrillic and Greek letters whose prototype is one Latin letter that a terminal's font draws alike.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable

_CYRILLIC = (
    "асԁеһіјӏорԛѕѵԝхуАВЕЅІЈКМНОРСТХУԚԜҮ", "acdehijlopqsvwxyABESIJKMHOPCTXYQWY",
)  # fmt: skip
_GREEK = "αγινορυΑΒΕΖΗΙΚΜΝΟΡΤΥΧϲϹϳ", "ayivopuABEZHIKMNOPTYXcCj"
_PROTOTYPES = str.maketrans(
    {letter: latin for pair in (_CYRILLIC, _GREEK) for letter, latin in zip(*pair, strict=True)}
)


def skeleton(name: str) -> str:
    """Return what `name` looks like: equal for two names that cannot be told apart."""
    shown = unicodedata.normalize("NFD", name).translate(_PROTOTYPES)
    return unicodedata.normalize("NFD", shown)


def look_alikes(names: Iterable[str]) -> list[list[str]]:
    """Return the groups of different `names` that look the same, in their order."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name in dict.fromkeys(names):
        groups[skeleton(name)].append(name)
    return [group for group in groups.values() if len(group) > 1]


def odd_letters(name: str) -> str:
    """Say which letters of `name` are not what they look like, such as `CYRILLIC SMALL LETTER O`.

    Empty for a name without any.
    """
    odd = dict.fromkeys(char for char in name if ord(char) in _PROTOTYPES)
    return ", ".join(unicodedata.name(char, f"U+{ord(char):04X}") for char in odd)
