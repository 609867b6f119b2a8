"""`batman` and `batman-tui`: which command is meant, found without loading any of the others."""

from __future__ import annotations

import os
import sys

from cli.answers import kept

# What is said again needs nothing else: all imports are in the functions.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from core.common.workspace import Workspace


class _Command:
    __slots__ = ("module", "summary")

    def __init__(self, module: str, summary: str) -> None:
        self.module = module
        self.summary = summary


# In the order in which they are used. Each module is loaded only when its command is called.
COMMANDS: dict[str, _Command] = {
    "project": _Command("data.project", "create, list, show and delete projects"),
    "import": _Command("importer", "bring labelled images into a project"),
    "classes": _Command("classes", "list, merge, rename and delete classes; undo and redo"),
    "images": _Command("data.images", "list a project's images by a filter, take some out"),
    "splits": _Command("data.splits", "count, set and draw train, valid and test"),
    "check": _Command("data.check", "find what is wrong with a project's data, and put it right"),
    "label": _Command("label.page", "draw and mend boxes on a page in a browser"),
    "autolabel": _Command("label.autolabel", "let a model propose boxes, to be reviewed"),
    "review": _Command("label.review", "label and review pictures in the terminal app"),
    "labels": _Command("label.labels", "what to look at first; labels and suggestions, edited"),
    "loop": _Command("label.loop", "where one stands in labelling and training, and what is next"),
    "export": _Command("data.export", "write a project as COCO, YOLO or Pascal VOC, or a model"),
    "train": _Command("train", "train RF-DETR on a project, or go on with a run"),
    "probe": _Command("runs.probe", "find the largest batch that this machine's GPU takes"),
    "watch": _Command("runs.watch", "follow a run, whoever started it"),
    "runs": _Command("runs.runs", "list runs and show what came out"),
    "sweeps": _Command("runs.sweeps", "sweeps of this machine: show, stop, go on, cancel the rest"),
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
    "completion": _Command("app.completion", "let the shell complete commands and names with Tab"),
}

_USAGE = "usage: batman [--workspace DIR] COMMAND ...\n       batman COMMAND --help"
_ABOUT = "\nThe terminal workbench for RF-DETR object detectors.\n\ncommands:"
_OPTIONS = """
options:
  --workspace DIR  folder of projects and runs (default: $BATMAN_WORKSPACE, or the
                   current folder)
  --version        print the version
  -h, --help       print this
"""
_COLOURS = "\nColours are left out where NO_COLOR is set or the output is no terminal."


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command in `argv` (default: the process's arguments) and return its exit code."""
    if completion_asked():
        _complete("batman")
    if argv is None and _said_again(sys.argv[1:]):
        return 0
    from cli.answers.printing import asks
    from cli.common import guard

    words = list(sys.argv[1:] if argv is None else argv)
    return guard(lambda: _dispatch(words), for_programs=asks(words))


def tui() -> int:
    """Open the app: what `batman-tui` does."""
    if completion_asked():
        _complete("batman-tui")
    from cli.app.quick_start import quick_start

    quick_start()  # what is left out are standard modules, too, which those here would import
    from cli.common import run_module

    return run_module("app.tui", prog="batman-tui")


def _said_again(words: Sequence[str]) -> bool:
    """Say what was said to the same words before; return whether that was all there is to do."""
    text = kept.said_before(words)
    if text is None:
        return False
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except (OSError, ValueError):
        return False  # said as everything else is, which tells what is wrong
    return True


def open_app(workspace: Workspace, run: Path | None = None, *, fresh: bool = False) -> int:
    """Open the app, on the run in the folder `run` if given, and return its exit code.

    Without one it opens where one was the last time, unless it is to be `fresh`.
    """
    from cli.app.quick_start import quick_start

    quick_start()
    from batman_tui.app import run as run_app

    return run_app(workspace, run=run, fresh=fresh)


def open_review(workspace: Workspace, project: Path, *, walk: str, narrow: str, crops: bool) -> int:
    """Open the app on the labelling of a project, and return its exit code."""
    from cli.app.quick_start import quick_start

    quick_start()
    from batman_tui.app import run as run_app
    from batman_tui.services import Review

    return run_app(workspace, review=Review(project, walk, narrow, crops))


def completion_asked() -> bool:
    """Return whether a shell wants to know what could come next, and nothing is to be done."""
    return "_ARGCOMPLETE" in os.environ


def _complete(prog: str) -> None:
    from cli.app.completion import complete

    complete({name: command.module for name, command in COMMANDS.items()}, prog)


def _dispatch(words: list[str]) -> int:
    from cli.common import run_module
    from cli.exits import Exit
    from cli.original.scripts import SCRIPTS, answer
    from cli.output import say_error

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
            _say("batman --version", f"batman {_version()}")
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
    from cli.exits import Exit
    from cli.output import say_error
    from core.common.text import did_you_mean

    guess = did_you_mean(word, known)
    say_error(
        f"There is no {kind} '{word}'{'; ' + guess if guess else '.'}",
        f"The {kind}s are: {', '.join(known)}. See batman --help.",
    )
    return Exit.WRONG


def _help() -> None:
    from cli.exits import TABLE

    width = max(map(len, COMMANDS)) + 2
    commands = [f"  {name.ljust(width)}{command.summary}" for name, command in COMMANDS.items()]
    text = "\n".join((_USAGE, _ABOUT, *commands, _OPTIONS, TABLE, _COLOURS))
    _say("batman", text)


def _say(name: str, text: str) -> None:
    """Print the answer to `name`, which is kept."""
    from cli.output import say

    for line in text.splitlines():
        say(line)
    kept.keep(name, text + "\n")


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("batman-tui")
    except PackageNotFoundError:
        return "(not installed)"


if __name__ == "__main__":
    sys.exit(main())
