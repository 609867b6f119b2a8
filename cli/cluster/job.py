"""`batman jobs show` and `batman jobs logs`: one job."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from cli.answers.printing import say_event, say_json, stream, streaming
from cli.cluster.job_words import job_json, line_json, look
from cli.common import workspace_of
from cli.connect import Terminal, profile_for
from cli.exits import Exit
from cli.output import say, say_error, say_note, say_pairs, say_table
from core.common.errors import BatmanError
from core.common.text import clean
from core.training.run.run import Run
from slurm.hosts import HostError
from slurm.job.gpu_hours import cost_of
from slurm.job.record import JobRecord, list_records
from slurm.queue.arrays import JobLine, job_lines
from slurm.queue.columns import time_words, why_words
from slurm.queue.end_signs import EndSigns
from slurm.queue.job_actions import check_ids
from slurm.queue.job_detail import JobDetail, JobLog, JobUse, job_use, log_files, show_job
from slurm.queue.jobs import Job
from slurm.queue.priority import ask_priority
from slurm.queue.queue import QueueSnapshot
from slurm.site.gpu_kinds import gpu_words, share_words
from slurm.site.site import open_host
from slurm.watch.cluster_jobs import QueueWatch, Watched

# A log is a file on the cluster: looking at it costs SLURM nothing.
LOG_SECONDS = 2.0


def find_job(
    args: argparse.Namespace,
) -> tuple[QueueWatch, Watched, JobLine, JobDetail | None]:
    """Return the job, or the array of that number, and what scontrol tells of its telling job."""
    check_ids([args.job])
    watch, watched, jobs = look(args)
    line = jobs_line(jobs, args.job)
    if line is None:
        # Somebody else's: not among ours, but to be seen all the same.
        line = jobs_line(everybody(watch, watched), args.job)
    if line is None:
        raise BatmanError(
            f"There is no job {clean(args.job)} on {clean(watch.cluster)}.",
            "batman jobs list --all shows which there are."
            + ("" if jobs.accounting else " Without accounting ended ones are forgotten."),
        )
    asked = line.job.id if line.folded else args.job
    return watch, watched, line, show_job(watch.host, asked)


def jobs_line(jobs: QueueSnapshot, job_id: str) -> JobLine | None:
    """Return the line of a job, of an array's task, or of the array that has the number."""
    job = jobs.job(job_id)
    if job is not None:
        return JobLine(job.id, job, (job,))
    return next((line for line in job_lines(jobs.jobs) if line.id == job_id), None)


def everybody(watch: QueueWatch, watched: Watched) -> QueueSnapshot:
    """Ask for everybody's jobs, once it is time to ask again; what was known if nobody answers."""
    watch.poller.all_users = True
    time.sleep(watch.due_in)
    return watch.poll().jobs or watched.jobs or QueueSnapshot()


def show(args: argparse.Namespace) -> int:
    """Print all that is known of a job and return the exit code."""
    watch, watched, line, detail = find_job(args)
    if line.folded:
        return _show_array(args, watched, line)
    job, record = line.job, watched.records.get(line.job.id)
    files = log_files(watch.host, job, detail, record)
    use = job_use(watch.host, job) if args.usage else None
    run_dir, passes = watched.runs.get(job.id), watched.passes
    if args.json:
        say_json(
            {
                **job_json(job),
                "logs": files,
                "run": str(run_dir) if run_dir else None,
                "pass": str(passes[job.id]) if job.id in passes else None,
                "usage": None if use is None else _use_json(use),
                "scontrol": dict(detail.fields) if detail else None,
            }
        )
        return Exit.OK
    say_pairs(
        [
            ("job", job.id), ("name", job.name), ("state", job.state.words),
            ("why", why_words(job)), ("user", job.user), ("account", job.account),
            ("partition", job.partition), ("qos", job.qos or None),
            ("nodes", job.node_list or job.nodes),
            ("gpus", _gpus(job)), ("cpus", job.cpus or None),
            ("submitted", _when(job.submitted)),
            ("starts", f"about {_when(job.start)}" if job.state.waiting and job.start else None),
            ("place", f"{job.place.place:,} of {job.place.line:,}" if job.place else None),
            ("priority", _priority(watch, job)),
            ("licences", _asked_for(detail, "Licenses")),
            ("reservation", _asked_for(detail, "Reservation")),
            ("restarts", job.restarts or None),
            ("started", None if job.state.waiting else _when(job.start)),
            ("ended", _when(job.end) if job.state.ended else None),
            ("time", time_words(job)),
            ("command", detail.command if detail else None), ("folder", job.work_dir),
            ("comment", job.comment), ("log", ", ".join(files)),
            ("run", str(run_dir) if run_dir else None),
            ("pass", passes.get(job.id)),
            ("GPU hours", _hours(run_dir, record)),
        ]
    )  # fmt: skip
    if use is not None:
        _say_use(use)
    return Exit.OK


def _priority(watch: QueueWatch, job: Job) -> str | None:
    """Return what a waiting job's priority is made of, None where nobody tells."""
    if not job.state.waiting:
        return None
    with contextlib.suppress(HostError):
        found = ask_priority(watch.host, job)
        return None if found is None else found.words
    return None


def _asked_for(detail: JobDetail | None, name: str) -> str | None:
    told = "" if detail is None else detail.fields.get(name, "")
    return None if told in ("", "(null)") else told


def _gpus(job: Job) -> str:
    """Return its GPUs, a share with what it is of."""
    shares = [words for gpus in job.gpus if (words := share_words(gpus))]
    return " ".join(map(gpu_words, job.gpus)) + (f" ({'; '.join(shares)})" if shares else "")


def _hours(run_dir: Path | None, record: JobRecord | None) -> str | None:
    cost = None if run_dir is None or record is None else cost_of(Run(run_dir), record)
    if cost is None:
        return None
    return "not known" if cost.hours is None else f"{cost.hours:.2f}"


def _show_array(args: argparse.Namespace, watched: Watched, line: JobLine) -> int:
    """Print what is known of an array, task by task."""
    tasks = sorted(line.jobs, key=lambda job: (len(job.id.split("[")[0]), job.id))
    if args.json:
        say_json(
            {
                **line_json(line),
                "job": line.id,
                "jobs": [
                    {**job_json(job), "run": str(path) if path else None}
                    for job in tasks
                    for path in [watched.runs.get(job.id)]
                ],
            }
        )
        return Exit.OK
    job = line.job
    say_pairs(
        [
            ("job", line.id), ("name", job.name), ("tasks", line.state_words), ("user", job.user),
            ("account", job.account), ("partition", job.partition), ("gpus", line.gpus),
            ("submitted", _when(job.submitted)), ("folder", job.work_dir),
        ]
    )  # fmt: skip
    say()
    say_table(
        ["task", "state", "nodes", "time", "why", "run"],
        [
            (one.id, one.state.words, one.node_list or None, time_words(one),
             why_words(one) or None, path.name if path else None)
            for one in tasks
            for path in [watched.runs.get(one.id)]
        ],
    )  # fmt: skip
    if args.usage:
        say(f"What a task uses: batman jobs show {job.id} --usage", "dim")
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
    stream()
    try:
        watch, watched, line, detail = find_job(args)
    except HostError as error:
        if not _known_log(args, error):
            raise
        return Exit.OK
    job = line.job
    if line.folded:
        say_note(f"Of {line.id} ({line.state_words}) this is task {job.id}; others by their ids.")
    files = log_files(watch.host, job, detail, watched.records.get(job.id))
    if not files:
        raise BatmanError(
            f"Where job {clean(job.id)} writes its log is not known.",
            "The cluster has forgotten it; look in the folder it was submitted from.",
        )
    path = files[1] if args.error and len(files) > 1 else files[0]
    log = JobLog(watch.host, path)
    lines = log.poll()
    _say_lines(lines)
    if not lines and not args.follow:
        missing = watch.host.size(path) is None
        say_error(f"'{clean(path)}' {'is not there (yet)' if missing else 'is empty so far'}.")
        if missing:
            return Exit.WRONG
    signs, now = EndSigns(watch.host), job
    while args.follow:
        time.sleep(LOG_SECONDS)
        try:
            lines = log.poll()
            if log.restarted:
                say("── the log began anew ──", "yellow")
            _say_lines(lines)
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
    if args.json:
        say_event("ended", last=True, job=now.id, state=now.state.name, log=path, exit_code=0)
    return Exit.OK


def _say_lines(lines: Sequence[str]) -> None:
    for line in lines:
        if streaming():
            say_event("line", text=line)
        else:
            say(line)


def _known_log(args: argparse.Namespace, why: HostError) -> bool:
    """Print the log of a run of ours whose place is known, though SLURM does not answer (`why`).

    Return whether there was one. It is not followed, for nobody tells when the job ends.
    """
    profile = profile_for(args.cluster)
    records = (record for _, record in list_records(workspace_of(args)))
    found = [r for r in records if r.cluster == profile.name and r.job_id == args.job and r.log]
    if not found:
        return False
    lines = JobLog(open_host(profile, Terminal()), found[0].log).poll()
    _say_lines(lines)
    say_error(f"This is the log as far as it is written. {why.message}", why.hint)
    return True
