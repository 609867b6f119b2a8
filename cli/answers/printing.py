"""What a program gets that asks with `--json`: its answer alone on standard output.

One mechanism for every command. While a program asks (`for_program`), all that `cli.output` prints
for people goes to standard error. A command answers by `say_json`, one that tells things as they
happen by `say_event`, a line for each. Whatever ends with an error and without an answer is
answered by an `error` object, made of what was said of it; docs/json.md has the shapes.
"""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, TextIO

from core.late import late
from core.privacy.secrets import redact_json

if TYPE_CHECKING:
    import json
else:
    json = late("json")


@dataclass
class _State:
    """`stream`: one line an answer; `answers` counts them; `last` is whether no more can follow."""

    asked: bool = False
    stream: bool = False
    answers: int = 0
    last: bool = False
    wrong: tuple[str, str] = ("", "")


_state = _State()


@contextlib.contextmanager
def for_program(asked: bool) -> Iterator[None]:
    """Answer a program for the time of the `with`, if `asked`; a nested one goes on with it."""
    global _state
    before = _state
    if not before.asked:
        _state = _State(asked)
    try:
        yield
    finally:
        _state = before


def asks(words: Sequence[str]) -> bool:
    """Return whether the words of a command line ask for JSON, before anything is parsed."""
    given = words[: list(words).index("--")] if "--" in words else words
    return "--json" in given


def asked() -> bool:
    """Return whether a program asks."""
    return _state.asked


def words_to() -> TextIO:
    """Return where words for people go: standard error while a program asks."""
    return sys.stderr if _state.asked else sys.stdout


def stream() -> None:
    """Let all answers of this command be events, if a program asks: the command tells several."""
    _state.stream = _state.asked


def streaming() -> bool:
    """Return whether a program reads events, a line each."""
    return _state.stream


def say_json(value: Any) -> None:
    """Print the answer, `value` as JSON in ASCII; in a stream an object is its `result` event."""
    if _state.stream:
        say_event("result", last=True, **value)
        return
    _print(value, indent=2)
    _state.last = True


def say_event(kind: str, /, *, last: bool = False, **fields: Any) -> None:
    """Print one event on a line of its own, with its `type` and, as `at`, when it was.

    The `last` one tells the end, an error with it.
    """
    _print({"type": kind, "at": now(), **fields})
    _state.last = last
    sys.stdout.flush()


def now() -> str:
    """Return the time as programs get it: ISO 8601, UTC, to the millisecond."""
    return iso(datetime.now(UTC).timestamp())


def iso(seconds: float) -> str:
    """Return a Unix time as ISO 8601 in UTC, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def note_error(message: str, hint: str) -> None:
    """Remember what was said to be wrong, for `close`."""
    _state.wrong = (message, hint)


def close(code: int) -> None:
    """Tell a program how a command with the exit code `code` failed, unless it was answered."""
    if not _state.asked or not code or _state.last:
        return
    message, hint = _state.wrong
    error = {"message": message, "hint": hint, "exit_code": int(code)}
    _print({"type": "error", "at": now(), "error": error})
    _state.last = True
    sys.stdout.flush()


def answered() -> int:
    """Return how many answers and events were printed since a program asked."""
    return _state.answers


def _print(value: Any, indent: int | None = None) -> None:
    """Print `value`, in which no control character can hide, nor a secret."""
    try:
        text = json.dumps(value, indent=indent, default=_plain, allow_nan=False)
    except ValueError:
        text = json.dumps(_finite(value), indent=indent, default=_plain)
    # Of the control characters JSON lets DEL stand as it is (RFC 8259, 7), and so does Python.
    sys.stdout.write(redact_json(text).replace("\x7f", "\\u007f") + "\n")
    _state.answers += 1


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return value.value if isinstance(value, Enum) else str(value)


def _finite(value: Any) -> Any:
    """Return `value` with null for what JSON has no number for: not a number, and infinity."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value
