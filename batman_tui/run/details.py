"""The lists of the run screen: the log, accuracy by class, what happened, the settings."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from batman_tui.run.lines import (
    ClassScore,
    class_columns,
    class_scores,
    event_columns,
    settings_text,
)
from batman_tui.run.made import NO_PICTURES, NOTHING_MADE, PicturesPanel, made_columns
from batman_tui.widgets.panel.panel import Panel
from batman_tui.widgets.panel.tabs import LogPanel, TabbedPanels
from batman_tui.widgets.table.table import VirtualTable
from core.plots.run_charts import Happening, story
from core.training.live.follow import RunSnapshot
from core.training.live.val_pictures import ValPicture
from core.training.run_list.outputs import Output

NO_CLASSES = "The first validation will show every class here."
NO_EVENTS = "Nothing has happened so far."


class RunDetails(TabbedPanels):
    """Shows a run's lists, of which `show` and `append` bring the news."""

    TABS = {
        "log": "Log",
        "classes": "Classes",
        "events": "Events",
        "settings": "Settings",
        "pictures": "Pictures",
        "made": "Made",
    }
    BESIDE = "classes"
    HINT_WHEN_WIDE = False
    DEFAULT_CSS = """
    RunDetails {
        #settings { height: 1fr; scrollbar-size-vertical: 1; }
        #settings-text { height: auto; }
    }
    """

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.run: RunSnapshot | None = None
        self.made: list[Output] = []
        self._pictures: tuple[list[ValPicture], str] | None = None
        self.state = ""
        """Which state of its project the run learnt, in a sentence."""
        self._said = ""

    def compose(self) -> ComposeResult:
        """Lay out the four panels."""
        yield LogPanel(id="tab-log", empty="The log is empty so far.")
        yield Panel(
            VirtualTable[ClassScore](class_columns(), lambda row: row.name, id="classes"),
            title="Classes",
            id="tab-classes",
            empty=NO_CLASSES,
        )
        yield Panel(
            VirtualTable[Happening](
                event_columns(lambda: self.run), lambda row: (row.t, row.text), id="events"
            ),
            title="Events",
            id="tab-events",
            empty=NO_EVENTS,
        )
        yield Panel(
            VerticalScroll(Static("", markup=False, id="settings-text"), id="settings"),
            title="Settings",
            id="tab-settings",
        )
        yield PicturesPanel(id="tab-pictures")
        yield Panel(
            VirtualTable[Output](
                made_columns(self.batman.now), lambda row: (row.kind, row.folder), id="made"
            ),
            title="Made",
            id="tab-made",
            empty=NOTHING_MADE,
        )

    def title_of(self, name: str) -> str:
        """Return a list's title; that of the events counts what went wrong."""
        if name == "made" and self.made:
            return f"{self.TABS[name]} {len(self.made)}"
        count = len(self.run.warnings) + len(self.run.ooms) if self.run is not None else 0
        return self.TABS[name] + (f" ▲{count}" if name == "events" and count else "")

    @property
    def event(self) -> Happening | None:
        """The event with the cursor."""
        return self._events.cursor_row

    @property
    def output(self) -> Output | None:
        """What was made of the run that has the cursor."""
        row: Output | None = self.query_one("#made", VirtualTable).cursor_row
        return row

    def show_made(
        self, pictures: list[ValPicture], made: list[Output], why_none: str = NO_PICTURES
    ) -> None:
        """Show validation pictures and what was made of the run; what is the same is left alone.

        `why_none` says why there are no pictures, where there are none.
        """
        if (pictures, why_none) != self._pictures:
            self._pictures = pictures, why_none
            self.query_one(PicturesPanel).show(pictures, why_none)
        if made != self.made:
            self.made = made
            self.query_one("#made", VirtualTable).set_rows(made)
            self.query_one("#tab-made", Panel).empty = "" if made else NOTHING_MADE
            self.write_titles()

    @property
    def _events(self) -> VirtualTable[Happening]:
        return self.query_one("#events", VirtualTable)

    def append(self, lines: Sequence[str]) -> None:
        """Add lines to the log."""
        self.log_panel.view.append(lines)
        self.log_panel.empty = ""

    def show(self, run: RunSnapshot) -> None:
        """Show the run as it is now; what has not changed is left alone."""
        before, self.run = self.run, run
        if before is None or before.validations != run.validations or before.config != run.config:
            scores = class_scores(run)
            self.query_one("#classes", VirtualTable).set_rows(scores)
            self.query_one("#tab-classes", Panel).empty = "" if scores else NO_CLASSES
        happenings, table = story(run), self._events
        if table.row_count != len(happenings):
            at_end = table.cursor >= table.row_count - 1
            table.set_rows(happenings)
            if at_end:
                table.action_last()
            self.query_one("#tab-events", Panel).empty = "" if happenings else NO_EVENTS
        if before is None or before.config != run.config or self.state != self._said:
            self._said = self.state
            self.query_one("#settings-text", Static).update(settings_text(run, self.state))
        if run.state == "failed" and before is not None and before.state != "failed":
            self.tab = "log"
        self.write_titles()
