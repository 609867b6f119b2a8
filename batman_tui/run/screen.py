"""One run, live: curves, accuracy by class, what happened, the log, the settings."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.binding import BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Static

from batman_tui.keys import bindings
from batman_tui.run.control import RunControl
from batman_tui.run.details import (
    ClassScore,
    class_columns,
    class_scores,
    event_columns,
    problem_lines,
    settings_text,
)
from batman_tui.run.header import RunHeader
from batman_tui.run.plots import RunPlots
from batman_tui.widgets.panel.log_view import LogView
from batman_tui.widgets.panel.panel import Panel
from batman_tui.widgets.table.filter import FilterInput
from batman_tui.widgets.table.table import VirtualTable
from core.plots.run_charts import Happening, story
from core.training.live.follow import FileSource, RunFollower, RunSnapshot, log_of
from core.training.run.worker_process import AT_REST, ENDED

TABS = {"log": "Log", "classes": "Classes", "events": "Events", "settings": "Settings"}
LOOK_SECONDS = 1.0
# A run that has ended is looked at this much less often: somebody may resume it elsewhere.
ENDED_EVERY = 3
# The first look is short, so that something is there at once; the rest comes in larger parts.
FIRST_BYTES = 1024 * 1024
MORE_BYTES = 32 * 1024 * 1024


class RunScreen(RunControl):
    """Follows the run folder `run_path`; everything shown is read from it.

    `source` reads the folder's files, this machine's by default. It is looked at in a thread,
    once a second while the screen is in front, and drawn only when something has changed.
    """

    HELP = (
        "A run goes on when this screen or the app is closed. s stops it after the current step "
        "with a checkpoint, r goes on from there. Tab moves between plots and lists; in a plot, "
        "c reads values and + and - zoom."
    )
    CSS_PATH = Path(__file__).with_name("screen.tcss")
    BINDINGS: ClassVar[list[BindingType]] = bindings("run")

    tab: reactive[str] = reactive("log", init=False, repaint=False)

    class Looked(Message):
        """The run was looked at and has changed; the log's new lines are in `_fresh_lines`."""

        def __init__(self, snapshot: RunSnapshot) -> None:
            super().__init__()
            self.snapshot = snapshot

        def can_replace(self, message: Message) -> bool:
            """A newer look makes an older one useless."""
            return isinstance(message, RunScreen.Looked)

    class Logged(Message):
        """The log has new lines."""

        def can_replace(self, message: Message) -> bool:
            """One is enough."""
            return isinstance(message, RunScreen.Logged)

    def __init__(self, run_path: Path, source: FileSource | None = None) -> None:
        super().__init__()
        self.path = run_path
        self._local = source is None
        self._follower = RunFollower(run_path, source)
        self._log = log_of(run_path, source)
        self._fresh_lines: deque[str] = deque()
        self._shown: RunSnapshot | None = None
        self._looking = False
        self._ticks = 0
        self._timer: Timer | None = None
        self._titled: tuple[str, bool, Content] | None = None

    @property
    def plots(self) -> RunPlots:
        """The two plots."""
        return self.query_one(RunPlots)

    def trail(self) -> str:
        """Name the run."""
        return f"› {self.path.name}"

    def body(self) -> Iterable[Widget]:
        """Lay out the header, the plots and the lists."""
        yield RunHeader()
        yield Static("", id="run-problem", markup=False)
        yield RunPlots(id="run-plots")
        yield Horizontal(
            Panel(
                FilterInput("Search the log", id="log-search"),
                LogView(id="log"),
                title="Log",
                id="tab-log",
                empty="The log is empty so far.",
            ),
            Panel(
                VirtualTable[ClassScore](class_columns(), lambda row: row.name, id="classes"),
                title="Classes",
                id="tab-classes",
                empty="The first validation will show every class here.",
            ),
            Panel(
                VirtualTable[Happening](
                    event_columns(lambda: self.run), lambda row: (row.t, row.text), id="events"
                ),
                title="Events",
                id="tab-events",
                empty="Nothing has happened so far.",
            ),
            Panel(
                VerticalScroll(Static("", markup=False, id="settings-text"), id="settings"),
                title="Settings",
                id="tab-settings",
            ),
            id="run-details",
        )

    # -- looking ---------------------------------------------------------------------------------

    def on_mount(self) -> None:
        """Look at once, and then again and again."""
        self._arrange()
        self.query_one("#loss").focus()
        self._look()
        self._timer = self.set_interval(LOOK_SECONDS, self._tick, pause=not self.is_active)

    def on_screen_resume(self) -> None:
        """Catch up with what happened while another screen was in front."""
        if self._timer is not None:
            self._timer.resume()
            self._ticks = 0
            self._tick()

    def on_screen_suspend(self) -> None:
        """Rest: a screen in the back that changes has Textual paint the whole front again."""
        if self._timer is not None:
            self._timer.pause()

    def on_resize(self) -> None:
        """Arrange the lists for the new width."""
        self.call_after_refresh(self._arrange)

    def _tick(self) -> None:
        if self._looking:
            return
        self._ticks += 1
        ended = self.run is not None and self.run.state in ENDED
        if not ended or self._ticks % ENDED_EVERY == 1:
            self._look()

    def _look(self) -> None:
        if not self._looking:
            self._looking = True
            self._read()

    @work(thread=True, exit_on_error=False, group="look")
    def _read(self) -> None:
        try:
            snapshot = self._follower.poll(MORE_BYTES if self._shown else FIRST_BYTES)
            lines = self._log.poll()
        finally:
            self._looking = False
        if lines:
            self._fresh_lines.extend(lines)
            self.post_message(self.Logged())
        if snapshot is not self._shown:
            self._shown = snapshot
            self.post_message(self.Looked(snapshot))

    @on(Looked)
    def _looked(self, message: Looked) -> None:
        self.run = message.snapshot
        if message.snapshot.behind:
            self._look()

    @on(Logged)
    def _logged(self) -> None:
        lines = []
        while self._fresh_lines:
            lines.append(self._fresh_lines.popleft())
        self.query_one(LogView).append(lines)
        self.query_one("#tab-log", Panel).empty = ""

    # -- showing ---------------------------------------------------------------------------------

    def watch_run(self, before: RunSnapshot | None, run: RunSnapshot | None) -> None:
        """Show the run as it is now."""
        if run is None:
            return
        self.query_one(RunHeader).run = run
        self.plots.run = run
        if before is None or before.validations != run.validations or before.config != run.config:
            scores = class_scores(run)
            self.query_one("#classes", VirtualTable).set_rows(scores)
            self.query_one("#tab-classes", Panel).empty = (
                "" if scores else "The first validation will show every class here."
            )
        happenings = story(run)
        table = self.query_one("#events", VirtualTable)
        if table.row_count != len(happenings):
            at_end = table.cursor >= table.row_count - 1
            table.set_rows(happenings)
            if at_end:
                table.action_last()
            self.query_one("#tab-events", Panel).empty = (
                "" if happenings else "Nothing has happened so far."
            )
        if before is None or before.config != run.config:
            self.query_one("#settings-text", Static).update(settings_text(run))
        self._problem(run)
        if before is None or before.state != run.state:
            self.refresh_bindings()
        if run.state == "failed" and before is not None and before.state != "failed":
            self.tab = "log"
        self._titles()

    def _problem(self, run: RunSnapshot) -> None:
        """Say why the run failed or was lost, and the way out."""
        shown = self.query_one("#run-problem", Static)
        lines = problem_lines(run, self._local)
        shown.display = bool(lines)
        if lines:
            shown.update(Content("\n").join(lines))

    def watch_tab(self) -> None:
        """Show another list."""
        self._arrange()

    def _arrange(self) -> None:
        """Show one list, or where there is room the log and another one beside it."""
        wide = self.size.width >= 100
        beside = "classes" if self.tab == "log" else self.tab
        visible = {"log", beside} if wide else {self.tab}
        for name in TABS:
            self.query_one(f"#tab-{name}").display = name in visible
        focused = self.focused
        if focused is not None and not focused.is_on_screen and not focused.display:
            self.query_one("#loss").focus()
        self._titles()

    def _titles(self) -> None:
        """Write the names of the lists into the border of the one that stands for them."""
        wide = self.size.width >= 100
        beside = "classes" if self.tab == "log" else self.tab
        here = beside if wide else self.tab
        names = [name for name in TABS if not (wide and name == "log")]
        parts: list[Content] = []
        for name in names:
            text = TABS[name]
            if name == "events" and self.run is not None:
                count = len(self.run.warnings) + len(self.run.ooms)
                text += f" ▲{count}" if count else ""
            parts.append(Content.styled(text, "bold" if name == here else "$foreground-muted"))
        shown = (here, wide, Content("  ").join(parts))
        if shown == self._titled:
            return
        # A border title paints its panel anew, and all that is in it.
        self._titled = shown
        self.query_one(f"#tab-{here}").border_title = shown[2]
        if wide:
            self.query_one("#tab-log").border_title = "Log"
        for name in TABS:
            hint = Content.styled("] next", "$foreground-muted")
            self.query_one(f"#tab-{name}").border_subtitle = "" if wide or name != here else hint

    # -- moving about ----------------------------------------------------------------------------

    @on(FilterInput.Filter)
    def _search(self, message: FilterInput.Filter) -> None:
        log = self.query_one(LogView)
        log.search = message.text
        if message.done:
            log.focus()

    @on(LogView.Searched)
    def _searched(self, message: LogView.Searched) -> None:
        panel = self.query_one("#tab-log")
        found = f"{message.at} of {message.count}" if message.count else "not found"
        panel.border_subtitle = found if message.view.search else ""

    @on(VirtualTable.Opened, "#events")
    def _event_clicked(self) -> None:
        self.action_goto()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what makes sense in the run's state."""
        state = self.run.state if self.run is not None else "preparing"
        if action == "stop":
            return self._local and state in ("preparing", "running")
        if action == "resume":
            return self._local and state in AT_REST
        if action == "evaluate":
            return self._local
        if action == "problem":
            return self.run is not None and self.run.error is not None
        if action == "goto":
            return self.focused is not None and self.focused.id == "events"
        return super().check_action(action, parameters)

    def action_tab(self, by: int) -> None:
        """Show the next list, or the one before."""
        wide = self.size.width >= 100
        names = [name for name in TABS if not (wide and name == "log")]
        here = "classes" if wide and self.tab == "log" else self.tab
        self.tab = names[(names.index(here) + by) % len(names)]

    def action_parts(self) -> None:
        """Show or hide the parts of the loss."""
        self.plots.parts = not self.plots.parts

    def action_measure(self) -> None:
        """Plot the next measure that this run has."""
        self.plots.next_measure()

    def action_axis(self) -> None:
        """Count x in steps, epochs or time."""
        self.plots.next_axis()

    def action_smooth(self, by: int) -> None:
        """Smooth more, or less."""
        self.plots.smooth(by)

    def action_log_scale(self) -> None:
        """Make the y axis logarithmic, or linear again."""
        self.plots.flip_scale()

    def action_zoom(self) -> None:
        """Give the focused part the whole screen, or go back."""
        if self.has_class("-only"):
            self.remove_class("-only", "-only-plots", "-only-details", "-only-one")
            for panel in self.query(Panel):
                panel.remove_class("-chosen")
            self._arrange()
            return
        nodes = self.focused.ancestors if self.focused is not None else []
        chosen = next((node for node in nodes if isinstance(node, Panel)), None)
        if chosen is None or chosen.parent is None:
            return
        chosen.add_class("-chosen")
        self.add_class(
            "-only", f"-only-{'plots' if chosen.parent.id == 'run-plots' else 'details'}"
        )

    def action_search(self) -> None:
        """Search the log."""
        self.tab = "log"
        self.query_one("#tab-log").display = True
        self.query_one("#log-search", FilterInput).open()

    def action_goto(self) -> None:
        """Put the plots' cursor on the event."""
        row = self.query_one("#events", VirtualTable).cursor_row
        if row is None or self.run is None or not hasattr(row.event, "step"):
            return
        self.plots.point_at(row.event)
