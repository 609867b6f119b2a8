"""`batman export`: write a project for other programs, or a trained model."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from cli.answers.printing import asked, say_json
from cli.common import add_project, joined, open_project, run_module
from cli.exits import Exit
from cli.model import export_model
from cli.output import say
from cli.parser import Handler, Subcommands
from cli.progress import Stages
from core.common.errors import BatmanError
from core.common.text import clean, did_you_mean, plural, sentence
from core.data.exporters import ExportReport
from core.data.exporters.registry import FORMATS, Format
from core.data.images.reviewed import left_out

DESCRIPTION = "Write a project as a data set that other tools read, or a trained model."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` one sub-command for each format."""
    commands = Subcommands(parser)
    for item in FORMATS:
        command = commands.add(item.name, item.what, _exporting(item.write))
        command.add_argument("out", type=Path, metavar="OUT", help="folder to write, new or empty")
        command.add_argument(
            "--only-reviewed",
            action="store_true",
            help="leave out images that nobody has reviewed",
        )
        add_project(command)
    export_model.add(commands)


def run(args: argparse.Namespace) -> int:
    """Do what the parsed arguments say and return the exit code."""
    return int(args.handler(args))


def _exporting(exporter: Callable[..., ExportReport]) -> Handler:
    def handler(args: argparse.Namespace) -> int:
        with open_project(args) as project, Stages() as show:
            report = exporter(
                project,
                args.out,
                only_reviewed=args.only_reviewed,
                progress=lambda at: show(at.stage, at.done, at.total),
            )
        return say_export(report)

    return handler


def format_named(name: str) -> Format:
    """Return the format with the word `name`. Raises `BatmanError` when there is none."""
    for item in FORMATS:
        if item.name == name:
            return item
    names = [item.name for item in FORMATS]
    guess = did_you_mean(name, names)
    raise BatmanError(
        f"There is no format '{clean(name)}' to write.",
        sentence(guess) if guess else f"There are: {', '.join(names)}.",
    )


def say_export(report: ExportReport) -> int:
    """Print what was written and what could not be; return the exit code."""
    if asked():
        say_json({**asdict(report), "path": str(report.path)})
        return Exit.OK
    splits = ", ".join(f"{name} {count:,}" for name, count in report.splits.items())
    say(
        f"Exported {plural(report.images, 'image')} ({splits}),"
        f" {plural(report.annotations, 'annotation')} and"
        f" {plural(len(report.classes), 'class')} to {report.path}."
    )
    if report.missing:
        say(
            f"Left out, for the file is gone: {joined(report.missing)}. See batman check.",
            "yellow",
        )
    for what, count in report.left_out.items():
        say(f"Left out: {count:,} × {what}.", "yellow")
    if report.unreviewed:
        say(left_out(report.unreviewed), "yellow")
    if report.turned:
        say(f"{plural(report.turned, 'picture')} written upright, as the boxes are.")
    return Exit.OK


if __name__ == "__main__":
    sys.exit(run_module("data.export"))
