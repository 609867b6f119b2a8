"""`batman jobs show` and `batman jobs logs`: one job."""

from __future__ import annotations

import argparse
import sys
import time
from datetime import datetime
from typing import Any

from cli.cluster.job_words import job_json, look, time_text, why_text
from cli.exits import Exit
from cli.output import say, say_error, say_json, say_pairs, say_table
from core.common.errors import BatmanError
from core.common.text import clean
from slurm.hosts import HostError
from slurm.queue.arrays import JobLine
from slurm.queue.end_signs import EndSigns
from slurm.queue.job_actions import check_ids
from slurm.queue.job_detail import JobDetail, JobLog, JobUse, job_use, log_files, show_job
from slurm.queue.jobs import Job
from slurm.watch.cluster_jobs import QueueWatch, Watched

# A log is a file on the cluster: looking at it costs SLURM nothing.
LOG_SECONDS = 2.0


def _find(
    args: argparse.Namespace,
) -> tuple[QueueWatch, Watched, Job, JobDetail | None]:
    check_ids([args.job])
    watch, watched, jobs = look(args)
    job, detail = jobs.job(args.job), show_job(watch.host, args.job)
    if job is None:
        # Somebody else's: not among ours, but to be seen all the same.
        watch.poller.all_users = True
        found = _again(watch)
        job = found.jobs.job(args.job) if found.jobs else None
    if job is None:
        raise BatmanError(
            f"There is no job {clean(args.job)} on {clean(watch.cluster)}.",
            "batman jobs list --all shows which there are."
            + ("" if jobs.accounting else " Without accounting ended ones are forgotten."),
        )
    return watch, watched, job, detail


def _again(watch: QueueWatch) -> Watched:
    time.sleep(watch.poller.due_in)
    return watch.poll()


def show(args: argparse.Namespace) -> int:
    """Print all that is known of a job and return the exit code."""
    watch, watched, job, detail = _find(args)
    record = watched.records.get(job.id)
    files = log_files(watch.host, job, detail, record)
    use = job_use(watch.host, job) if args.usage else None
    run_dir = watched.runs.get(job.id)
    if args.json:
        say_json(
            {
                **job_json(job),
                "logs": files,
                "run": str(run_dir) if run_dir else None,
                "usage": None if use is None else _use_json(use),
                "scontrol": dict(detail.fields) if detail else None,
            }
        )
        return Exit.OK
    say_pairs(
        [
            ("job", job.id), ("name", job.name), ("state", job.state.words),
            ("why", why_text(job)), ("user", job.user), ("account", job.account),
            ("partition", job.partition), ("nodes", job.node_list or job.nodes),
            ("gpus", JobLine(job.id, job, (job,)).gpus), ("cpus", job.cpus or None),
            ("submitted", _when(job.submitted)),
            ("started", None if job.state.waiting else _when(job.start)),
            ("ended", _when(job.end) if job.state.ended else None),
            ("time", time_text(job)),
            ("command", detail.command if detail else None), ("folder", job.work_dir),
            ("comment", job.comment), ("log", ", ".join(files)),
            ("run", str(run_dir) if run_dir else None),
        ]
    )  # fmt: skip
    if use is not None:
        _say_use(use)
    return Exit.OK


def _when(seconds: int | None) -> str | None:
    return None if seconds is None else f"{datetime.fromtimestamp(seconds):%Y-%m-%d %H:%M:%S}"


def _use_json(use: JobUse) -> dict[str, Any]:
    return {
        "gpus": [vars(gpu) for gpu in use.gpus],
        "memory_mb": use.memory_mb,
        "problems": list(use.problems),
    }


def _say_use(use: JobUse) -> None:
    if use.gpus:
        say()
        say_table(
            ["node", "gpu", "name", "busy", "memory"],
            [
                (gpu.node, gpu.index, gpu.name, None if gpu.busy is None else f"{gpu.busy} %",
                 None if gpu.used_mb is None else f"{gpu.used_mb:,} of {gpu.total_mb or 0:,} MiB")
                for gpu in use.gpus
            ],
            right=("busy", "memory"),
        )  # fmt: skip
    if use.memory_mb is not None:
        say(f"Memory: at most {use.memory_mb:,.0f} MiB so far.")
    for problem in use.problems:
        say(f"Not known: {problem}", "yellow")


def logs(args: argparse.Namespace) -> int:
    """Print a job's log, or follow it to the job's end, and return the exit code."""
    watch, watched, job, detail = _find(args)
    files = log_files(watch.host, job, detail, watched.records.get(job.id))
    if not files:
        raise BatmanError(
            f"Where job {clean(job.id)} writes its log is not known.",
            "The cluster has forgotten it; look in the folder it was submitted from.",
        )
    path = files[1] if args.error and len(files) > 1 else files[0]
    log = JobLog(watch.host, path)
    lines = log.poll()
    for line in lines:
        say(line)
    if not lines and not args.follow:
        missing = watch.host.size(path) is None
        say_error(f"'{clean(path)}' {'is not there (yet)' if missing else 'is empty so far'}.")
        return Exit.WRONG if missing else Exit.OK
    signs, now = EndSigns(watch.host), job
    while args.follow:
        time.sleep(LOG_SECONDS)
        try:
            lines = log.poll()
            if log.restarted:
                say("── the log began anew ──", "yellow")
            for line in lines:
                say(line)
            sys.stdout.flush()
            silent = signs.of_log(bool(lines))
            if signs.of_jobs([now], watched.records, watch.poller.since_asked) or silent:
                watch.poller.suspect()
            watched = watch.poll()
        except HostError as error:
            say_error(error.message, error.hint)
            continue
        known = watched.jobs.job(job.id) if watched.jobs else None
        if not lines and watched.view.error is None and (known is None or known.state.ended):
            break
        now = known or now
    return Exit.OK
