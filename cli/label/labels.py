"""`batman labels`: labels from the command line, for whoever has neither the page nor the app."""

from __future__ import annotations

import argparse
import sys

from cli.common import run_module
from cli.label import decide, edits, lists, predictions, snap, tracks
from cli.parser import Subcommands

DESCRIPTION = "Look at a project's labels and change them; every change can be undone."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the sub-commands and their options."""
    commands = Subcommands(parser)
    lists.add(commands)
    predictions.add(commands)
    decide.add(commands)
    edits.add(commands)
    snap.add(commands)
    tracks.add(commands)


def run(args: argparse.Namespace) -> int:
    """Do what the parsed arguments say and return the exit code."""
    return int(args.handler(args))


if __name__ == "__main__":
    sys.exit(run_module("label.labels"))
