"""What a person types to filter a list, in pieces: words, and `key:value` or `key>value`.

The run list and the image list each have their own keys and say what they mean
(`core.training.run_list.filter`, `core.data.images.filter`); how a text falls into terms is here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

# Between quotes a doubled quote stands for itself, as in SQL and CSV; one that is not closed yet,
# while somebody types, reaches to the end.
_QUOTED = r'"(?:[^"]|"")*"?'


@dataclass(frozen=True)
class Token:
    """One term of a filter.

    `text` is the term as it was typed, `minuses` aside: how many of those stand before it. A word
    has no `key` and no `operator`. `value` is what is meant, without its quotes; it is empty for a
    key that is still being typed.
    """

    text: str
    key: str | None
    operator: str
    value: str
    minuses: int = 0


class Tokenizer:
    """Takes filters of one language apart.

    `keys` are the names that may stand before an operator, None for whatever begins with a letter;
    `operators` what may stand between key and value. With `rich`, quotes count anywhere in a
    word, and a minus in front of a term is told from it; without, they are characters like others,
    but for quotes around a whole value.
    """

    def __init__(self, keys: Iterable[str] | None, operators: Iterable[str], *, rich: bool) -> None:
        name = r"[A-Za-z][\w-]*" if keys is None else "|".join(map(re.escape, keys))
        # Of two that begin alike the longer one is meant.
        how = "|".join(map(re.escape, sorted(operators, key=len, reverse=True)))
        piece = rf'(?:[^\s"]|{_QUOTED})'
        minus, value, word = (
            (r"-*(?=\S)", f"{piece}*", f"{piece}+") if rich else ("", rf"{_QUOTED}|\S*", r"\S+")
        )
        self._rich = rich
        self._token = re.compile(
            rf"(?P<minus>{minus})(?:(?P<key>{name})(?P<how>{how})(?P<value>{value})|(?P<word>{word}))"
        )

    def tokens(self, text: str) -> Iterator[Token]:
        """Yield the terms of `text` in order; never raises."""
        for found in self._token.finditer(text):
            typed = found[0][len(found["minus"]) :]
            value = found["value"] if found["key"] else found["word"]
            if found["key"] or self._rich:
                value = _unquoted(value, anywhere=self._rich)
            yield Token(typed, found["key"], found["how"] or "", value, len(found["minus"]))


def _unquoted(value: str, *, anywhere: bool) -> str:
    if not anywhere and not value.startswith('"'):
        return value
    return re.sub(_QUOTED, lambda part: _inside(part[0]), value)


def _inside(quoted: str) -> str:
    # The opening quote is there; the closing one, unless all quotes after it are doubled.
    closed = quoted.count('"') % 2 == 0
    return quoted[1 : -1 if closed else None].replace('""', '"')
