"""Starts training on this machine, in a process of its own that outlives whoever started it."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from core.common.errors import RunError
from core.common.text import clean, shell_word
from core.processes.child_process import python_command, start_detached
from core.processes.installation import how_to_install
from core.training.launch.devices import require_devices_here
from core.training.launch.plan import (
    absolute_paths,
    plan_settings,
    refuse_used,
    resume_run,
    would_be_path,
)
from core.training.launch.pretrained_weights import require_weights
from core.training.launch.undo import undone_when_refused
from core.training.loggers.wandb_mlflow import require_services
from core.training.run.disk_space import require_room, reserve
from core.training.run.run import Run, cannot_write
from core.training.run.worker_process import write_worker

if TYPE_CHECKING:
    from core.common.workspace import Workspace
    from core.training.config.options import TrainingConfig
    from core.training.launch.dataset import Progress

# What the worker imports, and where it comes from.
_NEEDED = ("torch", "rfdetr")
_ACTIVE = ("preparing", "running", "stopping")


def require_trainer() -> None:
    """Raise RunError with the way to install it if training is not installed here."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise RunError(
            f"Training is not installed here: {' and '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} missing.",
            f"Install it with: {how_to_install('batman-tui[train]')}",
        )


def require_startable(config: TrainingConfig, run_dir: Path) -> None:
    """Raise what keeps `config` from being trained here, as far as it can be known without torch.

    Looks at what is installed, the devices, the first weights, and the disk of `run_dir`, which
    need not be there yet. Raises RunError, ConfigError and WeightsMissing.
    """
    require_trainer()
    require_services(config)
    if config.num_nodes > 1:
        raise RunError(
            "Several nodes train together on a cluster only.",
            "Submit the run with batman submit, or take one node.",
        )
    require_devices_here(config)
    if config.resume is None:  # else they are replaced by those of the checkpoint
        require_weights(config)
    require_room(config, next(path for path in (run_dir, *run_dir.parents) if path.exists()))


def worker_command(run: Run) -> list[str]:
    """Return the argument list that trains `run` with this Python."""
    return python_command("core.training.worker", str(run.path.absolute()))


def _log(run: Run) -> BinaryIO:
    try:
        return run.log_file.open("ab")
    except OSError as error:
        raise cannot_write(run.path, error) from None


def start_local(
    workspace: Workspace,
    config: TrainingConfig,
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    on_ready: Callable[[Run], None] = lambda run: None,
) -> Run:
    """Make or resume the run for `config`, tell it to `on_ready`, start training it and return it.

    Until its trainer is there, whatever goes wrong leaves nothing behind, and a resumed run as it
    was. Raises as `ready_run` and `launch_local` do.
    """
    from core.training.launch.prepare_run import ready_run  # imports the project's database

    there, settings = plan_settings(workspace, config, local=True)
    where = there.path if there else would_be_path(workspace, settings)
    require_startable(absolute_paths(workspace, settings), where)
    with undone_when_refused() as undo:
        run = ready_run(workspace, config, progress, cancelled, local=True, undo=undo)
        on_ready(run)
        launch_local(run, begun=undo.begun)
    return run


def would_start(
    workspace: Workspace, config: TrainingConfig
) -> tuple[Path, Run | None, TrainingConfig]:
    """Return what `start_local` would start: its folder, the run that would go on there (None: a
    new one), and its settings with the data set that it would prepare.

    Nothing is written. Raises what `start_local` would, up to the start of the process.
    """
    from core.training.launch.prepare_run import planned_data

    run, settings = plan_settings(workspace, config, local=True)
    where = run.path if run is not None else would_be_path(workspace, settings)
    settings = absolute_paths(workspace, settings.resolved())
    require_startable(settings, where)
    if run is None and settings.output_dir is not None:
        refuse_used(where)
    return where, run, planned_data(Run(where), settings)


def resume_local(run: Run, **changes: Any) -> None:
    """Go on with `run` from its last checkpoint, with `changes` to its settings.

    Raises as `resume_run` and `launch_local` do; the run is then as it was.
    """
    with undone_when_refused() as undo:
        undo.watch(run.path)
        launch_local(resume_run(run, **changes), begun=undo.begun)


def launch_local(
    run: Run,
    command: Sequence[str] | None = None,
    begun: Callable[[], None] = lambda: None,
) -> int:
    """Start training `run` in a detached process and return its process number.

    The process has its own session, so that neither our end nor a lost terminal reaches it; its
    output goes to `train.log`. `command` replaces `worker_command`, and `begun` is called once the
    process is there. Raises RunError when the run is running already, training is not installed,
    its folder cannot be written to, the disk cannot hold a checkpoint, or the system starts no
    process.
    """
    worker = run.worker()
    if worker is not None and worker.alive() is not False and run.state() in _ACTIVE:
        raise RunError(
            f"The run '{clean(run.name)}' is running already.",
            f"Watch it with batman watch {shell_word(run.name)}.",
        )
    if command is None:
        require_startable(run.config(), run.path)
        command = worker_command(run)
    since = time.time()
    reserve(run.path)
    with _log(run) as log:
        pid = start_detached(command, run.path, log, f"The trainer of '{clean(run.name)}'")
        begun()
    try:
        write_worker(run.path, pid, since)
    except OSError as error:
        raise cannot_write(run.path, error) from error
    return pid
