"""The keys that are typed one after the other: an edge by a ruler, a new box by two corners."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from batman_tui.label.ruler import EDGES, LETTERS, NINE, ROWS, corner, place
from batman_tui.pictures.window import Point

Mode = Literal["", "edge", "ruler", "corners"]

_EDGE_NAMES = {"h": "left", "j": "bottom", "k": "top", "l": "right"}


@dataclass(frozen=True)
class EdgeAt:
    """An edge (`h j k l`) is to be at a share of the window."""

    edge: str
    share: float


@dataclass(frozen=True)
class NewBox:
    """A box is wanted between two corners, shares of the window."""

    first: Point
    second: Point


@dataclass(frozen=True)
class Typing:
    """What was typed so far; `typed` are the keys since the mode began, the edge not among them."""

    mode: Mode = ""
    edge: str = ""
    typed: str = ""
    wrong: str = ""
    """The last key, when it had no meaning here."""

    @property
    def active(self) -> bool:
        """Return whether keys are part of something begun, and not commands."""
        return bool(self.mode)

    def key(self, key: str) -> tuple[Typing, EdgeAt | NewBox | None]:
        """Return what comes of a key: the next state, and what is wanted once it is complete.

        `key` is the character typed. A key that has no meaning here changes nothing and is kept
        in `wrong`; capital letters mean the same as small ones.
        """
        key = key.lower()
        if self.mode == "edge":
            if len(key) == 1 and key in EDGES:
                return Typing("ruler", key), None
            return replace(self, wrong=key), None
        if self.mode == "ruler":
            if len(key) != 1 or key not in LETTERS:
                return replace(self, wrong=key), None
            typed = self.typed + key
            if len(typed) < 2:
                return replace(self, typed=typed, wrong=""), None
            return Typing(), EdgeAt(self.edge, place(typed[0], typed[1]))
        if self.mode == "corners":
            allowed = (LETTERS, LETTERS[:ROWS], NINE)[len(self.typed) % 3]
            if len(key) != 1 or key not in allowed:
                return replace(self, wrong=key), None
            typed = self.typed + key
            if len(typed) < 6:
                return replace(self, typed=typed, wrong=""), None
            return Typing(), NewBox(corner(typed[:3]), corner(typed[3:]))
        return self, None

    def back(self) -> Typing:
        """Return the state before the last key; at the beginning, the end of the mode."""
        if self.typed:
            return replace(self, typed=self.typed[:-1], wrong="")
        if self.mode == "ruler":
            return Typing("edge")
        return Typing()

    def prompt(self) -> str:
        """Say what is to be typed next."""
        if self.mode == "edge":
            said = "Which edge? h left, j bottom, k top, l right"
        elif self.mode == "ruler":
            which = "the stretch" if not self.typed else "the place in it"
            said = f"The {_EDGE_NAMES[self.edge]} edge: type the letter of {which}"
        elif self.mode == "corners":
            number = "first" if len(self.typed) < 3 else "second"
            what = ("the column", "the row", "the ninth (qwe asd zxc)")[len(self.typed) % 3]
            said = f"New box, {number} corner: type {what}"
        else:
            return ""
        wrong = f" ({self.wrong} is none)" if len(self.wrong) == 1 else ""
        return f"{said}{wrong} · Esc ends it"


def start_edge() -> Typing:
    """Begin to put an edge right."""
    return Typing("edge")


def start_corners() -> Typing:
    """Begin a new box."""
    return Typing("corners")
