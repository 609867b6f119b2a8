"""Looking at the queue: when, what came back, what is wrong, and runs kept up to date from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual import on, work
from textual.content import Content
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Static

from batman_tui.connections import host_of, use_host
from batman_tui.jobs.details import JobsDetails
from batman_tui.jobs.lines import Room, age_text, rooms, status_text
from batman_tui.widgets.panel.panel import Panel
from batman_tui.widgets.table.table import VirtualTable
from core.common.errors import BatmanError
from core.common.text import clean
from slurm.hosts import Host
from slurm.queue.arrays import JobLine
from slurm.site.profiles import Profile
from slurm.watch.cluster_jobs import QueueWatch, Watched, clusters
from slurm.watch.keep_mirrors import RunKeeper

TICK_SECONDS = 1.0
# A log is a file: looking at it costs SLURM nothing.
LOG_EVERY = 2
NO_CLUSTER = (
    "No cluster is known, and there is no SLURM on this machine. n adds one; in a terminal it is "
    "batman clusters add NAME --host user@login.node."
)
NO_JOBS = "You have no jobs here. e shows everyone's; F7 in the training form submits a run."

Opener = Callable[[Profile], Host]


class JobsLook(JobsDetails):
    """The part of the jobs screen that asks clusters.

    While another screen is in front, a cluster is asked only if it trains runs of ours, and then
    as seldom as one that nobody looks at: their ends are to be noticed.
    """

    class Clusters(Message):
        """The clusters there are."""

        def __init__(self, found: Sequence[Profile]) -> None:
            super().__init__()
            self.found = found

    class Looked(Message):
        """The queue was looked at: `lines` for the list, and what is free."""

        def __init__(self, watched: Watched, lines: Sequence[JobLine], free: list[Room]) -> None:
            super().__init__()
            self.watched = watched
            self.lines = lines
            self.free = free

        def can_replace(self, message: Message) -> bool:
            """A newer look makes an older one useless."""
            return isinstance(message, JobsLook.Looked)

    def __init__(
        self,
        open_host: Opener | None = None,
        find_clusters: Callable[[], Sequence[Profile]] = clusters,
    ) -> None:
        super().__init__()
        self._open_host = open_host
        self._find_clusters = find_clusters
        self._profiles: list[Profile] = []
        self._watches: dict[str, QueueWatch] = {}
        self._keepers: dict[str, RunKeeper] = {}
        self._at = 0
        self._wanted_cluster = ""
        self._looking = False
        self._keeping = False
        self._ticks = 0
        self._fold = True
        self._timer: Timer | None = None
        self._lines: Sequence[JobLine] = ()

    def on_mount(self) -> None:
        """Find the clusters and begin to look."""
        self.table.focus()
        self._find()
        self._timer = self.set_interval(TICK_SECONDS, self._tick)

    def on_screen_resume(self) -> None:
        """Go on looking."""
        if self._timer is not None:
            self._tick()

    def _offer(self) -> None:
        """Work out which keys make sense now."""
        raise NotImplementedError

    @work(thread=True, exit_on_error=False, group="clusters")
    def _find(self) -> None:
        self.post_message(self.Clusters(self._find_clusters()))

    @on(Clusters)
    def _found(self, message: Clusters) -> None:
        here = self._wanted_cluster or (self.profile.name if self.profile is not None else "")
        self._wanted_cluster = ""
        self._profiles = list(message.found)
        names = [profile.name for profile in self._profiles]
        if not names:
            self.query_one("#jobs-panel", Panel).empty = NO_CLUSTER
            return
        self._choose(names.index(here) if here in names else 0)

    @property
    def profile(self) -> Profile | None:
        """The cluster that is shown."""
        return self._profiles[self._at] if self._profiles else None

    def _choose(self, at: int) -> None:
        """Show another cluster; what is known of it from before at once."""
        self._at = at
        profile = self._profiles[at]
        host = self._host_of(profile)
        watch = self._watches.get(profile.name)
        if watch is None or watch.host is not host:
            watch = self._watches[profile.name] = QueueWatch(
                host, profile.name, self.batman.workspace, poll_s=profile.poll_seconds
            )
            self._keepers[profile.name] = RunKeeper(host, profile, self.batman.workspace)
        if watch is not self._watch:
            self._watch = watch
            self.forget()
            self.watched = None
            self.table.set_rows([])
            self.query_one("#jobs-panel", Panel).empty = f"Asking {profile.name} …"
            if watch.poller.view.snapshot is not None:
                self._looking = True
                self._look(watch)
        self._offer()
        self._tick()

    def _host_of(self, profile: Profile) -> Host:
        if self._open_host is None:
            return host_of(self.app, profile)
        known = self._watches.get(profile.name)
        if known is not None:
            return known.host
        host = self._open_host(profile)
        use_host(self.app, profile, host)
        return host

    def _tick(self) -> None:
        self._ticks += 1
        if not self._looking:
            due = next((watch for watch in self._watches.values() if self._is_due(watch)), None)
            if due is not None:
                self._looking = True
                self._look(due)
        if not self.is_active:
            return
        if self._ticks % LOG_EVERY == 0:
            self._tail()
        self._status()

    def _is_due(self, watch: QueueWatch) -> bool:
        """Return whether to ask now: for who looks, or for runs whose end is to be noticed."""
        if watch is self._watch and self.is_active:
            watch.poller.attention = "watching" if self.app.app_focus else "away"
        elif self._keepers[watch.cluster].live():
            watch.poller.attention = "hidden"
        else:
            return False
        return watch.poller.due_in <= 0

    @work(thread=True, exit_on_error=False, group="look")
    def _look(self, watch: QueueWatch) -> None:
        try:
            watched = watch.poll()
            lines = watched.lines(fold=self._fold)
            free = rooms(watched.jobs) if watched.jobs else []
        finally:
            self._looking = False
        if watch is self._watch:
            self.post_message(self.Looked(watched, lines, free))
        if not self._keeping and watched.runs:
            self._keeping = True
            self._keep(self._keepers[watch.cluster], watched)

    @work(thread=True, exit_on_error=False, group="keep")
    def _keep(self, keeper: RunKeeper, watched: Watched) -> None:
        """Bring runs up to date: of ours here, from what the queue just told."""
        try:
            keeper.keep(watched)
        finally:
            self._keeping = False

    @on(Looked)
    def _looked(self, message: Looked) -> None:
        self._lines = message.lines
        self.watched = message.watched
        table = self.table
        if list(message.lines) != table.rows():
            table.set_rows(message.lines)
        panel = self.query_one("#jobs-panel", Panel)
        known = message.watched.view.snapshot is not None
        panel.empty = "" if table.row_count else NO_JOBS if known else "No answer yet."
        self.query_one("#rooms", VirtualTable).set_rows(message.free)
        self.query_one("#tab-free", Panel).empty = (
            "" if message.free else "What is free is not known yet."
        )
        self._problem()
        self._status()
        self._details()
        self._offer()

    def _status(self) -> None:
        watched, watch = self.watched, self._watch
        if watch is None:
            return
        text = Content.styled(clean(watch.cluster), "bold $accent")
        if watched is not None and watched.jobs is not None and watched.view.snapshot is not None:
            now = self.batman.now()
            late = watched.view.error is not None or bool(watched.jobs.errors)
            age = age_text(watched.jobs, now)
            shown = f"as of {age}" if late else "" if age == "just now" else age
            everyone = watch.poller.all_users
            text = status_text(watch.cluster, watched.jobs, everyone, shown, self.size.width - 4)
        line = self.query_one("#jobs-status", Static)
        if line.content != text:
            line.update(text)

    def _problem(self) -> None:
        """Say what the last look failed of, above what is known since before."""
        shown = self.query_one("#jobs-problem", Static)
        watched = self.watched
        lines: list[Content] = []
        if watched is not None and watched.view.error is not None:
            error = watched.view.error
            lines.append(Content.styled(f"✖ {clean(error.message)}", "bold $text-error"))
            key = "f5 connects again." if watched.view.needs_person else "f5 asks again now."
            lines.append(Content(f"{clean(error.hint)} {key}".strip()))
            if watched.view.snapshot is not None:
                age = age_text(watched.view.snapshot, self.batman.now())
                lines.append(Content.styled(f"Shown is what was known {age}.", "$foreground-muted"))
        elif watched is not None and watched.jobs is not None:
            lines = [
                Content.styled(f"▲ {clean(error)}", "$text-warning")
                for error in watched.jobs.errors.values()
            ]
        shown.display = bool(lines)
        if lines:
            shown.update(Content("\n").join(lines))

    # -- keys ------------------------------------------------------------------------------------

    def acting_host(self) -> Host | None:
        """Return the host of the cluster that is shown."""
        return self._watch.host if self._watch is not None else None

    def acted(self) -> None:
        """Unmark, and ask the queue again soon."""
        self.table.clear_marks()
        if self._watch is not None:
            self._watch.poller.hurry()

    def action_cluster(self) -> None:
        """Show the next cluster."""
        if self._profiles:
            self._choose((self._at + 1) % len(self._profiles))

    def action_new_cluster(self) -> None:
        """Add a cluster, and show it."""
        from batman_tui.cluster.profile_dialog import ClusterDialog

        self.app.push_screen(ClusterDialog(None), self._changed_cluster)

    def action_about(self) -> None:
        """Show what the cluster has, and its profile to change."""
        from batman_tui.cluster.profile_dialog import ClusterDialog

        if self.profile is not None:
            self.app.push_screen(ClusterDialog(self.profile), self._changed_cluster)

    def _changed_cluster(self, profile: Profile | None) -> None:
        if profile is not None:
            self._wanted_cluster = profile.name
            self._find()

    def action_look(self) -> None:
        """Ask the cluster now, connecting again if that is needed."""
        if self._watch is None:
            self._find()
            return
        self._watch.poller.hurry(reconnect=True)
        watched = self.watched
        if watched is not None and watched.view.error is not None:
            self._connect(self._watch)
        self._tick()

    @work(thread=True, exit_on_error=False, group="connect", exclusive=True)
    def _connect(self, watch: QueueWatch) -> None:
        connect = getattr(watch.host, "connect", None)
        if connect is None:
            return
        try:
            connect()
        except BatmanError as error:
            self.app.call_from_thread(self.batman.show_error, error)
            return
        watch.poller.hurry(reconnect=True)
