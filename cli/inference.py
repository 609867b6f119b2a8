"""`batman infer` and `python -m cli.inference`: run a trained model on images and videos."""

from __future__ import annotations

import argparse
import itertools
import sys
from pathlib import Path
from typing import Any

from cli.child import run_child
from cli.common import add_json, add_workspace, run_module, workspace_of
from cli.exits import Exit
from cli.numbers import number, whole
from cli.output import say, say_json, say_pairs, say_table
from core.common.errors import BatmanError
from core.common.text import clean, plural
from core.common.workspace import Workspace
from core.export.naming import split_names
from core.inference import InferenceOptions
from core.models import find_checkpoint

DESCRIPTION = (
    "Run a trained model on images and videos: boxes drawn, detections as CSV and COCO JSON."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the model, the inputs and what to do with what is found."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--run", metavar="RUN", help="the best model of a run, by name or folder")
    which.add_argument(
        "--latest", action="store_true", help="the best model of the latest run (default)"
    )
    which.add_argument(
        "--checkpoint", metavar="FILE", help="a model file, such as best.pth or model.onnx"
    )
    parser.add_argument(
        "--input",
        nargs="+",
        required=True,
        metavar="PATH",
        help="images, videos, folders or patterns such as 'photos/*.jpg'",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="folder to write (default: predictions/MODEL-NUMBER in the workspace)",
    )
    parser.add_argument(
        "--confidence",
        type=number(0, 1),
        default=0.5,
        metavar="X",
        help="least score, 0 to 1 (default: %(default)s)",
    )
    parser.add_argument(
        "--class-confidence",
        nargs="+",
        default=[],
        metavar="NAME=X",
        help="least score of single classes, such as person=0.7",
    )
    parser.add_argument(
        "--track", action="store_true", help="follow objects through videos and number them"
    )
    parser.add_argument(
        "--annotate",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="write pictures and videos with boxes (default: yes)",
    )
    parser.add_argument(
        "--classes",
        metavar="NAMES",
        help="class names 'a,b' or 'a|b', for a model that does not name its own",
    )
    parser.add_argument(
        "--device",
        default="auto",
        help="auto, cpu, cuda, cuda:N or mps (default: %(default)s)",
    )
    parser.add_argument("--batch-size", type=whole(1, 65_536), metavar="N", help="images at once")
    add_json(parser)
    add_workspace(parser)


def run(args: argparse.Namespace) -> int:
    """Run the model, print what was found and return the exit code."""
    from core.models.find import WEIGHTS, latest_run
    from core.training.launch.local import require_trainer

    workspace = workspace_of(args)
    target = args.run or args.checkpoint or latest_run(workspace)
    model = find_checkpoint(target, workspace)
    if model.suffix in WEIGHTS:
        require_trainer()
    options = InferenceOptions(
        target=model,
        inputs=args.input,
        output=args.output or _fresh_output(workspace, model.parent.name),
        confidence=args.confidence,
        thresholds=dict(map(_threshold, args.class_confidence)),
        track=args.track,
        annotate=args.annotate,
        device=args.device,
        batch_size=args.batch_size,
        classes=None if args.classes is None else split_names(args.classes),
    )
    result: dict[str, Any] = run_child("core.inference", options, quiet=args.json)
    if args.json:
        say_json(result)
        return Exit.OK
    looked = [plural(result[kind], kind[:-1]) for kind in ("images", "videos") if result[kind]]
    seconds = result["seconds"]
    say(
        f"{plural(result['detections'], 'detection')} in {' and '.join(looked)}"
        f" on {result['device']}, {result['frames'] / seconds if seconds else 0:.1f} images/s"
    )
    if result["tracks"] is not None and result["videos"]:
        say(f"{plural(result['tracks'], 'object')} followed through videos")
    say_table(
        ["class", "detections"],
        [(name, f"{count:,}") for name, count in result["per_class"].items()],
        right=("detections",),
    )
    for skipped in result["skipped"]:
        say(f"Skipped: {clean(skipped['path'])} {skipped['reason']}", "yellow")
    say_pairs(
        [
            ("model", result["checkpoint"]),
            ("drawn", result["annotated"]),
            ("CSV", result["csv"]),
            ("COCO", result["coco"]),
        ]
    )
    return Exit.OK


def _threshold(text: str) -> tuple[str, float]:
    name, equals, value = text.rpartition("=")
    try:
        score = number(0, 1)(value)
    except argparse.ArgumentTypeError:
        equals = ""
        score = 0.0
    if not equals or not name:
        raise BatmanError(
            f"'{clean(text)}' is no class with its confidence.",
            "Write NAME=X with X from 0 to 1, such as person=0.7.",
        )
    return name, score


def _fresh_output(workspace: Workspace, model: str) -> Path:
    """Return a folder for the predictions that is not there yet."""
    parent = workspace.root / "predictions"
    return next(path for n in itertools.count(1) if not (path := parent / f"{model}-{n}").exists())


if __name__ == "__main__":
    sys.exit(run_module("inference"))
