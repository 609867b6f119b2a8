"""Panels of which one is shown, or two where there is room, and the log that is among them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from textual import on
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from batman_tui.widgets.frame.base import Guarded
from batman_tui.widgets.panel.log_view import LogView
from batman_tui.widgets.panel.panel import Panel
from batman_tui.widgets.table.filter import FilterInput

WIDE = 100


class LogPanel(Guarded, Panel):
    """A log with a line to search it."""

    def __init__(self, id: str, empty: str = "") -> None:
        self.view = LogView(id="log")
        self._line = FilterInput("Search the log", id="log-search")
        super().__init__(self._line, self.view, title="Log", id=id, empty=empty)

    def search(self) -> None:
        """Type what to search for."""
        self._line.open()

    @on(FilterInput.Filter)
    def _search(self, message: FilterInput.Filter) -> None:
        message.stop()
        self.view.search = message.text
        if message.done:
            self.view.focus()

    @on(LogView.Searched)
    def _searched(self, message: LogView.Searched) -> None:
        found = f"{message.at} of {message.count}" if message.count else "not found"
        self.border_subtitle = found if self.view.search else ""


class TabbedPanels(Guarded, Horizontal):
    """Shows one of its panels, or where there is room the log and another one beside it.

    A subclass yields a panel with the id `tab-NAME` for each of `TABS`, which maps names to titles;
    `log` is a `LogPanel`, and `BESIDE` what stands beside it at first. The titles stand in the
    border of the panel that is shown.
    """

    TABS: ClassVar[Mapping[str, str]]
    BESIDE: ClassVar[str]
    HINT_WHEN_WIDE: ClassVar[bool] = True

    tab: reactive[str] = reactive("log", init=False, repaint=False)

    class Hidden(Message):
        """What had the focus was hidden."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._titled: tuple[str, bool, Content] | None = None

    @property
    def log_panel(self) -> LogPanel:
        """The panel with the log."""
        return self.query_one("#tab-log", LogPanel)

    def title_of(self, name: str) -> str:
        """Return what a panel is called now."""
        return self.TABS[name]

    def on_mount(self) -> None:
        """Arrange the panels."""
        self._arrange()

    def on_resize(self) -> None:
        """Arrange the panels for the new width."""
        self.call_after_refresh(self._arrange)
        self.call_after_refresh(self._check_focus)

    def watch_tab(self) -> None:
        """Show another panel; if one had the whole screen, that one has it now."""
        self._arrange()
        enlarged = self.query(".-chosen")
        if not enlarged:
            self._check_focus()
            return
        enlarged.remove_class("-chosen")
        panel = self.query_one(f"#tab-{self.tab}").add_class("-chosen")
        inside = (widget for widget in panel.query() if widget.can_focus and widget.display)
        self.screen.set_focus(next(inside, None))

    def next_tab(self, by: int) -> None:
        """Show the next panel, or the one before."""
        names = self._choices
        self.tab = names[(names.index(self._here) + by) % len(names)]

    def show_log(self) -> LogPanel:
        """Show the log, and return its panel, whose parts can have the focus at once."""
        self.tab = "log"
        return self.log_panel

    @property
    def _wide(self) -> bool:
        return self.app.size.width >= WIDE

    @property
    def _choices(self) -> list[str]:
        """The panels that `tab` goes through: beside the log, which stays, it's the others."""
        return [name for name in self.TABS if not (self._wide and name == "log")]

    @property
    def _here(self) -> str:
        return self.BESIDE if self._wide and self.tab == "log" else self.tab

    def _arrange(self) -> None:
        visible = {"log", self._here} if self._wide else {self._here}
        for name in self.TABS:
            # Only hidden here: a style sheet may hide more, when one panel has the whole screen.
            self.query_one(f"#tab-{name}").styles.display = None if name in visible else "none"
        self.write_titles()

    def _check_focus(self) -> None:
        focused = self.screen.focused
        nodes = focused.ancestors_with_self if focused is not None else []
        if not all(node.display for node in nodes if isinstance(node, Widget)):
            self.post_message(self.Hidden())

    def write_titles(self) -> None:
        """Write the titles anew if one of them has changed."""
        here, wide = self._here, self._wide
        parts = [
            Content.styled(self.title_of(name), "bold" if name == here else "$foreground-muted")
            for name in self._choices
        ]
        titled = (here, wide, Content("  ").join(parts))
        if titled == self._titled:
            return
        # A border title paints its panel anew, and all that is in it.
        self._titled = titled
        self.query_one(f"#tab-{here}").border_title = titled[2]
        if wide:
            self.log_panel.border_title = "Log"
        hint = Content.styled("] next", "$foreground-muted")
        for name in self.TABS:
            hinted = name == here and (self.HINT_WHEN_WIDE or not wide)
            self.query_one(f"#tab-{name}").border_subtitle = hint if hinted else ""
