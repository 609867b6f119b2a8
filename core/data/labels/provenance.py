"""Where boxes are from and what was reviewed, as a data set says it: checked, for the store.

What another program or a person wrote into a file is taken where it makes sense, and else is none:
a box of an unknown source is one of the import, a score outside 0 to 1 is no score.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

Source = Literal["person", "model", "interpolation"]
_SOURCES: tuple[Source, ...] = ("person", "model", "interpolation")
_LONGEST = 500


class Made(msgspec.Struct, frozen=True, gc=False):
    """Where a box is from, as columns of `annotations` have it; no source: the import's.

    `track` names an object through a video: the video (`images.grp`), and its key in this data set.
    """

    source: Source | None = None
    model: str | None = None
    score: float | None = None
    edited: bool = False
    track: tuple[str, str] | None = None


class Reviewed(msgspec.Struct, frozen=True, gc=False):
    """The review of an image: done or put off, when (ISO 8601, UTC) and by whom."""

    state: Literal["done", "later"]
    at: str | None = None
    by: str | None = None


class Track(msgspec.Struct, frozen=True, gc=False):
    """An object through the pictures of a video: the number of its label, and its approval."""

    label: int | None = None
    approved: bool = False


def source_of(value: Any) -> Source | None:
    """Return a source that the store has, None for any other value."""
    return value if value in _SOURCES else None


def text_of(value: Any) -> str | None:
    """Return a short text that SQLite can hold, None for anything else."""
    if not isinstance(value, str) or not value or len(value) > _LONGEST or "\0" in value:
        return None
    try:
        value.encode()
    except UnicodeEncodeError:
        return None
    return value


def score_of(value: Any) -> float | None:
    """Return a number from 0 to 1, None for anything else."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if number and math.isfinite(value) and 0 <= value <= 1 else None


def reviewed_of(state: Any, at: Any = None, by: Any = None) -> Reviewed | None:
    """Return a review, None for a state that is none; a time that is none is left out."""
    if state not in ("done", "later"):
        return None
    return Reviewed(state, time_of(at), text_of(by))


def time_of(value: Any) -> str | None:
    """Return a time as the store has it (UTC, with its zone), None for what is no time."""
    try:
        when = datetime.fromisoformat(value)
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    except (TypeError, ValueError, OverflowError):
        return None
