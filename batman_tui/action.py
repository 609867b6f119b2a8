"""One thing a person can do with a key, as the table of keys has it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from textual.binding import Binding

Footer = Literal["never", "always", "wide"]


def key_name(key: str) -> str:
    """Return how a key is written for people: function keys in capitals, the rest as it is."""
    return re.sub(r"\bf(\d+)$", r"F\1", key)


@dataclass(frozen=True, slots=True)
class Action:
    """One thing a person can do with a key.

    `id` is `room.name`; `keys` are Textual key names joined by commas; `run` is the Textual
    action; `label` goes to the footer (one or two words), `help` to F1 and the palette (a
    sentence); `footer` says whether the footer shows it: never, always, or where it is wide.
    """

    id: str
    keys: str
    run: str
    label: str
    help: str
    footer: Footer = "never"
    priority: bool = False

    @property
    def room(self) -> str:
        """Return the screen or part of one in which it is done, as its id begins."""
        return self.id.partition(".")[0]

    def binding(self) -> Binding:
        """Return Textual's form of the action."""
        return Binding(
            self.keys,
            self.run,
            self.label,
            show=self.footer != "never",
            tooltip=self.help,
            id=self.id,
            priority=self.priority,
        )
