"""`batman train` and `python -m cli.train`: train RF-DETR on a project, or go on with a run."""

from __future__ import annotations

import argparse
import sys
import typing
from pathlib import Path
from typing import Any, Literal

from cli.answers.printing import say_event, stream, streaming
from cli.common import add_workspace, open_project, project_path, run_module, workspace_of
from cli.exits import Exit
from cli.model import export_model
from cli.original.options import add_original
from cli.original.training import (
    allow_fallback,
    check_video_id,
    folder_as_project,
    infer_instead,
    refuse_full,
    shares,
    write_dataset,
)
from cli.output import say, say_pairs, say_table
from cli.parser import add_json
from cli.progress import Stages
from cli.runs.before_training import say_estimate, write_preview
from cli.runs.follow import follow, typed
from cli.runs.models import say_models
from core.common.errors import BatmanError
from core.common.text import clean, plural, shell_word
from core.common.workspace import Workspace
from core.models.sizes import MODELS, get_model
from core.training.config.command_line import option_flag, option_names
from core.training.config.form import SECTIONS, to_text
from core.training.config.options import TrainingConfig, default_for, parse_config
from core.training.config.sweep import EXAMPLE, METAVAR
from core.training.run.disk_space import checkpoint_sizes
from core.training.run.run import Run

DESCRIPTION = (
    "Train RF-DETR on a project, or go on with a run. Training is a process of its own: it goes"
    " on when this command is killed or the terminal is closed. Ctrl-C stops it after the current"
    " step, with a checkpoint to go on from."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` an option for every setting of `TrainingConfig`, and how to start."""
    # Fifty options are a list to look things up in, not a usage line.
    parser.usage = (
        "%(prog)s --project PROJECT [OPTION ...]\n       %(prog)s --resume RUN [OPTION ...]"
    )
    data = parser.add_argument_group("what to train on")
    data.add_argument(
        "--project", metavar="PROJECT", help="project folder, or the name of one in the workspace"
    )
    data.add_argument(
        "--dataset",
        metavar="DIR",
        help="COCO folder to train on without a project of your own; it stays as it is",
    )
    add_workspace(data)  # type: ignore[arg-type]

    start = parser.add_argument_group("how to start").add_mutually_exclusive_group()
    start.add_argument(
        "--detach", action="store_true", help="start and return; see batman watch for how it goes"
    )
    start.add_argument(
        "--prepare-only", action="store_true", help="write the run folder and its data set only"
    )
    start.add_argument(
        "--dry-run", action="store_true", help="print what would be trained; write nothing"
    )
    start.add_argument(
        "--preview",
        type=Path,
        metavar="FILE.png",
        help="draw training images as --augmentation changes them, and start nothing",
    )
    start.add_argument(
        "--estimate",
        action="store_true",
        help="take a few steps, print how long it will take and how much memory; keep nothing",
    )
    start.add_argument(
        "--list-models", action="store_true", help="print the model sizes with their figures"
    )
    parser.add_argument(
        "--sweep",
        nargs="+",
        metavar=METAVAR,
        help=f"train every combination, one run after the other: --sweep {EXAMPLE}",
    )
    parser.add_argument("--plain", action="store_true", help="print lines on a terminal too")
    add_json(parser)

    left = [name for name in option_names() if name != "project"]
    for section in SECTIONS:
        group = parser.add_argument_group(section.title.lower())
        for name in section.names:
            add_option(group, name)
            left.remove(name)
    for name in left:
        add_option(parser, name)

    export = parser.add_argument_group("export a trained model instead")
    export.add_argument(
        "--export", type=Path, metavar="DIR", help="folder to export --checkpoint to"
    )
    export.add_argument("--checkpoint", metavar="FILE", help="model file or run to export")
    export_model.add_options(export, words=True)
    add_original(parser, "train")


def run(args: argparse.Namespace) -> int:
    """Start what the parsed arguments say, follow it to its end and return the exit code."""
    stream()
    if args.list_models:
        say_models()
        return Exit.OK
    workspace = workspace_of(args)
    if args.inference is not None:
        return infer_instead(args)
    if args.export is not None or args.checkpoint is not None:
        if args.export is None or args.checkpoint is None:
            raise BatmanError(
                "An export needs both --checkpoint and --export.",
                "To go on training from a checkpoint, give it with --resume.",
            )
        return export_model.export_model(workspace, args.checkpoint, args.export, args)
    if args.classes is not None:
        raise BatmanError(
            "The option --classes belongs to --export.",
            "To train on some classes only, give them as --filter-classes 'a|b'.",
        )
    if args.dataset is not None:
        if args.project is not None:
            raise BatmanError(
                "There are two things to train on: --project and --dataset.",
                "Leave one of them out.",
            )
        passing = args.dry_run or args.estimate or args.preview is not None
        with folder_as_project(workspace, args.dataset, keep=not passing) as path:
            return _train(args, workspace, path)
    if args.project is None:
        return _train(args, workspace, None)
    with open_project(args) as project:
        if args.video_id is not None:
            check_video_id(project, args.video_id)
    return _train(args, workspace, project.path)


def _train(args: argparse.Namespace, workspace: Workspace, project: Path | None) -> int:
    chosen = {name: getattr(args, name) for name in option_names()}
    values = {name: value for name, value in chosen.items() if value is not None}
    values |= shares(args)
    if project is not None:
        values["project"] = project
    config = parse_config(values)
    if config.project is None and config.resume is None:
        raise BatmanError(
            "No project was chosen to train on.",
            "Give --project, --dataset with a COCO folder, or --resume with a run to go on.",
        )
    if args.sweep:
        from cli.runs.sweep_training import train_sweep

        if not args.dry_run:
            say_findings(workspace, config)
        return train_sweep(args, workspace, values, say_ready)
    if args.dry_run:
        return _dry_run(workspace, config)
    if args.estimate:
        return say_estimate(workspace, config)
    if args.preview is not None:
        return write_preview(config, args.preview)
    if args.output_dataset is not None:
        refuse_full(Path(args.output_dataset))
    if args.mps_fallback:
        allow_fallback()

    from core.training.launch.local import require_trainer, start_local
    from core.training.launch.prepare_run import ready_run
    from core.training.loggers.wandb_mlflow import require_services

    if not args.prepare_only:
        require_trainer()
        require_services(config)
    say_findings(workspace, config)
    with Stages() as show:
        progress = lambda at: show(at.stage, at.done, at.total)  # noqa: E731
        if args.prepare_only:
            ready = ready_run(workspace, config, progress, local=True)
        else:
            ready = start_local(workspace, config, progress)
    say_ready(ready)
    follows = not (args.prepare_only or args.detach)
    if args.json:
        _say_run(ready, "prepared" if args.prepare_only else "started", last=not follows)
    if args.output_dataset is not None:
        write_dataset(ready, Path(args.output_dataset))
    if args.prepare_only:
        say(f"Start it with: batman train --resume {typed(ready, workspace)}", "dim")
        return Exit.OK
    say(f"Training {ready.name} in {ready.path}.")
    if args.detach:
        say(f"Watch it with: batman watch {typed(ready, workspace)}", "dim")
        say(f"Stop it with: batman runs stop {typed(ready, workspace)}", "dim")
        return Exit.OK
    say("Ctrl-C stops it with a checkpoint; closing the terminal does not.", "dim")
    return follow(ready, workspace, ours=True, plain=args.plain)


class _Names(argparse.Action):
    """Names of classes: one text, which the option reads, or a word for each."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Keep the text, or the words without the commas that part them."""
        words = [word.removesuffix(",") for word in values]
        setattr(namespace, self.dest, values[0] if len(values) == 1 else words)


def add_option(group: argparse._ActionsContainer, name: str) -> None:
    """Add the option of one field; what is typed is checked by `TrainingConfig`, as in the form."""
    field = TrainingConfig.model_fields[name]
    text = (field.description or "").replace("%", "%%")
    default = to_text(name, field.default).replace("%", "%%")
    if default and "default:" not in text:
        text += f" (default: {default})"
    if field.annotation is bool:
        group.add_argument(
            option_flag(name), action=argparse.BooleanOptionalAction, default=None, help=text
        )
        return
    if name == "model":
        text = f"{', '.join(MODELS)} (default: {default}); see --list-models"
    if name == "filter_classes":
        group.add_argument(
            option_flag(name), nargs="+", action=_Names, metavar=_METAVARS[name], help=text
        )
        return
    choices = None
    if typing.get_origin(field.annotation) is Literal:
        choices = typing.get_args(field.annotation)
    metavar = None if choices else _METAVARS.get(name, "N")
    group.add_argument(option_flag(name), choices=choices, metavar=metavar, help=text)


_METAVARS = {
    "model": "SIZE",
    "device": "DEVICE",
    "output_dir": "DIR",
    "resume": "RUN",
    "pretrained": "FILE",
    "filter_classes": "NAMES",
    "splits": "SHARES",
    "lr": "RATE",
    "lr_encoder": "RATE",
    "ema_decay": "X",
    "lr_vit_layer_decay": "X",
    "lr_component_decay": "X",
    "weight_decay": "X",
    "augmentation": "NAME|FILE",
    "balance": "X",
    "clip_max_norm": "X",
}


def say_findings(workspace: Workspace, config: TrainingConfig) -> None:
    """Print a line for each grave finding of the data that a new run would train on."""
    if config.project is None or config.resume is not None:
        return
    from core.data.health import before_training, one_line

    settings = config.resolved()
    project = project_path(workspace, str(settings.project))
    findings = before_training(project, settings.image_size)
    for finding in findings:
        say(f"{one_line(finding)}.", "red" if finding.severity == "error" else "yellow")
    if findings:
        say(f"More about it: batman check --project {shell_word(project.name)}", "dim")


def say_ready(run: Run) -> None:
    """Print what was decided on the way: sizes, splits, what was left out."""
    config = run.config()
    for note in config.notes:
        say(f"Note: {note}", "yellow")
    if config.dataset is not None:
        for note in config.dataset.notes:
            say(f"Note: {note}", "yellow")
        say(f"{plural(len(config.dataset.class_names), 'class')}; images: {_counts(config)}")
    say(checkpoint_sizes(config).sentence())


def _say_run(run: Run, state: str, *, last: bool) -> None:
    """Tell a program which run was made."""
    config = run.config()
    data = config.dataset
    say_event(
        "run",
        last=last,
        run=run.name,
        path=str(run.path),
        state=state,
        model=config.model,
        classes=data.class_names if data is not None else [],
        images=data.images if data is not None else {},
        notes=[*config.notes, *(data.notes if data is not None else [])],
    )


def _counts(config: TrainingConfig) -> str:
    images = config.dataset.images if config.dataset is not None else {}
    return ", ".join(f"{name} {count:,}" for name, count in images.items())


def _dry_run(workspace: Workspace, config: TrainingConfig) -> int:
    """Print what the same command without --dry-run would train; refuse what it would refuse."""
    from core.training.launch.local import would_start
    from core.training.launch.pretrained_weights import weights_to_fetch

    where, resumed, settings = would_start(workspace, config)
    model = get_model(settings.model)
    if streaming():
        assert settings.dataset is not None  # would_start sees to it
        say_event(
            "plan",
            last=True,
            run_folder=str(where),
            goes_on_with=str(resumed.path) if resumed else settings.resume,
            config=settings.model_dump(mode="json", exclude={"dataset", "notes"}),
            effective_batch=settings.effective_batch,
            images=settings.dataset.images,
            classes=settings.dataset.class_names,
            notes=[*settings.notes, *settings.dataset.notes],
        )
        return Exit.OK
    say("Nothing is started: this is what would be trained.", "bold")
    say()
    say_table(
        ["option", "value", ""],
        [
            (
                option_flag(name),
                to_text(name, getattr(settings, name)) or None,
                "" if getattr(settings, name) == default_for(name, settings.model) else "changed",
            )
            for name in option_names()
        ],
    )
    say()
    assert settings.dataset is not None  # would_start sees to it
    pairs: list[tuple[str, object]] = [
        ("run folder", where),
        ("goes on with", resumed.path if resumed else settings.resume),
        ("model", f"{model.name}, {model.params:g} M parameters, {model.licence}"),
        ("effective batch", settings.effective_batch or "found out at the start"),
        ("time", _time(workspace, settings)),
        ("checkpoints", checkpoint_sizes(settings).sentence()),
        ("project", settings.project),
        ("images", _counts(settings)),
        ("classes", ", ".join(settings.dataset.class_names)),
    ]
    say_pairs(pairs)
    for note in [*settings.notes, *settings.dataset.notes]:
        say(f"Note: {note}", "yellow")
    fetched = weights_to_fetch(settings)
    if fetched is not None:
        say(f"Note: the weights are fetched first, to {clean(str(fetched))}.", "yellow")
    say_findings(workspace, config)
    return Exit.OK


def _time(workspace: Workspace, config: TrainingConfig) -> str:
    """Return how long it will take on this machine, from earlier runs."""
    from core.common.hardware import find_gpus
    from core.training.run_list.index import list_runs
    from core.training.run_list.time_estimate import estimate, time_sentence

    gpus = [] if config.device == "cpu" else find_gpus()
    images = config.dataset.images if config.dataset is not None else {}
    device = gpus[0].name if gpus else "cpu"
    found = estimate(list_runs(workspace), config, images, device)
    return time_sentence(found, config.epochs, "--estimate")


if __name__ == "__main__":
    sys.exit(run_module("train"))
