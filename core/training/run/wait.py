"""A run whose job waits in a cluster's queue: why, since when, its place, when it may start.

Whoever looks at the queue notes it in the run's `job.json`; here it is read and put in words.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec

from core.common.files import read_plain
from core.common.parse import ParseError, parse_json
from core.common.text import clean, duration, plural
from core.training.run.worker_process import State, Worker

JOB_FILE = "job.json"
# The states that a run may seem to be in while its job waits.
_LIVE: tuple[State, ...] = ("preparing", "running")


class Wait(msgspec.Struct, frozen=True, kw_only=True):
    """How a job waits, as it was told at `seen_at`. Times are Unix seconds, None while unknown.

    `why` is in words, empty while nobody has said; `start` is the scheduler's estimate, `place` the
    job's place among the `line` jobs that wait for the same partitions. `restarts` is how often it
    was put back into the queue.
    """

    job: str
    cluster: str
    since: float | None = None
    why: str = ""
    start: float | None = None
    place: int | None = None
    line: int | None = None
    restarts: int = 0
    seen_at: float | None = None


class _Job(msgspec.Struct):
    """What is read of `job.json`."""

    cluster: str = ""
    job_id: str = ""
    state: str = ""
    submitted_at: float | None = None
    wait: Wait | None = None


def waiting(
    run_dir: Path, state: State, worker: Worker | None, last_event: float | None
) -> Wait | None:
    """Return how the job of the run in `run_dir` waits, None if it does not.

    `state` is the run's as it seems without that, `worker` and `last_event` (Unix seconds) what is
    known of who trains it: what began after the queue was looked at does not wait any more. Of a
    job that nobody has looked for yet the submission is known, and no more.
    """
    if worker is None or state not in _LIVE:
        return None
    try:
        job = parse_json(read_plain(run_dir / JOB_FILE), _Job)
    except (OSError, ParseError):
        return None
    if job.wait is not None:
        begun = max(last_event or 0.0, worker.since if worker.pid else 0.0)
        return job.wait if (job.wait.seen_at or 0.0) >= begun else None
    if worker.pid or job.state:
        return None
    return Wait(job=job.job_id, cluster=job.cluster, since=job.submitted_at)


def wait_parts(wait: Wait, now: float) -> list[str]:
    """Return in words how a job waits, what tells most first; `now` is Unix seconds."""
    parts = ["queued" if wait.since is None else f"queued for {duration(now - wait.since)}"]
    if wait.why:
        parts.append(clean(wait.why))
    if wait.place is not None and wait.line is not None:
        parts.append(f"place {wait.place:,} of {wait.line:,}")
    if wait.start is not None and wait.start > now:
        parts.append(f"starts about {_clock(wait.start, now)}")
    if wait.restarts:
        parts.append(f"put back {plural(wait.restarts, 'time')}")
    return parts


def wait_words(wait: Wait, now: float) -> str:
    """Return `wait_parts` as one line, with the job and its cluster."""
    first, *rest = wait_parts(wait, now)
    job = f" as job {wait.job}" if wait.job else ""
    on = f" on {clean(wait.cluster)}" if wait.cluster else ""
    return "; ".join([f"{first}{job}{on}", *rest])


def _clock(then: float, now: float) -> str:
    local = datetime.fromtimestamp(then).astimezone()
    same_day = local.date() == datetime.fromtimestamp(now).astimezone().date()
    return f"{local:%H:%M}" if same_day else f"{local:%d %b %H:%M}"
