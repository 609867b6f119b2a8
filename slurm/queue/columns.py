"""The columns of a list of jobs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from core.common.lists.columns import Column, by_key
from core.common.text import ago, duration, minute
from slurm.job.reasons import BRIEF_CELLS, reason_brief
from slurm.job.states import LEFT
from slurm.queue.arrays import JobLine, why
from slurm.queue.jobs import Job

_SIGNS = {
    "COMPLETED": "✔", "CANCELLED": "■", "PENDING": "○", "SUSPENDED": "◌", "RUNNING": "●",
}  # fmt: skip
# For the list; the details say it in full.
_SHORT = {
    "TIMEOUT": "timed out", "OUT_OF_MEMORY": "out of memory", "PREEMPTED": "preempted",
    "NODE_FAIL": "node failed", "BOOT_FAIL": "node failed", "DEADLINE": "deadline",
    "REVOKED": "elsewhere", "UNKNOWN": "gone", "CONFIGURING": "starting",
    "STAGE_OUT": "copying", "STOPPED": "stopped", "SIGNALING": "signalled",
    "RESIZING": "resizing", "REQUEUE_HOLD": "held", "SPECIAL_EXIT": "held", "RESV_DEL_HOLD": "held",
}  # fmt: skip
STATE_CELLS = 15
# No terminal is as wide: shown when asked for only.
ON_DEMAND = 10_000


def _number(line: JobLine) -> tuple[int, int]:
    base, _, task = line.id.partition("_")
    return int(base.partition("+")[0] or 0), int(task) if task.isdigit() else -1


def _name(line: JobLine) -> str:
    """Return its name; of a task of a sweep of ours the run's, for the job's is that of all."""
    return line.job.name if line.folded or not line.job.task or line.run is None else line.run.name


def time_words(job: Job) -> str | None:
    """Return how long a job has run, of how long it may; None for one that waits."""
    if job.state.waiting:
        return None
    used = None if job.time_used is None else duration(job.time_used)
    if job.state.running and job.time_limit:
        return f"{used or '–'} of {duration(job.time_limit)}"
    return used


def why_words(job: Job) -> str:
    """Return why a job waits and when it is thought to start, or how it ended."""
    words = why(job)
    if job.state.waiting and job.start:
        begins = datetime.fromtimestamp(job.start)
        words += f"{'; ' if words else ''}starts about {begins:%d %b %H:%M}"
    return words


def brief_why(line: JobLine) -> str:
    """Return why it waits or how it ended, in a few words; the details say it in full."""
    state = line.job.state
    short = state.name in _SHORT or state is LEFT
    text = line.why or (state.words if short and not line.folded else "")
    reason = line.job.reason
    return reason_brief(reason) if reason and len(text) > BRIEF_CELLS else text


def _signed_state(line: JobLine, now: datetime) -> str:
    state = line.job.state
    sign = _SIGNS.get(state.name, "✖" if state.ended else "●" if state.running else "○")
    if line.folded:
        words = f"{sign} {line.state_words}"
        return words if len(words) <= STATE_CELLS else _signed_counts(line)
    words = "just left" if state is LEFT else _SHORT.get(state.name, state.words)
    return f"{sign} {words}"


def _signed_counts(line: JobLine) -> str:
    """Return how many tasks of an array run, wait, ended well and otherwise, by signs."""
    waiting, running, done, bad = line.counts
    parts = ((running, "●"), (waiting, "○"), (done, "✔"), (bad, "✖"))
    return " ".join(f"{sign}{count:,}" for count, sign in parts if count)


def _run_or_start(line: JobLine, now: datetime) -> str | None:
    """Return how long a job has run, or when it is thought to start (`≈14:05`, `≈24 Nov`)."""
    job = line.job
    if not job.state.waiting:
        return None if job.time_used is None else duration(job.time_used)
    if job.start is None:
        return None
    start = datetime.fromtimestamp(job.start, UTC).astimezone()
    if (start - now).total_seconds() < 18 * 3600:
        return f"≈{start:%H:%M}"
    return f"≈{start.day} {start:%b}"


def _submitted(line: JobLine, now: datetime) -> str | None:
    at = line.job.submitted
    return None if at is None else ago(datetime.fromtimestamp(at, UTC), now)


def _limit(line: JobLine) -> str | None:
    return None if line.job.time_limit is None else duration(line.job.time_limit)


JOB_COLUMNS = by_key(
    [
        Column[JobLine]("id", "Job", lambda line: line.id, width=10, sort=_number),
        Column(
            "name", "Name", lambda line: line.job.name, least=12,
            seen=lambda line, now: _name(line),
        ),
        Column(
            "state", "State", lambda line: line.state_words, width=STATE_CELLS,
            sort=lambda line: line.rank, seen=_signed_state,
        ),
        Column(
            "user", "User", lambda line: line.job.user or None, width=10, from_width=128, muted=True
        ),
        Column(
            "gpus", "GPUs", lambda line: line.gpus or None, width=12, from_width=92,
            sort=lambda line: line.job.gpu_count,
        ),
        Column(
            "partition", "Partition", lambda line: line.job.partition, width=10, from_width=140,
            muted=True,
        ),
        Column(
            "nodes", "Nodes", lambda line: line.job.node_list or None, width=10, from_width=112,
            muted=True,
        ),
        Column(
            "time", "Time", lambda line: time_words(line.job), width=8,
            sort=lambda line: line.job.time_used, seen=_run_or_start,
        ),
        Column(
            "why", "Why", lambda line: why_words(line.job) or None, least=BRIEF_CELLS,
            seen=lambda line, now: brief_why(line),
        ),
        Column(
            "run", "Run", lambda line: line.run.name if line.run else None, width=16,
            from_width=ON_DEMAND,
        ),
        Column(
            "limit", "Limit", _limit, width=8, from_width=ON_DEMAND,
            sort=lambda line: line.job.time_limit,
        ),
        Column(
            "cpus", "CPUs", lambda line: line.job.cpus or None, "number", 5, from_width=ON_DEMAND
        ),
        Column(
            "account", "Account", lambda line: line.job.account or None, width=10,
            from_width=ON_DEMAND, muted=True,
        ),
        Column(
            "qos", "QOS", lambda line: line.job.qos or None, width=10, from_width=ON_DEMAND,
            muted=True,
        ),
        Column(
            "restarts", "Restarts", lambda line: line.job.restarts or None, "number", 8,
            from_width=ON_DEMAND,
        ),
        Column(
            "priority", "Priority", lambda line: line.job.priority, "number", 9,
            from_width=ON_DEMAND,
        ),
        Column(
            "submitted", "Submitted", lambda line: minute(line.job.submitted), width=12,
            from_width=ON_DEMAND, sort=lambda line: line.job.submitted, muted=True, seen=_submitted,
        ),
    ]
)  # fmt: skip


def export_rows(lines: Iterable[JobLine]) -> tuple[list[str], list[list[str | None]]]:
    """Return the titles of every column, and what stands in them for each line, for a file."""
    columns = list(JOB_COLUMNS.values())
    titles = [column.typed for column in columns]
    return titles, [[column.written(line) for column in columns] for line in lines]
