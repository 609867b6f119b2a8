"""F1: every key that works where one is, made from the bindings themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from textual.app import App, ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Input, Static, TextArea

from batman_tui.keys import ACTIONS, TITLES, room_title
from batman_tui.services import services_of
from batman_tui.widgets.frame.base import BatmanDialog, BatmanScreen
from batman_tui.widgets.frame.keybar import KeyBar
from core.common.text import clean

if TYPE_CHECKING:
    from textual.binding import Binding
    from textual.screen import Screen

# A person who asks for help wants the screen's own keys first.
_LAST = {room_title(None): 1, TITLES["table"]: 1, TITLES["screen"]: 2, TITLES["app"]: 3}
# Every widget of Textual's has keys that scroll it; a field of one line does not scroll.
_SCROLLS = ("scroll_", "page_")


@dataclass(frozen=True)
class KeyHelp:
    """One line of help: the keys, what they do, and the action's name in the configuration."""

    section: str
    keys: str
    text: str
    id: str


def help_on(screen: Screen[Any]) -> HelpScreen:
    """Return the help for `screen` with its present focus."""
    return HelpScreen(title_of(screen), getattr(screen, "HELP", ""), collect(screen))


def title_of(screen: Screen[Any]) -> str:
    """Return what `screen` calls itself: the end of its trail, or the title of its frame."""
    if isinstance(screen, BatmanScreen) and screen.trail():
        return screen.trail().rpartition(" › ")[2]
    for dialog in screen.query(".dialog"):
        if dialog.border_title:
            return Content.from_markup(dialog.border_title).plain
    return type(screen).__name__.removesuffix("Screen").removesuffix("Dialog")


def collect(screen: Screen[object]) -> list[KeyHelp]:
    """Return the keys that work on `screen` with its present focus, grouped by section.

    The screen's own come first, then those of a field or table in it, then the app's.
    """
    found: dict[tuple[str, str], tuple[Binding, list[str]]] = {}
    # A plain text field has keys of Textual's own, which are worth telling while one is in it.
    field = screen.focused if isinstance(screen.focused, (Input, TextArea)) else None
    for node, binding, _, _ in screen.active_bindings.values():
        ours = binding.id in ACTIONS
        typing = node is field and binding.description and not binding.action.startswith(_SCROLLS)
        if ours or typing:
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


def listed(room: str, app: App[Any]) -> list[KeyHelp]:
    """Return the keys of a room of the table of keys, whether they work now or not."""
    lines = []
    for action in ACTIONS.values():
        if action.room == room:
            one = action.binding()
            keys = [
                app.get_key_display(replace(one, key=key))
                for key in services_of(app).settings.keys.get(action.id, action.keys).split(",")
            ]
            text = "  ".join(keys[:3])
            lines.append(KeyHelp(room_title(action.id), text, action.help, action.id))
    return lines


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
            yield KeyBar(help=False)

    def action_help(self) -> None:
        """Do nothing: this is it."""

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
