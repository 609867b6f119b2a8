"""One panel on the whole screen."""

from __future__ import annotations

from textual.screen import Screen
from textual.widget import Widget

from batman_tui.widgets.panel.panel import Panel


def toggle_zoom(screen: Screen[None], *parts: str) -> None:
    """Give the focused panel the whole screen, or go back to all of them.

    `parts` are the ids of what panels lie in, or are. The screen's style sheet does the rest: the
    screen gets the class `-only` and `-only-PART`, the panel `-chosen`.
    """
    if screen.has_class("-only"):
        screen.remove_class("-only", *(f"-only-{part}" for part in parts))
        for panel in screen.query(Panel):
            panel.remove_class("-chosen")
        return
    nodes = screen.focused.ancestors_with_self if screen.focused is not None else []
    chosen = next((node for node in nodes if isinstance(node, Panel)), None)
    part = next((node.id for node in nodes if isinstance(node, Widget) and node.id in parts), None)
    if chosen is not None and part is not None:
        chosen.add_class("-chosen")
        screen.add_class("-only", f"-only-{part}")
