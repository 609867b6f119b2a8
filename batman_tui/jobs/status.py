"""What stands above the list of jobs: how it is there, how old that is, and what is wrong."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from batman_tui.jobs.lines import problem_lines, status_text
from batman_tui.widgets.frame.base import Guarded
from slurm.watch.cluster_jobs import Watched
from slurm.watch.queue_watcher import ClusterWatch

STATUS_SECONDS = 1.0


class ClusterStatus(Guarded, Vertical):
    """A line that follows the clock, and a frame with what the last look failed of."""

    DEFAULT_CSS = """
    ClusterStatus {
        height: auto;
        & > #jobs-status { height: 1; padding: 0 2; color: $foreground; }
        & > #jobs-problem {
            display: none; height: auto; max-height: 5; padding: 0 1; margin: 0;
            border: round $error; background: $background;
        }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._cluster: ClusterWatch | None = None
        self._watched: Watched | None = None

    def compose(self) -> ComposeResult:
        """Lay out the line and the frame."""
        yield Static("", id="jobs-status", markup=False)
        yield Static("", id="jobs-problem", markup=False)

    def on_mount(self) -> None:
        """Follow the clock."""
        self.set_interval(STATUS_SECONDS, self.tell_age)

    def show(self, cluster: ClusterWatch | None, watched: Watched | None) -> None:
        """Show a cluster, with what the last look at it found; None is no cluster."""
        self._cluster, self._watched = cluster, watched
        lines = problem_lines(watched, self.batman.now()) if watched is not None else []
        shown = self.query_one("#jobs-problem", Static)
        shown.display = bool(lines)
        if lines:
            shown.update(Content("\n").join(lines))
        self.tell_age()

    def tell_age(self) -> None:
        """Say how it is and how old that is, while the screen is in front."""
        cluster = self._cluster
        if cluster is None:
            self.query_one("#jobs-status", Static).update("")
        if cluster is None or not self.screen.is_active:
            return
        everyone, room = cluster.poller.all_users, self.app.size.width - 4
        name, now = cluster.profile.name, self.batman.now()
        text = status_text(name, self._watched, everyone, now, room)
        line = self.query_one("#jobs-status", Static)
        if line.content != text:
            line.update(text)
