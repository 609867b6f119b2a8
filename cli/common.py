"""What the commands share: how they end, the workspace, and finding projects and runs."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.answers.printing import asks, close, for_program, words_to
from cli.exits import Exit
from cli.output import drop_output, is_terminal, open_streams, output_fails, say_error
from cli.parser import BatmanParser
from core.common.errors import BatmanError, DiskFull
from core.common.files import path_problem
from core.common.text import clean
from core.common.workspace import Workspace, find_project, holds
from core.common.workspace import project_path as project_path  # others know it from here
from core.processes.child_process import begin_process
from core.processes.tracebacks import traceback_text

if TYPE_CHECKING:
    from core.data.store import Project


def guard(action: Callable[[], int], *, for_programs: bool = False) -> int:
    """Call `action` and return its exit code; errors are printed and become exit codes.

    `for_programs` says that `--json` was asked for, see `cli.answers.printing`.
    """
    open_streams()
    begin_process()
    try:
        with for_program(for_programs):
            code = _told(action)
            close(code)
            return code
    except OSError as error:
        # What was printed cannot be written, and nor can another word about it.
        broken = isinstance(error, BrokenPipeError)
        if not broken:
            drop_output(sys.stdout)
            with contextlib.suppress(OSError):
                say_error(f"The output cannot be written: {error.strerror}.")
        for stream in (sys.stdout, sys.stderr):
            drop_output(stream)
        return Exit.PIPE if broken else Exit.FAILED


def _told(action: Callable[[], int]) -> int:
    """Call `action`; say what went wrong. Raises OSError when that, or its output, cannot be."""
    try:
        code = action()
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        say_error("Interrupted.")
        return Exit.INTERRUPTED
    except SystemExit as error:
        sys.stdout.flush()
        return error.code if isinstance(error.code, int) else Exit.OK
    except Exception as error:
        if isinstance(error, OSError) and (isinstance(error, BrokenPipeError) or output_fails()):
            raise
        told = path_problem(error) or (error if isinstance(error, BatmanError) else None)
        if told is not None:
            say_error(told.message, told.hint)
            named = isinstance(error, BatmanError) or getattr(error, "filename", None)
            return Exit.WRONG if named and not isinstance(told, DiskFull) else Exit.FAILED
        sys.stderr.write(traceback_text(error))
        say_error(
            "This is a defect in Batman.",
            "Please report it with the lines above and what batman --version prints.",
        )
        return Exit.FAILED


def run_module(
    name: str,
    argv: Sequence[str] | None = None,
    prog: str | None = None,
    workspace: str | None = None,
) -> int:
    """Run the command in the module `cli.<name>` and return its exit code.

    `argv` are its arguments (default: the process's), `prog` is how it is called, `workspace` the
    one that was chosen before the command's name.
    """

    given = list(sys.argv[1:] if argv is None else argv)

    def action() -> int:
        module = importlib.import_module(f"cli.{name}")
        parser = BatmanParser(prog=prog or f"python -m cli.{name}", description=module.DESCRIPTION)
        module.add_arguments(parser)
        chosen = {} if workspace is None else {"workspace_dir": workspace}
        words = module.prepared(given) if hasattr(module, "prepared") else given
        return int(module.run(parser.parse_args(words, argparse.Namespace(**chosen))))

    return guard(action, for_programs=asks(given))


def add_backend(parser: argparse.ArgumentParser) -> None:
    """Give `parser` what runs a model."""
    from core.models.find import AUTO, BACKENDS

    parser.add_argument(
        "--backend",
        choices=BACKENDS,
        default=AUTO,
        help="what runs the model (default: %(default)s: onnx for a run's best model on a CPU,"
        " the faster of the two on a GPU)",
    )


def add_workspace(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the option `--workspace`."""
    parser.add_argument(
        "--workspace",
        dest="workspace_dir",
        metavar="DIR",
        default=argparse.SUPPRESS,
        help="folder of projects and runs (default: $BATMAN_WORKSPACE, or the current folder)",
    )


_PROJECT = "project folder, or the name of a project in the workspace"


def add_project(
    parser: argparse.ArgumentParser, *, create: bool = False, required: bool = True
) -> None:
    """Give `parser` the options `--project` and `--workspace`, and `--create` if asked to."""
    parser.add_argument("--project", required=required, metavar="PROJECT", help=_PROJECT)
    if create:
        parser.add_argument(
            "--create", action="store_true", help="create the project if there is none"
        )
    add_workspace(parser)


class _Project(argparse.Action):
    """Keeps the project, however it was given; two different ones are an error."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        before = getattr(namespace, self.dest, None)
        if before is not None and before != values:
            parser.error(f"two projects were given, '{before}' and '{values}'")
        setattr(namespace, self.dest, values)


def add_placed_project(
    parser: BatmanParser, *, required: bool = True, workspace: bool = True
) -> None:
    """Give `parser` the project by its place or as `--project`, and `--workspace` if asked to.

    For commands that take nothing else by place.
    """
    # Suppressed: what is not given by its place must not undo what the option gave.
    parser.add_argument(
        "project", nargs="?", metavar="PROJECT", default=argparse.SUPPRESS, action=_Project,
        help=_PROJECT,
    )  # fmt: skip
    parser.add_argument(
        "--project", metavar="PROJECT", default=None, action=_Project, help="the same"
    )
    if required:
        parser.needed.append(("project", "PROJECT"))
    if workspace:
        add_workspace(parser)


def workspace_of(args: argparse.Namespace) -> Workspace:
    """Return the workspace that was chosen. Raises BatmanError when it is no folder."""
    return Workspace.find(getattr(args, "workspace_dir", None))


def open_project(args: argparse.Namespace, text: str | None = None) -> Project:
    """Open the project of `--project` (or that `text` means), creating it if `--create` says so.

    Raises ProjectError that names the projects spelt most like it.
    """
    from core.data.store import Project

    workspace = workspace_of(args)
    given = args.project if text is None else text
    path = project_path(workspace, given)
    if not holds(path, "project.db") and getattr(args, "create", False):
        return Project.create(path)
    return Project.open(found_project(args, given))


def found_project(args: argparse.Namespace, text: str) -> Path:
    """Return the folder of the project that `text` means; it may be one that cannot be read.

    Raises ProjectError that names the projects spelt most like it when there is none.
    """
    return find_project(workspace_of(args), text)


def confirm(question: str, *, yes: bool, option: str = "--yes") -> bool:
    """Return whether the person agrees: `yes`, or an answer on the terminal.

    Raises BatmanError where nobody can be asked.
    """
    if yes:
        return True
    if not (sys.stdin.isatty() and is_terminal()):
        raise BatmanError(f"{question} Nobody is here to answer.", f"Give {option} to agree.")
    words_to().write(f"{clean(question)} [y/N] ")
    words_to().flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def joined(names: Iterable[str], limit: int = 8) -> str:
    """Return names with commas between them, at most `limit`, the rest counted."""
    shown = list(names)
    more = f", … ({len(shown) - limit} more)" if len(shown) > limit else ""
    return ", ".join(shown[:limit]) + more
