"""The original Batman's words for where a box is from and what was reviewed, and ours.

`source` is `auto` (SAM 3 or its tracker), `manual`, `corrected` or the kind of an import, with
`confidence`; a frame has `is_approved` and `needs_review` (github.com/jugheadjones10/batman at
33dd202, `backend/app/models`). What these words cannot hold (the model's name, who reviewed and
when) stands beside them under `batman`, which counts only while the words still say the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from core.data.importers.coco.own_keys import KEY, OfBox, OfImage, box_said, image_said, made_of
from core.data.labels.provenance import Made, Reviewed, reviewed_of, score_of

# Approved, needs review.
_FLAGS = {"done": (True, False), "later": (False, True), None: (False, False)}


def word_of(made: Made) -> str | None:
    """Return the original's word for a source, None for that of an import as it came."""
    if made.source == "person":
        return "manual"
    if made.edited:
        return "corrected"
    return None if made.source is None else "auto"


def made_said(record: Mapping[str, Any], track: tuple[str, str] | None = None) -> Made:
    """Return where an annotation is from by what its record says."""
    word = record.get("source")
    own = box_said(record.get(KEY))
    if own is not None:
        made = msgspec.structs.replace(made_of(own, None), track=track)
        if word_of(made) in (word, None):
            return made
    score = score_of(record.get("confidence"))
    if word == "manual":
        return Made("person", track=track)
    if word in ("auto", "corrected"):
        return Made("model", None, score, word == "corrected", track)
    return Made(track=track)


def box_words(made: Made, record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the record of an annotation must say instead of what it says; {} if all is so.

    `made` is where the annotation is from now, without its track. An older project has nothing in
    its columns: then the record is right.
    """
    if made == Made() or made_said(record) == made:
        return {}
    words: dict[str, Any] = {}
    if (word := word_of(made)) is not None and word != record.get("source"):
        words["source"] = word
    if made.score is not None and made.score != record.get("confidence"):
        words["confidence"] = made.score
    if made_said({**record, KEY: None, **words}) != made:
        words[KEY] = OfBox(made.source, made.model, made.score, made.edited)
    return words


def review_said(record: Mapping[str, Any]) -> Reviewed | None:
    """Return the review of a frame by what its record says."""
    state = _state(record)
    own = image_said(record.get(KEY))
    if own is not None and own.review == state:
        return reviewed_of(state, own.reviewed_at, own.reviewed_by)
    return reviewed_of(state)


def frame_words(now: Reviewed | None, record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the record of a frame must say instead of what it says; {} if all is so."""
    if review_said(record) == now:
        return {}
    state = None if now is None else now.state
    words: dict[str, Any] = {}
    if state != _state(record):
        words["is_approved"], words["needs_review"] = _FLAGS[state]
    if now is not None and (now.at or now.by):
        words[KEY] = OfImage(state, now.at, now.by)
    return words


def _state(record: Mapping[str, Any]) -> str | None:
    if record.get("needs_review") is True:
        return "later"
    return "done" if record.get("is_approved") is True else None
