"""The part of a filter that speaks of boxes: who made them, how sure a model was, what is open.

What is said of boxes holds for one and the same: `class:crane source:model score:<0.6` finds images
with a crane that a model proposed at less than 0.6. `is:open` and `is:rejected` speak of
suggestions, `source:` and `is:edited` of labels; `model:` and `score:` alone of either, a label or
a suggestion that is open.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

SOURCES = ("import", "person", "model", "interpolation")
Comparison = Literal["<", "<=", ">", ">=", "="]
_SCORE = re.compile(r"(?P<how><=|>=|<|>|=|)(?P<value>\d*\.?\d+|\d+\.)")
_RANGE = re.compile(r"(?P<low>\d*\.?\d+)(?:-|\.\.)(?P<high>\d*\.?\d+)")


@dataclass(frozen=True)
class BoxFilter:
    """What must be true of a box; everything that is given.

    `sources` and `models` match when one of them does, a model by a part of its name whatever the
    case; `scores` are comparisons that all hold. `edited`: a person changed the label after it
    came. `open` and `rejected`: it is a suggestion in that state.
    """

    sources: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    scores: tuple[tuple[Comparison, float], ...] = ()
    edited: bool = False
    open: bool = False
    rejected: bool = False

    @property
    def empty(self) -> bool:
        """Whether nothing is said of boxes."""
        return self == BoxFilter()


def parse_scores(text: str) -> tuple[tuple[Comparison, float], ...] | None:
    """Return the comparisons that `<0.6`, `>=0.3`, `0.3-0.6` or `0.5` mean, None for no such.

    A comparison that has no number yet, while it is typed, is none: an empty tuple.
    """
    if text in ("<", "<=", ">", ">=", "="):
        return ()
    if between := _RANGE.fullmatch(text):
        return (">=", float(between["low"])), ("<=", float(between["high"]))
    found = _SCORE.fullmatch(text)
    if found is None or not math.isfinite(float(found["value"])):
        return None
    how: Comparison = found["how"] or "="  # type: ignore[assignment]
    return ((how, float(found["value"])),)


def clauses(
    wanted: BoxFilter, labels: Sequence[int] | None, classes: Sequence[int] | None
) -> tuple[list[str], list[object]]:
    """Return SQL conditions on an image `i`, and their values.

    `labels` and `classes` are ids that the box must have one of, None for any that is visible.
    """
    found: list[str] = []
    values: list[object] = []

    def add(*parts: tuple[str, list[object]]) -> None:
        found.append("(" + " OR ".join(text for text, _ in parts) + ")")
        for _, more in parts:
            values.extend(more)

    if wanted.sources or wanted.edited:
        add(_labelled(wanted, labels))
    if wanted.open:
        add(_suggested(wanted, classes, "open"))
    if wanted.rejected:
        add(_suggested(wanted, classes, "rejected"))
    if not found and not wanted.empty:
        add(_labelled(wanted, labels), _suggested(wanted, classes, "open"))
    return found, values


def _labelled(wanted: BoxFilter, labels: Sequence[int] | None) -> tuple[str, list[object]]:
    where, values = _common(wanted)
    if labels is None:
        where.append("label_id IN (SELECT id FROM labels WHERE class_id IS NOT NULL)")
    else:
        where.append("label_id IN (SELECT value FROM json_each(?))")
        values.append(json.dumps(list(labels)))
    if wanted.sources:
        where.append("coalesce(source, 'import') IN (SELECT value FROM json_each(?))")
        values.append(json.dumps(wanted.sources))
    if wanted.edited:
        where.append("edited = 1")
    where.append("deleted = 0")
    return f"i.id IN (SELECT image_id FROM annotations WHERE {' AND '.join(where)})", values


def _suggested(
    wanted: BoxFilter, classes: Sequence[int] | None, state: str
) -> tuple[str, list[object]]:
    where, values = _common(wanted)
    if classes is not None:
        where.append("class_id IN (SELECT value FROM json_each(?))")
        values.append(json.dumps(list(classes)))
    # The state in the text of the query: the index of open suggestions is found by it.
    where.append(f"state = '{state}'")
    return f"i.id IN (SELECT image_id FROM v_suggestions WHERE {' AND '.join(where)})", values


def _common(wanted: BoxFilter) -> tuple[list[str], list[object]]:
    where: list[str] = []
    values: list[object] = []
    if wanted.models:
        where.append("(" + " OR ".join(["model LIKE ? ESCAPE '\\'"] * len(wanted.models)) + ")")
        values += [f"%{like(name)}%" for name in wanted.models]
    for how, value in wanted.scores:
        where.append(f"score {how} ?")
        values.append(value)
    return where, values


def like(text: str) -> str:
    """Return text for SQL's LIKE with `\\` as the escape: it stands for itself."""
    return re.sub(r"([\\%_])", r"\\\1", text)
