"""Jobs that our own records know of: what is left where a cluster has no accounting."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.common.errors import RunError
from slurm.job.end_codes import same_end
from slurm.job.record import JobRecord, read_record, write_record
from slurm.job.states import GONE, LEFT, parse_state
from slurm.queue.jobs import Job
from slurm.queue.queue import QueueSnapshot
from slurm.site.slurm_values import Gpus


def job_of(record: JobRecord, name: str, user: str = "") -> Job:
    """Return what a record says of a job of ours (`user`) that the cluster has forgotten."""
    state = parse_state(record.state) if record.state else GONE
    return Job(
        id=record.job_id,
        array_id=record.job_id.partition("_")[0] if "_" in record.job_id else "",
        task=record.job_id.partition("_")[2],
        state=state if state.ended else GONE,
        reason=record.reason if state.ended else "",
        partition=record.partition,
        user=user,
        account="",
        submitted=int(record.submitted_at),
        start=None,
        end=int(record.seen_at) if record.seen_at and state.ended else None,
        time_used=None,
        time_limit=record.time_limit,
        nodes=record.num_nodes,
        cpus=0,
        gpus=_gpus(record) if record.gpu else (),
        node_list="",
        work_dir=record.run_dir,
        comment=record.comment,
        name=name,
        exit_code=record.exit_code,
        restarts=record.restarts,
    )


def with_records(
    snapshot: QueueSnapshot, records: Iterable[tuple[Path, JobRecord]], cluster: str
) -> QueueSnapshot:
    """Add to a snapshot our own jobs that the cluster no longer tells of, or not how they ended.

    Nothing is added when squeue failed, for then nobody knows what it would have told.
    """
    if "squeue" in snapshot.errors:
        return snapshot
    missing, better = [], {}
    for path, record in records:
        if record.cluster != cluster or not record.job_id:
            continue
        told = snapshot.job(record.job_id)
        if told is None:
            missing.append(job_of(record, path.name, snapshot.user))
        elif told.state in (LEFT, GONE) and parse_state(record.state).ended:
            better[told.id] = job_of(record, path.name, snapshot.user)
        elif told.state.ended and told.id == record.job_id:
            better[told.id] = _completed(told, record)
    if not missing and not better:
        return snapshot
    jobs = (better.get(job.id, job) for job in snapshot.jobs)
    return replace(snapshot, jobs=(*jobs, *missing))


def _gpus(record: JobRecord) -> tuple[Gpus, ...]:
    """Return the GPUs that a job of ours asked for."""
    if record.share:
        return (Gpus(record.gpu, record.share * record.num_nodes, record.share_of),)
    return (Gpus(record.gpu, record.num_gpus * record.num_nodes),)


def _completed(told: Job, record: JobRecord) -> Job:
    """Return an ended job with what accounting does not tell, or not as well as we know it."""
    changes: dict[str, Any] = {}
    if told.accounted and same_end(record.exit_code, told.exit_code):
        changes.update(exit_code=record.exit_code, accounted=False)
    if record.gpu and not told.gpus_typed:
        # Accounting names the types of GPUs at few sites, and GPUs at all where its TRES have them.
        count = sum(gpus.count for gpus in told.gpus)
        changes["gpus"] = tuple(replace(one, count=count or one.count) for one in _gpus(record))
    if record.restarts > told.restarts:
        changes["restarts"] = record.restarts
    return replace(told, **changes) if changes else told


def keep_ends(
    snapshot: QueueSnapshot, records: Iterable[tuple[Path, JobRecord]], cluster: str
) -> list[Path]:
    """Write into our records how their jobs ended; return the run folders that were changed.

    SLURM forgets a job minutes after its end (MinJobAge) where there is no accounting. How much of
    a GPU the shares are that a job was given, its node tells.
    """
    changed = []
    for path, record in records:
        if record.cluster != cluster or not record.job_id:
            continue
        job = snapshot.job(record.job_id)
        known = record.state and parse_state(record.state).ended
        # Tasks of an array that were cancelled before they began end as one line.
        if job is None or not job.state.ended or job.state is GONE:
            continue
        if known and (record.exit_code is not None or job.exit_code is None):
            continue
        # Read again: whoever mirrors the run may have written since.
        now = None
        with contextlib.suppress(RunError):  # damaged since: the list of runs says so
            now = read_record(path)
        if now is not None and now.job_id == record.job_id:
            write_record(
                path,
                now.changed(
                    state=job.state.name, reason=job.reason, exit_code=job.exit_code, wait=None,
                    seen_at=float(job.end or time.time()),
                    share_of=next((g.share_of for g in job.gpus if g.share_of), now.share_of),
                ),
            )  # fmt: skip
            changed.append(path)
    return changed
