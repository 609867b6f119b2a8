"""`batman infer` and `python -m cli.inference`: run a trained model on images and videos."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from cli.answers.printing import say_json, stream
from cli.child import run_child
from cli.common import add_backend, add_workspace, open_project, run_module, workspace_of
from cli.exits import Exit
from cli.numbers import number, whole
from cli.original.options import add_original
from cli.output import say, say_pairs, say_table
from cli.parser import add_json
from core.common.errors import BatmanError
from core.common.files import expand_user, read_json
from core.common.text import clean, plural
from core.inference import InferenceOptions
from core.inference.options import TRACK_BUFFER, TRACK_OVERLAP, fresh_folder
from core.models.find import find_checkpoint

DESCRIPTION = (
    "Run a trained model on images and videos: boxes drawn, detections as CSV and COCO JSON."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the model, the inputs and what to do with what is found."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--run", "-r", metavar="RUN", help="the best model of a run, by name or folder"
    )
    which.add_argument(
        "--latest", action="store_true", help="the best model of the latest run (default)"
    )
    which.add_argument(
        "--checkpoint", "-c", metavar="FILE", help="a model file, such as best.pth or model.onnx"
    )
    parser.add_argument(
        "--input",
        "-i",
        nargs="+",
        required=True,
        metavar="PATH",
        help="images, videos, folders or patterns such as 'photos/*.jpg'",
    )
    parser.add_argument(
        "--output",
        "-o",
        type=Path,
        metavar="DIR",
        help="folder to write (default: predictions/MODEL-NUMBER in the workspace)",
    )
    parser.add_argument(
        "--confidence",
        "-t",
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
        "--annotate",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="write pictures and videos with boxes (default: yes)",
    )
    parser.add_argument(
        "--classes",
        nargs="+",
        metavar="NAMES",
        help="class names a b, 'a,b' or 'a|b', for a model that does not name its own",
    )
    parser.add_argument(
        "--device",
        default="auto",
        help="auto, cpu, cuda, cuda:N or mps (default: %(default)s)",
    )
    add_backend(parser)
    parser.add_argument("--batch-size", type=whole(1, 65_536), metavar="N", help="images at once")
    _add_videos(parser.add_argument_group("videos"))
    add_json(parser)
    add_workspace(parser)
    add_original(parser, "inference")
    parser.set_defaults(coco=True, optimise=True, predict=True)


def _add_videos(group: argparse._ActionsContainer) -> None:
    group.add_argument(
        "--frame-interval",
        "-n",
        type=whole(1),
        default=1,
        metavar="N",
        help="look at every Nth frame only (default: %(default)s)",
    )
    group.add_argument(
        "--track", action="store_true", help="follow objects through videos and number them"
    )
    group.add_argument(
        "--track-thresh",
        type=number(0, 1),
        metavar="X",
        help="score from which an object starts a track (default: --confidence)",
    )
    group.add_argument(
        "--track-buffer",
        type=whole(0, 100_000),
        default=TRACK_BUFFER,
        metavar="N",
        help="frames, of 30 a second, to wait for an object that is hidden (default: %(default)s)",
    )
    group.add_argument(
        "--match-thresh",
        type=number(0, 1),
        default=1 - TRACK_OVERLAP,
        metavar="X",
        help="most that boxes of one object differ, 1 minus their IoU (default: %(default)s)",
    )


def run(args: argparse.Namespace) -> int:
    """Run the model, print what was found and return the exit code."""
    stream()
    # What is to be done is found out while the process that does it starts.
    result: dict[str, Any] = run_child("core.inference", lambda: _options(args))
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
    for note in result.get("notes", []):
        say(f"Note: {note}", "yellow")
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


def _options(args: argparse.Namespace) -> InferenceOptions:
    """Return what `args` ask for. Raises BatmanError where there is no such model or backend."""
    from core.models.backend import require_backend
    from core.models.find import latest_run

    workspace = workspace_of(args)
    target = args.run or args.checkpoint or latest_run(workspace)
    model = find_checkpoint(target, workspace)
    require_backend(model, args.backend)
    return InferenceOptions(
        target=model,
        inputs=args.input,
        output=args.output or fresh_folder(workspace, model.parent.name),
        confidence=args.confidence,
        thresholds=dict(map(_threshold, args.class_confidence)),
        track=args.track,
        annotate=args.annotate,
        device=args.device,
        batch_size=args.batch_size,
        classes=None if args.classes is None else _names(args.classes),
        spare_classes=None if args.project is None else _names_of(args),
        frame_interval=args.frame_interval,
        track_start=args.track_thresh,
        track_buffer=args.track_buffer,
        # ByteTrack's own match_thresh is the most that two boxes may lie apart.
        track_overlap=round(1 - args.match_thresh, 9),
        predict=args.predict,
        coco=args.coco,
        optimise=args.optimise,
        backend=args.backend,
    )


def _names_of(args: argparse.Namespace) -> list[str]:
    """Return the class names of the project of `--project`, in the order of the model's labels.

    That is the order of `project.json` in the original, and by name here.
    """
    about = expand_user(args.project) / "project.json"
    if about.is_file():
        value = read_json(about)
        names = value.get("classes") if isinstance(value, dict) else None
        if isinstance(names, list) and all(isinstance(name, str) for name in names):
            return names
        raise BatmanError(f"'{clean(str(about))}' names no classes.", "Name them with --classes.")
    from core.data.classes import list_classes

    with open_project(args) as project:
        return sorted(row.name for row in list_classes(project) if row.annotations)


def _names(words: list[str]) -> list[str]:
    from core.export.naming import split_names  # which brings what exports need

    return split_names(words)


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


if __name__ == "__main__":
    sys.exit(run_module("inference"))
