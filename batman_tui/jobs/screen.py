"""The jobs of a cluster: what runs, waits and ended, why, its logs, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.binding import BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.reactive import reactive
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Static

from batman_tui.jobs.lines import (
    FACTS,
    Room,
    column_names,
    columns,
    room_columns,
    searched_text,
)
from batman_tui.jobs.polling import JobsLook, Opener
from batman_tui.keys import bindings
from batman_tui.settings import save_jobs_columns
from batman_tui.widgets.panel.facts import Facts
from batman_tui.widgets.panel.log_view import LogView
from batman_tui.widgets.panel.panel import Panel
from batman_tui.widgets.table.filter import FilterInput
from batman_tui.widgets.table.table import VirtualTable
from slurm.queue.arrays import JobLine
from slurm.queue.job_actions import VERBS
from slurm.site.profiles import Profile
from slurm.watch.cluster_jobs import PatientFiles, clusters

# The cursor rests this long on a job before its details are asked for.
REST_SECONDS = 0.4
# And this long before they are shown: laying them out takes longer than moving the cursor.
GLANCE_SECONDS = 0.06
TABS = {"job": "Job", "log": "Log", "free": "Free"}


class JobsScreen(JobsLook):
    """Jobs of one cluster at a time, asked for in a thread no more often than SLURM likes.

    `open_host` and `find_clusters` are how hosts are reached and found. All that is shown comes
    from the last good answer, and says how old that is.
    """

    HELP = (
        "Enter opens the run that a job trains, or its log. Space marks jobs, x cancels them, h "
        "holds, r releases, R requeues, C submits its run anew. The queue is asked for seldom, as "
        "SLURM wants it; f5 asks at once, and connects again after a login that was given up."
    )
    CSS_PATH = Path(__file__).with_name("screen.tcss")
    BINDINGS: ClassVar[list[BindingType]] = bindings("jobs")

    tab: reactive[str] = reactive("job", init=False, repaint=False)

    def __init__(
        self,
        open_host: Opener | None = None,
        find_clusters: Callable[[], Sequence[Profile]] = clusters,
    ) -> None:
        super().__init__(open_host, find_clusters)
        self._rest: Timer | None = None
        self._offered: tuple[bool, ...] = (False,) * (3 + len(VERBS))

    def body(self) -> Iterable[Widget]:
        """Lay out the status line, the list, and details of the job with the cursor."""
        yield Static("", id="jobs-status", markup=False)
        yield Static("", id="jobs-problem", markup=False)
        yield Panel(
            FilterInput("Filter by name, id, state, user, GPU, partition or reason", id="filter"),
            VirtualTable[JobLine](
                columns(self.batman.now, self.batman.settings.jobs_columns),
                lambda line: line.id, search=searched_text, markable=True, id="jobs",
            ),
            title="Jobs",
            id="jobs-panel",
            empty="Asking the cluster …",
        )  # fmt: skip
        yield Horizontal(
            Panel(
                VerticalScroll(Facts(FACTS, id="facts"), id="job-facts"), title="Job", id="tab-job"
            ),
            Panel(
                VirtualTable[Room](room_columns(), lambda room: (room.kind, room.name), id="rooms"),
                title="Free",
                id="tab-free",
                empty="What is free is not known yet.",
            ),
            Panel(
                FilterInput("Search the log", id="log-search"),
                LogView(id="log"),
                title="Log",
                id="tab-log",
            ),
            id="jobs-details",
        )

    def on_mount(self) -> None:
        """Arrange the details."""
        self.call_after_refresh(self._arrange)

    def on_resize(self) -> None:
        """Arrange the details for the new width."""
        self.call_after_refresh(self._arrange)

    # -- the job with the cursor -----------------------------------------------------------------

    @on(VirtualTable.Shown, "#jobs")
    def _count(self) -> None:
        table = self.table
        shown, there = len(table.visible_keys), table.row_count
        counts = f"{shown:,} of {there:,}" if shown != there else f"{there:,}"
        marked = f" · {len(table.marks):,} marked" if table.marks else ""
        folded = "" if self._fold else " · arrays unfolded"
        self.query_one("#jobs-panel", Panel).badge = counts + marked + folded
        self._offer()

    @on(VirtualTable.Highlighted, "#jobs")
    def _moved(self) -> None:
        self._offer()
        if self._rest is not None:
            self._rest.stop()
        self._rest = self.set_timer(GLANCE_SECONDS, self._glanced)

    def _glanced(self) -> None:
        self._details()
        # Another job's log must not stand beside it.
        line = self.chosen
        self._follow_log(line.id if line is not None and line.id in self._logs else None)
        self._rest = self.set_timer(REST_SECONDS - GLANCE_SECONDS, self._rested)

    def _offer(self) -> None:
        """Work out what can be done with the jobs that are meant; tell the key bar if it changed.

        It is asked for at every key, and thousands of jobs may be marked.
        """
        line = self.chosen
        running = line is not None and line.job.state.running
        offered = (
            line is not None, running, len(self._profiles) > 1, *map(self.can, VERBS),
        )  # fmt: skip
        if offered != self._offered:
            self._offered = offered
            self.refresh_bindings()

    # -- showing ---------------------------------------------------------------------------------

    def watch_tab(self) -> None:
        """Show another part of the details."""
        self._arrange()

    def _arrange(self) -> None:
        """Show one part of the details, or where there is room the log beside another."""
        wide = self.size.width >= 100
        beside = "job" if self.tab == "log" else self.tab
        visible = {"log", beside} if wide else {self.tab}
        for name in TABS:
            self.query_one(f"#tab-{name}").display = name in visible
        names = [name for name in TABS if not (wide and name == "log")]
        here = beside if wide else self.tab
        parts = [
            Content.styled(TABS[name], "bold" if name == here else "$foreground-muted")
            for name in names
        ]
        self.query_one(f"#tab-{here}").border_title = Content("  ").join(parts)
        if wide:
            self.query_one("#tab-log").border_title = "Log"
        for name in TABS:
            hint = Content.styled("] next", "$foreground-muted") if name == here else ""
            self.query_one(f"#tab-{name}").border_subtitle = hint
        focused = self.focused
        if focused is not None and not all(node.display for node in focused.ancestors_with_self
                                           if isinstance(node, Widget)):  # fmt: skip
            self.table.focus()

    @on(FilterInput.Filter, "#filter")
    def _filter(self, message: FilterInput.Filter) -> None:
        self.table.filter(message.text)
        if message.done:
            self.table.focus()

    @on(VirtualTable.Opened, "#jobs")
    def _clicked(self) -> None:
        self.action_open()

    # -- keys ------------------------------------------------------------------------------------

    def meant(self) -> Sequence[JobLine]:
        """Return the marked lines, or the one with the cursor."""
        table = self.table
        if table.marks:
            return [table.row(key) for key in table.visible_keys if key in table.marks]
        return [self.chosen] if self.chosen is not None else []

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what makes sense for the jobs that are meant."""
        if not self.is_mounted or action not in (
            "act", "open", "log", "usage", "cluster", "mark", "mark_all", "list", "clone",
            "output", "about",
        ):  # fmt: skip
            return super().check_action(action, parameters)
        if action == "list":
            return self.focused is not self.table
        chosen, running, several, *verbs = self._offered
        if action == "act":
            return True if verbs[VERBS.index(str(parameters[0]))] else None
        if action == "cluster":
            return several
        if action == "about":
            return True if self._profiles else None
        if action == "usage":
            return True if running else None
        return True if chosen else None

    def action_open(self) -> None:
        """Open the run that the job trains, or else go to its log."""
        line, watch, watched = self.chosen, self._watch, self.watched
        if line is None or watch is None or watched is None:
            return
        if line.run is None:
            self.action_log()
            return
        record = watched.records.get(line.job.id)
        if self._profiles[self._at].is_local or record is None:
            self.batman.open_run(line.run)
            return
        from batman_tui.run.screen import RunScreen

        self.app.push_screen(RunScreen(Path(record.run_dir), PatientFiles(watch.host)))

    def action_log(self) -> None:
        """Go to the job's log."""
        self.tab = "log"
        self.query_one("#tab-log").display = True
        if not self.query_one("#tab-log", Panel).empty:
            self.query_one(LogView).focus()

    def action_list(self) -> None:
        """Go back to the list."""
        self.table.focus()

    def action_mark(self) -> None:
        """Mark the job, or unmark it."""
        self.table.toggle_mark()

    def action_mark_all(self) -> None:
        """Mark all that are shown, or none."""
        self.table.toggle_all()

    def action_filter(self) -> None:
        """Type a filter, or where the log has the focus what to search for."""
        nodes = self.focused.ancestors_with_self if self.focused is not None else []
        name = "#log-search" if any(node.id == "tab-log" for node in nodes) else "#filter"
        self.query_one(name, FilterInput).open()

    def action_everyone(self) -> None:
        """Show everyone's jobs, or only mine."""
        if self._watch is not None:
            self._watch.poller.all_users = not self._watch.poller.all_users
            self._tick()

    def action_fold(self) -> None:
        """Show every task of an array by itself, or arrays in one line."""
        self._fold = not self._fold
        if self.watched is not None:
            self._lines = self.watched.lines(fold=self._fold)
            self.table.set_rows(self._lines)

    def action_columns(self) -> None:
        """Choose the columns of the list, and keep the choice."""
        from batman_tui.jobs.columns import ColumnsDialog

        shown = [column.key for column in self.table.columns]
        dialog = ColumnsDialog(column_names(self.batman.now), shown)
        self.app.push_screen(dialog, self._columns_chosen)

    def _columns_chosen(self, names: list[str] | None) -> None:
        if names is None:
            return
        self.table.set_columns(columns(self.batman.now, names))
        save_jobs_columns(names)

    def action_tab(self, by: int) -> None:
        """Show the next part of the details, or the one before."""
        wide = self.size.width >= 100
        names = [name for name in TABS if not (wide and name == "log")]
        here = "job" if wide and self.tab == "log" else self.tab
        self.tab = names[(names.index(here) + by) % len(names)]

    def action_zoom(self) -> None:
        """Give the focused part the whole screen, or go back."""
        if self.has_class("-only"):
            self.remove_class("-only", "-only-list", "-only-details")
            for panel in self.query(Panel):
                panel.remove_class("-chosen")
            return
        nodes = self.focused.ancestors if self.focused is not None else []
        chosen = next((node for node in nodes if isinstance(node, Panel)), None)
        if chosen is None:
            return
        chosen.add_class("-chosen")
        self.add_class("-only", "-only-list" if chosen.id == "jobs-panel" else "-only-details")
