"""What the sub-commands of `batman jobs` share: looking at a queue, and jobs in words and JSON."""

from __future__ import annotations

import argparse
from typing import Any

from cli.common import workspace_of
from cli.connect import Terminal, profile_for
from slurm.queue.arrays import JobLine, why
from slurm.queue.jobs import Job
from slurm.queue.queue import QueueSnapshot
from slurm.site.gpu_kinds import whole_gpus
from slurm.site.site import open_host
from slurm.watch.cluster_jobs import QueueWatch, Watched
from slurm.watch.node_views import NodeView


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
             "exit_code", "signal", "reason", "array_id", "task", "restarts", "qos")  # fmt: skip
    return {
        "job": job.id,
        "state": job.state.name,
        "why": why(job),
        "place": None if job.place is None else vars(job.place),
        "gpus": [{"type": g.type, "count": g.count, "gpus": whole_gpus(g)} for g in job.gpus],
        **{name: getattr(job, name) for name in names},
    }


def node_json(view: NodeView) -> dict[str, Any]:
    """Return a node for programs; memory in MiB."""
    node = view.node
    return {
        "node": node.name,
        "state": node.state,
        "usable": node.usable,
        "reason": node.reason,
        "partitions": list(node.partitions),
        "load": node.load,
        "cpus": node.cpus,
        "free_cpus": node.free_cpus,
        "memory": node.memory,
        "memory_given": node.memory_given,
        "gpus": [
            {"type": g.type, "count": g.count, "used": node.only(g.type).in_use(g.type)}
            for g in node.gpus
        ],
        "jobs": [{"job": job.id, "user": job.user, "name": job.name} for job in view.jobs],
    }
