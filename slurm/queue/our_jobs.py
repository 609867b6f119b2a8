"""Jobs that our own records know of: what is left where a cluster has no accounting."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from core.common.errors import RunError
from slurm.job.record import JobRecord, read_record, write_record
from slurm.job.states import GONE, LEFT, parse_state
from slurm.queue.jobs import Job
from slurm.queue.queue import QueueSnapshot
from slurm.site.slurm_values import Gpus


def job_of(record: JobRecord, name: str) -> Job:
    """Return what a record says of its job, for one that the cluster has forgotten."""
    state = parse_state(record.state) if record.state else GONE
    return Job(
        id=record.job_id,
        array_id=record.job_id.partition("_")[0] if "_" in record.job_id else "",
        task=record.job_id.partition("_")[2],
        state=state if state.ended else GONE,
        reason=record.reason if state.ended else "",
        partition=record.partition,
        user="",
        account="",
        submitted=int(record.submitted_at),
        start=None,
        end=int(record.seen_at) if record.seen_at and state.ended else None,
        time_used=None,
        time_limit=record.time_limit,
        nodes=record.num_nodes,
        cpus=0,
        gpus=(Gpus(record.gpu, record.num_gpus * record.num_nodes),) if record.gpu else (),
        node_list="",
        work_dir=record.run_dir,
        comment=record.comment,
        name=name,
        exit_code=record.exit_code,
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
            missing.append(job_of(record, path.name))
        elif told.state in (LEFT, GONE) and parse_state(record.state).ended:
            better[told.id] = job_of(record, path.name)
        elif record.gpu and told.state.ended and told.id == record.job_id and _typeless(told):
            # Accounting names the types of GPUs at few sites; we know what we asked for.
            count = sum(gpus.count for gpus in told.gpus)
            better[told.id] = replace(told, gpus=(Gpus(record.gpu, count),))
    if not missing and not better:
        return snapshot
    jobs = (better.get(job.id, job) for job in snapshot.jobs)
    return replace(snapshot, jobs=(*jobs, *missing))


def _typeless(job: Job) -> bool:
    return bool(job.gpus) and not any(gpus.type for gpus in job.gpus)


def keep_ends(
    snapshot: QueueSnapshot, records: Iterable[tuple[Path, JobRecord]], cluster: str
) -> list[Path]:
    """Write into our records how their jobs ended; return the run folders that were changed.

    SLURM forgets a job minutes after its end (MinJobAge) where there is no accounting.
    """
    changed = []
    for path, record in records:
        if record.cluster != cluster or not record.job_id:
            continue
        job = snapshot.job(record.job_id)
        known = record.state and parse_state(record.state).ended
        if job is None or job.id != record.job_id or not job.state.ended or job.state is GONE:
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
                    state=job.state.name, reason=job.reason, exit_code=job.exit_code,
                    seen_at=float(job.end or time.time()),
                ),
            )  # fmt: skip
            changed.append(path)
    return changed
