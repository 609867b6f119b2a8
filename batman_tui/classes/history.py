"""The panel that says who did what to how many, newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import VerticalScroll
from textual.content import Content
from textual.reactive import reactive
from textual.widgets import Static

from batman_tui.services import services_of
from batman_tui.widgets.panel.panel import Panel
from core.common.text import ago, clean
from core.data.labels.history import folded

if TYPE_CHECKING:
    from core.data.store import HistoryEntry

HISTORY_LINES = 200


class HistoryPanel(Panel):
    """The newest changes of a project; what is undone is dim and says so."""

    entries: reactive[tuple[HistoryEntry, ...]] = reactive(())

    def __init__(self) -> None:
        self._text = Static("")
        super().__init__(
            VerticalScroll(self._text),
            title="History",
            empty="Nothing was changed yet. What you do is listed here and can be undone with u.",
        )

    def watch_entries(self, entries: tuple[HistoryEntry, ...]) -> None:
        """List the changes."""
        now = services_of(self.app).now()
        parts: list[Content | str | tuple[str, str]] = []
        for line in folded(entries):
            entry = line.newest
            undone = " · undone" if entry.undone else ""
            text = "$foreground-muted" if entry.undone else "$foreground"
            parts += [
                (clean(line.summary), text),
                "\n",
                (f"{ago(entry.at, now)} · {clean(entry.who)}{undone}", "$foreground-muted"),
                "\n\n",
            ]
        self._text.update(Content.assemble(*parts[:-1]))
        self.badge = f"{len(entries):,}{'+' if len(entries) == HISTORY_LINES else ''}"
        if entries:
            self.empty = ""
