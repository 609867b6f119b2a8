"""A command of `batman` in a fork of this process, which has loaded it: an eighth of a start.

For tests of what a command prints and does with its streams. Those of how it starts, what it loads
and what ends it start `python -m cli.main`.
"""

from __future__ import annotations

import functools
import importlib
import os
import signal
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from cli.main import COMMANDS, main


def begin(
    words: Sequence[str],
    env: Mapping[str, str],
    stdout: int,
    stderr: int,
    *,
    stdin: int | None = None,
    cwd: Path | None = None,
) -> int:
    """Run `batman WORDS` in a child, a session of its own, and return the child's process number.

    The streams are open files, a terminal's or a pipe's; without `stdin` there is no input. The
    child ends with the command's exit code; the caller waits for it.
    """
    _load()
    child = os.fork()
    if child:
        return child
    code = 70
    try:
        os.setsid()
        os.chdir(cwd or ".")
        given = os.open(os.devnull, os.O_RDONLY) if stdin is None else stdin
        _alone(env, (given, stdout, stderr))
        sys.argv = ["batman", *words]
        code = main()
    except BaseException:
        traceback.print_exc()
    finally:
        _end(code)


@functools.cache
def _load() -> None:
    """Load what most commands load, once for all children."""
    for command in COMMANDS.values():
        importlib.import_module(f"cli.{command.module}")
    for name in ("rich.console", "rich.markup", "rich.progress", "rich.table", "rich_argparse"):
        importlib.import_module(name)


def _alone(env: Mapping[str, str], streams: Sequence[int]) -> None:
    """Take the streams and the environment for this process's own."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(env)
    for number, given in enumerate(streams):
        os.dup2(given, number)
    coded = env.get("PYTHONIOENCODING", "utf-8")
    sys.stdin = open(0, encoding=coded, closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding=coded, closefd=False)  # noqa: SIM115
    sys.stderr = open(  # noqa: SIM115
        2, "w", encoding=coded, errors="backslashreplace", closefd=False, buffering=1
    )


def _end(code: int) -> NoReturn:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)
