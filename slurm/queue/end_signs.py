"""Signs that a job may have ended, so that the queue is asked when that is worth it.

They cost SLURM nothing: how long a job has run is in the last answer, and what it writes are files.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Mapping

from slurm.hosts import Host, HostError
from slurm.job.attempts import FILE
from slurm.job.record import JobRecord
from slurm.queue.jobs import Job
from slurm.queue.poll import LEAST_GAP_S

# A run's note of its end comes a moment before SLURM knows of it.
NOTE_COUNTS_S = 30.0
# So many jobs' notes are looked at; who follows more hears of their ends at the usual looks.
MOST_NOTES = 20


class EndSigns:
    """Looks for signs that jobs may have ended; `clock` counts seconds monotonically."""

    def __init__(self, host: Host, clock: Callable[[], float] = time.monotonic) -> None:
        self._host = host
        self._clock = clock
        self._notes: dict[str, int | None] = {}
        self._noted_at: float | None = None
        self._heard_at = clock()
        self._longest = 0.0

    def of_jobs(
        self, jobs: Iterable[Job], records: Mapping[str, JobRecord], answered: float
    ) -> bool:
        """Return whether one of `jobs` may have ended, `answered` seconds after they were told of.

        One that began a moment ago may have ended after as long again, and one that is completing
        at any time; a run of ours notes its end in a file.
        """
        live = [job for job in jobs if not job.state.ended]
        for job in live[:MOST_NOTES]:
            record = records.get(job.id)
            if record is not None and job.state.running:
                self._look(f"{record.run_dir}/{FILE}")
        if self._noted_at is not None and self._clock() - self._noted_at < NOTE_COUNTS_S:
            return True
        return any(
            job.state.name == "COMPLETING"
            or (
                job.state.running
                and job.time_used is not None
                and answered >= max(LEAST_GAP_S, job.time_used)
            )
            for job in live
        )

    def _look(self, path: str) -> None:
        with contextlib.suppress(HostError):
            size = self._host.size(path)
            if path in self._notes and self._notes[path] != size:
                self._noted_at = self._clock()
            self._notes[path] = size

    def of_log(self, news: bool) -> bool:
        """Return whether a log, which has `news` or not, is silent as it never was before.

        Each time that it is, only a silence twice as long counts again.
        """
        now = self._clock()
        silent = now - self._heard_at
        if news:
            self._longest = max(self._longest, silent)
            self._heard_at = now
            return False
        if silent < max(LEAST_GAP_S, 2 * self._longest):
            return False
        self._longest = silent
        return True
