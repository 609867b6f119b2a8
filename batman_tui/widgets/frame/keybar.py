"""The bottom line: the keys that matter most on this screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import events
from textual.content import Content
from textual.style import Style
from textual.widget import Widget

from batman_tui.keys import ACTIONS

if TYPE_CHECKING:
    from textual.screen import Screen

NARROW = 100
MOST_WHEN_NARROW = 6

# As in the table of keys; what closes a dialog comes last.
_ORDER = {
    name: place
    for place, name in enumerate(sorted(ACTIONS, key=lambda name: name.startswith("dialog.")))
}


class KeyBar(Widget):
    """One line with as many keys as fit, at most six below 100 columns; the last is always help.

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
        narrow = self.app.size.width < NARROW
        shown: list[Content] = []
        used = 0
        tail = self._item("F1", "Help", "f1", key_style, label_style)
        seen: set[str] = set()
        active = [
            (binding, enabled)
            for _, binding, enabled, _ in self.screen.active_bindings.values()
            if binding.show
        ]
        # Bindings come focused widget first; within one screen the table's order is the order.
        active.sort(key=lambda item: _ORDER.get(item[0].id or "", -1))
        for binding, enabled in active:
            action = ACTIONS.get(binding.id or "")
            if binding.action in seen or not binding.description:
                continue
            if narrow and action is not None and action.footer == "wide":
                continue
            seen.add(binding.action)
            item = self._item(
                self.app.get_key_display(binding),
                binding.description,
                binding.key,
                key_style if enabled else off,
                label_style if enabled else off,
            )
            full = used + item.cell_length + 2 + tail.cell_length > width
            if full or (narrow and len(shown) == MOST_WHEN_NARROW - 1):
                break
            shown.append(item)
            used += item.cell_length + 2
        gap = max(0, width - sum(item.cell_length + 2 for item in shown) - tail.cell_length)
        parts: list[Content | str] = []
        for item in shown:
            parts += [item, "  "]
        return Content.assemble(*parts, " " * gap, tail)

    @staticmethod
    def _item(key: str, label: str, press: str, key_style: Style, label_style: Style) -> Content:
        click = Style.from_meta({"press": press})
        return Content.assemble((key, key_style + click), " ", (label, label_style + click))
