"""`batman jobs`: what runs and waits on a cluster, its logs, and what to do about it."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from cli.cluster import Terminal, profile_for
from cli.common import add_json, add_workspace, confirm, run_module, workspace_of
from cli.exits import Exit
from cli.output import is_terminal, say, say_error, say_json, say_pairs, say_table
from cli.parser import Subcommands
from core.errors import BatmanError
from core.text import clean, duration, plural
from slurm.actions import DONE, act, check_ids
from slurm.arrays import JobLine, why
from slurm.detail import JobDetail, JobLog, JobUse, job_use, log_files, show_job
from slurm.hosts import Host, HostError
from slurm.jobs import Job
from slurm.nodes import partition_rooms
from slurm.poller import LEAST_GAP_S
from slurm.profiles import LEAST_POLL_S
from slurm.queue import QueueSnapshot
from slurm.site import open_host
from slurm.values import format_duration
from slurm.watching import QueueWatch, Watched

DESCRIPTION = "List, show, cancel, hold, release and requeue jobs of a SLURM cluster; read logs."

# A log is a file on the cluster: looking at it costs SLURM nothing.
LOG_SECONDS = 2.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the sub-commands."""
    commands = Subcommands(parser)
    list_ = commands.add("list", "list jobs: running, waiting with the reason, ended", _list)
    list_.add_argument("--all", action="store_true", help="everybody's jobs, not only yours")
    list_.add_argument("--unfold", action="store_true", help="every task of an array by itself")
    list_.add_argument("--nodes", action="store_true", help="partitions and free GPUs too")
    show = commands.add("show", "show one job", _show)
    show.add_argument("job", metavar="JOB", help="123, or 123_4 for a task of an array")
    show.add_argument("--usage", action="store_true", help="ask its nodes for GPU and memory use")
    logs = commands.add("logs", "print a job's log, or follow it", _logs)
    logs.add_argument("job", metavar="JOB", help="123, or 123_4 for a task of an array")
    logs.add_argument("-f", "--follow", action="store_true", help="go on until the job ends")
    logs.add_argument("--error", action="store_true", help="the error output, where it is apart")
    for verb, about in (
        ("cancel", "cancel jobs"), ("hold", "keep waiting jobs from starting"),
        ("release", "let held jobs start"), ("requeue", "put running jobs back into the queue"),
    ):  # fmt: skip
        command = commands.add(verb, about, _act)
        command.add_argument(
            "job", nargs="+", metavar="JOB", help="123, 123_4, or 123_[5-9] for a part of an array"
        )
        command.set_defaults(verb=verb)
        if verb in ("cancel", "requeue"):
            command.add_argument("--yes", action="store_true", help="do not ask")
        _shared(command)
    watch = commands.add("watch", "follow jobs until they end", _watch)
    watch.add_argument(
        "job", nargs="*", metavar="JOB", help="jobs (default: all of yours that wait or run)"
    )
    for command in (list_, show, logs, watch):
        _shared(command)
    for command in (list_, show):
        add_json(command)
    watch.add_argument("--json", action="store_true", help="print each change as a line of JSON")


def _shared(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--cluster", metavar="NAME", help="which cluster (default: the only one, or this machine)"
    )
    add_workspace(parser)


def run(args: argparse.Namespace) -> int:
    """Run the chosen sub-command and return the exit code."""
    return int(args.handler(args))


def _open(args: argparse.Namespace) -> QueueWatch:
    profile = profile_for(args.cluster)
    host = open_host(profile, Terminal())
    return QueueWatch(host, profile.name, workspace_of(args), poll_s=profile.poll_seconds)


def _look(args: argparse.Namespace) -> tuple[QueueWatch, Watched, QueueSnapshot]:
    """Ask once. Raises what the cluster's answer failed of."""
    watch = _open(args)
    watch.poller.all_users = getattr(args, "all", False)
    watched = watch.poll()
    if watched.view.error is not None:
        raise watched.view.error
    assert watched.jobs is not None
    return watch, watched, watched.jobs


# List


def _list(args: argparse.Namespace) -> int:
    watch, watched, jobs = _look(args)
    lines = watched.lines(fold=not args.unfold)
    if args.json:
        say_json(
            {
                "cluster": watch.cluster,
                "taken_at": jobs.taken_at,
                "accounting": jobs.accounting,
                "errors": dict(jobs.errors),
                "jobs": [_line_json(line) for line in lines],
                "gpus": [
                    {"type": p.type, "free": p.free, "total": p.total, "away": p.away,
                     "most_free_on_a_node": p.most_free, "partitions": list(p.partitions)}
                    for p in jobs.gpus
                ],
                "partitions": [
                    {"name": r.partition.name, "time_limit": r.partition.time_limit,
                     "up": r.partition.up, "nodes": r.nodes, "usable_nodes": r.usable,
                     "gpus": r.gpus, "free_gpus": r.free_gpus}
                    for r in partition_rooms(jobs.partitions, jobs.nodes)
                ],
            }
        )  # fmt: skip
        return Exit.OK
    if lines:
        columns = ["job", "name", "state", "gpus", "partition", "time", "why", "run"]
        if args.all:
            columns.insert(2, "user")
        say_table(columns, [_row(line, args.all) for line in lines])
    else:
        say("There are no jobs." if args.all else "You have no jobs here; --all shows everybody's.")
    say(
        f"{plural(jobs.running, 'job')} running, {jobs.waiting:,} waiting"
        + "".join(f" · {p.name} {p.free}/{p.total} free" for p in jobs.gpus),
        "dim",
    )
    if args.nodes:
        _say_partitions(jobs)
    for error in jobs.errors.values():
        say_error(error, "What it would have told is missing above.")
    return Exit.OK


def _row(line: JobLine, user: bool) -> list[object]:
    job = line.job
    row: list[object] = [
        line.id, job.name, line.state_words, line.gpus or None, job.partition,
        _time_text(job), _why_text(job) or None, line.run.name if line.run else None,
    ]  # fmt: skip
    if user:
        row.insert(2, job.user)
    return row


def _time_text(job: Job) -> str | None:
    if job.state.waiting:
        return None
    used = None if job.time_used is None else duration(job.time_used)
    if job.state.running and job.time_limit:
        return f"{used or '–'} of {duration(job.time_limit)}"
    return used


def _why_text(job: Job) -> str:
    words = why(job)
    if job.state.waiting and job.start:
        begins = datetime.fromtimestamp(job.start)
        words += f"{'; ' if words else ''}starts about {begins:%d %b %H:%M}"
    return words


def _line_json(line: JobLine) -> dict[str, Any]:
    waiting, running, done, bad = line.counts
    return {
        "id": line.id,
        "run": str(line.run) if line.run else None,
        "tasks": {"waiting": waiting, "running": running, "completed": done, "failed": bad},
        **_job_json(line.job),
    }


def _job_json(job: Job) -> dict[str, Any]:
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


def _say_partitions(jobs: QueueSnapshot) -> None:
    say()
    say_table(
        ["partition", "time limit", "nodes up", "CPUs free", "GPUs free"],
        [
            (
                room.partition.name + ("" if room.partition.up else " (down)"),
                "none"
                if room.partition.time_limit is None
                else format_duration(room.partition.time_limit),
                f"{room.usable}/{room.nodes}",
                f"{room.free_cpus}/{room.cpus}",
                f"{room.free_gpus}/{room.gpus}",
            )
            for room in partition_rooms(jobs.partitions, jobs.nodes)
        ],
        right=("nodes up", "CPUs free", "GPUs free"),
    )


# One job


def _find(
    args: argparse.Namespace,
) -> tuple[QueueWatch, Watched, Job, JobDetail | None]:
    check_ids([args.job])
    watch, watched, jobs = _look(args)
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


def _show(args: argparse.Namespace) -> int:
    watch, watched, job, detail = _find(args)
    record = watched.records.get(job.id)
    logs = log_files(watch.host, job, detail, record)
    use = job_use(watch.host, job) if args.usage else None
    run_dir = watched.runs.get(job.id)
    if args.json:
        say_json(
            {
                **_job_json(job),
                "logs": logs,
                "run": str(run_dir) if run_dir else None,
                "usage": None if use is None else _use_json(use),
                "scontrol": dict(detail.fields) if detail else None,
            }
        )
        return Exit.OK
    say_pairs(
        [
            ("job", job.id), ("name", job.name), ("state", job.state.words),
            ("why", _why_text(job)), ("user", job.user), ("account", job.account),
            ("partition", job.partition), ("nodes", job.node_list or job.nodes),
            ("gpus", JobLine(job.id, job, (job,)).gpus), ("cpus", job.cpus or None),
            ("submitted", _when(job.submitted)),
            ("started", None if job.state.waiting else _when(job.start)),
            ("ended", _when(job.end) if job.state.ended else None),
            ("time", _time_text(job)),
            ("command", detail.command if detail else None), ("folder", job.work_dir),
            ("comment", job.comment), ("log", ", ".join(logs)),
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


def _logs(args: argparse.Namespace) -> int:
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
    while args.follow:
        time.sleep(LOG_SECONDS)
        try:
            lines = log.poll()
            if log.restarted:
                say("── the log began anew ──", "yellow")
            for line in lines:
                say(line)
            sys.stdout.flush()
            watched = watch.poll()
        except HostError as error:
            say_error(error.message, error.hint)
            continue
        now = watched.jobs.job(job.id) if watched.jobs else None
        if not lines and watched.view.error is None and (now is None or now.state.ended):
            break
    return Exit.OK


# Doing something


def _act(args: argparse.Namespace) -> int:
    ids = check_ids(args.job)
    profile = profile_for(args.cluster)
    if args.verb in ("cancel", "requeue"):
        lost = " What they have not saved is lost." if args.verb == "requeue" else ""
        question = f"{args.verb.capitalize()} {', '.join(args.job)}?{lost}"
        if not confirm(question, yes=args.yes):
            return Exit.WRONG
    host: Host = open_host(profile, Terminal())
    act(host, args.verb, ids)
    say(f"{DONE[args.verb]} {', '.join(args.job)}.", "green")
    return Exit.OK


# Watch


def _watch(args: argparse.Namespace) -> int:
    wanted = check_ids(args.job)
    watch = _open(args)
    before: dict[str, str] = {}
    failed = False
    told = ""
    while True:
        watched = watch.poll()
        error = watched.view.error
        if error is not None:
            if error.message != told:
                say_error(error.message, error.hint)
                told = error.message
            if watched.view.needs_person or not before:
                return Exit.WRONG
        elif watched.jobs is not None:
            told = ""
            jobs = _wanted(watched.jobs, wanted, before)
            for job in jobs:
                text = _state_text(job)
                if before.get(job.id) != text:
                    before[job.id] = text
                    _say_change(job, text, args.json)
                    failed |= job.state.ended and job.state.name != "COMPLETED"
            missing = [name for name in wanted if watched.jobs.job(name) is None]
            if missing and not before:
                raise BatmanError(f"There is no job {', '.join(missing)}.")
            if all(job.state.ended for job in jobs) and (jobs or not wanted):
                return Exit.WRONG if failed else Exit.OK
        sys.stdout.flush()
        time.sleep(min(max(watch.poller.due_in, LEAST_GAP_S), 2 * LEAST_POLL_S))


def _wanted(jobs: QueueSnapshot, wanted: Sequence[str], seen: dict[str, str]) -> list[Job]:
    """Return the jobs to follow: those named, or all of mine that were live at some look."""
    if not wanted:
        return [job for job in jobs.jobs if not job.state.ended or job.id in seen]
    return [
        job
        for job in jobs.jobs
        if job.id in wanted or (job.array_id in wanted and job.array_id != "")
    ]


def _state_text(job: Job) -> str:
    words = why(job)
    return f"{job.state.words}{': ' + words if words else ''}"


def _say_change(job: Job, text: str, as_json: bool) -> None:
    if as_json:
        import json

        # One line each, for programs that read a stream.
        sys.stdout.write(json.dumps(_job_json(job)) + "\n")
        return
    now = time.strftime("%H:%M:%S")
    style = "" if not is_terminal() else "green" if job.state.running else ""
    say(f"{now}  {job.id}  {job.name}  {text}", style)


if __name__ == "__main__":
    sys.exit(run_module("jobs"))
