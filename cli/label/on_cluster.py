"""A labeller's pass on a cluster: `batman submit --autolabel`, and how it comes back."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from cli.answers.printing import say_json
from cli.common import found_project, workspace_of
from cli.connect import profile_for, site_for
from cli.exits import Exit
from cli.label.labeller import request_of, show_recorded
from cli.output import is_terminal, say, say_pairs
from cli.progress import Stages
from core.autolabel.fetch_weights import fetch_in_child
from core.autolabel.pass_folder import PassFolder, PassTask, TaskImage
from core.autolabel.prepare import (
    Unfinished,
    find_unfinished,
    locate_weights,
    missing_weights,
    plan_pass,
    refuse_second,
)
from core.common.errors import BatmanError
from core.common.text import clean, clean_lines, plural, shell_word
from core.data.store import Project
from core.privacy.secrets import redact
from slurm.job.record import JobRecord, read_record
from slurm.site.discover import discover
from slurm.site.site import Site
from slurm.site.slurm_values import format_duration
from slurm.submit.autolabel import PassOrder, order_pass, preview_pass, release, send_pass
from slurm.submit.request import JobRequest
from slurm.watch.pass_watch import pass_mirror, take_pass, wait_for_pass


def submit_pass(args: argparse.Namespace, request: JobRequest) -> int:
    """Submit the pass that the arguments of `batman submit` mean, and return the exit code."""
    project = found_project(args, args.project)
    folder: PassFolder | None = None
    if args.continue_ is not None:
        item = find_unfinished(project, args.continue_ or None)
        folder, task, images = item.folder, item.task, item.folder.images()
    else:
        task, images = _planned(project, args)
    workspace = workspace_of(args)
    site = site_for(profile_for(args.cluster), workspace)
    order = order_pass(site, discover(site.host), task, images, request)
    if args.dry_run:
        return _dry_run(site, project, order, as_json=args.json)
    with Stages(quiet=args.json) as show:
        made, record = send_pass(
            site, project, order, lambda at: show(at.stage, at.done, at.total), folder=folder
        )
    task = made.task()
    _say_submitted(site, args, replace(order, task=task), record)
    if args.watch:
        return bring_back(args, project, Unfinished(made, task, 0, len(images), True), site)
    return Exit.OK


def bring_back(
    args: argparse.Namespace, project: Path, item: Unfinished, site: Site | None = None
) -> int:
    """Wait for the job of a pass, record what it found and return the exit code.

    Interrupted, the job goes on.
    """
    if site is None:
        site = _site_of(args, item.folder)
    mirror = pass_mirror(site, item.folder)
    try:
        with Stages(quiet=args.json) as show:
            state = wait_for_pass(mirror, lambda at: show(at.stage, at.done, at.total))
    except KeyboardInterrupt:
        done, total = item.folder.state()
        say(
            f"Job {mirror.record.job_id} goes on; {done:,} of {plural(total, 'picture')} are here."
            f" Bring back the others with: {_continue(args, item.task.name)}"
        )
        return Exit.INTERRUPTED
    show_recorded(take_pass(mirror, state, project), args)
    return Exit.OK


def let_go(args: argparse.Namespace, item: Unfinished) -> None:
    """Make a pass whose job is over an unfinished one like any other, with all it found.

    Raises BatmanError while the job waits or runs.
    """
    mirror = pass_mirror(_site_of(args, item.folder), item.folder)
    state = mirror.look()
    if not state.over:
        raise BatmanError(
            f"Job {clean(mirror.record.job_id)} is making the pass '{clean(item.task.name)}'"
            f" ({clean(state.words)}, {state.done:,} of {plural(state.total, 'picture')}).",
            f"Cancel it first: batman jobs cancel {clean(mirror.record.job_id)}.",
        )
    release(item.folder)


def _site_of(args: argparse.Namespace, folder: PassFolder) -> Site:
    record = read_record(folder.path)
    assert record is not None
    return site_for(profile_for(record.cluster), workspace_of(args))


def _planned(project: Path, args: argparse.Namespace) -> tuple[PassTask, list[TaskImage]]:
    request = request_of(project, args, device="auto")
    weights = locate_weights(request, workspace_of(args))
    if weights is None:
        if not args.download:
            raise missing_weights(request.choice)
        with Stages(quiet=args.json) as show:
            weights = fetch_in_child(
                request.choice, lambda at: show(at.stage, at.done, at.total), lambda: False
            )
    with Project.open(project) as opened:
        task, images = plan_pass(opened, request, weights)
    refuse_second(project, task)
    return task, images


def _dry_run(site: Site, project: Path, order: PassOrder, *, as_json: bool) -> int:
    submission = preview_pass(site, project, order)
    if as_json:
        say_json({"command": submission.command(), "script": submission.script.text})
        return Exit.OK
    text = redact(submission.script.text)
    sys.stdout.write(clean_lines(text) + "\n" if is_terminal() else text)
    return Exit.OK


def _say_submitted(
    site: Site, args: argparse.Namespace, order: PassOrder, record: JobRecord
) -> None:
    task, asked = order.task, order.resources
    if args.json and args.watch:
        return  # one object: what became of it
    if args.json:
        say_json(
            {
                "pass": task.name, "pictures": len(order.images), "cluster": site.name,
                "job": record.job_id, "log": record.log,
            }
        )  # fmt: skip
        return
    say(
        f"Submitted job {record.job_id} to {site.name}: {task.model} over"
        f" {plural(len(order.images), 'picture')}."
    )
    say_pairs(
        [
            ("pass", task.name),
            ("gpus", f"{asked.gpus_per_node} × {asked.gpu}" if asked.gpu else ""),
            ("partition", asked.partition),
            ("time limit", "" if asked.time_s is None else format_duration(asked.time_s)),
            ("log", record.log),
        ]
    )
    if not args.watch:
        say(f"Bring it back with: {_continue(args, task.name)}", "dim")


def _continue(args: argparse.Namespace, name: str) -> str:
    return f"batman autolabel --project {shell_word(args.project)} --continue {shell_word(name)}"
