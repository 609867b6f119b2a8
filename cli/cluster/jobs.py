"""`batman jobs`: what runs and waits on a cluster, its logs, and what to do about it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from cli.answers.printing import say_json
from cli.cluster import job as jobs_one
from cli.cluster import job_extras, jobs_clone, jobs_watch
from cli.cluster.job_words import line_json, look, node_json
from cli.common import add_workspace, confirm, run_module, workspace_of
from cli.connect import Terminal, profile_for
from cli.exits import Exit
from cli.notify import add_notify
from cli.output import say, say_columns, say_error, say_table
from cli.parser import Subcommands
from core.common.errors import BatmanError
from core.common.lists.columns import Column
from core.common.lists.export import as_csv, as_markdown
from core.common.text import clean, plural, shell_word
from core.common.workspace import Workspace
from core.training.run.run import Run
from slurm.hosts import Host
from slurm.job.record import damaged_records, list_records
from slurm.queue.arrays import JobLine
from slurm.queue.columns import JOB_COLUMNS, export_rows
from slurm.queue.job_actions import DONE, act, check_ids, known_jobs
from slurm.queue.job_filter import keep_filter, require_job_filter
from slurm.queue.queue import QueueSnapshot
from slurm.site.free_gpus import partition_rooms
from slurm.site.site import open_host
from slurm.site.slurm_values import format_duration
from slurm.watch.node_views import node_views
from slurm.watch.pins import is_pinned, pinned_first, pinned_jobs

DESCRIPTION = (
    "List, show, pin, cancel, hold, release, requeue and clone jobs of a SLURM cluster; read logs."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the sub-commands."""
    commands = Subcommands(parser)
    list_ = commands.add("list", "list jobs: running, waiting with the reason, ended", _list)
    list_.add_argument("--all", action="store_true", help="everybody's jobs, not only yours")
    list_.add_argument("--unfold", action="store_true", help="every task of an array by itself")
    list_.add_argument("--nodes", action="store_true", help="partitions and free GPUs too")
    list_.add_argument(
        "--filter", metavar="TERMS",
        help="only jobs for which all of this holds: words, state=, partition=, qos=, account=,"
        " node=, user=, name=, gpu=, reason=, run= with * for anything, field:part, -not, @kept",
    )  # fmt: skip
    list_.add_argument(
        "--keep", metavar="NAME", help="keep the filter as @NAME; without --filter, forget it"
    )
    _formats(list_)
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
    nodes = commands.add("nodes", "show the nodes: load, memory, GPUs, who is on them", _nodes)
    nodes.add_argument("--partition", metavar="NAME", help="only those of a partition")
    script = commands.add("script", "print the batch script of a job", job_extras.script)
    script.add_argument("job", metavar="JOB", help="123, or 123_4 for a task of an array")
    shell = commands.add("shell", "open a shell on the node of a running job", job_extras.shell)
    shell.add_argument("job", metavar="JOB", help="123, or 123_4 for a task of an array")
    shell.add_argument("--node", metavar="NAME", help="which of its nodes (default: the first)")
    shell.add_argument("--print", action="store_true", help="only print the command")
    hours = commands.add("hours", "what runs have cost, in GPU hours", job_extras.hours)
    hours.add_argument("--runs", action="store_true", help="each run too")
    _formats(hours)
    add_workspace(hours)
    pin = commands.add("pin", "keep jobs on top of the list", job_extras.pin)
    pin.add_argument("job", nargs="+", metavar="JOB", help="123, an array by its number, or 123_4")
    pin.add_argument("--remove", action="store_true", help="no longer")
    jobs_clone.add_clone(commands)
    watch = commands.add("watch", "follow jobs until they end", jobs_watch.watch)
    watch.add_argument(
        "job", nargs="*", metavar="JOB", help="jobs (default: all of yours that wait or run)"
    )
    add_notify(watch)
    for command in (list_, show, logs, nodes, script, shell, pin, watch):
        _shared(command)


def _formats(parser: argparse.ArgumentParser) -> None:
    formats = parser.add_mutually_exclusive_group()
    formats.add_argument("--csv", action="store_true", help="print CSV, for spreadsheets")
    formats.add_argument("--markdown", action="store_true", help="print a Markdown table")


def _shared(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--cluster", metavar="NAME", help="which cluster (default: the only one, or this machine)"
    )
    add_workspace(parser)


def run(args: argparse.Namespace) -> int:
    """Run the chosen sub-command and return the exit code."""
    return int(args.handler(args))


def _list(args: argparse.Namespace) -> int:
    wanted = require_job_filter(args.filter or "")
    if args.keep is not None:
        keep_filter(args.keep, args.filter or "")
    watch, watched, jobs = look(args)
    pins = pinned_jobs(watch.cluster)
    every = pinned_first(watched.lines(fold=not args.unfold), pins)
    lines = [line for line in every if wanted.keeps(line)]
    damaged = damaged_records(workspace_of(args))
    if args.json:
        say_json(
            {
                "cluster": watch.cluster,
                "taken_at": jobs.taken_at,
                "accounting": jobs.accounting,
                "errors": dict(jobs.errors),
                "damaged": [error.message for error in damaged],
                "jobs": [
                    {**line_json(line), "pass": _text(watched.passes.get(line.id)),
                     "pinned": is_pinned(line, pins)}
                    for line in lines
                ],
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
    if args.csv or args.markdown:
        titles, rows = export_rows(lines)
        sys.stdout.write(as_csv(titles, rows) if args.csv else as_markdown(titles, rows))
        return Exit.OK
    if lines:
        say_columns(_columns(args.all, watched.passes, pins), lines)
    else:
        none = "There are no jobs" if args.all else "You have no jobs here"
        more = "" if args.all else "; --all shows everybody's"
        say(f"{none}{f' like {args.filter!r}' if args.filter else ''}{more}.")
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


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _columns(
    user: bool, passes: Mapping[str, Path], pins: Collection[str]
) -> list[Column[JobLine]]:
    def made(line: JobLine) -> str | None:
        what = line.run or passes.get(line.id)
        return what.name if what else None

    def number(line: JobLine) -> str:
        return f"{line.id} ▴" if is_pinned(line, pins) else line.id

    # What a pass makes is no run, and stands under the same title.
    keys = ("name", *(["user"] if user else []), "state", "gpus", "partition", "time", "why")
    return [
        replace(JOB_COLUMNS["id"], value=number),
        *(JOB_COLUMNS[key] for key in keys),
        replace(JOB_COLUMNS["run"], value=made),
    ]


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


def _nodes(args: argparse.Namespace) -> int:
    args.all = True  # who is on them are mostly others
    _, _, jobs = look(args)
    names = {partition.name for partition in jobs.partitions}
    if args.partition is not None and args.partition not in names:
        raise BatmanError(
            f"There is no partition '{clean(args.partition)}'.",
            f"There are: {', '.join(map(clean, sorted(names)))}.",
        )
    views = [
        view
        for view in node_views(jobs)
        if args.partition is None or args.partition in view.node.partitions
    ]
    if args.json:
        say_json([node_json(view) for view in views])
        return Exit.OK
    say_table(
        ["node", "state", "load", "memory", "GPUs", "partitions", "about"],
        [
            (v.node.name, v.node.state, v.load, v.memory, v.gpus or None,
             ", ".join(v.node.partitions), v.about or None)
            for v in views
        ],
        right=("load", "memory"),
    )  # fmt: skip
    return Exit.OK


def _act(args: argparse.Namespace) -> int:
    ids = check_ids(args.job)
    profile = profile_for(args.cluster)
    host: Host = open_host(profile, Terminal())
    ids = _still_there(host, profile.name, args.verb, ids)
    if args.verb == "requeue":
        _refuse_finished(workspace_of(args), profile.name, ids)
    if args.verb in ("cancel", "requeue"):
        lost = " What they have not saved is lost." if args.verb == "requeue" else ""
        question = f"{args.verb.capitalize()} {', '.join(ids)}?{lost}"
        if not confirm(question, yes=args.yes):
            return Exit.WRONG
    act(host, args.verb, ids)
    say(f"{DONE[args.verb]} {', '.join(ids)}.", "green")
    if args.json:
        say_json({"done": args.verb, "jobs": ids, "cluster": profile.name})
    return Exit.OK


def _still_there(host: Host, cluster: str, verb: str, ids: list[str]) -> list[str]:
    """Return those of `ids` that are not over, saying so of the others; a requeue takes all.

    SLURM's scancel says nothing of a job that never was. Raises BatmanError when one is not
    known, or all are over.
    """
    known = known_jobs(host, ids)
    missing = [job_id for job_id, jobs in known.items() if not jobs]
    if missing:
        raise BatmanError(
            f"There is no job {', '.join(missing)} on {clean(cluster)}, or it ended a while ago."
            " Nothing was done.",
            "batman jobs list shows which there are.",
        )
    over = {
        job_id: jobs[-1].state.words
        for job_id, jobs in known.items()
        if verb != "requeue" and all(job.state.ended for job in jobs)
    }
    told = [f"Job {job_id} is over already ({words})." for job_id, words in over.items()]
    if len(over) == len(known):
        raise BatmanError(" ".join(told), f"There is nothing to {verb}.")
    for words in told:
        say(words, "yellow")
    return [job_id for job_id in known if job_id not in over]


def _refuse_finished(workspace: Workspace, cluster: str, ids: list[str]) -> None:
    """Raise BatmanError if one of the jobs trained a run of ours that has finished."""
    for path, record in list_records(workspace):
        if record.cluster == cluster and record.job_id in ids and Run(path).state() == "finished":
            raise BatmanError(
                f"The run '{clean(path.name)}' of job {record.job_id} has finished: started again"
                " it would find nothing to do. Nothing was done.",
                f"To train it on, batman submit --resume {shell_word(path.name)} --epochs N.",
            )


if __name__ == "__main__":
    sys.exit(run_module("cluster.jobs"))
