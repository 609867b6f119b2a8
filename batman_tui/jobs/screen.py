"""The jobs of a cluster: what runs, waits and ended, why, its logs, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.binding import BindingType
from textual.message import Message
from textual.widget import Widget

from batman_tui.jobs.details import JobDetails
from batman_tui.jobs.hours_dialog import HoursDialog
from batman_tui.jobs.job_actions import question, refusal
from batman_tui.jobs.job_list import JobList
from batman_tui.jobs.lines import Room, rooms
from batman_tui.jobs.status import ClusterStatus
from batman_tui.jobs.taking import ask_shell, file_for, write_table
from batman_tui.keys import bindings
from batman_tui.widgets.frame.base import BatmanScreen
from batman_tui.widgets.panel.list_layout import ListLayout
from batman_tui.widgets.panel.tabs import TabbedPanels
from batman_tui.widgets.panel.zoom import toggle_zoom
from batman_tui.widgets.table.table import VirtualTable
from core.common.errors import BatmanError
from core.common.text import clean, plural
from slurm.hosts import Host
from slurm.queue.arrays import JobLine
from slurm.queue.job_actions import DONE, VERBS, act, targets
from slurm.queue.poll import Attention
from slurm.site.profiles import Profile
from slurm.watch.cluster_jobs import PatientFiles, Watched, clusters
from slurm.watch.pins import pinned_jobs
from slurm.watch.queue_watcher import ClusterWatch


class JobsScreen(BatmanScreen):
    """Jobs of one cluster at a time, which the app's `queue_watcher` asks for.

    `find_clusters` finds the clusters there are. All that is shown comes from the last good
    answer, and says how old that is.
    """

    HELP = (
        "Enter opens the run that a job trains, or its log. Space marks jobs, x cancels them, h "
        "holds, r releases, R requeues, C submits its run anew. The queue is asked for seldom, as "
        "SLURM wants it; F5 asks at once, and connects again after a login that was given up."
    )
    CSS_PATH = Path(__file__).with_name("screen.tcss")
    BINDINGS: ClassVar[list[BindingType]] = bindings("jobs")

    @dataclass
    class Found(Message):
        """The clusters there are; `wanted` is the name of the one to show."""

        profiles: Sequence[Profile]
        wanted: str

    @dataclass
    class Looked(Message):
        """A cluster was looked at: `lines` for the list, what is free, and which are pinned."""

        cluster: ClusterWatch
        watched: Watched
        lines: Sequence[JobLine]
        free: Sequence[Room]
        pins: Collection[str]

        def can_replace(self, message: Message) -> bool:
            """A newer look at the cluster makes an older one useless."""
            return isinstance(message, JobsScreen.Looked) and message.cluster is self.cluster

    @dataclass
    class Acted(Message):
        """SLURM was asked to do something; `done` says what it did, empty if it refused."""

        done: str

    def __init__(self, find_clusters: Callable[[], Sequence[Profile]] = clusters) -> None:
        super().__init__()
        self.cluster: ClusterWatch | None = None
        """The cluster that is shown."""
        self.watched: Watched | None = None
        """What the last look at it found."""
        self._find_clusters = find_clusters
        self._profiles: list[Profile] = []
        self._offered: tuple[bool, ...] = (False,) * (4 + len(VERBS))

    def body(self) -> Iterable[Widget]:
        """Lay out the status line, the list, and details of the job with the cursor."""
        yield ClusterStatus()
        self.jobs = JobList(self.batman.now, self.batman.settings.jobs_columns, id="jobs-panel")
        self.jobs.add_class("-list")
        yield ListLayout(self.jobs, JobDetails(id="jobs-details"), id="jobs-body", beside=False)

    @property
    def table(self) -> VirtualTable[JobLine]:
        """The list of jobs."""
        return self.jobs.table

    @property
    def details(self) -> JobDetails:
        """The job with the cursor, and what is free."""
        return self.query_one(JobDetails)

    @property
    def chosen(self) -> JobLine | None:
        """The line with the cursor."""
        return self.table.cursor_row

    @property
    def of_here(self) -> str:
        """The name of the cluster."""
        return self.cluster.profile.name if self.cluster is not None else ""

    def back_at(self, filter: str, row: object, of: str) -> None:
        """Go back to a job of a cluster."""
        super().back_at(filter, row, of)
        if of:
            self._find(of)

    # -- which cluster ---------------------------------------------------------------------------

    def on_mount(self) -> None:
        """Find the clusters and begin to look."""
        self.table.focus()
        self._find()

    def on_screen_resume(self) -> None:
        """Go on looking closely."""
        if self.cluster is not None:
            self.batman.queue_watcher.tick()
            self.query_one(ClusterStatus).tell_age()

    @work(thread=True, exit_on_error=False, group="clusters")
    def _find(self, wanted: str = "") -> None:
        self.post_message(self.Found(self._find_clusters(), wanted))

    @on(Found)
    def _found(self, message: Found) -> None:
        here = message.wanted or (self.cluster.profile.name if self.cluster is not None else "")
        self._profiles = list(message.profiles)
        self.batman.queue_watcher.keep([profile.name for profile in self._profiles])
        if not self._profiles:
            self._choose_none()
            return
        named = [profile for profile in self._profiles if profile.name == here]
        self._choose((named or self._profiles)[0])

    def _choose(self, profile: Profile) -> None:
        """Show a cluster; what is known of it from before at once."""
        watcher = self.batman.queue_watcher
        cluster = watcher.show(profile, self)
        if cluster is not self.cluster:
            self.cluster, self.watched = cluster, None
            self.details.show_cluster(cluster.host)
            self.jobs.begin(profile.name)
            self.query_one(ClusterStatus).show(cluster, None)
            if cluster.latest is not None:
                self._recall(cluster, cluster.latest)
        self._offer()
        watcher.tick()

    def _choose_none(self) -> None:
        self.cluster = self.watched = None
        self.jobs.end()
        self.details.show_job(None)
        self.query_one(ClusterStatus).show(None, None)
        self._offer()

    @property
    def attention(self) -> Attention | None:
        """How closely somebody looks at the cluster."""
        if not self.is_active:
            return None
        return "watching" if self.app.app_focus else "away"

    def told(self, cluster: ClusterWatch, watched: Watched) -> None:
        """Hear what a look found, in the thread that looked."""
        free = rooms(watched.jobs) if watched.jobs else []
        lines, pins = watched.lines(fold=self.jobs.fold), frozenset[str]()
        with suppress(BatmanError):  # pinning says what is wrong with the file
            pins = pinned_jobs(cluster.profile.name)
        self.post_message(self.Looked(cluster, watched, lines, free, pins))

    @work(thread=True, exit_on_error=False, group="recall")
    def _recall(self, cluster: ClusterWatch, watched: Watched) -> None:
        self.told(cluster, watched)

    # -- showing ---------------------------------------------------------------------------------

    @on(Looked)
    def _looked(self, message: Looked) -> None:
        if message.cluster is not self.cluster:
            return
        self.watched = message.watched
        self.jobs.show(message.watched, message.lines, message.pins)
        self.query_one(ClusterStatus).show(message.cluster, message.watched)
        self.details.show_look(message.watched, self.chosen, message.free)
        self._offer()

    @on(VirtualTable.Highlighted, "#jobs")
    def _moved(self) -> None:
        self._offer()
        self.details.show_job(self.chosen)

    @on(VirtualTable.Shown, "#jobs")
    def _offer(self) -> None:
        """Work out what can be done with the jobs that are meant; tell the key bar if it changed.

        It is asked for at every key, and thousands of jobs may be marked.
        """
        line, meant = self.chosen, self.jobs.meant
        running = line is not None and line.job.state.running
        live = line is not None and not line.job.state.ended
        can = [any(targets([line], verb) for line in meant) for verb in VERBS]
        offered = (line is not None, running, live, len(self._profiles) > 1, *can)
        if offered != self._offered:
            self._offered = offered
            self.refresh_bindings()

    # -- keys ------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what makes sense for the jobs that are meant."""
        if not self.is_mounted or action not in (
            "act", "open", "log", "usage", "cluster", "mark", "mark_all", "list", "clone",
            "output", "about", "copy", "export", "script", "shell", "pin",
        ):  # fmt: skip
            return super().check_action(action, parameters)
        if action == "list":
            return self.focused is not self.table
        chosen, running, live, several, *verbs = self._offered
        if action == "act":
            return True if verbs[VERBS.index(str(parameters[0]))] else None
        if action == "cluster":
            return several
        if action == "about":
            return True if self._profiles else None
        if action in ("usage", "shell"):
            return True if (running if action == "shell" else live) else None
        return True if chosen else None

    def why_not(self, action: str, parameters: tuple[object, ...]) -> str:
        """Say what there is no job or cluster for."""
        return refusal(action, parameters, bool(self._profiles), self.chosen is not None)

    @on(VirtualTable.Opened, "#jobs")
    def action_open(self) -> None:
        """Open the run that the job trains, or else go to its log."""
        line, cluster, watched = self.chosen, self.cluster, self.watched
        if line is None or cluster is None or watched is None:
            return
        if line.run is None:
            self.action_log()
            return
        record = watched.records.get(line.job.id)
        if cluster.profile.is_local or record is None:
            self.batman.open_run(line.run)
            return
        from batman_tui.run.screen import RunScreen
        from slurm.sync.val_pictures import RemotePictures

        there, host = Path(record.run_dir), cluster.host
        pictures = RemotePictures(host, record.run_dir, line.run)
        run = RunScreen(there, PatientFiles(host), pictures, line.run, cluster=self.of_here)
        self.app.push_screen(run)

    def action_log(self) -> None:
        """Go to the job's log."""
        panel = self.details.show_log()
        if not panel.empty:
            panel.view.focus()

    @on(TabbedPanels.Hidden)
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
        if self.details.log_panel in nodes:
            self.details.log_panel.search()
        else:
            self.jobs.filter()

    def action_copy(self) -> None:
        """Show the log, or the job and what is listed, to select from, copy or write to a file."""
        self.details.copy(self.jobs.listed, self.of_here)

    def action_export(self) -> None:
        """Write the marked jobs, or all that are shown, as CSV."""
        file = file_for(self.batman.workspace, "exports", f"jobs-{self.of_here}.csv")
        self.batman.tell(write_table(self.jobs.listed, file))

    def action_script(self) -> None:
        """Show the job's batch script."""
        self.details.ask_script()

    def action_shell(self) -> None:
        """Give the terminal to a shell on the job's node until it ends."""
        if self.chosen is not None and self.cluster is not None:
            ask_shell(self.app, self.cluster.profile, self.chosen)

    def action_keep_filter(self) -> None:
        """Keep what is filtered by, under a name that the filter takes as `@name`."""
        self.jobs.keep()

    def action_pin(self) -> None:
        """Keep what is meant on top of the list, or no longer."""
        if self.watched is not None:
            self.batman.tell(self.jobs.flip_pins(self.watched, self.of_here))

    def action_hours(self) -> None:
        """Show what runs on clusters have cost."""
        self.app.push_screen(HoursDialog())

    def action_act(self, verb: str) -> None:
        """Ask, where something can be lost or several jobs are meant, and do it."""
        lines = [line for line in self.jobs.meant if targets([line], verb)]
        if not lines or self.cluster is None:
            return
        host, ids = self.cluster.host, targets(lines, verb)

        def answered(agreed: bool | None) -> None:
            if agreed:
                self._act(host, verb, ids, len(lines))

        dialog = question(verb, lines)
        if dialog is None:
            answered(True)
        else:
            self.app.push_screen(dialog, answered)

    @work(thread=True, exit_on_error=False, group="act")
    def _act(self, host: Host, verb: str, ids: list[str], count: int) -> None:
        done = ""
        try:
            act(host, verb, ids)
            done = f"{DONE[verb]} {plural(count, 'job')}."
        finally:
            self.post_message(self.Acted(done))

    @on(Acted)
    def _acted(self, message: Acted) -> None:
        if message.done:
            self.batman.tell(message.done)
        self.table.clear_marks()
        if self.cluster is not None:
            self.cluster.poller.hurry()

    def action_clone(self) -> None:
        """Open the training form filled with what the job was made from, to submit it anew.

        Raises BatmanError for a job that is not one of ours.
        """
        lines = self.jobs.meant
        if not lines:
            return
        line = lines[0]
        if line.run is None:
            raise BatmanError(
                f"Job {clean(line.id)} trains no run of this workspace.",
                "Only what Batman submitted from here can be cloned.",
            )
        from slurm.submit.clone import clone_run

        self.batman.open_clone(clone_run(line.run))

    def action_output(self) -> None:
        """Show the job's error output, or its output again."""
        self.details.flip_output()

    def action_usage(self) -> None:
        """Ask the nodes of a running job for GPU and memory use."""
        self.details.ask_usage()

    def action_cluster(self) -> None:
        """Show the next cluster."""
        if self.cluster is not None:
            names = [profile.name for profile in self._profiles]
            at = names.index(self.cluster.profile.name) + 1
            self._choose(self._profiles[at % len(names)])

    def action_new_cluster(self) -> None:
        """Add a cluster, and show it."""
        self._ask_about(None)

    def action_about(self) -> None:
        """Show what the cluster has, and its profile to change or remove."""
        if self.cluster is not None:
            self._ask_about(self.cluster.profile)

    def _ask_about(self, profile: Profile | None) -> None:
        from batman_tui.cluster.profile_dialog import ClusterDialog

        self.app.push_screen(ClusterDialog(profile), self._look_again)

    def _look_again(self, saved: Profile | None) -> None:
        self._find(saved.name if saved is not None else "")

    def action_look(self) -> None:
        """Ask the cluster now, connecting again if that is needed."""
        if self.cluster is None:
            self._find()
            return
        self.cluster.poller.hurry(reconnect=True)
        if self.watched is not None and self.watched.view.error is not None:
            self._connect(self.cluster)
        self.batman.queue_watcher.tick()

    @work(thread=True, exit_on_error=False, group="connect", exclusive=True)
    def _connect(self, cluster: ClusterWatch) -> None:
        cluster.reconnect()

    def action_everyone(self) -> None:
        """Show everyone's jobs, or only mine."""
        if self.cluster is not None:
            self.cluster.poller.all_users = not self.cluster.poller.all_users
            self.query_one(ClusterStatus).tell_age()
            self.batman.queue_watcher.tick()

    def action_fold(self) -> None:
        """Show every task of an array by itself, or arrays in one line."""
        self.jobs.flip_fold(self.watched)

    def action_columns(self) -> None:
        """Choose the columns of the list, and keep the choice."""
        self.jobs.choose_columns()

    def action_tab(self, by: int) -> None:
        """Show the next part of the details, or the one before."""
        self.details.next_tab(by)

    def action_zoom(self) -> None:
        """Give the focused part the whole screen, or go back."""
        toggle_zoom(self, "jobs-panel", "jobs-details")
