"""One picture while a person labels it: what is shown, what is chosen, what each key means.

No terminal and no project here: every command gives the edits that `core.data.labels.edit` is to
do, and `take` puts in what came of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from batman_tui.label.drag import nudged
from batman_tui.pictures.window import Box, Point, clipped
from core.data.labels.edit import Edited
from core.data.labels.least_score import SHOWN
from core.data.labels.ops import Accept, Add, Copy, Delete, Known, Op, Reject, Review, Set
from core.data.labels.view import LabelBox, PictureLabels, SuggestionBox

Kind = Literal["suggestion", "label"]

STEP = 0.05
"""How far one key moves the threshold."""


class Key(NamedTuple):
    """Which of the boxes is meant."""

    kind: Kind
    id: int


@dataclass(frozen=True)
class Thing:
    """A box on the picture, as it is shown: a label, or a suggestion with its score.

    `box` is as it was mended so far; `origin` says where it comes from.
    """

    key: Key
    class_id: int
    box: Box
    score: float | None
    origin: str

    @property
    def open(self) -> bool:
        """Return whether it is a suggestion."""
        return self.key.kind == "suggestion"


class PictureSession:
    """The picture in hand.

    `least` is the least score of the suggestions that are shown, `class_id` the class of the next
    box, `hidden` whether boxes are out of sight for the moment; `first` are the boxes to look at
    before all others.
    """

    def __init__(
        self,
        picture: PictureLabels,
        least: float = SHOWN,
        class_id: int = 0,
        first: Sequence[Key] = (),
    ) -> None:
        self.picture = picture
        self.least = least
        self.class_id = class_id
        self._first = {key: place for place, key in enumerate(first)}
        self.hidden = False
        self.chosen: Key | None = None
        self.draft: Box | None = None
        """The chosen box as it was mended, until that is saved."""
        self.drawing: Box | None = None
        """The new box that is being drawn with the mouse."""
        self._things: list[Thing] = []
        self._things_for: object = None

    # What there is

    @property
    def size(self) -> tuple[int, int]:
        """The picture's width and height."""
        return self.picture.width, self.picture.height

    def suggestions(self) -> list[SuggestionBox]:
        """Return the suggestions that are shown, the least sure first."""
        shown = [each for each in self.picture.suggestions if each.score >= self.least]
        return sorted(shown, key=lambda each: (each.score, each.id))

    def things(self) -> list[Thing]:
        """Return what is shown in the order of Tab: what is worth a look, then suggestions, the
        least sure first, then labels from the top down.
        """
        wanted = (self.picture, self.least, self.draft, self.chosen if self.draft else None)
        if self._things_for != wanted:
            self._things, self._things_for = self._in_order(), wanted
        return self._things

    def _in_order(self) -> list[Thing]:
        labels = sorted(self.picture.boxes, key=lambda each: (each.box[1], each.box[0], each.id))
        found = [
            Thing(
                Key("suggestion", each.id),
                each.class_id,
                each.box,
                each.score,
                f"{each.labeller} {each.model}".strip(),
            )
            for each in self.suggestions()
        ]
        found += [
            Thing(Key("label", each.id), each.class_id, each.box, each.score, _origin(each))
            for each in labels
        ]
        found.sort(key=lambda each: self._first.get(each.key, len(self._first)))
        if self.draft is None:
            return found
        return [
            Thing(each.key, each.class_id, self.draft, each.score, each.origin)
            if each.key == self.chosen
            else each
            for each in found
        ]

    @property
    def thing(self) -> Thing | None:
        """The chosen box."""
        return next((each for each in self.things() if each.key == self.chosen), None)

    def place(self) -> tuple[int, int]:
        """Return which of the shown boxes is chosen, from 1 (0 for none), and how many there are.

        Counted among suggestions, or among labels when one of those is chosen.
        """
        thing = self.thing
        kind = "suggestion" if thing is None and self.suggestions() else "label"
        keys = [
            each.key
            for each in self.things()
            if each.key.kind == (thing.key.kind if thing is not None else kind)
        ]
        return (keys.index(thing.key) + 1 if thing is not None else 0), len(keys)

    # Choosing

    def choose(self, key: Key | None) -> list[Op]:
        """Choose another box; returns what saves the one before, if it was mended."""
        ops = self.settle()
        self.chosen = key
        return ops

    def step(self, by: int) -> list[Op]:
        """Choose the next box, or the one before; as `choose`."""
        keys = [each.key for each in self.things()]
        if not keys:
            return self.choose(None)
        if self.chosen not in keys:
            return self.choose(keys[0 if by > 0 else -1])
        return self.choose(keys[(keys.index(self.chosen) + by) % len(keys)])

    def _next_suggestion(self) -> None:
        """Choose the suggestion after the chosen one; none when it is the last there is."""
        keys = [Key("suggestion", each.id) for each in self.suggestions()]
        if self.chosen not in keys:
            return
        rest = [key for key in keys if key != self.chosen]
        at = keys.index(self.chosen)
        self.chosen = rest[at % len(rest)] if rest else None

    # Mending: the draft is shown at once and saved when keys rest

    def nudge(self, edge: str, by: Point) -> bool:
        """Push an edge of the chosen box out by `by` pixels of the picture; below 0, pull it in."""
        thing = self.thing
        if thing is None:
            return False
        self.draft = nudged(thing.box, edge, by, self.size)
        return True

    def put_edge(self, edge: str, at: Point) -> bool:
        """Put an edge of the chosen box to a place of the picture; past the other, they swap."""
        thing = self.thing
        if thing is None:
            return False
        left, top, right, bottom = _corners(thing.box)
        left, right = (at[0] if edge == "h" else left), (at[0] if edge == "l" else right)
        top, bottom = (at[1] if edge == "k" else top), (at[1] if edge == "j" else bottom)
        self.draft = clipped((left, top, right - left, bottom - top), self.size)
        return True

    def mend(self, box: Box) -> None:
        """Give the chosen box other edges."""
        self.draft = clipped(box, self.size)

    def put(self, box: Box) -> list[Op]:
        """Give the chosen box other edges, and return what saves them."""
        self.mend(box)
        return self.settle()

    def settle(self) -> list[Op]:
        """Return what saves the mended box, if it was: a suggestion that was mended is accepted."""
        box, thing = self.draft, self.thing
        self.draft = None
        if box is None or thing is None:
            return []
        before = self._before(thing.key)
        if before is None or before.box == box:
            return []
        if thing.open:
            return [Accept(thing.key.id, box=box)]
        return [Set(thing.key.id, Known(before.box, before.class_id), box=box)]

    def _before(self, key: Key | None) -> LabelBox | SuggestionBox | None:
        if key is None:
            return None
        rows: Sequence[LabelBox | SuggestionBox]
        rows = self.picture.suggestions if key.kind == "suggestion" else self.picture.boxes
        return next((each for each in rows if each.id == key.id), None)

    # Commands: each returns the edits, all of one step

    def add(self, box: Box) -> list[Op]:
        """Draw a box of the class that is set."""
        return [*self.settle(), Add(self.class_id, clipped(box, self.size))]

    def accept(self) -> list[Op]:
        """Say yes to the chosen suggestion as it is now, and choose the next one."""
        thing = self.thing
        if thing is None or not thing.open:
            return self.settle()
        box = self.draft
        self._next_suggestion()
        self.draft = None
        return [Accept(thing.key.id, box=box)]

    def reject(self) -> list[Op]:
        """Say no to the chosen suggestion, and choose the next one."""
        thing = self.thing
        if thing is None or not thing.open:
            return self.settle()
        self._next_suggestion()
        self.draft = None
        return [Reject(thing.key.id)]

    def reject_all(self) -> list[Op]:
        """Say no to every suggestion that is shown."""
        ids = [each.id for each in self.suggestions()]
        if self.thing is not None and self.thing.open:
            self.chosen = self.draft = None
        return [*self.settle(), *(Reject(number) for number in ids)]

    def accept_all(self) -> list[Op]:
        """Say yes to every suggestion that is shown, and that the picture is done."""
        ops = self.settle()
        mended = {op.id for op in ops if isinstance(op, Accept)}
        ops += [Accept(each.id) for each in self.suggestions() if each.id not in mended]
        return [*ops, *self._reviewed("done")]

    def as_it_is(self) -> list[Op]:
        """Say that the picture is done; what is still proposed stays open."""
        return [*self.settle(), *self._reviewed("done")]

    def later(self) -> list[Op]:
        """Put the picture off, or take that back."""
        state: Literal["later"] | None = None if self.picture.review == "later" else "later"
        return [*self.settle(), Review(state)]

    def _reviewed(self, state: Literal["done"]) -> list[Op]:
        return [] if self.picture.review == state else [Review(state)]

    def classify(self, class_id: int) -> list[Op]:
        """Give the chosen box a class, or without one the next new box.

        A suggestion whose class was put right is accepted.
        """
        self.class_id = class_id
        thing = self.thing
        if thing is None or thing.class_id == class_id:
            return self.settle()
        box, before = self.draft, self._before(thing.key)
        self.draft = None
        if before is None:
            return []
        if thing.open:
            return [Accept(thing.key.id, box=box, class_id=class_id)]
        was = Known(before.box, before.class_id)
        return [Set(thing.key.id, was, box=box, class_id=class_id)]

    def delete(self) -> list[Op]:
        """Remove the chosen label; of a suggestion it is a no."""
        thing = self.thing
        if thing is None:
            return []
        if thing.open:
            return self.reject()
        before = self._before(thing.key)
        self.draft = self.chosen = None
        if before is None:
            return []
        return [Delete(thing.key.id, Known(before.box, before.class_id))]

    def copy_from(self, image_id: int) -> list[Op]:
        """Draw the boxes of another picture."""
        return [*self.settle(), Copy(image_id)]

    # What came of it

    def took(self, ops: Sequence[Op], edited: Edited) -> None:
        """Go on after `ops` were done: what was drawn or mended stays chosen, now as a label."""
        for op, row in zip(ops, edited.ids, strict=True):
            mended = isinstance(op, Accept) and self.chosen == Key("suggestion", op.id)
            if row is not None and (isinstance(op, Add) or mended):
                self.chosen = Key("label", row)
        self.take(edited.picture)

    def take(self, picture: PictureLabels) -> None:
        """Go on with the picture as it is now."""
        self.picture = picture
        self.draft = None
        if self._before(self.chosen) is None:
            self.chosen = None

    def move_threshold(self, steps: int) -> float:
        """Show suggestions from a lower or higher score on, and return it."""
        self.least = round(min(0.95, max(0.0, self.least + steps * STEP)), 2)
        if self.thing is None:
            self.chosen = None
        return self.least


def _corners(box: Box) -> Box:
    return box[0], box[1], box[0] + box[2], box[1] + box[3]


def _origin(label: LabelBox) -> str:
    said = {"import": "imported", "person": "drawn by hand", "interpolation": "between two frames"}
    origin = said.get(label.source, label.source)
    if label.source == "model":
        origin = f"from {label.model or 'a model'}"
    return f"{origin}, edited" if label.edited and label.source != "person" else origin
