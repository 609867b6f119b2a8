"""Which of many names a few typed letters mean, quickly: tens of thousands at every key."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from heapq import nlargest
from typing import TypeVar

Item = TypeVar("Item")

# Between a name and what else it is called.
APART = "\x1f"

# So many words must be found as they are typed before letters in between are thought away.
ENOUGH = 8


def score(words: list[str], name: str, begins: int = 0) -> float:
    """Return how well a casefolded `name` that holds all `words` fits them.

    What begins the name counts most, then what begins a word in it; a whole word counts more than
    the beginning of one, and what stands early more than what stands late. Before `begins` stands
    where the thing is: how long that is says nothing of what is meant.
    """
    total = 0.0
    for word in words:
        at = name.find(word)
        while at > 0 and name[at - 1].isalnum():
            at = name.find(word, at + 1)
        if at < 0:  # only within words
            total += 1
            continue
        end = at + len(word)
        total += (3 if at == begins else 2) - abs(at - begins) / 200
        if end == len(name) or not name[end].isalnum():
            total += 0.5
    return total


def best(
    items: Iterable[Item],
    query: str,
    folded: Callable[[Item], str],
    most: int,
    begins: Callable[[Item], int] = lambda _: 0,
) -> list[tuple[float, Item]]:
    """Return the `most` items that fit `query` best, with their scores above 0, the best first.

    Of equals the earlier one comes first. `begins` says where in its text an item's name begins.
    All words must stand in the name, in any order. Where few have them, names that have the
    letters in that order follow, below the others.
    """
    words = query.casefold().split()
    if not words:
        return []
    items = list(items)
    first = words[0]
    hits = [item for item in items if first in folded(item)]
    for word in words[1:]:
        hits = [item for item in hits if word in folded(item)]
    # Only so many can be looked at; of very many the short ones are the likelier.
    if len(hits) > 2000:
        hits = sorted(hits, key=lambda item: len(folded(item)))[:2000]
    found = [(1 + score(words, folded(item), begins(item)), item) for item in hits]
    if len(found) < ENOUGH:
        letters = re.compile(".*?".join(map(re.escape, "".join(words))))
        known = {id(item) for item in hits}
        for item in items:
            name = folded(item).partition(APART)[0]
            if id(item) not in known and (match := letters.search(name)):
                found.append((1 / (1 + match.end() - match.start()), item))
    return nlargest(most, found, key=lambda pair: pair[0])


def places(query: str, name: str) -> list[int]:
    """Return the places of the letters in `name` for which it was found."""
    folded = name.casefold()
    if len(folded) != len(name):
        return []
    found: set[int] = set()
    for word in query.casefold().split():
        at = folded.find(word)
        if at < 0:
            letters, at = "".join(query.casefold().split()), -1
            found.clear()
            for letter in letters:
                at = folded.find(letter, at + 1)
                if at < 0:
                    return []
                found.add(at)
            return sorted(found)
        found.update(range(at, at + len(word)))
    return sorted(found)
