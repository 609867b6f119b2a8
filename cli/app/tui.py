"""`batman tui` and `batman-tui`: open the app."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from cli.common import add_workspace, run_module, workspace_of
from cli.main import open_app
from cli.output import is_terminal
from core.common.errors import BatmanError

DESCRIPTION = "Open the app."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the workspace and the run to open on."""
    parser.add_argument("run", nargs="?", metavar="RUN", help="run to open, by name or folder")
    parser.add_argument(
        "--fresh",
        action="store_true",
        help="open on the projects, not where you were the last time",
    )
    add_workspace(parser)


def run(args: argparse.Namespace) -> int:
    """Open the app and return its exit code."""
    workspace = workspace_of(args)
    path: Path | None = None
    if args.run is not None:
        from core.training.run.run import find_run

        path = find_run(workspace, args.run).path
    require_terminal()
    return open_app(workspace, path, fresh=args.fresh)


def require_terminal() -> None:
    """Raise BatmanError where the app could not be drawn."""
    # `batman serve` draws through pipes, with a driver that it names in the environment.
    served = "TEXTUAL_DRIVER" in os.environ
    if not served and not (is_terminal() and sys.stdin.isatty()):
        raise BatmanError(
            "The app needs a terminal.", "See batman --help for the commands, which do not."
        )


if __name__ == "__main__":
    sys.exit(run_module("app.tui"))
