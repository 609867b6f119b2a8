"""`batman demo`: the whole way, from a messy data set to a trained and evaluated detector."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
from pathlib import Path

import msgspec

from cli.answers.printing import say_event, stream
from cli.common import add_workspace, run_module
from cli.exits import Exit
from cli.model.evaluate import evaluate_in_child
from cli.model.evaluate import show as show_evaluation
from cli.numbers import whole
from cli.output import is_terminal, say, say_error, say_pairs, say_table
from cli.parser import add_json
from cli.runs.follow import end, follow
from core.common.temporary import remove_tree
from core.common.text import plural
from core.common.workspace import Workspace
from core.data.classes import list_classes, merge
from core.data.importers import import_coco
from core.data.store import Project
from core.demo.shapes import SPELLINGS, make_shapes
from core.evaluation import EvaluationOptions, EvaluationResult
from core.training.config.options import parse_config
from core.training.launch.local import require_trainer, start_local
from core.training.live.follow import RunFollower
from core.training.run.run import Run
from core.training.run.worker_process import ENDED

DESCRIPTION = (
    "Draw a small data set with messy class names, import it, merge the classes, train a tiny"
    " RF-DETR on it live and evaluate it. Takes about two minutes on two CPU cores."
)

DEFAULT_WORKSPACE = "demo"
# The tiny model reaches 0.93 to 0.99 on the shapes; half of it is no noise but something broken.
_LEAST_MAP50 = 0.5
_PURPOSE = {"train": "train on", "valid": "validate on", "test": "test on"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` where to work and how to show the run."""
    parser.add_argument(
        "--no-tui", action="store_true", help="print progress instead of opening the app"
    )
    parser.add_argument(
        "--epochs",
        type=whole(1, 100_000),
        default=20,
        metavar="N",
        help="epochs (default: %(default)s)",
    )
    parser.add_argument(
        "--seed",
        type=whole(0, 2**32 - 1),
        default=42,
        metavar="N",
        help="seed of pictures and training",
    )
    add_json(parser)
    add_workspace(parser)


def run(args: argparse.Namespace) -> int:
    """Go the whole way and return the exit code; `Exit.FAILED` if the model learnt nothing."""
    require_trainer()
    stream()
    workspace = Workspace.find(getattr(args, "workspace_dir", DEFAULT_WORKSPACE))
    name = _fresh_name(workspace)
    shown = _shown(workspace.root)
    _project(workspace, name, shown, args.seed)

    _step("Train a tiny RF-DETR on it, from random weights")
    words = ["--project", name, "--model", "tiny", "--epochs", str(args.epochs)]
    words += ["--seed", str(args.seed)]
    _command(shown, "train", *words)
    config = parse_config(
        {
            "project": workspace.project_path(name),
            "model": "tiny",
            "epochs": args.epochs,
            "seed": args.seed,
        }
    )
    trained = start_local(workspace, config)
    code = _watch(workspace, trained, shown, tui=not (args.no_tui or args.json))
    if code is not None:
        return code

    _step("Evaluate it on images it has never seen")
    _command(shown, "evaluate", trained.name, "--split", "test")
    folder = evaluate_in_child(EvaluationOptions(trained.path, "test"))
    result = EvaluationResult.load(folder)
    show_evaluation(result, folder)
    if args.json:
        say_event("evaluation", last=True, evaluation=msgspec.to_builtins(result))
    _next(shown, workspace, name, trained)
    best = RunFollower(trained.path).poll().best
    if best is None or best.map50 < _LEAST_MAP50:
        say_error(
            f"The model should have reached mAP50 {_LEAST_MAP50} and is at"
            f" {best.map50 if best else 0:.2f}.",
            f"See {trained.log_file}, or give it more epochs with --epochs.",
        )
        return Exit.FAILED
    return Exit.OK


def _project(workspace: Workspace, name: str, shown: str, seed: int) -> None:
    """Make the project `name`: drawn images, imported, their classes merged to two."""
    drawn = workspace.root / "data" / "drawn" / name
    _step("Draw a data set of squares and discs, labelled by several people")
    remove_tree(drawn)
    counts = make_shapes(drawn, seed=seed)
    say(", ".join(f"{count} images to {_PURPOSE[split]}" for split, count in counts.items()))

    _step("Import it")
    _command(shown, "import", "coco-dir", str(drawn), "--project", name, "--create")
    with Project.create(workspace.project_path(name), "Drawn squares and discs") as project:
        report = import_coco(project, drawn)
        say(f"{plural(report.images, 'image')}, {plural(report.annotations, 'annotation')}")
        _command(shown, "classes", "list", "--project", name)
        _classes(project)

        _step("Merge what means the same; batman classes undo takes it back")
        for target, spelled in SPELLINGS.items():
            sources = [spelling.strip() for spelling in spelled]
            _command(
                *(shown, "classes", "merge", "--project", name),
                *("--source", *sources, "--target", target),
            )
            merge(project, sources, target)
        _classes(project)


def _watch(workspace: Workspace, trained: Run, shown: str, *, tui: bool) -> int | None:
    """Show the run until it ends; return an exit code if the demo ends with it."""
    if tui and is_terminal() and sys.stdin.isatty():
        from cli.main import open_app

        open_app(workspace, trained.path)
        snapshot = RunFollower(trained.path).poll()
        if snapshot.state not in ENDED:
            say("Training goes on without the app.")
            _command(shown, "watch", trained.name)
            _command(shown, "evaluate", trained.name, "--split", "test")
            return Exit.OK
        code = end(trained, workspace, snapshot)
    else:
        say("Loading PyTorch and RF-DETR takes some seconds.", "dim")
        code = follow(trained, workspace, ours=True)
    return None if code == Exit.OK else code


def _classes(project: Project) -> None:
    say_table(
        ["class", "annotations", "images"],
        [(row.name, row.annotations, row.images) for row in list_classes(project)],
        right=("annotations", "images"),
    )


def _next(shown: str, workspace: Workspace, name: str, trained: Run) -> None:
    _step("Where everything is")
    say_pairs(
        [
            ("project", workspace.project_path(name)),
            ("run", trained.path),
            ("best model", trained.path / "best.pth"),
            ("drawn predictions", trained.path / "val_images"),
            ("images", workspace.root / "data" / "drawn" / name),
        ]
    )
    _step("What to try next")
    say("See all of it in the app:")
    _command(shown, "tui")
    say("Take the merges back, one at a time:")
    _command(shown, "classes", "undo", "--project", name)
    say("Your own data, in COCO, YOLO, Pascal VOC and most other formats:")
    say("  $ batman import FOLDER --project NAME --create")
    say("  $ batman train --project NAME")
    _where_batman_is()


def _where_batman_is() -> None:
    """Say how `batman` is called where it lies in an environment that only `uv run` knows."""
    beside = Path(sys.executable).with_name("batman")
    # What `uv run` adds to the path is gone when the demo ends.
    known = shutil.which("batman") is not None and "UV_RUN_RECURSION_DEPTH" not in os.environ
    if not known and beside.is_file():
        say("batman is not on your path yet; for this terminal:")
        say(f"  $ source {shlex.quote(str(beside.with_name('activate')))}", "cyan")


def _fresh_name(workspace: Workspace) -> str:
    """Return a name no project has: an earlier demo stays as it is."""
    taken = {path.name for path in workspace.list_projects()}
    number = 1
    while (name := "shapes" if number == 1 else f"shapes-{number}") in taken:
        number += 1
    if number > 1:
        say(f"An earlier demo is in {workspace.root}; this one is {name}.", "dim")
    return name


def _step(text: str) -> None:
    say()
    say(text, "bold")


def _command(workspace: str, *words: str) -> None:
    """Print the command that does what is done now."""
    say(f"  $ {shlex.join(['batman', '--workspace', workspace, *words])}", "cyan")


def _shown(root: Path) -> str:
    """Return the workspace as one would type it here."""
    try:
        return str(root.relative_to(Path.cwd()))
    except ValueError:
        return str(root)


if __name__ == "__main__":
    sys.exit(run_module("app.demo"))
