"""`batman runs`: list the workspace's runs, and show what one was told and what came out."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from datetime import datetime
from typing import Any

from cli.common import add_json, add_workspace, run_module, workspace_of
from cli.exits import Exit
from cli.output import say, say_error, say_json, say_pairs, say_table
from cli.parser import Subcommands
from cli.story import failure, say_end
from core.errors import BatmanError
from core.text import duration
from core.training.command import command_line
from core.training.follow import RunFollower
from core.training.run import Run, RunSummary, find_run, latest_run, list_runs

DESCRIPTION = "List runs and show what came out of them."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the sub-commands and their options."""
    commands = Subcommands(parser)
    listing = commands.add("list", "list the runs, the most recent first", _list)
    add_json(listing)
    add_workspace(listing)
    show = commands.add("show", "show a run's settings, metrics and end", _show)
    show.add_argument(
        "run", nargs="?", metavar="RUN", help="name or folder (default: the latest run)"
    )
    add_json(show)
    add_workspace(show)


def run(args: argparse.Namespace) -> int:
    """Do what the parsed arguments say and return the exit code."""
    return int(args.handler(args))


def _list(args: argparse.Namespace) -> int:
    workspace = workspace_of(args)
    runs = list_runs(workspace)
    if args.json:
        say_json([_facts(run) for run in runs])
    elif not runs:
        say(f"There are no runs in {workspace.runs_dir}.")
        say("Start one with batman train --project PROJECT.", "dim")
    else:
        say_table(
            ["run", "state", "model", "project", "epoch", "mAP50-95", "mAP50", "time", "started"],
            [
                (
                    run.name,
                    run.state,
                    run.model,
                    run.project,
                    f"{run.epoch}/{run.epochs}",
                    None if run.best_map50_95 is None else f"{run.best_map50_95:.3f}",
                    None if run.best_map50 is None else f"{run.best_map50:.3f}",
                    duration(run.seconds),
                    _minute(run.started_at),
                )
                for run in runs
            ],
            right=("epoch", "mAP50-95", "mAP50", "time"),
        )
    return Exit.OK


def _show(args: argparse.Namespace) -> int:
    workspace = workspace_of(args)
    found = latest_run(workspace) if args.run is None else find_run(workspace, args.run)
    summary = found.summary()
    if args.json:
        say_json(_details(found, summary))
        return Exit.OK
    snapshot = RunFollower(found.path).poll()
    config = snapshot.config or found.config()
    say_pairs(
        [
            ("run", summary.name),
            ("state", summary.state),
            ("model", f"{config.model}, {config.image_size} pixels"),
            ("project", config.project),
            ("classes", ", ".join(config.dataset.class_names) if config.dataset else None),
            ("epochs", f"{snapshot.epoch} of {config.epochs}"),
            ("started", _minute(summary.started_at)),
            ("time", duration(summary.seconds) if summary.seconds else None),
            ("left", None if snapshot.eta is None else duration(snapshot.eta)),
            ("command", command_line(config)),
        ]
    )
    for warning in snapshot.warnings:
        say(f"Warning: {warning.message} {warning.hint}".rstrip(), "yellow")
    say_end(snapshot, str(found.path))
    wrong = failure(snapshot)
    if wrong is not None:
        say_error(*wrong)
    return Exit.OK


def _facts(run: RunSummary) -> dict[str, Any]:
    return {**dataclasses.asdict(run), "path": str(run.path)}


def _details(run: Run, summary: RunSummary) -> dict[str, Any]:
    facts = _facts(summary)
    for name, read in (
        ("config", lambda: run.config().model_dump(mode="json")),
        ("results", run.results),
    ):
        try:
            facts[name] = read()
        except BatmanError as error:
            facts[name] = None
            facts["error"] = facts["error"] or error.message
    return facts


def _minute(t: float | None) -> str | None:
    return None if t is None else f"{datetime.fromtimestamp(t).astimezone():%Y-%m-%d %H:%M}"


if __name__ == "__main__":
    sys.exit(run_module("runs"))
