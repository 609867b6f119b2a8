"""A cluster's queue together with our own records of the runs that are trained there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from core.workspace import Workspace
from slurm.arrays import JobLine, job_lines, own_runs
from slurm.hosts import Host
from slurm.known import keep_ends, with_records
from slurm.poller import QueuePoller, QueueView
from slurm.queue import QueueSnapshot, ask_queue
from slurm.record import JobRecord, list_records


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
