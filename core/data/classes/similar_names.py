"""Names of classes: which look like the same thing, and how they read under one convention."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from rapidfuzz.distance import OSA
from rapidfuzz.process import cdist

Convention = Literal["snake", "kebab", "space"]
_JOINER = {"snake": "_", "kebab": "-", "space": " "}
# Nobody sees them, and no name is another for them: a soft hyphen, a space without width, marks of
# the writing's direction. Joiners are no part of this, for scripts and emoji need them.
_UNSEEN = dict.fromkeys(
    [0xAD, 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2060, 0x206A), 0xFEFF]
)

# A typing error is looked for in names of this length and more, two in the longer ones: below it
# one letter tells cat from car, and boat from coat.
ONE_EDIT = 5
TWO_EDITS = 10


@dataclass(frozen=True)
class Suggestion:
    """Names that probably mean the same class.

    `target` is the one with most annotations, `sources` the others; `reason` is `spelling` when
    they differ only in case, separators or plural, else `typo`.
    """

    target: str
    sources: tuple[str, ...]
    reason: Literal["spelling", "typo"]
    annotations: int


def words(name: str) -> list[str]:
    """Split a name into lower-case words: at separators, and where `camelCase` changes case."""
    text = unicodedata.normalize("NFKC", name).translate(_UNSEEN)
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", text)
    found = [""]
    for char in text:
        if _in_word(char, found[-1]):
            found[-1] += char
        elif found[-1]:
            found.append("")
    return [word.casefold() for word in found if word]


def _in_word(char: str, before: str) -> bool:
    """Whether a character belongs to a word and does not merely stand between two.

    Beside letters and digits these are the marks that go with a letter (the vowels of Hindi and
    Thai, the skin of an emoji), and symbols that tell names apart: `< 5 mm` from `> 5 mm`, `C++`
    and `C#` from `C`. `before` is what the word has so far.
    """
    kind = unicodedata.category(char)
    if char in "+#" or kind in ("Mn", "Mc", "Me", "Cf") or "\U0001f3fb" <= char <= "\U0001f3ff":
        return bool(before)
    return char.isalnum() or char == "%" or (kind in ("Sm", "So", "Sc") and char not in "|~")


def key(name: str) -> str:
    """Return what spellings of one name have in common: its words, the last one in the singular.

    The plural rules are those of regular English nouns (-s, -es after a sibilant, -ies).
    """
    split = [re.sub("[\u200c\u200d\ufe00-\ufe0f]", "", word) for word in words(name)]
    if split:
        split[-1] = _singular(split[-1])
    return " ".join(split) or name.strip().casefold()


def convert(name: str, convention: Convention) -> str:
    """Return `name` under a convention: `crane_hook`, `crane-hook` or `crane hook`.

    A name without a single letter or digit is returned as it is.
    """
    return _JOINER[convention].join(words(name)) or name


def convention_mapping(names: Iterable[str], convention: Convention) -> dict[str, str]:
    """Return old → new for the names that a convention changes; two may become one."""
    return {name: new for name in names if (new := convert(name, convention)) != name}


def suggest(counts: Mapping[str, int]) -> list[Suggestion]:
    """Group names that look alike; `counts` gives the annotations of each name.

    First by `key`, then keys that are one edit apart (two for long ones, transpositions counting
    as one). Each rare key joins the commonest one that it resembles, never a chain, so that
    `cart` does not join `cat` by way of `card`. Names that differ in a digit or sign are
    different things. Groups with most annotations come first.
    """
    spelled: dict[str, list[str]] = {}
    for name in counts:
        spelled.setdefault(key(name), []).append(name)
    weight = {k: sum(counts[name] for name in names) for k, names in spelled.items()}
    keys = sorted(spelled, key=lambda k: (-weight[k], k))
    joined = _typos(keys)
    groups: dict[str, list[str]] = {}
    for k in keys:
        groups.setdefault(joined.get(k, k), []).append(k)
    found = []
    for members in groups.values():
        names = [name for k in members for name in spelled[k]]
        if len(names) < 2:
            continue
        names.sort(key=lambda name: (-counts[name], name))
        found.append(
            Suggestion(
                target=names[0],
                sources=tuple(names[1:]),
                reason="typo" if len(members) > 1 else "spelling",
                annotations=sum(counts[name] for name in names),
            )
        )
    return sorted(found, key=lambda item: (-item.annotations, item.target))


def _typos(keys: list[str]) -> dict[str, str]:
    """Return rare key → common key; `keys` has the commonest first."""
    candidates = [k for k in keys if len(k) >= ONE_EDIT - 1]
    joined: dict[str, str] = {}
    taken: set[str] = set()
    if len(candidates) < 2:
        return joined
    # Rows in blocks: 5,000 keys make 25 million distances, one byte each, 5 MB a block.
    for start in range(0, len(candidates), 1000):
        block = candidates[start : start + 1000]
        near = cdist(block, candidates, scorer=OSA.distance, score_cutoff=2, dtype=np.uint8)
        for row, column in zip(*np.nonzero(near <= 2), strict=True):
            common, rare = block[row], candidates[column]
            if (
                int(column) > start + int(row)
                and common not in joined
                and rare not in joined
                and rare not in taken
                and _same_but_for_a_slip(common, rare, int(near[row, column]))
            ):
                joined[rare] = common
                taken.add(common)
    return joined


def _same_but_for_a_slip(a: str, b: str, edits: int) -> bool:
    longest = max(len(a), len(b))
    allowed = 2 if longest >= TWO_EDITS else 1 if longest >= ONE_EDIT else 0
    # Numbers and signs: `< 5 mm` is no slip for `> 5 mm`.
    telling = [re.sub(r"[^\d<>=+#%±]+", " ", text).split() for text in (a, b)]
    return 0 < edits <= allowed and telling[0] == telling[1]


def _singular(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("ches", "shes", "xes", "sses", "zes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word
