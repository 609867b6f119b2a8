"""Starts training on this machine, in a process of its own that outlives whoever started it."""

from __future__ import annotations

import importlib.util
import subprocess
import threading
import time
from collections.abc import Sequence
from typing import BinaryIO

from core.common.errors import RunError
from core.common.text import clean
from core.processes.child_process import python_command, python_environment
from core.training.loggers.wandb_mlflow import require_services
from core.training.run.disk_space import require_room, reserve
from core.training.run.run import Run, cannot_write
from core.training.run.worker_process import write_worker

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
            "Install it with uv sync --extra train, or pip install 'batman-tui[train]'.",
        )


def worker_command(run: Run) -> list[str]:
    """Return the argument list that trains `run` with this Python."""
    return python_command("core.training.worker", str(run.path.absolute()))


def _log(run: Run) -> BinaryIO:
    try:
        return run.log_file.open("ab")
    except OSError as error:
        raise cannot_write(run.path, error) from None


def launch_local(run: Run, command: Sequence[str] | None = None) -> int:
    """Start training `run` in a detached process and return its process number.

    The process has its own session, so that neither our end nor a lost terminal reaches it; its
    output goes to `train.log`. `command` replaces `worker_command`. Raises RunError when the run is
    running already, training is not installed, its folder cannot be written to, or the disk cannot
    hold a checkpoint.
    """
    worker = run.worker()
    if worker is not None and worker.alive() is not False and run.state() in _ACTIVE:
        raise RunError(
            f"The run '{clean(run.name)}' is running already.",
            f"Watch it with batman watch {clean(run.name)}.",
        )
    if command is None:
        require_trainer()
        require_services(run.config())
        if run.config().num_nodes > 1:
            raise RunError(
                "Several nodes train together on a cluster only.",
                "Submit the run with batman submit, or take one node.",
            )
        require_room(run.config(), run.path)
        command = worker_command(run)
    since = time.time()
    reserve(run.path)
    with _log(run) as log:
        process = subprocess.Popen(
            list(command),
            cwd=run.path,
            env=python_environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    write_worker(run.path, process.pid, since)
    # While we live, a worker that ends is waited for, or it would stay as a zombie.
    threading.Thread(target=process.wait, name=f"wait-{run.name}", daemon=True).start()
    return process.pid
