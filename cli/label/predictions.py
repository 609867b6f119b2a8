"""`batman labels import`: what `batman infer` found comes back as suggestions."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from cli.answers.printing import say_json
from cli.common import add_placed_project, open_project
from cli.exits import Exit
from cli.label.labeller import parse_map
from cli.numbers import number
from cli.output import say
from cli.parser import Subcommands
from core.autolabel.predictions import import_predictions
from core.common.files import expand_user
from core.common.text import clean, plural
from core.data.classes import list_classes
from core.data.labels.passes import KEPT


def add(commands: Subcommands) -> None:
    """Add the sub-command to `batman labels`."""
    command = commands.add("import", "take what batman infer found as suggestions", _import)
    command.add_argument(
        "predictions",
        type=Path,
        metavar="PREDICTIONS",
        help="folder that infer wrote, its detections.coco.json or detections.csv",
    )
    command.add_argument(
        "--model", default="", metavar="NAME", help="whose they are (default: the folder's name)"
    )
    command.add_argument(
        "--least",
        type=number(0, 1),
        default=KEPT,
        metavar="X",
        help="least score that is taken (default: %(default)s)",
    )
    command.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="NAME=CLASS",
        help="which class of the project a class of the model is",
    )
    add_placed_project(command)


def _import(args: argparse.Namespace) -> int:
    with open_project(args) as project:
        classes = [row.name for row in list_classes(project)]
        mapping = parse_map(args.map, classes)
        taken = import_predictions(
            project,
            expand_user(args.predictions),
            args.model,
            least=args.least,
            mapping=mapping,
        )
    report = taken.report
    if args.json:
        say_json({**asdict(report), "model": taken.model, "left_out": list(taken.left_out)})
        return Exit.OK
    say(
        f"{plural(report.open, 'suggestion')} of {clean(taken.model)} on "
        f"{plural(report.images, 'picture')}; {report.agrees:,} agree with labels, "
        f"{report.repeated:,} were rejected before, {report.superseded:,} older ones replaced."
    )
    for line in taken.left_out:
        say(f"Left out: {line}", "yellow")
    say(
        f"Look at them with batman review; batman labels passes --withdraw {report.pass_id} takes "
        "them back.",
        "dim",
    )
    return Exit.OK
