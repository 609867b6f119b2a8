"""`batman` and `batman-tui`: which command is meant, found without loading any of the others."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cli.common import guard, run_module
from cli.exits import TABLE, Exit
from cli.original.scripts import SCRIPTS, answer
from cli.output import say, say_error
from core.common.text import did_you_mean
from core.common.workspace import Workspace


class _Command(NamedTuple):
    module: str
    summary: str


# In the order in which they are used. Each module is loaded only when its command is called.
COMMANDS: dict[str, _Command] = {
    "project": _Command("data.project", "create, list, show and delete projects"),
    "import": _Command("importer", "bring labelled images into a project"),
    "classes": _Command("classes", "list, merge, rename and delete classes; undo and redo"),
    "images": _Command("data.images", "list a project's images by a filter, take some out"),
    "splits": _Command("data.splits", "count, set and draw train, valid and test"),
    "check": _Command("data.check", "find what is wrong with a project's data, and put it right"),
    "export": _Command("data.export", "write a project as COCO, YOLO or Pascal VOC, or a model"),
    "train": _Command("train", "train RF-DETR on a project, or go on with a run"),
    "probe": _Command("runs.probe", "find the largest batch that this machine's GPU takes"),
    "watch": _Command("runs.watch", "follow a run, whoever started it"),
    "runs": _Command("runs.runs", "list runs and show what came out"),
    "evaluate": _Command("model.evaluate", "measure a model: by class, by size, its worst images"),
    "infer": _Command("inference", "run a trained model on images and videos"),
    "submit": _Command("cluster.submit", "train on a SLURM cluster, here or over SSH"),
    "jobs": _Command(
        "cluster.jobs", "list, show, cancel, hold, requeue and clone cluster jobs; logs"
    ),
    "clusters": _Command(
        "cluster.clusters", "add, list, show, set up, test, edit and remove clusters"
    ),
    "demo": _Command("app.demo", "the whole way on a small drawn data set, in two minutes"),
    "tui": _Command("app.tui", "open the app"),
    "serve": _Command("app.serve", "open the app in a browser"),
    "locate": _Command("app.locate", "say where settings, clusters, themes and the cache lie"),
}

_USAGE = "usage: batman [--workspace DIR] COMMAND ...\n       batman COMMAND --help"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command in `argv` (default: the process's arguments) and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    return guard(lambda: _dispatch(words))


def tui() -> int:
    """Open the app: what `batman-tui` does."""
    return run_module("app.tui", prog="batman-tui")


def open_app(workspace: Workspace, run: Path | None = None) -> int:
    """Open the app, on the run in the folder `run` if given, and return its exit code."""
    from batman_tui.app import run as run_app

    return run_app(workspace, run=run)


def _dispatch(words: list[str]) -> int:
    # `--workspace` may stand before the command; it is handed on to it.
    workspace: str | None = None
    while words and words[0].startswith("-"):
        option, equals, value = words.pop(0).partition("=")
        if option == "--workspace" and (equals or words):
            workspace = value if equals else words.pop(0)
        elif option in ("-h", "--help"):
            _help()
            return Exit.OK
        elif option == "--version":
            say(f"batman {_version()}")
            return Exit.OK
        elif option == "--workspace":
            say_error("The option --workspace needs a folder.", "See batman --help.")
            return Exit.WRONG
        else:
            return _unknown("option", option, ["--workspace", "--version", "--help"])
    if not words:
        _help()
        return Exit.WRONG
    name, *rest = words
    if name == "help":
        return _dispatch([*rest[:1], "--help"])
    if name in SCRIPTS:
        return answer(name)
    if name not in COMMANDS:
        return _unknown("command", name, COMMANDS)
    return run_module(COMMANDS[name].module, rest, f"batman {name}", workspace)


def _unknown(kind: str, word: str, known: Sequence[str] | dict[str, _Command]) -> int:
    guess = did_you_mean(word, known)
    say_error(
        f"There is no {kind} '{word}'{'; ' + guess if guess else '.'}",
        f"The {kind}s are: {', '.join(known)}. See batman --help.",
    )
    return Exit.WRONG


def _help() -> None:
    width = max(map(len, COMMANDS)) + 2
    for line in _USAGE.splitlines():
        say(line)
    say()
    say("The terminal workbench for RF-DETR object detectors.")
    say()
    say("commands:")
    for name, command in COMMANDS.items():
        say(f"  {name.ljust(width)}{command.summary}")
    say()
    say("options:")
    say("  --workspace DIR  folder of projects and runs (default: $BATMAN_WORKSPACE, or the")
    say("                   current folder)")
    say("  --version        print the version")
    say("  -h, --help       print this")
    say()
    for line in TABLE.splitlines():
        say(line)
    say()
    say("Colours are left out where NO_COLOR is set or the output is no terminal.")


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("batman-tui")
    except PackageNotFoundError:
        return "(not installed)"


if __name__ == "__main__":
    sys.exit(main())
