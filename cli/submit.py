"""`batman submit` and `./submit_train.sh`: train on a SLURM cluster, from here or over SSH."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import replace

from cli.cluster import kept_up, profile_for, site_for
from cli.common import add_json, add_workspace, open_project, run_module, workspace_of
from cli.exits import Exit
from cli.live import follow
from cli.numbers import whole
from cli.output import say, say_json, say_pairs, say_table
from cli.progress import Stages
from cli.train import add_option, say_findings, say_ready
from core.errors import BatmanError
from core.text import plural
from core.training.command import option_names
from core.training.config import TrainingConfig
from core.training.form import SECTIONS, to_text
from core.training.planning import would_be_path
from core.training.run import Run
from core.training.start import ready_run
from core.workspace import Workspace
from slurm.choose import combinations, first_to_start, wanted_of, with_gpu_batch
from slurm.discover import Facts, discover
from slurm.fetch import Mirror, link_log
from slurm.plan import Wanted, plan
from slurm.record import CHECKPOINTS, SCRIPT_FILE, JobRecord, keep_checkpoints
from slurm.resources import Resources
from slurm.site import Site
from slurm.soonest import Soonest, soonest
from slurm.submit import Submission, plan_submission, submit
from slurm.values import format_duration

DESCRIPTION = (
    "Train RF-DETR on a SLURM cluster: on the login node you are on, or over SSH. A run that"
    " needs longer than the time limit writes a checkpoint and goes on by itself."
)

_AUTO = "auto"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the cluster's options and one for every setting of `TrainingConfig`."""
    parser.add_argument(
        "--project", metavar="PROJECT", help="project folder, or the name of one in the workspace"
    )
    add_workspace(parser)
    job = parser.add_argument_group("the job")
    job.add_argument("--cluster", metavar="NAME", help="cluster (default: the only one there is)")
    job.add_argument(
        "--gpu", default="", metavar="TYPE", help="type of GPU; auto takes the one free soonest"
    )
    job.add_argument("--time", metavar="TIME", help="time limit, such as 10h or 2-00:00:00")
    job.add_argument("--partition", default="", metavar="NAME", help="partition")
    job.add_argument("--mem", default="", metavar="SIZE", help="memory on each node, such as 64G")
    job.add_argument("--cpus", type=whole(1, 65_536), metavar="N", help="CPUs for each GPU")
    job.add_argument("--account", default="", metavar="NAME", help="account to charge")
    job.add_argument("--qos", default="", metavar="NAME", help="quality of service")
    job.add_argument(
        "--sbatch", action="append", default=[], metavar="OPTION",
        help="further option of sbatch, as --sbatch=--exclude=n3; may be given several times",
    )  # fmt: skip
    job.add_argument(
        "--sweep", nargs="+", default=[], metavar="NAME=A,B",
        help="train every combination, as one array: --sweep lr=1e-4,5e-5 model=base,medium",
    )  # fmt: skip
    job.add_argument(
        "--sweep-parallel",
        type=whole(1),
        metavar="N",
        help="runs of a sweep at once (default: any)",
    )
    job.add_argument(
        "--checkpoints", choices=CHECKPOINTS, default="none",
        help="checkpoints to bring back beside best.pth (default: none)",
    )  # fmt: skip
    how = parser.add_argument_group("how to start").add_mutually_exclusive_group()
    how.add_argument("--dry-run", action="store_true", help="print the script; submit nothing")
    how.add_argument(
        "--soonest", action="store_true", help="print which GPU is to be had when; submit nothing"
    )
    how.add_argument("--watch", action="store_true", help="follow the run to its end")
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


def run(args: argparse.Namespace) -> int:
    """Submit what the parsed arguments say and return the exit code."""
    workspace = workspace_of(args)
    chosen = {name: getattr(args, name) for name in option_names()}
    values = {name: value for name, value in chosen.items() if value is not None}
    if "project" in values:
        with open_project(args) as project:
            values["project"] = project.path
    elif "resume" not in values:
        raise BatmanError(
            "No project was chosen to train on.",
            "Give one with --project, or go on with a run by --resume.",
        )
    configs = combinations(values, args.sweep)
    wanted = _wanted(args, configs[0])
    site = site_for(profile_for(args.cluster), workspace)
    facts = discover(site.host)
    if args.soonest or args.gpu.lower() == _AUTO:
        rows = soonest(site.host, site.profile, replace(wanted, gpu=""), facts)
        if args.soonest:
            _say_soonest(rows, as_json=args.json)
            return Exit.OK
        wanted = replace(wanted, gpu=first_to_start(rows))
    resources = plan(site.profile, wanted, facts)
    configs = [with_gpu_batch(config, resources) for config in configs]
    if args.dry_run:
        return _dry_run(site, workspace, configs, resources, args)
    if not args.json:
        say_findings(workspace, configs[0])
    runs = []
    with Stages(quiet=args.json) as show:
        for config in configs:
            runs.append(ready_run(workspace, config, lambda at: show(at.stage, at.done, at.total)))
    if not args.json:
        say_ready(runs[0])
    submission = plan_submission(site, runs, resources, args.sweep_parallel)
    with Stages(quiet=args.json) as show:
        records = submit(site, submission, lambda at: show(at.stage, at.done, at.total))
    records = keep_checkpoints(runs, records, args.checkpoints)
    _say_submitted(site, workspace, submission, records, facts, as_json=args.json)
    if args.watch and len(runs) == 1:
        with kept_up(runs[0], workspace):
            return follow(runs[0], workspace, ours=False, plain=args.plain)
    return Exit.OK


def _wanted(args: argparse.Namespace, config: TrainingConfig) -> Wanted:
    return wanted_of(
        config,
        gpu=args.gpu,
        time=args.time or "",
        partition=args.partition,
        memory=args.mem,
        cpus=args.cpus,
        account=args.account,
        qos=args.qos,
        extra=args.sbatch,
    )


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


def _dry_run(
    site: Site,
    workspace: Workspace,
    configs: Sequence[TrainingConfig],
    resources: Resources,
    args: argparse.Namespace,
) -> int:
    """Print the script as it would be submitted; the token in it is drawn anew for each job."""
    models = [config.model for config in configs]
    runs = [
        Run(would_be_path(workspace, config, models[:number].count(config.model)))
        for number, config in enumerate(configs)
    ]
    submission = plan_submission(site, runs, resources, args.sweep_parallel)
    if args.json:
        say_json({"command": submission.command(), "script": submission.script.text})
        return Exit.OK
    sys.stdout.write(submission.script.text)
    return Exit.OK


def _say_submitted(
    site: Site,
    workspace: Workspace,
    submission: Submission,
    records: Sequence[JobRecord],
    facts: Facts,
    *,
    as_json: bool,
) -> None:
    runs = submission.runs
    for one in runs:
        link_log(Mirror(site, one), workspace)
    if as_json:
        say_json(
            [
                {
                    "run": one.name, "path": str(one.path), "cluster": site.name,
                    "job": record.job_id, "log": record.log, "run_dir": record.run_dir,
                }
                for one, record in zip(runs, records, strict=True)
            ]
        )  # fmt: skip
        return
    asked = submission.spec.resources
    number = records[0].job_id.partition("_")[0]
    gpus = f"{asked.gpus_per_node} × {asked.gpu}" if asked.gpu else ""
    what = f"array of {plural(len(runs), 'run')}" if len(runs) > 1 else f"run {runs[0].name}"
    say(f"Submitted job {number} to {site.name}: {what}.")
    say_pairs(
        [
            ("gpus", gpus + (f" on each of {asked.nodes} nodes" if asked.nodes > 1 else "")),
            ("partition", asked.partition),
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
    say(f"Watch it with: batman watch {name}", "dim")


def _settings(runs: Sequence[Run]) -> list[dict[str, str]]:
    configs = [one.config() for one in runs]
    return [{name: to_text(name, getattr(c, name)) for name in option_names()} for c in configs]


def _varied(runs: Sequence[Run]) -> list[str]:
    """Return the settings in which the runs of a sweep differ."""
    rows = _settings(runs)
    skipped = ("output_dir",)
    return [n for n in option_names() if n not in skipped and len({row[n] for row in rows}) > 1]


if __name__ == "__main__":
    sys.exit(run_module("submit"))
