"""Makes the folder of a new run, and readies one to go on: what cannot go on is said first.

A run goes on in its own folder only from the furthest that it has reached. From an earlier
checkpoint of it a new run begins, which names the run as its origin.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.common.errors import BatmanError, ConfigError, RunError
from core.common.files import expand_user, safe_name
from core.common.temporary import folder_beside, sweep
from core.common.text import clean, plural, shell_word
from core.common.workspace import Workspace
from core.training.config.options import TrainingConfig
from core.training.config.origin import Origin
from core.training.launch.dataset_rows import meant_classes
from core.training.launch.foreign_output import refuse_foreign
from core.training.launch.give_back import give_back, never_began
from core.training.launch.undo import Undo
from core.training.run.checkpoints import (
    BEST,
    LAST,
    named_epoch,
    periodic,
    require_checkpoint,
    require_state,
    resume_file,
)
from core.training.run.overwrite_guard import (
    Reached,
    falls_behind,
    reached,
    refuse_setback,
    ways_out,
)
from core.training.run.results import RESULTS_FILE
from core.training.run.run import CONFIG_FILE, EVENTS_FILE, Run, existing, find_run
from core.training.run.summary import RunSummary
from core.training.run.worker_process import ENDED

# What goes into the prepared data set: when it changes, the set has to be made again.
DATA_OPTIONS = (
    *("project", "only_reviewed", "filter_classes", "max_per_class", "balance"),
    *("splits", "split_policy", "seed"),
)
# What renaming a folder to a name says that is not free.
_TAKEN = frozenset({errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR})


def create_run(workspace: Workspace, config: TrainingConfig) -> Run:
    """Make the folder of a new run and write its settings, with paths made absolute.

    The folder is the config's `output_dir`, relative to the workspace, or else
    `runs/<project>-<model>-<number>`. An image size that the model cannot take gives way to the
    nearest, with a note. Raises RunError when the folder holds a run already.
    """
    config = absolute_paths(workspace, config.resolved())
    if config.output_dir is None:
        return _new_run(workspace, config)
    path = (workspace.root / expand_user(config.output_dir)).absolute()
    refuse_used(path)
    sweep(path.parent)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_make(path, error) from None
    run = Run(path)
    run.save_config(config.with_changes(output_dir=path))
    return run


def resume_run(run: Run, checkpoint: Path | None = None, **changes: Any) -> Run:
    """Ready `run` to go on in its own folder from `checkpoint` (default: its last one).

    `changes` to its settings are written, such as more epochs; its data set is forgotten when they
    say what goes into it. Without any checkpoint a run that was lost before its first epoch's end
    begins again. Raises Setback when that, or `checkpoint`, would throw away what the run has
    reached; RunError when it is running or has done all its epochs; ConfigError for changes that
    make no sense.
    """
    run.save_config(_resumed(run, checkpoint, changes, local=True))
    return run


def plan_run(
    workspace: Workspace, config: TrainingConfig, undo: Undo | None = None, *, local: bool = False
) -> tuple[Run, TrainingConfig]:
    """Return the run to start for `config` and its settings: a new one, or the one it resumes.

    Settings are as `plan_settings` says; the old ones of a run that goes on in its own folder stand
    there until the new ones are saved. `undo` is told of the folder before it is touched. Raises as
    `plan_settings` and `create_run` do.
    """
    undo = undo or Undo()
    run, settings = plan_settings(workspace, config, local=local)
    if run is not None:
        undo.watch(run.path)
        return run, settings
    if settings.output_dir is not None:
        path = would_be_path(workspace, settings)
        told = give_back(workspace, path)
        if told:
            settings = settings.with_changes(notes=[*settings.notes, told])
        undo.watch(path)
    new = create_run(workspace, settings)
    if settings.output_dir is None:
        undo.watch(new.path, made=True)
    return new, new.config()


def plan_settings(
    workspace: Workspace, config: TrainingConfig, *, local: bool = False
) -> tuple[Run | None, TrainingConfig]:
    """Return the settings of what would be started for `config`, and the run that would go on.

    With `resume` the settings are those of the run it names, with what was chosen in `config`
    instead; without an `output_dir` that run goes on in its own folder, else a new one (None) is to
    be made. A new one is made too for a checkpoint that the run has left behind. `resume` is a
    run's folder or name, or a checkpoint in it. `local` tells that it will be trained here: without
    it a run that a cluster trained may go on from the checkpoint that lies there. Nothing is
    written. Raises as `resume_run` does.
    """
    wanted = None if config.resume is None else existing(workspace, config.resume)
    project = str(config.project) if config.project is not None else None
    if wanted is not None and not wanted.exists():
        named = workspace.runs_dir / str(config.resume)
        if not _is_ours(named):
            refuse_foreign(named, project)
        wanted = find_run(workspace, str(config.resume)).path
    if wanted is not None and not _is_ours(wanted):
        refuse_foreign(wanted, project)
    if wanted is not None and wanted.is_file():
        require_checkpoint(wanted)
        require_state(wanted)
    folder = wanted.parent if wanted is not None and wanted.is_file() else wanted
    if folder is None or wanted is None:
        return None, config
    if not (folder / CONFIG_FILE).is_file():
        if wanted.is_dir() and not (wanted / LAST).is_file():
            raise RunError(
                f"'{clean(str(wanted))}' is no run's folder: it holds neither settings nor {LAST}.",
                "Give the folder or name of a run, or a checkpoint of one.",
            )
        return None, config.with_changes(origin=Origin(run=None, checkpoint=resume_file(wanted)))
    skipped = ("resume", "output_dir", "dataset", "notes", "origin", "sweep")
    chosen = absolute_paths(workspace, config)
    changes = {n: getattr(chosen, n) for n in config.model_fields_set if n not in skipped}
    run = Run(folder)
    summary = run.summary()
    at = reached(folder, summary.epoch)
    back = wanted != folder and falls_behind(at, wanted, named_epoch(wanted))
    if config.output_dir is None and not back:
        return run, _resumed(run, None if wanted == folder else wanted, changes, local)
    start = folder / LAST if wanted == folder else wanted
    origin = Origin(run=run.name, checkpoint=start)
    changes |= {"resume": start, "output_dir": config.output_dir, "dataset": None, "origin": origin}
    changes["sweep"] = None
    changes["notes"] = [f"It begins from {origin}, which stays as it is."]
    before = run.config()
    config = before.with_changes(**changes)
    shown = f"The run '{clean(run.name)}'"
    if not start.is_file():
        raise RunError(f"{shown} has no {LAST} to go on from.", ways_out(folder, before))
    _refuse_changed(shown, before, config.resolved())
    if start == folder / LAST:
        _refuse_done(shown, summary, at, config)
    return None, config


def would_be_path(workspace: Workspace, config: TrainingConfig, skip: int = 0) -> Path:
    """Return the folder in which `config` would be trained, with `skip` new ones before it.

    Raises as `plan_settings` does.
    """
    if config.output_dir is not None:
        return (workspace.root / expand_user(config.output_dir)).absolute()
    if config.resume is not None:
        run, config = plan_settings(workspace, config)
        if run is not None:
            return run.path
    base = _base_name(config)
    return workspace.runs_dir / f"{base}-{_next_number(workspace, base) + skip}"


def _resumed(
    run: Run, checkpoint: Path | None, changes: Mapping[str, Any], local: bool
) -> TrainingConfig:
    """Return the settings with which `run` goes on; see `resume_run`."""
    shown = f"The run '{clean(run.name)}'"
    summary = run.summary()
    if summary.state not in ENDED and run.worker() is not None:
        raise RunError(
            f"{shown} is {summary.state}.", f"Watch it with batman watch {shell_word(run.name)}."
        )
    if checkpoint is None and (run.path / LAST).is_file():
        checkpoint = run.path / LAST
    elif checkpoint is not None and not checkpoint.is_file():
        raise RunError(f"There is no checkpoint '{clean(str(checkpoint))}'.")
    before = run.config()
    start = checkpoint
    if start is None and before.resume is not None and before.resume.parent != run.path:
        start = before.resume  # another run's, which it began from and has not come beyond
    own = {"resume": start, "output_dir": run.path}  # it may have been moved or copied
    config = before.with_changes(**{**changes, **own}).resolved()
    at = reached(run.path, summary.epoch)
    if local or start is not None or not run.is_copy:
        refuse_setback(run.path, before, at, start, named_epoch(start) if start else None)
    if any(getattr(before, name) != getattr(config, name) for name in DATA_OPTIONS):
        config = config.with_changes(dataset=None)
    if checkpoint is not None:
        if local:
            require_checkpoint(checkpoint)
        require_state(checkpoint)
        _refuse_changed(shown, before, config)
        if checkpoint == run.path / LAST:
            _refuse_done(shown, summary, at, config)
    return config


def _is_ours(path: Path) -> bool:
    """Tell whether `path` is a run's folder, or lies in one; rfdetr's settings have our name."""
    try:
        Run(path if path.is_dir() else path.parent).config()
    except BatmanError:
        return False
    return True


def _refuse_changed(shown: str, before: TrainingConfig, config: TrainingConfig) -> None:
    """Raise ConfigError for changes with which no checkpoint of the run can go on."""
    for name in ("model", "image_size"):
        old, new = getattr(before, name), getattr(config, name)
        if new != old:
            flag = f"--{name.replace('_', '-')}"
            # Weights of one model are none for another, whatever the image size.
            weights = "" if name == "model" else ": --pretrained takes its best.pth"
            raise ConfigError(
                f"{shown} was trained with {flag} {old}, and cannot go on with {new}.",
                f"Leave out {flag}, or start a new run{weights}.",
            )
    classes = before.dataset.class_names if before.dataset else []
    wanted = config.filter_classes
    if wanted is not None and classes and set(meant_classes(wanted, classes)) != set(classes):
        raise ConfigError(
            f"{shown} was trained on other classes: {', '.join(map(clean, classes[:8]))}"
            f"{' and more' if len(classes) > 8 else ''}.",
            "Leave out --filter-classes, or start a new run: --pretrained takes its best.pth.",
        )


def _refuse_done(shown: str, summary: RunSummary, at: Reached, config: TrainingConfig) -> None:
    """Raise RunError when the run has no epoch left; one that was lost at its end may finish."""
    done, epochs = at.epoch, plural(at.epoch, "epoch", "epochs")
    if done > config.epochs:
        raise RunError(
            f"{shown} has {epochs} behind it, and --epochs is {config.epochs}.",
            f"Epochs are counted from the run's beginning: give --epochs a number above {done}.",
        )
    if done == config.epochs and summary.state == "finished":
        raise RunError(
            f"{shown} has done all of its {epochs}.",
            f"Give more with --epochs, such as {done * 2}.",
        )


def absolute_paths(workspace: Workspace, config: TrainingConfig) -> TrainingConfig:
    """Return `config` with the paths absolute that the worker reads; it runs in another folder."""
    paths = {name: getattr(config, name) for name in ("project", "resume", "pretrained")}
    found = {name: existing(workspace, path) for name, path in paths.items() if path is not None}
    return config.with_changes(**found) if found else config


def _base_name(config: TrainingConfig) -> str:
    stem = config.project.name if config.project else "run"
    return safe_name(f"{stem[:60]}-{config.model}")


def _next_number(workspace: Workspace, base: str) -> int:
    pattern = re.compile(re.escape(base) + r"-(\d+)")
    found = workspace.runs_dir.iterdir() if workspace.runs_dir.is_dir() else ()
    numbers = (pattern.fullmatch(path.name) for path in found)
    return 1 + max((int(match[1]) for match in numbers if match), default=0)


def _new_run(workspace: Workspace, config: TrainingConfig) -> Run:
    """Make the next folder of that name with its settings in it: both at once, or neither."""
    base = _base_name(config)
    try:
        with folder_beside(workspace.runs_dir / base) as making:
            number = _next_number(workspace, base)
            while True:
                path = workspace.runs_dir / f"{base}-{number}"
                config.with_changes(output_dir=path).save(making / CONFIG_FILE)
                try:
                    making.rename(path)
                except OSError as error:
                    if error.errno not in _TAKEN:
                        raise
                    number += 1  # somebody else took it just now
                else:
                    return Run(path)
    except OSError as error:
        raise _cannot_make(workspace.runs_dir, error) from None


def _cannot_make(path: Path, error: OSError) -> RunError:
    return RunError(
        f"The run folder '{clean(str(path))}' cannot be made: {error.strerror}.",
        "Choose another with --output-dir.",
    )


def refuse_used(path: Path) -> None:
    """Raise RunError unless a new run can be made in the folder `path`."""
    if path.exists() and not path.is_dir():
        raise RunError(
            f"'{clean(str(path))}' is a file, not a folder.", "Choose another --output-dir."
        )
    files = (EVENTS_FILE, RESULTS_FILE, BEST, LAST)
    trained = any((path / name).exists() for name in files) or bool(periodic(path))
    if (trained or Run(path).worker() is not None) and not never_began(path):
        raise RunError(
            f"'{clean(str(path))}' already holds a run.",
            f"Go on with it by --resume {clean(str(path))}, or choose another --output-dir.",
        )
