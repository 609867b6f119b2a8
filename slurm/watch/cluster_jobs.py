"""A cluster's queue together with our own records of the runs that are trained there."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from core.common.errors import BatmanError
from core.common.workspace import Workspace
from slurm.hosts import Host, HostError, NotConnected
from slurm.job.record import JobRecord, list_pass_records, list_records
from slurm.queue.arrays import JobLine, job_lines, own_runs
from slurm.queue.our_jobs import keep_ends, with_records
from slurm.queue.poll import QueuePoller, QueueView
from slurm.queue.queue import QueueSnapshot, ask_queue
from slurm.site.profile_files import list_profiles
from slurm.site.profiles import HERE, Profile, ProfileError, load_profile


@dataclass(frozen=True)
class Watched:
    """What is known of a cluster: the view, all jobs our records know of included, our runs, and
    the folders of labellers' passes that jobs make.
    """

    view: QueueView
    jobs: QueueSnapshot | None
    runs: dict[str, Path]
    records: dict[str, JobRecord]
    passes: dict[str, Path] = field(default_factory=dict)

    def lines(self, *, fold: bool = True) -> list[JobLine]:
        """Return the jobs as lines, running ones first, then waiting ones, then ended ones."""
        if self.jobs is None:
            return []
        lines = job_lines(self.jobs.jobs, fold=fold, runs=self.runs)
        return sorted(lines, key=lambda line: line.rank)


def clusters() -> list[Profile]:
    """Return the clusters that can be looked at, by name; on a login node without any, this one.

    A profile, or their folder, that cannot be read is left out; `batman clusters list` says what
    is wrong.
    """
    found = []
    with contextlib.suppress(BatmanError):
        for name in list_profiles():
            with contextlib.suppress(ProfileError):
                found.append(load_profile(name))
    if not found and shutil.which("squeue"):
        found.append(Profile(name=HERE))
    return found


class PatientFiles:
    """A host's files for whoever follows them: while it is out of reach, nothing is new."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._sizes: dict[str, int | None] = {}

    def read(self, path: str, offset: int, limit: int) -> bytes:
        """Return bytes of a file, none while the host does not answer."""
        try:
            return self._host.read(path, offset, limit)
        except HostError:
            return b""

    def size(self, path: str) -> int | None:
        """Return a file's size, the last one known while the host does not answer."""
        with contextlib.suppress(HostError):
            self._sizes[path] = self._host.size(path)
        return self._sizes.get(path)


# A host that is out of reach is tried this often: that costs its queue nothing.
AGAIN_S = 15.0


class QueueWatch:
    """Keeps what is known of the cluster called `cluster`, behind `host`. One thread at a time."""

    def __init__(
        self,
        host: Host,
        cluster: str,
        workspace: Workspace,
        *,
        poll_s: float,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.host = host
        self.cluster = cluster
        self.workspace = workspace
        clocked = {} if clock is None else {"clock": clock}
        self.poller = QueuePoller(partial(ask_queue, host), active_s=poll_s, **clocked)
        self._failed_at = 0.0

    @property
    def due_in(self) -> float:
        """Seconds until the cluster is to be asked; 0 when it is time.

        Where the host was out of reach, it is time as soon as anybody had an answer of it, such as
        whoever follows a log, and soon anyway.
        """
        due = self.poller.due_in
        view = self.poller.view
        if not isinstance(view.error, NotConnected) or view.needs_person:
            return due
        if (getattr(self.host, "last_answer", None) or 0.0) > self._failed_at:
            self.poller.hurry()
            return self.poller.due_in
        again = max(0.0, AGAIN_S - self.poller.since_asked)
        if not again:
            self.poller.hurry()
        return min(due, again)

    def poll(self) -> Watched:
        """Ask the cluster if it is time, and return what is known."""
        before = self.poller.view.snapshot
        if not self.due_in:
            self.poller.poll()
            self._failed_at = time.time()
        view = self.poller.view
        records = list_records(self.workspace)
        passes = list_pass_records(self.workspace)
        snapshot = view.snapshot
        if (
            snapshot is not None
            and snapshot is not before
            and keep_ends(snapshot, [*records, *passes], self.cluster)
        ):
            records = list_records(self.workspace)
            passes = list_pass_records(self.workspace)
        ours = [(path, record) for path, record in passes if record.cluster == self.cluster]
        mine = [(path, record) for path, record in records if record.cluster == self.cluster]
        if snapshot is not None:
            snapshot = with_records(snapshot, [*mine, *ours], self.cluster)
        else:
            # Not reached yet: what our records know is better than nothing.
            snapshot = with_records(QueueSnapshot(), [*mine, *ours], self.cluster)
        return Watched(
            view,
            snapshot,
            own_runs(mine, self.cluster),
            {record.job_id: record for _, record in [*mine, *ours] if record.job_id},
            own_runs(ours, self.cluster),
        )
