"""`batman jobs`: what runs and waits on a cluster, its logs, and what to do about it."""

from __future__ import annotations

import argparse
import sys

from cli.cluster import job as jobs_one
from cli.cluster import jobs_clone, jobs_watch
from cli.cluster.job_words import line_json, look, time_text, why_text
from cli.common import add_json, add_workspace, confirm, run_module, workspace_of
from cli.connect import Terminal, profile_for
from cli.exits import Exit
from cli.notify import add_notify
from cli.output import say, say_error, say_json, say_table
from cli.parser import Subcommands
from core.common.text import plural
from slurm.hosts import Host
from slurm.job.record import damaged_records
from slurm.queue.arrays import JobLine
from slurm.queue.job_actions import DONE, act, check_ids
from slurm.queue.queue import QueueSnapshot
from slurm.site.free_gpus import partition_rooms
from slurm.site.site import open_host
from slurm.site.slurm_values import format_duration

DESCRIPTION = (
    "List, show, cancel, hold, release, requeue and clone jobs of a SLURM cluster; read logs."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the sub-commands."""
    commands = Subcommands(parser)
    list_ = commands.add("list", "list jobs: running, waiting with the reason, ended", _list)
    list_.add_argument("--all", action="store_true", help="everybody's jobs, not only yours")
    list_.add_argument("--unfold", action="store_true", help="every task of an array by itself")
    list_.add_argument("--nodes", action="store_true", help="partitions and free GPUs too")
    show = commands.add("show", "show one job", jobs_one.show)
    show.add_argument("job", metavar="JOB", help="123, or 123_4 for a task of an array")
    show.add_argument("--usage", action="store_true", help="ask its nodes for GPU and memory use")
    logs = commands.add("logs", "print a job's log, or follow it", jobs_one.logs)
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
    jobs_clone.add_clone(commands)
    watch = commands.add("watch", "follow jobs until they end", jobs_watch.watch)
    watch.add_argument(
        "job", nargs="*", metavar="JOB", help="jobs (default: all of yours that wait or run)"
    )
    add_notify(watch)
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


def _list(args: argparse.Namespace) -> int:
    watch, watched, jobs = look(args)
    lines = watched.lines(fold=not args.unfold)
    damaged = damaged_records(workspace_of(args))
    if args.json:
        say_json(
            {
                "cluster": watch.cluster,
                "taken_at": jobs.taken_at,
                "accounting": jobs.accounting,
                "errors": dict(jobs.errors),
                "damaged": [error.message for error in damaged],
                "jobs": [line_json(line) for line in lines],
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
    for wrong in damaged:
        say_error(wrong.message, "Its job may be above without its run. When it is not, remove it.")
    return Exit.OK


def _row(line: JobLine, user: bool) -> list[object]:
    job = line.job
    row: list[object] = [
        line.id, job.name, line.state_words, line.gpus or None, job.partition,
        time_text(job), why_text(job) or None, line.run.name if line.run else None,
    ]  # fmt: skip
    if user:
        row.insert(2, job.user)
    return row


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


if __name__ == "__main__":
    sys.exit(run_module("cluster.jobs"))
