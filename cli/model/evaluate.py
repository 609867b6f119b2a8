"""`batman evaluate`: how good a trained model is, by class and by size, and where it goes wrong."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from cli.answers.printing import say_json
from cli.child import run_child
from cli.common import add_backend, add_workspace, open_project, run_module, workspace_of
from cli.exits import Exit
from cli.numbers import whole
from cli.output import is_terminal, say, say_pairs, say_table
from cli.parser import add_json
from core.common.errors import BatmanError
from core.common.files import expand_user
from core.common.text import plural, score
from core.evaluation import EvaluationOptions, EvaluationResult
from core.evaluation.result import Confusion, evaluation_folder
from core.late import loading_beside

DESCRIPTION = (
    "Evaluate a trained model on a labelled split: mAP as COCO counts it, by class and by size,"
    " the best confidence, confusions and the worst images."
)

# What the result is shown by: loaded while the child works, and not before it is started. numpy is
# for charts, which only terminals get.
_TO_SHOW = ("core.evaluation.display", "cli.runs.plots", "numpy")

# The worst images and mistakes that are named on the screen; the folder has them all.
_WORST = 5
# A confusion matrix of more than these does not fit 80 columns.
_MOST_LABELS = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the model, the split and where to write."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "run", nargs="?", metavar="RUN", help="run, by name or folder, or a model file"
    )
    which.add_argument("--checkpoint", metavar="FILE", help="a model file instead of a run")
    parser.add_argument(
        "--split",
        default="valid",
        choices=("train", "valid", "test"),
        help="images to evaluate on (default: %(default)s)",
    )
    parser.add_argument(
        "--dataset", type=Path, metavar="DIR", help="COCO data set (default: the run's own)"
    )
    parser.add_argument(
        "--project",
        metavar="PROJECT",
        help="the labels of this project as they are now, instead of the run's own data set",
    )
    parser.add_argument(
        "--only-reviewed",
        action="store_true",
        help="with --project: images only that somebody has reviewed",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="folder to write (default: RUN/evaluation/SPLIT, with --project SPLIT-PROJECT)",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps")
    add_backend(parser)
    parser.add_argument("--batch-size", type=whole(1, 65_536), metavar="N", help="images at once")
    parser.add_argument(
        "--worst",
        type=whole(0, 10_000),
        default=24,
        metavar="N",
        help="worst images to draw (default: %(default)s)",
    )
    add_json(parser)
    add_workspace(parser)


def run(args: argparse.Namespace) -> int:
    """Evaluate, print what was found and return the exit code."""
    from core.models.backend import require_model
    from core.training.run.run import find_run, latest_run

    if args.only_reviewed and not args.project:
        raise BatmanError(
            "--only-reviewed holds an evaluation to the reviewed images of a project.",
            "Name it with --project.",
        )
    if args.project and args.dataset is not None:
        raise BatmanError(
            "There are two things to evaluate on: --project and --dataset.",
            "Leave one of them out.",
        )
    workspace = workspace_of(args)
    if args.checkpoint is not None:
        target = expand_user(args.checkpoint).absolute()
    elif args.run is not None:
        file = expand_user(args.run)
        target = file.absolute() if file.is_file() else find_run(workspace, args.run).path
    else:
        target = latest_run(workspace).path
    require_model(target, args.backend)
    options = EvaluationOptions(
        target=target,
        split=args.split,
        dataset=args.dataset,
        output=args.output,
        device=args.device,
        batch_size=args.batch_size,
        worst=args.worst,
        backend=args.backend,
    )
    folder = (
        _on_project(args, options) if args.project else evaluate_in_child(options, quiet=args.json)
    )
    result = EvaluationResult.load(folder)
    if args.json:
        import msgspec

        say_json(msgspec.to_builtins(result))
    else:
        show(result, folder)
    return Exit.OK


def _on_project(args: argparse.Namespace, options: EvaluationOptions) -> Path:
    """Evaluate on a project's labels as they are now and return the result's folder."""
    from core.data.images.reviewed import left_out
    from core.evaluation.project_data import project_data

    target = Path(options.target)
    home = target if target.is_dir() else target.parent
    with open_project(args) as project:
        output = args.output or evaluation_folder(home, f"{args.split}-{project.name}")
        with project_data(project, output, only_reviewed=args.only_reviewed) as report:
            if report.unreviewed and not args.json:
                say(left_out(report.unreviewed), "yellow")
            return evaluate_in_child(
                replace(options, dataset=report.path, output=output), quiet=args.json
            )


def evaluate_in_child(options: EvaluationOptions, *, quiet: bool = False) -> Path:
    """Evaluate in a process of its own and return the result's folder."""
    needed = () if quiet else _TO_SHOW if is_terminal() else _TO_SHOW[:-1]
    with loading_beside(*needed):
        return Path(run_child("core.evaluation", options, quiet=quiet)["folder"])


def show(result: EvaluationResult, folder: Path) -> None:
    """Print an evaluation: the whole, by class, by size, and the worst images."""
    from cli.runs.plots import say_chart
    from core.data.images.class_colours import UNKNOWN
    from core.evaluation.display import colours_of, curves_chart, protocol

    say(
        f"{plural(result.images, 'image')} and {plural(result.annotations, 'annotation')}"
        f" of {result.split}, {result.images_per_s:.1f} images/s on {result.device}",
        "dim",
    )
    say()
    names = ("mAP50-95", "mAP50", "mAP75", "precision", "recall", "F1", "confidence")
    values = (
        *(result.map50_95, result.map50, result.map75),
        *(result.precision, result.recall, result.f1, result.confidence),
    )
    say_table(names, [[score(value) for value in values]], right=names)
    say(protocol(result), "dim")
    say()
    say_table(
        ["class", "annotations", "mAP50-95", "mAP50", "best F1", "at confidence"],
        [
            (
                row.name,
                f"{row.annotations:,}",
                *map(score, (row.ap, row.ap50, row.f1, row.threshold)),
            )
            for row in result.per_class
        ],
        right=("annotations", "mAP50-95", "mAP50", "best F1", "at confidence"),
    )
    if is_terminal():
        chart, colours = curves_chart(result.per_class), colours_of(result)
        inks = [colours.get(curve.name, UNKNOWN) for curve in chart.curves]
        say_chart(chart, "Precision over recall, IoU 0.5", inks)
    say()
    say_table(
        ["size", "annotations", "mAP50-95", "recall"],
        [(row.name, f"{row.annotations:,}", score(row.ap), score(row.ar)) for row in result.sizes],
        right=("annotations", "mAP50-95", "recall"),
    )
    _show_confusion(result.confusion)
    wrong = [image for image in result.worst if image.false_positives or image.missed]
    if wrong:
        say()
        say_table(
            ["worst images", "extra boxes", "missed", "picture"],
            [
                (image.shown, image.false_positives, image.missed, image.picture)
                for image in wrong[:_WORST]
            ],
            right=("extra boxes", "missed"),
        )
    say()
    for note in result.notes:
        say(f"Note: {note}", "yellow")
    say_pairs([("evaluation", folder), ("model", result.checkpoint)])


def _show_confusion(confusion: Confusion) -> None:
    """Print the confusion matrix; of many classes its largest mistakes only."""
    from core.evaluation.display import NOTHING, mixups

    labels = confusion.labels
    say()
    if len(labels) <= _MOST_LABELS:
        say_table(
            ["truth ↓ taken for →", *("missed" if n == NOTHING else n for n in labels)],
            [
                ("nothing there" if label == NOTHING else label, *(count or "·" for count in row))
                for label, row in zip(labels, confusion.matrix, strict=True)
            ],
            right=("missed", *labels),
        )
        return
    found = mixups(confusion)[:_WORST]
    if found:
        say_table(
            ["mistake", "times"], [(row.said, f"{row.count:,}") for row in found], right=("times",)
        )


if __name__ == "__main__":
    sys.exit(run_module("model.evaluate"))
