"""A picture with what is on it: boxes with their class, and what became of each.

The one form in which images, findings, evaluations and predictions are looked at; no widget.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from batman_tui.pictures.window import Box, Size, Window
from batman_tui.widgets.picture.marks import Mark, Pen
from core.data.images.class_colours import Colour

if TYPE_CHECKING:
    from PIL.Image import Image

Kind = Literal["label", "open", "right", "found", "wrong", "missed"]
"""A label; a suggestion that nobody looked at; a prediction that is right, and the object that it
found; a prediction where no such object is; an object that was not found."""

PENS: dict[Kind, Pen] = {
    "label": "solid", "open": "dotted", "right": "quiet", "found": "faint", "wrong": "heavy",
    "missed": "missed",
}  # fmt: skip

# What is wrong lies over what is right, and predictions over what they found.
_ORDER: tuple[Kind, ...] = ("found", "label", "right", "open", "missed", "wrong")
FEW = 16
"""With more boxes on a picture than this objects that were found are not drawn."""
WRONG: tuple[Kind, ...] = ("wrong", "missed")


@dataclass(frozen=True)
class SceneBox:
    """A box in pixels of the picture: left, top, width, height."""

    box: Box
    name: str
    colour: Colour
    kind: Kind = "label"
    score: float | None = None
    note: str = ""
    """What stands before its class, such as the number of a track."""

    @property
    def is_wrong(self) -> bool:
        """Whether it says that somebody was wrong."""
        return self.kind in WRONG


@dataclass(frozen=True)
class Scene:
    """A picture in `file` of `size` pixels, in which its boxes are too.

    Where it is no file of its own, such as a frame of a video, `read` returns it (in a thread, RGB)
    and `file` is what it is known by.
    """

    file: Path
    size: Size
    boxes: tuple[SceneBox, ...] = ()
    title: str = ""
    facts: str = ""
    read: Callable[[], Image] | None = field(default=None, compare=False)
    drawn: bool = False
    """Whether boxes are part of the picture itself: nothing is counted then."""

    @property
    def count_wrong(self) -> tuple[int, int]:
        """How many objects were missed, and how many predictions are too many."""
        counts = Counter(box.kind for box in self.boxes)
        return counts["missed"], counts["wrong"]

    @property
    def classes(self) -> list[str]:
        """The classes on it, the most frequent first."""
        return [name for name, _ in counted(self.boxes)]


def counted(boxes: Iterable[SceneBox]) -> list[tuple[str, int]]:
    """Return how many boxes of each class there are, the most frequent first."""
    found = Counter(box.name for box in boxes)
    return sorted(found.items(), key=lambda item: (-item[1], item[0]))


@dataclass(frozen=True)
class Look:
    """Which boxes are wanted: none, the wrong ones, those of one class, or not of some."""

    hidden: bool = False
    only_wrong: bool = False
    alone: str | None = None
    off: frozenset[str] = frozenset()

    def shows(self, box: SceneBox) -> bool:
        """Return whether a box is to be drawn."""
        if self.hidden or (self.only_wrong and not box.is_wrong):
            return False
        return box.name == self.alone if self.alone is not None else box.name not in self.off

    def toggled(self, name: str) -> Look:
        """Return the look with a class off, or on again."""
        return Look(self.hidden, self.only_wrong, None, self.off ^ {name})

    def next_alone(self, classes: Sequence[str], by: int) -> Look:
        """Return the look at the next class alone (`by` 1) or the one before; all come between."""
        ring = [None, *classes]
        at = ring.index(self.alone) if self.alone in ring else 0
        return Look(False, self.only_wrong, ring[(at + by) % len(ring)], frozenset())


def shown_boxes(scene: Scene, look: Look) -> list[SceneBox]:
    """Return the boxes to be drawn, what matters most last; large ones before small ones.

    Objects that were found are drawn beside what found them only where there are few.
    """
    shown = [each for each in scene.boxes if look.shows(each)]
    if len(shown) > FEW:
        shown = [each for each in shown if each.kind != "found"]
    return sorted(
        shown,
        key=lambda each: (_ORDER.index(each.kind), -each.box[2] * each.box[3]),
    )


def marks(boxes: Sequence[SceneBox], window: Window) -> list[Mark]:
    """Return how boxes are drawn in a window on their picture."""
    return [Mark(window.view_corners(each.box), each.colour, PENS[each.kind]) for each in boxes]
