"""The edits of a picture's labels, as the page, the app and the command line say them.

Each is a JSON object with `op`; boxes are `[x, y, w, h]` in pixels of the upright picture, classes
and rows are numbers. `was` is what whoever edits believed to be there: an edit of something that
was changed meanwhile is refused instead of written over.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from core.data.labels.view import Edges, LabelError


class Known(msgspec.Struct, frozen=True):
    """A label as it was seen."""

    box: Edges
    class_id: int = msgspec.field(name="class")


class Add(msgspec.Struct, frozen=True, tag_field="op", tag="add"):
    """Draw a box."""

    class_id: int = msgspec.field(name="class")
    box: Edges
    track: int | None = None


class Set(msgspec.Struct, frozen=True, tag_field="op", tag="set"):
    """Give a label another box, class or track; what is not named stays."""

    id: int
    was: Known
    box: Edges | None = None
    class_id: int | None = msgspec.field(name="class", default=None)
    track: int | UnsetType | None = UNSET


class Delete(msgspec.Struct, frozen=True, tag_field="op", tag="delete"):
    """Remove a label."""

    id: int
    was: Known


class Accept(msgspec.Struct, frozen=True, tag_field="op", tag="accept"):
    """Make a label of a suggestion, with another box or class where it was mended first."""

    id: int
    box: Edges | None = None
    class_id: int | None = msgspec.field(name="class", default=None)


class Reject(msgspec.Struct, frozen=True, tag_field="op", tag="reject"):
    """Say that a suggestion is wrong: it is not made again."""

    id: int


class Reopen(msgspec.Struct, frozen=True, tag_field="op", tag="reopen"):
    """Ask again about a suggestion that was rejected."""

    id: int


class Review(msgspec.Struct, frozen=True, tag_field="op", tag="review"):
    """Say that a picture is done, to be looked at later, or (None) to do again."""

    state: Literal["done", "later"] | None


class Copy(msgspec.Struct, frozen=True, tag_field="op", tag="copy"):
    """Draw the boxes of another picture here, those left out that are here already."""

    image_id: int = msgspec.field(name="image")


Op = Add | Set | Delete | Accept | Reject | Reopen | Review | Copy


def parse_ops(data: bytes | str | object) -> list[Op]:
    """Return the edits of a JSON text, or of what was read from one.

    Raises `LabelError` that says what is wrong with them.
    """
    try:
        if isinstance(data, bytes | str):
            return msgspec.json.decode(data, type=list[Op])
        return msgspec.convert(data, type=list[Op])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise LabelError(f"That is no list of edits: {error}.", "See docs/labelling.") from None
