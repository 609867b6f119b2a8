"""JSON and TOML of files that anybody may have written: whatever is wrong is one kind of error.

The libraries have several kinds for it: one of their own, one for bytes that are no UTF-8, one for
numbers of thousands of digits, one for brackets that are nested thousands of levels deep. Of a
table of settings each entry is checked by itself, and what is wrong is told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from core.common.text import clean, did_you_mean
from core.late import late

if TYPE_CHECKING:
    import tomllib

    import msgspec
else:
    msgspec, tomllib = late("msgspec"), late("tomllib")

T = TypeVar("T")
# Returns the value of an entry. Raises ValueError that goes on behind the entry's name.
Check = Callable[[object], Any]

_TOO_DEEP = "it is nested too deeply"


class ParseError(ValueError):
    """A text that is not in its format; the error's text says in one line what is wrong."""


def parse_json(data: bytes | str, kind: type[T]) -> T:
    """Return the JSON in `data` as a value of the type `kind`. Raises `ParseError`."""
    try:
        return msgspec.json.decode(data, type=kind)
    except RecursionError:
        raise ParseError(_TOO_DEEP) from None
    except (msgspec.DecodeError, ValueError) as error:
        raise ParseError(str(error)) from None


def parse_toml(text: str) -> dict[str, Any]:
    """Return the TOML in `text`. Raises `ParseError`."""
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ParseError(_TOO_DEEP) from None
    except (ValueError, OverflowError) as error:
        raise ParseError(str(error)) from None


def read_entries(
    table: Mapping[str, object], checks: Mapping[str, Check], prefix: str = ""
) -> tuple[dict[str, Any], list[str]]:
    """Return the values of a TOML table that are right, and a sentence for each that is not.

    `checks` are the entries there may be; `prefix` stands before their names in the sentences.
    """
    values: dict[str, Any] = {}
    problems: list[str] = []
    for name, value in table.items():
        if name not in checks:
            guess = did_you_mean(str(name), checks)
            text = f"unknown entry '{prefix}{clean(str(name))}'; {guess}"
            problems.append(text.rstrip("; "))
            continue
        try:
            values[name] = checks[name](value)
        except ValueError as error:
            problems.append(f"{prefix}{name} {error}")
    return values, problems


def switch(value: object) -> bool:
    """Take true or false."""
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def text(value: object) -> str:
    """Take a text."""
    if not isinstance(value, str):
        raise ValueError("must be a text in quotes")
    return value


def one_of(choices: Sequence[str]) -> Check:
    """Return a check that takes one of a few words."""

    def check(value: object) -> str:
        if text(value) not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return text(value)

    return check


def names(example: str) -> Check:
    """Return a check that takes a list of texts, as a tuple; `example` is one in TOML."""

    def check(value: object) -> tuple[str, ...]:
        if not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
            raise ValueError(f"must be a list of names, such as {example}")
        return tuple(value)

    return check
