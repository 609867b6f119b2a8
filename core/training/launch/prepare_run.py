"""From what a person chose to a run that is ready to be launched, here or on a cluster."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from core.common.errors import ConfigError
from core.common.text import clean
from core.common.workspace import Workspace
from core.data.store import Project
from core.training.config.options import TrainingConfig
from core.training.launch.dataset import ANNOTATIONS, Progress, plan_dataset, prepare_run
from core.training.launch.plan import plan_run
from core.training.launch.undo import Undo, undone_when_refused
from core.training.run.checkpoints import check_resume, peek_info
from core.training.run.run import Run, require_writable


def ready_run(
    workspace: Workspace,
    config: TrainingConfig,
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    *,
    local: bool = False,
    undo: Undo | None = None,
) -> Run:
    """Return the run to launch for `config`: its folder made or resumed, its data set prepared.

    `local` is as for `plan_settings`. A resumed run keeps its data set unless what goes into it was
    changed. When something fails, a resumed run keeps its settings and data set, and a folder that
    was made for a new one is gone again; with `undo` its owner sees to that, who may still be
    refused afterwards. Raises RunError, ConfigError, ProjectError and Cancelled.
    """
    if undo is None:
        with undone_when_refused() as undo:
            return ready_run(workspace, config, progress, cancelled, local=local, undo=undo)
    run, settings = plan_run(workspace, config, undo, local=local)
    require_writable(run.path)
    if not is_ready(run, settings):
        if settings.project is None:
            raise _no_project(run, settings)
        with Project.open(settings.project) as project:
            undo.put_aside(run.path, run.dataset_dir.name)
            settings = prepare_run(project, settings, run.path, progress, cancelled)
    _refuse_unfit(run, settings)
    run.save_config(settings)
    return run


def planned_data(run: Run, settings: TrainingConfig) -> TrainingConfig:
    """Return `settings` with the data set that `ready_run` would give `run`, which need not be
    there; nothing is written. Raises as `ready_run` does.
    """
    if not is_ready(run, settings):
        if settings.project is None:
            raise _no_project(run, settings)
        with Project.open(settings.project) as project:
            info = plan_dataset(project, settings).info(Path("dataset"))
        settings = settings.with_changes(dataset=info)
    _refuse_unfit(run, settings)
    return settings


def _refuse_unfit(run: Run, settings: TrainingConfig) -> None:
    """Raise ConfigError if `run` cannot go on from its checkpoint with `settings`.

    The trainer looks again: a checkpoint that cannot be read without torch passes here.
    """
    info = peek_info(settings.resume) if settings.resume is not None else None
    if info is not None:
        own = info.path.parent.resolve() == run.path.resolve()
        check_resume(info, settings, finishing=own)


def _no_project(run: Run, settings: TrainingConfig) -> ConfigError:
    if settings.dataset is None:
        return ConfigError("No project was chosen to train on.", "Name one with --project.")
    return ConfigError(
        f"The data set of the run '{clean(run.name)}' is gone from "
        f"'{clean(str(settings.dataset_dir(run.path)))}', and it names no project to make it from.",
        "Bring it back, or give the project with --project.",
    )


def is_ready(run: Run, settings: TrainingConfig) -> bool:
    """Return whether the data set that `settings` name for `run` is there."""
    if settings.dataset is None:
        return False
    folder = settings.dataset_dir(run.path)
    return all((folder / split / ANNOTATIONS).is_file() for split in ("train", "valid"))
