"""JSON and TOML of files that anybody may have written: whatever is wrong is one kind of error.

The libraries have several kinds for it: one of their own, one for bytes that are no UTF-8, one for
numbers of thousands of digits, one for brackets that are nested thousands of levels deep.
"""

from __future__ import annotations

import tomllib
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

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
