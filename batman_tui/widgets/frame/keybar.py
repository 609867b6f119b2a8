"""The bottom line: the keys that matter most on this screen."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from textual import events
from textual.content import Content
from textual.style import Style
from textual.widget import Widget

from batman_tui.action import key_name
from batman_tui.keys import ACTIONS
from batman_tui.services import services_of

if TYPE_CHECKING:
    from textual.binding import Binding
    from textual.screen import Screen

# What matters most first, each kind as in the table of keys; what closes a dialog and what is
# the same on every screen come last.
_LAST = ("dialog", "app")


def _rank(name: str) -> tuple[bool, bool]:
    return name.partition(".")[0] in _LAST, ACTIONS[name].footer == "wide"


_ORDER = {name: place for place, name in enumerate(sorted(ACTIONS, key=_rank))}


class KeyBar(Widget):
    """One line with as many keys as fit, the most useful first; the last is always help.

    A key that does not fit leaves its room to those after it, which may be shorter.

    One widget that renders a line, where Textual's footer mounts one for every key: this is in
    the first frame and does not flicker when the focus moves. Keys can be clicked.
    """

    ALLOW_SELECT = False
    COMPONENT_CLASSES = {"keybar--key", "keybar--label", "keybar--off"}
    DEFAULT_CSS = """
    KeyBar {
        dock: bottom; height: 1; padding: 0 1;
        background: $footer-background; color: $footer-description-foreground;
        & > .keybar--key { color: $footer-key-foreground; text-style: bold; }
        & > .keybar--label { color: $footer-description-foreground; }
        & > .keybar--off { color: $footer-description-foreground 50%; }
    }
    """

    _painted = Content("")

    def __init__(self, *, help: bool = True) -> None:
        """Make it; with `help` False it does not offer help, as that of the help itself."""
        super().__init__()
        self._help = help

    def on_mount(self) -> None:
        """Follow the focus and the screen's state."""
        self.screen.bindings_updated_signal.subscribe(self, self._changed)

    def _changed(self, _screen: Screen[object]) -> None:
        # Most changes of a screen's state change no key: a frame for nothing is 17 ms lost.
        if not self._line().is_same(self._painted):
            self.refresh()

    def on_click(self, event: events.Click) -> None:
        """Press the key that was clicked."""
        press = event.style.meta.get("press")
        if press:
            self.app.simulate_key(press)

    def render(self) -> Content:
        """Return the line for the bindings that are active now."""
        self._painted = self._line()
        return self._painted

    def _line(self) -> Content:
        width = self.size.width
        if width <= 0:
            return Content("")
        key_style = self.get_visual_style("keybar--key", partial=True)
        label_style = self.get_visual_style("keybar--label", partial=True)
        off = self.get_visual_style("keybar--off", partial=True)
        shown: list[Content] = []
        used = 0
        # In a dialog the app's keys are not among the active ones, and help is there all the same.
        chosen = services_of(self.app).settings.keys.get("app.help", "")
        help_key = chosen.split(",")[0].strip() or "f1"
        tail = self._item(key_name(help_key), "Help", help_key, key_style, label_style)
        if not self._help:
            tail = Content("")
        seen: set[str] = set()
        active = [
            (binding, enabled)
            for _, binding, enabled, _ in self.screen.active_bindings.values()
            if binding.show
        ]
        # What the focused widget has beside our own keys comes first.
        active.sort(key=lambda item: _ORDER.get(item[0].id or "", -1))
        for binding, enabled in active:
            label = self._label(binding)
            if binding.action in seen or not label:
                continue
            seen.add(binding.action)
            item = self._item(
                self.app.get_key_display(binding),
                label,
                binding.key,
                key_style if enabled else off,
                label_style if enabled else off,
            )
            if used + item.cell_length + 2 + tail.cell_length > width:
                continue
            shown.append(item)
            used += item.cell_length + 2
        gap = max(0, width - sum(item.cell_length + 2 for item in shown) - tail.cell_length)
        parts: list[Content | str] = []
        for item in shown:
            parts += [item, "  "]
        return Content.assemble(*parts, " " * gap, tail)

    def _label(self, binding: Binding) -> str:
        label: Callable[[Binding], str] | None = getattr(self.screen, "key_label", None)
        return label(binding) if label is not None else binding.description

    @staticmethod
    def _item(key: str, label: str, press: str, key_style: Style, label_style: Style) -> Content:
        click = Style.from_meta({"press": press})
        return Content.assemble((key, key_style + click), " ", (label, label_style + click))
