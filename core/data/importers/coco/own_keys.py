"""What Batman's own COCO files say beyond COCO: where boxes are from, and what was reviewed.

It lies under the one key `batman` of an image and of an annotation, which pycocotools, supervision
and rfdetr pass over (docs/exporting.md lists its keys).
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from core.data.labels.provenance import (
    Made,
    Reviewed,
    reviewed_of,
    score_of,
    source_of,
    text_of,
)

KEY = "batman"


class OfBox(msgspec.Struct, gc=False, omit_defaults=True):
    """Where a box is from; `track` is an object of the image's `group`, `approved` its approval."""

    source: Any = None
    model: Any = None
    score: Any = None
    edited: bool = False
    track: Any = None
    approved: bool = False


class OfImage(msgspec.Struct, gc=False, omit_defaults=True):
    """The review of an image, the video (or other group) it is of, and the second there."""

    review: Any = None
    reviewed_at: Any = None
    reviewed_by: Any = None
    group: Any = None
    time: Any = None


_Kind = TypeVar("_Kind", OfBox, OfImage)


def box_said(value: Any) -> OfBox | None:
    """Return what is under the key of an annotation record, None for what is none of ours."""
    return _said(value, OfBox)


def image_said(value: Any) -> OfImage | None:
    """Return what is under the key of an image record, None for what is none of ours."""
    return _said(value, OfImage)


def made_of(said: OfBox, group: str | None) -> Made:
    """Return where a box is from; an object is followed within a group only."""
    model = source_of(said.source) == "model"
    track = said.track
    known = isinstance(track, int | str) and not isinstance(track, bool) and group is not None
    return Made(
        source=source_of(said.source),
        model=text_of(said.model) if model else None,
        score=score_of(said.score) if model else None,
        edited=said.edited,
        track=(group or "", str(track)) if known else None,
    )


def review_of(said: OfImage) -> Reviewed | None:
    """Return the review of an image."""
    return reviewed_of(said.review, said.reviewed_at, said.reviewed_by)


def group_of(said: OfImage) -> tuple[str | None, float | None]:
    """Return the group of an image and its time in seconds there."""
    time = said.time
    second = isinstance(time, int | float) and not isinstance(time, bool) and time >= 0
    return text_of(said.group), float(time) if second and text_of(said.group) else None


def _said(value: Any, kind: type[_Kind]) -> _Kind | None:
    if not isinstance(value, dict):
        return None
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return None
