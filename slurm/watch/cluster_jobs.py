"""A cluster's queue together with our own records of the runs that are trained there."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from core.common.errors import BatmanError
from core.common.workspace import Workspace
from slurm.hosts import Host, HostError
from slurm.job.record import JobRecord, list_records
from slurm.queue.arrays import JobLine, job_lines, own_runs
from slurm.queue.our_jobs import keep_ends, with_records
from slurm.queue.poll import QueuePoller, QueueView
from slurm.queue.queue import QueueSnapshot, ask_queue
from slurm.site.profiles import Profile, ProfileError, list_profiles, load_profile


@dataclass(frozen=True)
class Watched:
    """What is known of a cluster: the view, all jobs our records know of included, and our runs."""

    view: QueueView
    jobs: QueueSnapshot | None
    runs: dict[str, Path]
    records: dict[str, JobRecord]

    def lines(self, *, fold: bool = True) -> list[JobLine]:
        """Return the jobs as lines, running ones first, then waiting ones, then ended ones."""
        if self.jobs is None:
            return []
        lines = job_lines(self.jobs.jobs, fold=fold, runs=self.runs)
        return sorted(lines, key=lambda line: line.rank)


# What the login node that we are on is called where nobody has made a profile for it.
HERE = "here"


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

    def poll(self) -> Watched:
        """Ask the cluster if it is time, and return what is known."""
        before = self.poller.view.snapshot
        view = self.poller.poll()
        records = list_records(self.workspace)
        snapshot = view.snapshot
        if (
            snapshot is not None
            and snapshot is not before
            and keep_ends(snapshot, records, self.cluster)
        ):
            records = list_records(self.workspace)
        mine = [(path, record) for path, record in records if record.cluster == self.cluster]
        if snapshot is not None:
            snapshot = with_records(snapshot, mine, self.cluster)
        else:
            # Not reached yet: what our records know is better than nothing.
            snapshot = with_records(QueueSnapshot(), mine, self.cluster)
        return Watched(
            view,
            snapshot,
            own_runs(mine, self.cluster),
            {record.job_id: record for _, record in mine if record.job_id},
        )
