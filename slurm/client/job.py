"""A job that was submitted from Python: asked after, waited for, cancelled, its result taken."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Generic, TypeVar

from core.common.errors import BatmanError
from core.common.text import clean, clean_lines
from core.training.live.tail import CHUNK
from core.training.run.run import Run
from slurm.client.session import Session
from slurm.hosts import HostError
from slurm.job.record import JobRecord, read_record
from slurm.queue.arrays import why
from slurm.queue.job_actions import act
from slurm.queue.jobs import Job as QueueJob
from slurm.submit.submit import recover

T = TypeVar("T")

# A job that was just submitted may not be in the queue's answer yet.
_FRESH_S = 30.0


class JobFailed(BatmanError):
    """A job that ended without a result; `traceback` is the one on its node, if there was one."""

    def __init__(self, message: str, hint: str = "", traceback: str = "") -> None:
        super().__init__(message, hint)
        self.traceback = traceback

    def __str__(self) -> str:
        parts = [self.message, self.hint, self.traceback and f"On its node:\n{self.traceback}"]
        return "\n".join(filter(None, parts))


class Job(Generic[T]):
    """A job on a cluster; its folder here is `folder`. What it gives is `T`.

    It goes on whatever becomes of this object and its process.
    """

    def __init__(self, session: Session, folder: Path) -> None:
        self._session = session
        self.folder = folder

    def __repr__(self) -> str:
        record = self._record()
        return f"{type(self).__name__}({record.job_id!r}, {self.folder.name!r}, {record.state!r})"

    @property
    def id(self) -> str:
        """SLURM's number, `123` or `123_4` for one of an array; empty while it is not known."""
        record = self._record()
        if not record.job_id:  # the answer of its submission was lost
            found = recover(self._session.site, Run(self.folder))
            return found.job_id if found is not None else ""
        return record.job_id

    @property
    def state(self) -> str:
        """SLURM's word for how it is: PENDING, RUNNING, COMPLETED and so on.

        The queue is asked when it is time, never more often than its people like.
        """
        job = self._look()
        return job.state.name if job is not None else self._record().state or "UNKNOWN"

    @property
    def words(self) -> str:
        """How it is in words, with the reason why it waits."""
        job = self._look()
        if job is None:
            return "not in the queue"
        reason = why(job)
        return f"{job.state.words}: {reason}" if reason else job.state.words

    def done(self) -> bool:
        """Return whether it is over and what it left is here. Raises `HostError` as `wait` does."""
        raise NotImplementedError

    def wait(self, timeout: float | None = None) -> None:
        """Wait for its end, `timeout` seconds at most (None: however long it takes).

        A cluster that is out of reach is waited for. Raises `TimeoutError`, and `HostError` where
        it lets nobody in until a person logs in again. Interrupted, the job goes on.
        """
        if not self._session.until(self.done, timeout):
            raise TimeoutError(f"Job {self.id} has not ended in {timeout:g} s; it goes on.")

    def result(self, timeout: float | None = None) -> T:
        """Wait for its end and return what came of it.

        Raises `JobFailed` when it ended without, and as `wait` does.
        """
        self.wait(timeout)
        failed = self._failure()
        if failed is not None:
            raise failed
        return self._take()

    def exception(self, timeout: float | None = None) -> JobFailed | None:
        """Wait for its end and return what it failed of, None if it did not."""
        self.wait(timeout)
        return self._failure()

    def cancel(self) -> None:
        """Cancel it: a run writes a checkpoint first. Raises `HostError`, `JobActionError`."""
        act(self._session.host, "cancel", [self.id])
        self._session.hurry()

    def log(self) -> str:
        """Return what it has printed so far, without what a terminal would obey.

        Raises `HostError` when the cluster cannot be reached.
        """
        path, data = self._record().log, bytearray()
        while path and (part := self._session.host.read(path, len(data), CHUNK)):
            data += part
        return clean_lines(data.decode(errors="replace"))

    # For what is special to each kind

    def _failure(self) -> JobFailed | None:
        raise NotImplementedError

    def _take(self) -> T:
        raise NotImplementedError

    def _record(self) -> JobRecord:
        record = read_record(self.folder)
        if record is None:
            raise BatmanError(f"'{clean(self.folder.name)}' was never submitted, or is removed.")
        return record

    def _look(self) -> QueueJob | None:
        record = self._record()
        return self._session.job(self._session.look(record), record)

    def _left(self, job: QueueJob | None, taken_at: float | None) -> bool:
        """Return whether it is over, by what the queue says: it ended, or nobody knows it."""
        if job is not None:
            return job.state.ended
        return taken_at is not None and self._record().submitted_at < taken_at - _FRESH_S

    def _last_words(self) -> str:
        """Return the traceback that its log ends with, or its last lines."""
        with contextlib.suppress(HostError):
            lines = self.log().rstrip().splitlines()
            begins = [n for n, line in enumerate(lines) if line.startswith("Traceback (most")]
            return "\n".join(lines[begins[-1] :] if begins else lines[-20:])
        return ""


def wait_all(jobs: Iterable[Job[Any]], timeout: float | None = None) -> None:
    """Wait for the ends of all jobs, `timeout` seconds at most; raises as `Job.wait` does."""
    end = None if timeout is None else time.monotonic() + timeout
    for job in jobs:
        job.wait(None if end is None else max(0.0, end - time.monotonic()))
