"""From what a person chose to a run that is ready to be launched, here or on a cluster."""

from __future__ import annotations

from collections.abc import Callable

from core.common.errors import ConfigError
from core.common.temporary import remove_tree
from core.common.text import clean
from core.common.workspace import Workspace
from core.data.store import Project
from core.training.config.options import TrainingConfig
from core.training.launch.dataset import ANNOTATIONS, Progress, prepare_run
from core.training.launch.plan import plan_run
from core.training.run.run import CONFIG_FILE, Run, require_writable


def ready_run(
    workspace: Workspace,
    config: TrainingConfig,
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    *,
    local: bool = False,
) -> Run:
    """Return the run to launch for `config`: its folder made or resumed, its data set prepared.

    `local` is as for `plan_settings`. A resumed run keeps its data set unless what goes into it was
    changed. When something fails, a resumed run keeps its settings, and a folder that was made for
    a new one is gone again. Raises RunError, ConfigError, ProjectError and Cancelled.
    """
    run, settings = plan_run(workspace, config, local=local)
    made = _holds_settings_only(run)
    try:
        require_writable(run.path)
        if not _is_ready(run, settings):
            if settings.project is None:
                raise _no_project(run, settings)
            with Project.open(settings.project) as project:
                settings = prepare_run(project, settings, run.path, progress, cancelled)
        run.save_config(settings)
    except BaseException:
        if made:
            remove_tree(run.path)
        raise
    return run


def _holds_settings_only(run: Run) -> bool:
    try:
        return [path.name for path in run.path.iterdir()] == [CONFIG_FILE]
    except OSError:
        return False


def _no_project(run: Run, settings: TrainingConfig) -> ConfigError:
    if settings.dataset is None:
        return ConfigError("No project was chosen to train on.", "Name one with --project.")
    return ConfigError(
        f"The data set of the run '{clean(run.name)}' is gone from "
        f"'{clean(str(settings.dataset_dir(run.path)))}', and it names no project to make it from.",
        "Bring it back, or give the project with --project.",
    )


def _is_ready(run: Run, settings: TrainingConfig) -> bool:
    if settings.dataset is None:
        return False
    folder = settings.dataset_dir(run.path)
    return all((folder / split / ANNOTATIONS).is_file() for split in ("train", "valid"))
