"""Every option of every command with what nobody meant to type: one clear error, never a traceback.

The options are found in the parsers themselves, so that a new one is tried as well.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import importlib
import io
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from import_data import put_coco

from cli.common import guard
from cli.main import COMMANDS, main
from cli.parser import BatmanParser
from core.data.importers import import_coco
from core.data.store import Project
from core.training.config.options import TrainingConfig

ROOT = Path(__file__).parents[2]
# These open the app or a port once their options are right; their numbers are tried still.
OPENING = {"tui", "serve", "demo"}
# These start a child process once their options are right.
SLOW = {"roboflow", "submit", "evaluate", "add"}
NO_NUMBERS = ["nan", "1e999", "-1", "10" * 40, "9" * 5000, "²", ""]
ODD_WORDS = ["~nobody-is-called-so/x", "a" * 300, "a\udcffb/c", "/proc/self/nothing/here"]


def parsers() -> Iterator[tuple[list[str], argparse.ArgumentParser]]:
    """Yield every command, sub-commands among them, as its words and its parser."""

    def below(
        words: list[str], parser: argparse.ArgumentParser
    ) -> Iterator[tuple[list[str], argparse.ArgumentParser]]:
        children = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
        if not children:
            yield words, parser
        for child in children:
            for name, inner in child.choices.items():
                yield from below([*words, name], inner)

    for name, command in COMMANDS.items():
        parser = BatmanParser(prog=f"batman {name}")
        importlib.import_module(f"cli.{command.module}").add_arguments(parser)
        yield from below([name], parser)


def plain(action: argparse.Action) -> list[str]:
    """Return a plausible value for an argument that is needed."""
    count = action.nargs if isinstance(action.nargs, int) else 1
    if action.choices:
        return [str(next(iter(action.choices)))] * count
    if action.type not in (None, Path):
        return ["1"] * count
    return ["cranes" if "project" in action.dest else "nothing-here"] * count


def line(words: list[str], parser: argparse.ArgumentParser, odd: argparse.Action, value: str):
    """Return a command line in which the argument `odd` is `value`."""
    count = odd.nargs if isinstance(odd.nargs, int) else 1
    values = [value] * count
    options, places = [], []
    needed = {id(a) for a in parser._actions if a.required}
    for group in parser._mutually_exclusive_groups:
        if group.required and odd not in group._group_actions:
            needed.add(id(group._group_actions[0]))
    for action in parser._actions:
        if action is not odd and id(action) not in needed:
            continue
        given = values if action is odd else plain(action)
        if not action.option_strings:
            places += given
        elif count == 1:
            options += [f"{action.option_strings[-1]}={part}" for part in given]
        else:
            options += [action.option_strings[-1], *given]
    return [*words, *options, *(["--", *places] if places else [])]


def takes_value(action: argparse.Action) -> bool:
    return action.nargs != 0 and not isinstance(
        action, argparse._HelpAction | argparse.BooleanOptionalAction | argparse._SubParsersAction
    )


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("workspace")
    with Project.create(root / "data" / "projects" / "cranes") as project:
        import_coco(project, put_coco(root / "set"))
    return root


@pytest.fixture
def alone(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace where no service, cluster or network is to be had."""
    monkeypatch.chdir(workspace)
    for name in ("BATMAN_CONFIG_DIR", "BATMAN_CACHE_DIR"):
        monkeypatch.setenv(name, str(workspace / name.lower()))
    monkeypatch.setenv("BATMAN_COCO_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("EDITOR", "true")
    # Nothing is there to download: no need to ask five times.
    monkeypatch.setattr(
        "core.data.importers.services.download._Fetch._back_off", lambda self, tries: 0.0
    )
    monkeypatch.setenv("HOME", str(workspace / "home"))
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))

    def nobody(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    return workspace


def run(words: list[str]) -> tuple[int, str]:
    """Run a command here and return its exit code and all that it printed."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii", write_through=True)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        code = main(words)
    return code, out.buffer.getvalue().decode("ascii")


CASES = list(parsers())


@pytest.mark.parametrize(("words", "parser"), CASES, ids=[" ".join(words) for words, _ in CASES])
def test_no_option_ends_in_a_traceback(
    alone: Path, words: list[str], parser: argparse.ArgumentParser
) -> None:
    for action in filter(takes_value, parser._actions):
        number = action.type not in (None, Path)
        if words[0] in OPENING and not number:
            continue
        values = NO_NUMBERS if number else ODD_WORDS
        if words[0] in ("train", "submit") and action.dest in TrainingConfig.model_fields:
            values = [*ODD_WORDS, "nan", "1e999", "9" * 5000]
        for value in values[:1] if words[-1] in SLOW and not number else values:
            if words[0] in OPENING and value == "":
                continue
            command = line(words, parser, action, value)
            code, said = run(command)
            shown = [part[:60] for part in command]
            assert "Traceback" not in said, (shown, said[-2000:])
            assert "defect" not in said, (shown, said[-2000:])
            if number and action.dest != "api_key":
                assert code == 2, (shown, said[-500:])
            assert code in (0, 1, 2), (shown, code, said[-500:])


BATMAN = f"{sys.executable} -m cli.main"
FULL = "No space left on device."


@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        (f"{BATMAN} project list >/dev/full", 1, FULL), (f"{BATMAN} --help >/dev/full", 1, FULL),
        (f"{BATMAN} train --help >/dev/full", 1, FULL),
        (f"{BATMAN} project list --json >/dev/full", 1, FULL),
        (f"{BATMAN} nonsense 2>/dev/full", 1, ""),
        (f"{BATMAN} nonsense >/dev/full 2>/dev/full", 1, ""),
        (f"{BATMAN} project list >&-", 0, ""), (f"{BATMAN} nonsense 2>&-", 2, ""),
        (f"{BATMAN} project list <&- >&- 2>&-", 0, ""),
        (f"{BATMAN} project delete cranes <&-", 2, "Nobody is here to answer"),
        (f"set -o pipefail; {BATMAN} --help | true", 141, ""),
        (f"set -o pipefail; {BATMAN} nonsense 2>&1 | true", 141, ""),
        (f"{BATMAN} project list --workspace '~nobody-is-called-so'", 2, "no home folder '~nobody"),
        (f"BATMAN_WORKSPACE='~nobody-is-called-so' {BATMAN} runs list", 2, "no home folder"),
        (f"BATMAN_CONFIG_DIR='~nobody-is-called-so' {BATMAN} clusters list", 2, "no home folder"),
        (f"BATMAN_CACHE_DIR='~nobody-is-called-so' {BATMAN} locate", 2, "no home folder"),
        (f"{BATMAN} project list --workspace {'a' * 300}", 2, "File name too long"),
        (f"{BATMAN} project create $'\\xff'", 2, "is not UTF-8"),
        (f"{BATMAN} project list --workspace $'\\xff'", 2, "is not UTF-8"),
        (f"mkdir -p $'\\xff' && cd $'\\xff' && {BATMAN} project list", 2, "is not UTF-8"),
        (f"LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0 {BATMAN} project show é", 2, "?"),
        (f"PYTHONIOENCODING=latin-1 {BATMAN} project show 鉤", 2, "projects/?'"),
    ],
)  # fmt: skip
def test_streams_and_names_that_are_broken_end_in_one_error(
    workspace: Path, line: str, code: int, says: str
) -> None:
    done = subprocess.run(
        ["bash", "-c", line], cwd=workspace, capture_output=True, check=False, timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT), "BATMAN_CONFIG_DIR": str(workspace / "c")},
    )  # fmt: skip
    said = (done.stdout + done.stderr).decode("latin-1")
    assert done.returncode == code, said
    assert "Traceback" not in said
    assert "Exception ignored" not in said
    assert says in said
    assert not says or "Error: " in said


def test_nothing_that_is_printed_gets_into_a_file(tmp_path: Path) -> None:
    """With closed streams the next file would get the number of the output."""
    program = (
        "import os, sys; from cli.common import guard\n"
        "def act():\n"
        "    file = os.open('kept', os.O_RDWR | os.O_CREAT); print('not into the file')\n"
        "    sys.stdout.flush(); assert file > 2; return 0\n"
        "sys.exit(guard(act))"
    )
    for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        line = f'{sys.executable} -c "$PROGRAM" {closed}'
        done = subprocess.run(
            ["bash", "-c", line], cwd=tmp_path, capture_output=True, check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PROGRAM": program},
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, b"")
        assert (tmp_path / "kept").read_bytes() == b""


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), 1, "Error: No space left on device."),
        (OSError(errno.ENOSPC, "No space left on device", "x"), 1, "Error: The disk is full: "),
        (PermissionError(errno.EACCES, "Permission denied", "a/b"), 2, "'a/b': Permission denied."),
        (PermissionError(errno.EACCES, "Permission denied", b"\xff"), 2,
         "'?U+DCFF?': Permission denied."),
        (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), 1, "a defect in"),
    ],
)  # fmt: skip
def test_what_the_system_refuses_is_told_as_it_is(error: OSError, code: int, says: str) -> None:
    def fail() -> int:
        raise error

    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii", write_through=True)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        assert guard(fail) == code
    said = out.buffer.getvalue().decode("ascii")
    assert says in said
    assert "output" not in said
