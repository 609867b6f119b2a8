"""`batman sweeps`: list and show sweeps of this machine, stop them, go on with them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import datetime

from cli.answers.printing import say_json, stream
from cli.common import add_workspace, run_module, workspace_of
from cli.exits import Exit
from cli.output import say, say_error, say_table
from cli.parser import Subcommands
from cli.progress import Stages
from cli.runs.sweep_follow import follow_sweep, say_sweep, sweep_facts
from core.common.errors import BatmanError
from core.common.text import plural, shell_word
from core.training.config.sweep import EXAMPLE
from core.training.sweep.control import cancel_rest, resume_sweep, stop_sweep
from core.training.sweep.sweep import Sweep, find_sweep, list_sweeps
from core.training.sweep.table import SweepRow, sweep_rows

DESCRIPTION = (
    "Sweeps of this machine: one training for every combination of some settings, one after the"
    f" other. One is started by batman train --sweep {EXAMPLE}."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the sub-commands and their options."""
    commands = Subcommands(parser)
    add_workspace(commands.add("list", "list the sweeps, the newest first", _list))
    show = commands.add("show", "show the runs of a sweep, the best first", _show)
    stop = commands.add(
        "stop", "stop the run that trains, with a checkpoint; begin no other", _stop
    )
    resume = commands.add("resume", "go on with a sweep that was stopped or killed", _resume)
    cancel = commands.add("cancel", "give up what has not begun; what trains goes on", _cancel)
    for command in (show, stop, resume, cancel):
        command.add_argument(
            "sweep", nargs="?", metavar="SWEEP", help="name (default: the newest sweep)"
        )
        add_workspace(command)
    resume.add_argument("--detach", action="store_true", help="start and return")
    resume.add_argument("--plain", action="store_true", help="print lines on a terminal too")


def run(args: argparse.Namespace) -> int:
    """Do what the parsed arguments say and return the exit code."""
    return int(args.handler(args))


def _list(args: argparse.Namespace) -> int:
    workspace = workspace_of(args)
    found: list[tuple[Sweep, Sequence[SweepRow]]] = []
    for sweep in list_sweeps(workspace):
        try:
            found.append((sweep, sweep_rows(sweep)))
        except BatmanError as error:
            say_error(error.message, error.hint)
    if args.json:
        say_json([sweep_facts(sweep, rows) for sweep, rows in found])
    elif not found:
        say(f"There are no sweeps in {workspace.root}.")
        say(f"Start one with batman train --project PROJECT --sweep {EXAMPLE}", "dim")
    else:
        say_table(
            ["sweep", "state", "settings", "runs", "trained", "best mAP50-95", "made"],
            [
                (
                    sweep.name,
                    sweep.state(),
                    " ".join(sweep.plan().words),
                    len(rows),
                    sum(row.state == "finished" for row in rows),
                    None if rows[0].best is None else f"{rows[0].best:.3f}",
                    f"{datetime.fromtimestamp(sweep.plan().created).astimezone():%Y-%m-%d %H:%M}",
                )
                for sweep, rows in found
            ],
            right=("runs", "trained", "best mAP50-95"),
            spare=("made", "settings"),
        )
    return Exit.OK


def _show(args: argparse.Namespace) -> int:
    sweep = find_sweep(workspace_of(args), args.sweep)
    rows = sweep_rows(sweep)
    if args.json:
        say_json(sweep_facts(sweep, rows))
        return Exit.OK
    say_sweep(sweep, rows)
    if sweep.state() == "stopped":
        say(f"Go on with: batman sweeps resume {shell_word(sweep.name)}", "dim")
    return Exit.OK


def _stop(args: argparse.Namespace) -> int:
    sweep = find_sweep(workspace_of(args), args.sweep)
    stop_sweep(sweep)
    if args.json:
        say_json(sweep_facts(sweep, sweep_rows(sweep)))
    say(f"{sweep.name} stops after the current step, with a checkpoint.")
    say(f"Go on later with: batman sweeps resume {shell_word(sweep.name)}", "dim")
    return Exit.OK


def _resume(args: argparse.Namespace) -> int:
    stream()
    sweep = find_sweep(workspace_of(args), args.sweep)
    with Stages() as show:
        resume_sweep(sweep, lambda at: show(at.stage, at.done, at.total))
    if args.detach:
        if args.json:
            say_json(sweep_facts(sweep, sweep_rows(sweep)))
        say(f"{sweep.name} goes on.")
        say(f"See it with: batman sweeps show {shell_word(sweep.name)}", "dim")
        return Exit.OK
    say("Ctrl-C stops it with a checkpoint; closing the terminal does not.", "dim")
    return follow_sweep(sweep, plain=args.plain)


def _cancel(args: argparse.Namespace) -> int:
    sweep = find_sweep(workspace_of(args), args.sweep)
    names = cancel_rest(sweep)
    if args.json:
        say_json({"cancelled": names})
    say(f"{sweep.name}: {plural(len(names), 'run')} cancelled; what trains goes on.")
    return Exit.OK


if __name__ == "__main__":
    sys.exit(run_module("runs.sweeps"))
