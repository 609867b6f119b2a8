"""`batman completion`, and what Tab offers then: commands, options, names of what there is.

The shell's side and the reading of its line are argcomplete's
(https://kislyuk.github.io/argcomplete/): the shell calls `batman` itself, with the line in
`COMP_LINE` and `_ARGCOMPLETE` set. Here is which parser that line means, without loading the
others, and which names belong to which argument.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from cli.common import found_project, run_module, workspace_of
from cli.exits import Exit
from cli.parser import BatmanParser
from core.common.errors import BatmanError

DESCRIPTION = "Print what a shell has to read once, so that Tab completes commands and names."
SHELLS = ("bash", "zsh", "fish")
PROGRAMS = ("batman", "batman-tui")

Names = Callable[[argparse.Namespace], Iterable[str]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the shell."""
    parser.add_argument("shell", choices=SHELLS, help="for bash and zsh: eval it; for fish: source")
    parser.epilog = 'In .bashrc or .zshrc: eval "$(batman completion bash)" (or zsh).'


def run(args: argparse.Namespace) -> int:
    """Print the code."""
    sys.stdout.write(shell_code(args.shell))  # as it is: not a line for people
    return Exit.OK


# zsh knows `compdef` only after compinit, which a new user's .zshrc does not call. `-i` leaves out
# folders that others may write to, where it would ask by default.
_COMPINIT = "(( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i }\n"


def shell_code(shell: str) -> str:
    """Return what `shell` (one of `SHELLS`) has to read once, so that Tab asks Batman.

    For zsh it begins with `#compdef`, as a file of its `fpath` does, and starts its completion
    where nothing has.
    """
    from argcomplete.shell_integration import shellcode

    code = shellcode(list(PROGRAMS), shell=shell)
    if shell != "zsh":
        return code
    first, end, rest = code.partition("\n")
    return f"{first}{end}{_COMPINIT}{rest}"


def complete(commands: Mapping[str, str], prog: str = "batman") -> None:
    """Tell the shell what could stand at the cursor of its line, and end the process.

    `commands` are the commands' names and modules below `cli`. `prog` is the program of the line:
    `batman-tui` is one command by itself.
    """
    import argcomplete

    words = _words_before()
    at = 1  # of the line's words, where the command stands
    while prog == "batman" and at < len(words) and words[at].startswith("-"):
        at += 2 if words[at] == "--workspace" else 1
    chosen: dict[str, str] = {}
    if prog != "batman":
        parser = _parser("app.tui", prog)
    elif at < len(words) and words[at] in commands:
        # What stands before the command is its name to argcomplete, which counts from 1.
        os.environ["_ARGCOMPLETE"] = str(int(os.environ["_ARGCOMPLETE"]) + at)
        parser = _parser(commands[words[at]], words[at])
        chosen = _workspace(words[1:at])
    else:
        parser = _top(commands)
    BatmanParser.completing = True
    parser.set_defaults(**chosen)
    _name_arguments(parser, parser.prog)
    argcomplete.autocomplete(parser, always_complete_options=False, exclude=["-h", "--help"])


def names_of(command: str, action: argparse.Action) -> Names | None:
    """Return what lists the names for an argument of `command`; None where files or choices do."""
    kind = str(action.metavar or "")
    if (command == "clusters" and action.dest == "name") or "--cluster" in action.option_strings:
        return _clusters
    if kind == "CLASS":
        return _coco_classes if command == "import" else _classes
    if kind == "NAME" and not _CLASS_OPTIONS.isdisjoint(action.option_strings):
        return _classes
    return _BY_METAVAR.get(kind)


# Where a NAME is a class of the project.
_CLASS_OPTIONS = {"--source", "--target", "--name", "--old-name", "--class"}


def _projects(args: argparse.Namespace) -> Iterable[str]:
    return [path.name for path in workspace_of(args).list_projects()]


def _runs(args: argparse.Namespace) -> Iterable[str]:
    return [path.name for path in workspace_of(args).list_runs()]


def _sweeps(args: argparse.Namespace) -> Iterable[str]:
    from core.training.sweep.sweep import list_sweeps

    return [sweep.name for sweep in list_sweeps(workspace_of(args))]


def _clusters(_: argparse.Namespace) -> Iterable[str]:
    from slurm.site.profile_files import list_profiles

    return list_profiles()


def _jobs(args: argparse.Namespace) -> Iterable[str]:
    from slurm.job.record import list_records

    return [record.job_id for _, record in list_records(workspace_of(args)) if record.job_id]


def _classes(args: argparse.Namespace) -> Iterable[str]:
    from core.data.store.project_file import peek_classes

    given = getattr(args, "project", None)
    return peek_classes(found_project(args, str(given))) if given else []


def _coco_classes(_: argparse.Namespace) -> Iterable[str]:
    from core.autolabel.labellers.coco_names import COCO_NAMES

    return COCO_NAMES.values()


def _sizes(_: argparse.Namespace) -> Iterable[str]:
    from core.models.sizes import MODELS

    return MODELS


def _splits(_: argparse.Namespace) -> Iterable[str]:
    from core.data.store.summary import SPLITS

    return SPLITS


_BY_METAVAR: dict[str, Names] = {
    "PROJECT": _projects,
    "RUN": _runs,
    "MODEL": _runs,
    "CLASS": _classes,
    "JOB": _jobs,
    "SWEEP": _sweeps,
    "SIZE": _sizes,
    "SPLIT": _splits,
}


def _name_arguments(parser: argparse.ArgumentParser, command: str) -> None:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in set(action.choices.values()):
                _name_arguments(below, command)
        elif (names := names_of(command, action)) is not None:
            action.completer = _quietly(names, files=_takes_files(action))  # type: ignore[attr-defined]


def _takes_files(action: argparse.Action) -> bool:
    # A run may be named by its folder, a model by its file; a class or a cluster may not.
    return action.metavar in ("PROJECT", "RUN", "MODEL")


def _quietly(names: Names, *, files: bool) -> Callable[..., list[str]]:
    """Return a completer of argcomplete's kind: nothing is said on a line somebody is typing."""

    def completer(prefix: str, parsed_args: argparse.Namespace, **_: Any) -> list[str]:
        found: list[str] = []
        with contextlib.suppress(BatmanError, OSError):
            found = [name for name in names(parsed_args) if name.startswith(prefix)]
        if not files or (found and "/" not in prefix):
            return found
        from argcomplete.completers import FilesCompleter

        return [*found, *FilesCompleter()(prefix)]

    return completer


def _parser(module: str, command: str) -> BatmanParser:
    loaded = importlib.import_module(f"cli.{module}")
    parser = BatmanParser(prog=command, description=loaded.DESCRIPTION)
    loaded.add_arguments(parser)
    return parser


def _top(commands: Iterable[str]) -> BatmanParser:
    parser = BatmanParser(prog="batman")
    parser.add_argument("--workspace", metavar="DIR")
    parser.add_argument("--version", action="store_true")
    parser.add_argument("command", choices=[*commands, "help"])
    parser.add_argument("subject", nargs="?", choices=[*commands])
    return parser


def _workspace(words: list[str]) -> dict[str, str]:
    for place, word in enumerate(words):
        option, equals, value = word.partition("=")
        if option == "--workspace":
            given = value if equals else "".join(words[place + 1 : place + 2])
            return {"workspace_dir": str(Path(given).expanduser())}
    return {}


def _words_before() -> list[str]:
    """Return the words of the shell's line that stand whole before the one at the cursor."""
    from argcomplete.exceptions import ArgcompleteException
    from argcomplete.lexers import split_line

    line, point = os.environ.get("COMP_LINE", ""), int(os.environ.get("COMP_POINT", "0"))
    # Points are counted in bytes by bash.
    before = line.encode()[:point].decode(errors="ignore")
    try:
        _, _, _, words, _ = split_line(before, len(before))
    except ArgcompleteException:
        return []
    start = int(os.environ["_ARGCOMPLETE"]) - 1
    return list(words[start:])


if __name__ == "__main__":
    sys.exit(run_module("app.completion"))
