"""`batman submit` and `./submit_train.sh`: train on a SLURM cluster, from here or over SSH."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import Field
from typing import Any

from cli.answers.printing import say_event, say_json, stream, streaming
from cli.common import add_workspace, open_project, run_module, workspace_of
from cli.connect import kept_up, profile_for, site_for
from cli.exits import Exit
from cli.label.labeller import add_labeller, add_pictures
from cli.numbers import MOST, whole
from cli.output import is_terminal, say, say_pairs, say_table
from cli.parser import add_json
from cli.progress import Stages
from cli.runs.follow import follow
from cli.train import add_option, say_findings, say_ready
from core.autolabel.choice import HUB
from core.common.errors import BatmanError
from core.common.text import clean_lines, plural, shell_word
from core.common.workspace import Workspace
from core.privacy.secrets import redact
from core.training.config.command_line import option_names
from core.training.config.form import SECTIONS, to_text
from core.training.config.sweep import combinations
from core.training.run.run import Run
from core.training.run_list.index import list_runs
from core.training.run_list.time_estimate import estimate, on_gpu_type
from slurm.job.record import CHECKPOINTS, SCRIPT_FILE
from slurm.site.discover import discover
from slurm.site.site import Site
from slurm.site.slurm_values import format_duration
from slurm.submit.pipeline import Sent, make_order, preview, send_order
from slurm.submit.request import JobRequest, wishes
from slurm.submit.start_estimate import Soonest, soonest
from slurm.submit.submit import Submission

# No node has more processors.
_MOST = {"cpus": 65_536}

DESCRIPTION = (
    "Train RF-DETR on a SLURM cluster: on the login node you are on, or over SSH. A run that"
    " needs longer than the time limit writes a checkpoint and goes on by itself."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the cluster's options and one for every setting of `TrainingConfig`."""
    parser.add_argument(
        "--project", metavar="PROJECT", help="project folder, or the name of one in the workspace"
    )
    add_workspace(parser)
    job = parser.add_argument_group("the job")
    job.add_argument("--cluster", metavar="NAME", help="cluster (default: the only one there is)")
    for wish in wishes():
        _add_wish(job, wish)
    how = parser.add_argument_group("how to start").add_mutually_exclusive_group()
    how.add_argument("--dry-run", action="store_true", help="print the script; submit nothing")
    how.add_argument(
        "--soonest", action="store_true", help="print which GPU is to be had when; submit nothing"
    )
    how.add_argument("--watch", action="store_true", help="follow the run to its end")
    _add_pass(parser)
    parser.add_argument("--plain", action="store_true", help="print lines on a terminal too")
    add_json(parser)
    left = [name for name in option_names() if name != "project"]
    for section in SECTIONS:
        group = parser.add_argument_group(section.title.lower())
        for name in section.names:
            add_option(group, name)
            left.remove(name)
    for name in left:
        add_option(parser, name)


def _add_pass(parser: argparse.ArgumentParser) -> None:
    """Add what makes it a labeller's pass instead of a training."""
    group = parser.add_argument_group("a labeller's pass in place of a training")
    add_labeller(group, "--autolabel", alone=True)
    add_pictures(group)
    group.add_argument(
        "--continue", dest="continue_", nargs="?", const="", metavar="NAME",
        help="go on there with an unfinished pass of the project",
    )  # fmt: skip


def _is_pass(args: argparse.Namespace, values: Mapping[str, Any]) -> bool:
    """Whether a pass is meant. Raises BatmanError for options of the one beside the other."""
    told = {
        "--weights": args.weights, "--download": args.download, "--prompt": args.prompt,
        "--map": args.map, "--classes": args.classes, "--images": args.images,
        "--skip-labelled": args.skip_labelled,
    }  # fmt: skip
    if args.labeller is None and args.continue_ is None:
        if given := [flag for flag, value in told.items() if value]:
            raise BatmanError(
                f"{given[0]} is for a labeller's pass.", "Name the labeller by --autolabel."
            )
        return False
    for name in values:
        if name not in ("project", "device", "batch_size"):
            flag = f"--{name.replace('_', '-')}"
            raise BatmanError(f"{flag} is for training, not for a pass.", f"Leave out {flag}.")
    if args.labeller and args.continue_ is not None:
        raise BatmanError(
            "--continue goes by what the pass was begun with.", "Leave out the labeller."
        )
    if not args.labeller and args.continue_ is None:
        raise BatmanError(
            "No labeller is named.", f"Give a run, coco:base, or one of {', '.join(HUB)}."
        )
    if "project" not in values:
        raise BatmanError("No project was chosen to label.", "Give one with --project.")
    return True


def run(args: argparse.Namespace) -> int:
    """Submit what the parsed arguments say and return the exit code."""
    if args.watch:
        stream()
    workspace = workspace_of(args)
    chosen = {name: getattr(args, name) for name in option_names()}
    values = {name: value for name, value in chosen.items() if value is not None}
    if _is_pass(args, values):
        from cli.label.on_cluster import submit_pass

        return submit_pass(args, request_of(args))
    if "project" in values:
        with open_project(args) as project:
            values["project"] = project.path
    elif "resume" not in values:
        raise BatmanError(
            "No project was chosen to train on.",
            "Give one with --project, or go on with a run by --resume.",
        )
    request = request_of(args)
    site = site_for(profile_for(args.cluster), workspace)
    facts = discover(site.host)
    if args.soonest:
        config = combinations(values, request.sweep)[0].config
        rows = soonest(site.host, site.profile, request, facts, config.num_gpus, config.num_nodes)
        _say_soonest(rows, as_json=args.json)
        return Exit.OK
    order = make_order(site, facts, values, request)
    if args.dry_run:
        return _dry_run(preview(site, workspace, order), as_json=args.json)
    if not args.json:
        say_findings(workspace, order.configs[0])
    with Stages(quiet=args.json) as show:
        sent = send_order(
            site,
            workspace,
            order,
            lambda at: show(at.stage, at.done, at.total),
            on_ready=lambda runs: None if args.json else say_ready(runs[0]),
        )
    _say_submitted(site, workspace, sent, as_json=args.json)
    if args.watch and len(sent.runs) == 1:
        with kept_up(sent.runs[0], workspace):
            return follow(sent.runs[0], workspace, ours=False, plain=args.plain)
    return Exit.OK


def _add_wish(group: argparse._ArgumentGroup, wish: Field[Any]) -> None:
    """Add the option of one field of `JobRequest`."""
    told = wish.metadata
    how: dict[str, Any] = {"default": None, "metavar": told["metavar"]}
    if wish.name == "checkpoints":
        how = {"default": wish.default, "choices": CHECKPOINTS}
    elif wish.name == "sweep":
        how["nargs"] = "+"
    elif wish.name == "extra":
        how["action"] = "append"
    elif wish.default is None:
        how["type"] = whole(1, _MOST.get(wish.name, MOST))
    group.add_argument(told["flag"], dest=wish.name, help=told["help"], **how)


def request_of(args: argparse.Namespace) -> JobRequest:
    """Return what the parsed arguments ask of the cluster."""
    chosen: dict[str, Any] = {}
    for wish in wishes():
        value = getattr(args, wish.name)
        if value is not None:
            chosen[wish.name] = tuple(value) if isinstance(value, list) else value
    return JobRequest(**chosen)


def _say_soonest(rows: Sequence[Soonest], *, as_json: bool) -> None:
    if as_json:
        say_json([vars(row) for row in rows])
        return
    now = time.time()

    def when(row: Soonest) -> str:
        if row.start is None:
            return row.why_not or "not known"
        if row.start <= now + 60:
            return "now"
        return f"in about {format_duration(int(row.start - now))}"

    say_table(
        ["gpu", "partition", "free", "of", "could start"],
        [(row.gpu, row.partition, row.free, row.total, when(row)) for row in rows],
        right=("free", "of"),
    )


def _dry_run(submission: Submission, *, as_json: bool) -> int:
    """Print the script as it would be submitted; the token in it is drawn anew for each job."""
    if as_json:
        say_json({"command": submission.command(), "script": submission.script.text})
        return Exit.OK
    text = redact(submission.script.text)
    # In a file it is a script, of which each character counts.
    sys.stdout.write(clean_lines(text) + "\n" if is_terminal() else text)
    return Exit.OK


def _say_submitted(site: Site, workspace: Workspace, sent: Sent, *, as_json: bool) -> None:
    runs, records = sent.runs, sent.records
    if as_json:
        told = (
            [
                {
                    "run": one.name, "path": str(one.path), "cluster": site.name,
                    "job": record.job_id, "log": record.log, "run_dir": record.run_dir,
                }
                for one, record in zip(runs, records, strict=True)
            ]
        )  # fmt: skip
        if streaming():
            say_event("submitted", jobs=told)
        else:
            say_json(told)
        return
    asked = sent.submission.spec.resources
    number = records[0].job_id.partition("_")[0]
    gpus = f"{asked.of_gpu} × {asked.gpu}" if asked.gpu else ""
    what = f"array of {plural(len(runs), 'run')}" if len(runs) > 1 else f"run {runs[0].name}"
    say(f"Submitted job {number} to {site.name}: {what}.")
    say_pairs(
        [
            ("gpus", gpus + (f" on each of {asked.nodes} nodes" if asked.nodes > 1 else "")),
            ("partition", asked.partition),
            ("features", asked.constraint),
            ("will take", _time(workspace, runs[0], asked.gpu) if len(runs) == 1 else ""),
            ("time limit", "" if asked.time_s is None else format_duration(asked.time_s)),
            ("run folder", runs[0].path if len(runs) == 1 else runs[0].path.parent),
            ("script", runs[0].path / SCRIPT_FILE),
            ("log", records[0].log if len(runs) == 1 else f"{site.log_dir}/job_{number}_*.log"),
        ]
    )
    if len(runs) > 1:
        varied = _varied(runs)
        say()
        say_table(
            ["job", "run", *varied],
            [
                (record.job_id, one.name, *(row[name] for name in varied))
                for one, record, row in zip(runs, records, _settings(runs), strict=True)
            ],
        )
        say(f"Watch them with: batman jobs watch {number}", "dim")
        return
    name = runs[0].name if runs[0].path.parent == workspace.runs_dir else str(runs[0].path)
    say(f"Watch it with: batman watch {shell_word(name)}", "dim")


def _settings(runs: Sequence[Run]) -> list[dict[str, str]]:
    configs = [one.config() for one in runs]
    return [{name: to_text(name, getattr(c, name)) for name in option_names()} for c in configs]


def _time(workspace: Workspace, run: Run, gpu: str) -> str:
    """Return how long the run will take by earlier ones on that GPU; empty where none tells."""
    config = run.config()
    images = config.dataset.images if config.dataset is not None else {}
    found = on_gpu_type(estimate(list_runs(workspace), config, images), gpu or "")
    return "" if found is None else found.sentence()


def _varied(runs: Sequence[Run]) -> list[str]:
    """Return the settings in which the runs of a sweep differ."""
    rows = _settings(runs)
    skipped = ("output_dir",)
    return [n for n in option_names() if n not in skipped and len({row[n] for row in rows}) > 1]


if __name__ == "__main__":
    sys.exit(run_module("cluster.submit"))
