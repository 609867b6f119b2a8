"""What in a filter cannot be meant: a term, a value or a class that there is not, with a guess."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from core.common.text import clean, did_you_mean, sentence
from core.data.images.filter.boxes import SOURCES, parse_scores
from core.data.images.filter.find import KEYS, SPLIT_NAMES, STATES, TOKENS, find_classes

if TYPE_CHECKING:
    from core.common.tokenizer import Token
    from core.data.store import Project

# A word that looks like a term; a Windows drive or a time of day in a file's name does not.
_TERM = re.compile(r"(?P<key>[A-Za-z][A-Za-z_-]+):(?P<value>.*)")


def filter_problems(
    project: Project, text: str, findings: Collection[str] | None = None
) -> Iterator[tuple[str, str]]:
    """Yield a sentence and a way out for each term of `text` that cannot match an image.

    `findings` are the kinds that a check found, None while none has run. A term that is still
    being typed (`class:`) is none of them.
    """
    for token in TOKENS.tokens(text):
        if token.key is None:
            found = _TERM.fullmatch(token.value)
            if found:
                yield _unknown(
                    f"There is no '{found['key']}:' in a filter", found["key"], KEYS,
                    "The terms are", f"For a name that holds it: name:{token.value}",
                )  # fmt: skip
        elif token.value:
            yield from _value(project, token, findings)


def _value(
    project: Project, token: Token, findings: Collection[str] | None
) -> Iterator[tuple[str, str]]:
    value, low = token.value, token.value.lower()
    if token.key == "class" and not find_classes(project, [value]):
        names = [row[0] for row in project.db.execute("SELECT name FROM classes ORDER BY name")]
        yield _unknown(f"The project has no class '{value}'", value, names, "It has")
    elif token.key == "split" and not any(name.startswith(low) for name in SPLIT_NAMES):
        yield _unknown(f"There is no split '{value}'", low, SPLIT_NAMES, "The splits are")
    elif token.key == "import":
        ids = [str(row[0]) for row in project.db.execute("SELECT id FROM imports WHERE active = 1")]
        if value not in ids:
            yield _unknown(f"The project has no import '{value}'", value, ids, "It has")
    elif token.key == "is" and not any(word.startswith(low) for word in STATES):
        yield _unknown(f"'is:{value}' says nothing of an image", low, STATES, "There is is:")
    elif token.key == "source" and not any(name.startswith(low) for name in SOURCES):
        yield _unknown(f"No label comes from '{value}'", low, SOURCES, "Sources are")
    elif token.key == "score" and parse_scores(value) is None:
        yield f"'{clean(value)}' is no score.", "Write score:<0.6, score:>=0.3 or score:0.3-0.6."
    elif token.key == "video":
        groups = project.db.execute("SELECT DISTINCT grp FROM v_images WHERE grp IS NOT NULL")
        names = [row[0] for row in groups]
        if value not in names:
            yield _unknown(f"The project has no video '{value}'", value, names, "It has")
    elif token.key == "finding" and findings is not None and value not in findings:
        yield _unknown(f"The check found no '{value}'", value, findings, "It found")


def _unknown(
    text: str, word: str, known: Collection[str], there: str, more: str = ""
) -> tuple[str, str]:
    listed = list(known)[:8]
    end = ", …" if len(known) > len(listed) else ""
    names = f"{there} {', '.join(map(clean, listed)) or 'none'}{end}."
    return f"{clean(text)}.", " ".join(
        part for part in (sentence(did_you_mean(word, known)), names, more) if part
    )
