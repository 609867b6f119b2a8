"""Telling the person that what a command follows has ended: `--notify`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from cli.output import is_terminal, say_error
from core.common.notify import COMMAND_S, load_notify, notify

if TYPE_CHECKING:
    from core.training.run.run import Run


def add_notify(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the option `--notify`."""
    parser.add_argument(
        "--notify", action="store_true",
        help="tell me when it ends: bell, desktop, or my own command, as set in config.toml",
    )  # fmt: skip


def tell_end(run: Run) -> None:
    """Tell that a run ended, unless it goes on or somebody else has told it."""
    from core.training.run_list.run_ends import claim, end_of_run

    end = end_of_run(run)
    if end is not None and claim(run):
        tell(end.title, end.body, end.variables())


def tell(title: str, body: str, variables: Mapping[str, str]) -> None:
    """Tell the person, and wait for their own command, for this one is about to end."""
    # Not standard output, which may be read by a program.
    write = _write if is_terminal(sys.stderr) else None
    threads = notify(load_notify(), title, body, variables, write, lambda text: say_error(text))
    for thread in threads:
        thread.join(COMMAND_S)


def _write(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
