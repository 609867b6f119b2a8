"""What the original's `train` takes beside our options: a COCO folder, shares, an inference."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from cli.output import say
from cli.parser import BatmanParser
from cli.progress import Stages
from core.common.errors import BatmanError
from core.common.files import expand_user, link_or_copy
from core.common.text import clean, plural, shell_word
from core.common.workspace import Workspace
from core.data.exporters.snapshot import staged
from core.data.importers.formats.original_batman import is_video
from core.data.store import Project
from core.training.run.run import Run

# Its defaults (`cli/train.py` at commit b7f48db8); what is left goes to test.
_TRAIN, _VALID = 0.7, 0.15


def infer_instead(args: argparse.Namespace) -> int:
    """Do what `--checkpoint FILE --inference PATH ...` asks for; return the exit code."""
    from cli import inference

    if args.checkpoint is None:
        raise BatmanError(
            "The option --inference needs --checkpoint.",
            "To train first: batman train ..., then batman infer --latest --input PATH ...",
        )
    words = [f"--checkpoint={args.checkpoint}", f"--device={args.device or 'auto'}"]
    if args.confidence is not None:
        words.append(f"--confidence={args.confidence}")
    if args.inference_output is not None:
        words.append(f"--output={args.inference_output}")
    for option, given in (("--classes", args.classes), ("--input", args.inference)):
        words += [option, *given] if given else []
    parser = BatmanParser(prog="batman infer")
    inference.add_arguments(parser)
    namespace = argparse.Namespace()
    if hasattr(args, "workspace_dir"):
        namespace.workspace_dir = args.workspace_dir
    return inference.run(parser.parse_args(words, namespace))


def shares(args: argparse.Namespace) -> dict[str, Any]:
    """Return the settings that `--train-split`, `--val-split` and `--test-split` stand for."""
    given = (args.train_split, args.val_split, args.test_split)
    if given == (None, None, None):
        return {}
    if args.splits is not None:
        raise BatmanError(
            "The shares were given twice: by --splits, and by --train-split and its like.",
            "Leave one of them out.",
        )
    train = _TRAIN if args.train_split is None else args.train_split
    valid = _VALID if args.val_split is None else args.val_split
    test = round(1 - train - valid, 6) if args.test_split is None else args.test_split
    if abs(train + valid + test - 1) > 0.005 or test < 0:
        raise BatmanError(
            f"Train {train:g}, val {valid:g} and test {max(test, 0):g} do not make 1.",
            "Give --train-split, --val-split and --test-split that do.",
        )
    return {"splits": [train, valid, test], "split_policy": args.split_policy or "random"}


def check_video_id(project: Project, wanted: str) -> None:
    """Raise BatmanError when `--video-id` means less than all of the project.

    `imports` is what is no video, a number an import as the original or `import list` counts.
    """
    from core.data.importers import list_imports

    if wanted == "all":
        return
    rows = [row for row in list_imports(project) if row.images]
    if wanted == "imports":
        # An original's video has a number above zero; what came from elsewhere has none.
        others = [
            row for row in rows if row.kind == "video" or is_video(row.detail.get("video_id", -1))
        ]
    else:
        named = [row for row in rows if str(row.detail.get("video_id")) == wanted]
        named = named or [row for row in rows if str(row.id) == wanted]
        if not named:
            raise BatmanError(
                f"The project has no import or video {clean(wanted)}.",
                f"batman import list --project {shell_word(project.name)} lists them.",
            )
        others = [row for row in rows if row not in named]
    if others:
        listed = ", ".join(str(row.id) for row in others)
        raise BatmanError(
            f"Batman trains on all of a project, and '{clean(project.name)}' has more than"
            f" --video-id {clean(wanted)}: import {listed}.",
            f"Take it out with batman import remove {others[0].id} --project"
            f" {shell_word(project.name)}; batman classes undo brings it back.",
        )


def allow_fallback() -> None:
    """Let what this process starts compute on the CPU what an Apple GPU cannot (PyTorch's own)."""
    os.environ["PYTORCH_ENABLE_MPS_FALLBACK"] = "1"


@contextmanager
def folder_as_project(workspace: Workspace, folder: str, *, keep: bool) -> Iterator[Path]:
    """Give the project for `--dataset`: made in `workspace`, or without `keep` for the block."""
    from core.training.launch.folder_project import project_for_folder

    with nullcontext() if keep else tempfile.TemporaryDirectory() as scratch:
        place = workspace if scratch is None else Workspace(Path(scratch))
        with Stages() as show:
            found = project_for_folder(
                place, Path(folder), lambda at: show(at.stage, at.done, at.total)
            )
        name = clean(found.path.name)
        if found.changed:
            say(f"Note: the labels in {clean(folder)} changed since '{found.changed}' was made.")
        if found.report is None:
            say(f"Training on the project {name}, which holds {clean(folder)}.")
        elif keep:
            say(
                f"Made the project {name} of {plural(found.report.images, 'image')} and"
                f" {plural(found.report.annotations, 'annotation')}; the images stay in the folder."
            )
        for kind, count in sorted(found.report.counts().items()) if found.report else ():
            say(f"{plural(count, 'record')} needed attention: {kind}.", "yellow")
        yield found.path


def refuse_full(folder: Path) -> None:
    """Raise BatmanError when there is something in the folder for `--output-dataset`."""
    place = expand_user(folder)
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise BatmanError(
            f"There is something at '{clean(str(folder))}' already; Batman removes no data set.",
            "Give --output-dataset a new folder, or empty this one.",
        )


def write_dataset(run: Run, folder: Path) -> None:
    """Put the prepared data set of `run` into `folder` as well."""
    source = run.dataset_dir
    with staged(folder) as making:
        for file in sorted(source.rglob("*")):
            target = making / file.relative_to(source)
            if file.is_dir():
                target.mkdir(parents=True, exist_ok=True)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                link_or_copy(file, target, "link")
    say(f"The data set is in {clean(str(folder))} too.")
