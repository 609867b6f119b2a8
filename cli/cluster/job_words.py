"""What the sub-commands of `batman jobs` share: looking at a queue, and jobs in words and JSON."""

from __future__ import annotations

import argparse
from datetime import datetime
from typing import Any

from cli.common import workspace_of
from cli.connect import Terminal, profile_for
from core.common.text import duration
from slurm.queue.arrays import JobLine, why
from slurm.queue.jobs import Job
from slurm.queue.queue import QueueSnapshot
from slurm.site.site import open_host
from slurm.watch.cluster_jobs import QueueWatch, Watched


def open_watch(args: argparse.Namespace) -> QueueWatch:
    """Return what follows the queue of the chosen cluster."""
    profile = profile_for(args.cluster)
    host = open_host(profile, Terminal())
    return QueueWatch(host, profile.name, workspace_of(args), poll_s=profile.poll_seconds)


def look(args: argparse.Namespace) -> tuple[QueueWatch, Watched, QueueSnapshot]:
    """Ask once. Raises what the cluster's answer failed of."""
    watch = open_watch(args)
    watch.poller.all_users = getattr(args, "all", False)
    watched = watch.poll()
    if watched.view.error is not None:
        raise watched.view.error
    assert watched.jobs is not None
    return watch, watched, watched.jobs


def time_text(job: Job) -> str | None:
    """Return how long a job has run, of how long it may; None for one that waits."""
    if job.state.waiting:
        return None
    used = None if job.time_used is None else duration(job.time_used)
    if job.state.running and job.time_limit:
        return f"{used or '–'} of {duration(job.time_limit)}"
    return used


def why_text(job: Job) -> str:
    """Return why a job waits and when it is thought to start, or how it ended."""
    words = why(job)
    if job.state.waiting and job.start:
        begins = datetime.fromtimestamp(job.start)
        words += f"{'; ' if words else ''}starts about {begins:%d %b %H:%M}"
    return words


def line_json(line: JobLine) -> dict[str, Any]:
    """Return a line of the list for programs."""
    waiting, running, done, bad = line.counts
    return {
        "id": line.id,
        "run": str(line.run) if line.run else None,
        "tasks": {"waiting": waiting, "running": running, "completed": done, "failed": bad},
        **job_json(line.job),
    }


def job_json(job: Job) -> dict[str, Any]:
    """Return a job for programs."""
    names = ("name", "user", "account", "partition", "submitted", "start", "end", "time_used",
             "time_limit", "nodes", "cpus", "node_list", "work_dir", "comment", "priority",
             "exit_code", "signal", "reason", "array_id", "task")  # fmt: skip
    return {
        "job": job.id,
        "state": job.state.name,
        "why": why(job),
        "gpus": [{"type": g.type, "count": g.count} for g in job.gpus],
        **{name: getattr(job, name) for name in names},
    }
