"""`batman jobs script`, `jobs shell`, `jobs pin` and `jobs hours`."""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from collections.abc import Collection
from dataclasses import asdict

from cli.answers.printing import say_json
from cli.cluster.job import everybody, find_job, jobs_line
from cli.cluster.job_words import look
from cli.common import workspace_of
from cli.connect import profile_for
from cli.exits import Exit
from cli.output import say, say_columns, say_note
from core.common.errors import BatmanError
from core.common.lists.export import as_csv, as_markdown
from core.common.text import clean, clean_lines
from slurm.job.gpu_hours import (
    COST_COLUMNS,
    SUM_COLUMNS,
    by_project_and_month,
    cost_rows,
    run_costs,
    unknown_words,
)
from slurm.queue.job_actions import check_ids
from slurm.queue.node_shell import batch_script, shell_command
from slurm.watch.pins import pin_lines, pinned_jobs, unpin


def script(args: argparse.Namespace) -> int:
    """Print the batch script of a job and return the exit code."""
    watch, watched, line, _ = find_job(args)
    text = batch_script(watch.host, line.job, watched.records.get(line.job.id))
    if args.json:
        say_json({"job": line.job.id, "script": text})
    else:
        sys.stdout.write(clean_lines(text.rstrip("\n")) + "\n")
    return Exit.OK


def shell(args: argparse.Namespace) -> int:
    """Open a shell on the node of a running job and return its exit code."""
    _, _, line, _ = find_job(args)
    command = shell_command(profile_for(args.cluster), line.job, args.node or "")
    if args.print or args.json:
        if args.json:
            say_json({"job": line.job.id, "command": command})
        else:
            say(clean(shlex.join(command)))
        return Exit.OK
    if not sys.stdin.isatty():
        raise BatmanError(
            "A shell needs a terminal.", "--print shows the command, to run it in one."
        )
    try:
        return subprocess.call(command)
    except FileNotFoundError:
        raise BatmanError(
            f"'{clean(command[0])}' is not installed here.", "--print shows the whole command."
        ) from None


def hours(args: argparse.Namespace) -> int:
    """Print what runs on clusters have cost and return the exit code."""
    costs = run_costs(workspace_of(args))
    sums = by_project_and_month(costs)
    if args.json:
        say_json(
            {
                "runs": [asdict(cost) for cost in costs],
                "sums": [
                    {"project": cost.project, "month": cost.month, "runs": cost.runs,
                     "gpu_hours": cost.hours, "unknown": cost.unknown}
                    for cost in sums
                ],
            }
        )  # fmt: skip
    elif args.csv or args.markdown:
        table = cost_rows(costs, each=args.runs)
        sys.stdout.write(as_csv(*table) if args.csv else as_markdown(*table))
    elif not costs:
        say("No run of this workspace has trained on a cluster.")
    else:
        if args.runs:
            say_columns(list(COST_COLUMNS.values()), costs)
            say()
        say_columns(list(SUM_COLUMNS.values()), sums)
        if words := unknown_words(costs):
            say_note(words)
    return Exit.OK


def pin(args: argparse.Namespace) -> int:
    """Pin jobs to the top of the list, or unpin them, and return the exit code."""
    ids = check_ids(args.job)
    if args.remove:
        cluster = profile_for(args.cluster).name
        known: Collection[str] = pinned_jobs(cluster)
    else:
        watch, watched, jobs = look(args)
        cluster, lines = watch.cluster, [jobs_line(jobs, job_id) for job_id in ids]
        if None in lines:
            jobs = everybody(watch, watched)
            lines = [jobs_line(jobs, job_id) for job_id in ids]
        known = [job_id for job_id, line in zip(ids, lines, strict=True) if line is not None]
    wrong = [job_id for job_id in ids if job_id not in known]
    if wrong:
        raise BatmanError(
            f"{', '.join(wrong)} is not pinned on {clean(cluster)}. Nothing was done."
            if args.remove
            else f"There is no job {', '.join(wrong)} on {clean(cluster)}. Nothing was done.",
            "batman jobs list --all shows which there are.",
        )
    if args.remove:
        unpin(cluster, ids)
    else:
        pin_lines(cluster, [line for line in lines if line is not None], pinned=True)
    say(f"{'Unpinned' if args.remove else 'Pinned'} {', '.join(ids)}.", "green")
    if args.json:
        say_json({"done": "unpin" if args.remove else "pin", "jobs": ids, "cluster": cluster})
    return Exit.OK
