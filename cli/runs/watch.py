"""`batman watch`: follow a run that this or another terminal, app or person started."""

from __future__ import annotations

import argparse
import sys

from cli.answers.printing import stream
from cli.common import add_workspace, run_module, workspace_of
from cli.notify import add_notify, tell_end
from cli.parser import add_json
from cli.runs.follow import follow
from core.common.workspace import Workspace
from core.training.run.run import Run, find_run, latest_run

DESCRIPTION = "Follow a run to its end, whoever started it; Ctrl-C only ends the watching."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the run and how to show it."""
    parser.add_argument(
        "run", nargs="?", metavar="RUN", help="name or folder (default: the latest run)"
    )
    parser.add_argument("--plain", action="store_true", help="print lines on a terminal too")
    add_json(parser)
    add_notify(parser)
    add_workspace(parser)


def run(args: argparse.Namespace) -> int:
    """Follow the run and return the exit code for its end."""
    stream()
    workspace = workspace_of(args)
    found = latest_run(workspace) if args.run is None else find_run(workspace, args.run)
    code = _follow(workspace, found, plain=args.plain)
    if args.notify:
        tell_end(found)
    return code


def _follow(workspace: Workspace, run: Run, *, plain: bool) -> int:
    if not (run.path / "job.json").is_file():
        return follow(run, workspace, ours=False, plain=plain)
    from cli.connect import kept_up

    with kept_up(run, workspace):
        return follow(run, workspace, ours=False, plain=plain)


if __name__ == "__main__":
    sys.exit(run_module("runs.watch"))
