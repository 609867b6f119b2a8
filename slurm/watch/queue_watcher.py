"""The queues of clusters, watched for an app that stays open, and our runs there mirrored."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from threading import Lock
from typing import Protocol

from core.common.workspace import Workspace
from slurm.hosts import Host
from slurm.queue.poll import Attention, QueuePoller
from slurm.site.profiles import Profile
from slurm.watch.cluster_jobs import QueueWatch, Watched
from slurm.watch.keep_mirrors import RunKeeper


class ClusterWatch:
    """One cluster: its queue, and the runs of ours that it trains, kept up to date here.

    One thread at a time asks and one mirrors, which may take as long as a checkpoint; neither
    waits for the other, nor for another cluster.
    """

    def __init__(self, host: Host, profile: Profile, workspace: Workspace) -> None:
        self.host = host
        self.profile = profile
        self.latest: Watched | None = None
        """What the last look found."""
        self._queue = QueueWatch(host, profile.name, workspace, poll_s=profile.poll_seconds)
        self._keeper = RunKeeper(host, profile, workspace)
        self._asking, self._mirroring = Lock(), Lock()

    @property
    def poller(self) -> QueuePoller:
        """When the queue is asked, and whose jobs."""
        return self._queue.poller

    @property
    def live(self) -> bool:
        """Whether it trains runs of ours whose end is to be noticed."""
        return self._keeper.live()

    def reconnect(self) -> None:
        """Connect again, which may ask a person, and ask soon. It blocks: for a thread.

        Raises `HostError`.
        """
        connect = getattr(self.host, "connect", None)
        if connect is not None:
            connect()
            self.poller.hurry(reconnect=True)

    def claim(self, attention: Attention | None) -> bool:
        """Return whether to ask now; who gets True calls `look`, and nobody else does until then.

        `attention` is how closely somebody looks. When nobody does (None), it is asked only if it
        trains runs of ours, as seldom as one that is hidden.
        """
        if attention is None and not self.live:
            return False
        self.poller.attention = attention or "hidden"
        return self._queue.due_in <= 0 and self._asking.acquire(blocking=False)

    def look(self, told: Callable[[ClusterWatch, Watched], None]) -> None:
        """Ask, call `told` with what is known now, and mirror our runs. It blocks: for a thread."""
        try:
            watched = self.latest = self._queue.poll()
        finally:
            self._asking.release()
        told(self, watched)
        if watched.runs and self._mirroring.acquire(blocking=False):
            try:
                self._keeper.keep(watched)
            finally:
                self._mirroring.release()


class Viewer(Protocol):
    """Who looks at a cluster."""

    @property
    def attention(self) -> Attention | None:
        """How closely it looks now; None while something else is in front."""

    def told(self, cluster: ClusterWatch, watched: Watched) -> None:
        """Hear what a look found; called in a thread."""


class QueueWatcher:
    """Asks every cluster when it is time: the one that is shown, and those that train our runs.

    `open_host` reaches a cluster, always by the same host, and `in_thread` has a function run in a
    thread. Its methods are for one thread; none of them blocks.
    """

    def __init__(
        self,
        workspace: Workspace,
        open_host: Callable[[Profile], Host],
        in_thread: Callable[[Callable[[], None]], object],
    ) -> None:
        self._workspace = workspace
        self._open_host = open_host
        self._in_thread = in_thread
        self._clusters: dict[str, ClusterWatch] = {}
        self._shown: ClusterWatch | None = None
        self._viewer: Viewer | None = None

    @property
    def looked_at(self) -> list[ClusterWatch]:
        """The clusters that somebody has looked at."""
        return list(self._clusters.values())

    def show(self, profile: Profile, viewer: Viewer) -> ClusterWatch:
        """Let `viewer` hear of the cluster `profile` from now on, and of no other.

        What was known of it stays known, unless its profile was changed.
        """
        host = self._open_host(profile)
        cluster = self._clusters.get(profile.name)
        if cluster is None or cluster.host is not host or cluster.profile != profile:
            cluster = ClusterWatch(host, profile, self._workspace)
            self._clusters[profile.name] = cluster
        self._shown, self._viewer = cluster, viewer
        return cluster

    def hurry(self, name: str) -> None:
        """Have a cluster asked soon: it was given a job, of which nothing known tells yet."""
        if name in self._clusters:
            self._clusters[name].poller.hurry()

    def keep(self, names: Collection[str]) -> None:
        """Forget every cluster but those of `names`: the profiles of the others are gone."""
        self._clusters = {name: each for name, each in self._clusters.items() if name in names}
        if self._shown is not None and self._shown.profile.name not in names:
            self._shown = self._viewer = None

    def tick(self) -> None:
        """Have the clusters asked that are due."""
        for cluster in self._clusters.values():
            viewer = self._viewer if cluster is self._shown else None
            if cluster.claim(viewer.attention if viewer else None):
                self._in_thread(partial(cluster.look, self._told))

    def _told(self, cluster: ClusterWatch, watched: Watched) -> None:
        if cluster is self._shown and self._viewer is not None:
            self._viewer.told(cluster, watched)
