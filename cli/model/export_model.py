"""Exporting a trained model: `batman export model`, and the guide's `cli.train --export`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from cli.answers.printing import asked, say_json
from cli.child import run_child
from cli.common import add_workspace, workspace_of
from cli.exits import Exit
from cli.output import say, say_pairs, say_table
from cli.parser import Subcommands
from core.common.text import size
from core.common.workspace import Workspace
from core.export import ExportOptions
from core.export.formats import DEFAULT, FORMATS
from core.export.naming import split_names
from core.models.find import find_checkpoint


def add(commands: Subcommands) -> None:
    """Add the sub-command `model`."""
    command = commands.add("model", "write a trained model, each file checked", _run)
    command.add_argument("target", metavar="MODEL", help="run by name or folder, or a model file")
    command.add_argument("out", type=Path, metavar="OUT", help="folder to write")
    add_options(command)
    add_workspace(command)


def add_options(parser: argparse._ActionsContainer, *, words: bool = False) -> None:
    """Give `parser` the class names and formats of an export.

    With `words` names may be several words, which would swallow what stands without an option.
    """
    parser.add_argument(
        "--classes",
        nargs="+" if words else None,
        metavar="NAMES",
        help="class names 'a,b' or 'a|b' in the model's order, to check or rename them",
    )
    parser.add_argument(
        "--formats",
        "--format",
        nargs="+",
        choices=FORMATS,
        default=list(DEFAULT),
        metavar="FORMAT",
        help=f"files to write: {', '.join(FORMATS)} (default: {' '.join(DEFAULT)})",
    )


def export_model(workspace: Workspace, target: str, out: Path, args: argparse.Namespace) -> int:
    """Export the model that `target` means to `out` and print how its files compare with it."""
    from core.training.launch.local import require_trainer

    require_trainer()
    options = ExportOptions(
        target=find_checkpoint(target, workspace),
        output=out,
        classes=None if args.classes is None else split_names(args.classes),
        formats=args.formats,
    )
    report: dict[str, Any] = run_child("core.export", options)
    code = Exit.FAILED if report["failed"] else Exit.OK
    if asked():
        say_json(report)
        return code
    say(f"Exported {report['model']} to {report['output']}; checked on {report['checked_on']}.")
    say_table(
        ["file", "size", "scores differ by", "boxes differ by", "allowed"],
        [
            (
                file["name"],
                size(file["bytes"]),
                f"{file['scores']:.1e}",
                f"{file['boxes']:.1e} ({file['pixels']:.1e} px)",
                f"{file['tolerance']:g}",
            )
            for file in report["files"]
        ],
        right=("size", "scores differ by", "boxes differ by", "allowed"),
    )
    for warning in report["warnings"]:
        say(f"Warning: {warning}", "yellow")
    for failed in report["failed"]:
        reason = f"{failed['message']} {failed['hint']}".strip()
        say(f"Not written: {failed['format']}. {reason}", "red")
    say_pairs([("classes", ", ".join(report["classes"])), ("image size", report["resolution"])])
    return code


def _run(args: argparse.Namespace) -> int:
    return export_model(workspace_of(args), args.target, args.out, args)
