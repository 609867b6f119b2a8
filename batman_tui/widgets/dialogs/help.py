"""F1: every key that works where one is, made from the bindings themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Input, Static, TextArea

from batman_tui.keys import ACTIONS, TITLES, room_title
from batman_tui.widgets.frame.base import BatmanDialog
from batman_tui.widgets.frame.keybar import KeyBar
from core.common.text import clean

if TYPE_CHECKING:
    from textual.binding import Binding
    from textual.screen import Screen

# A person who asks for help wants the screen's own keys first.
_LAST = {TITLES["table"]: 1, TITLES["screen"]: 2, TITLES["app"]: 3}


@dataclass(frozen=True)
class KeyHelp:
    """One line of help: the keys, what they do, and the action's name in the configuration."""

    section: str
    keys: str
    text: str
    id: str


def collect(screen: Screen[object]) -> list[KeyHelp]:
    """Return the keys that work on `screen` with its present focus, grouped by section.

    The focused widget's own come first, then the screen's, then the app's.
    """
    found: dict[tuple[str, str], tuple[Binding, list[str]]] = {}
    # A plain text field has keys of Textual's own, which are worth telling while one is in it.
    field = screen.focused if isinstance(screen.focused, (Input, TextArea)) else None
    for node, binding, _, _ in screen.active_bindings.values():
        ours = binding.id in ACTIONS
        if ours or (node is field and binding.description):
            place = (room_title(binding.id if ours else None), binding.id or binding.action)
            key = screen.app.get_key_display(binding)
            found.setdefault(place, (binding, []))[1].append(key)
    lines = [
        KeyHelp(section, "  ".join(keys[:3]), binding.tooltip or binding.description, name)
        for (section, name), (binding, keys) in found.items()
    ]
    order: list[str] = []
    for line in lines:
        if line.section not in order:
            order.append(line.section)
    order.sort(key=lambda section: _LAST.get(section, 0))
    return sorted(lines, key=lambda line: order.index(line.section))


class HelpScreen(BatmanDialog[None]):
    """The keys of the screen below, with the sentence that says what the screen is for."""

    DEFAULT_CSS = """
    HelpScreen {
        & > .dialog { width: 86; height: 90%; padding: 0 1; }
        VerticalScroll { height: 1fr; }
        Static { width: 1fr; height: auto; }
    }
    """

    def __init__(self, title: str, about: str, lines: Sequence[KeyHelp]) -> None:
        super().__init__()
        self._title = title
        self._about = about
        self._lines = lines

    def compose(self) -> ComposeResult:
        """Lay out the text in a scroll that has the focus."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = Content(clean(f"Help: {self._title}"))
            with VerticalScroll():
                yield Static(self._text())
            yield KeyBar()

    def _text(self) -> Content:
        parts: list[Content | str | tuple[str, str]] = []
        if self._about:
            parts.append(f"{clean(self._about)}\n")
        width = min(26, max((len(line.keys) for line in self._lines), default=8) + 2)
        section = ""
        for line in self._lines:
            if line.section != section:
                section = line.section
                parts += ["\n", (section, "bold $accent"), "\n"]
            parts += [("  " + line.keys.ljust(width), "$secondary"), line.text]
            if line.id in ACTIONS:
                parts.append((f"  {line.id}", "$foreground-muted"))
            parts.append("\n")
        parts += [
            "\n",
            (
                "The names at the end of the lines go into the [keys] table of config.toml to "
                "change the keys.",
                "$foreground-muted",
            ),
        ]
        return Content.assemble(*parts)
