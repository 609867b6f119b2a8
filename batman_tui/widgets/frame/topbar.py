"""The top line: where one is, and the views that are one key away."""

from __future__ import annotations

from textual import events
from textual.content import Content
from textual.reactive import reactive
from textual.style import Style
from textual.widget import Widget

from batman_tui.services import services_of
from core.common.text import clean


class TopBar(Widget):
    """The name of the app, its views with their keys, the trail to here, and the workspace."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES = {
        "topbar--name",
        "topbar--key",
        "topbar--view",
        "topbar--here",
        "topbar--trail",
        "topbar--place",
    }
    DEFAULT_CSS = """
    TopBar {
        dock: top; height: 1; padding: 0 1;
        background: $surface; color: $foreground;
        & > .topbar--name { color: $accent; text-style: bold; }
        & > .topbar--key { color: $footer-description-foreground; }
        & > .topbar--view { color: $footer-description-foreground; }
        & > .topbar--here { color: $accent; text-style: bold; }
        & > .topbar--trail { color: $foreground; text-style: bold; }
        & > .topbar--place { color: $footer-description-foreground; }
    }
    """

    trail: reactive[str] = reactive("")
    """What is open, such as `blood cells › classes`; data, never markup."""

    def on_click(self, event: events.Click) -> None:
        """Go to the view that was clicked."""
        mode = event.style.meta.get("view")
        if mode:
            services_of(self.app).action_view(mode)

    def render(self) -> Content:
        """Return the line, the least important part left out first when it is narrow."""
        app = services_of(self.app)
        style = {name: self.get_visual_style(name, partial=True) for name in self.COMPONENT_CLASSES}
        parts: list[Content] = [Content.styled("Batman", style["topbar--name"])]
        for view in app.views:
            here = view.mode == self.app.current_mode
            name = style["topbar--here" if here else "topbar--view"]
            click = Style.from_meta({"view": view.mode})
            parts.append(
                Content.assemble(
                    "   ",
                    (view.key, (style["topbar--here" if here else "topbar--key"]) + click),
                    " ",
                    (view.title, name + click),
                )
            )
        left = Content("").join(parts)
        room = self.size.width - left.cell_length
        if self.trail:
            trail = Content.styled(clean(self.trail), style["topbar--trail"])
            left = Content.assemble(left, "   ", trail.truncate(max(0, room - 3), ellipsis=True))
            room = self.size.width - left.cell_length
        place = Content.styled(clean(app.shown_workspace), style["topbar--place"])
        if room < place.cell_length + 3:
            return left
        return Content.assemble(left, " " * (room - place.cell_length), place)
