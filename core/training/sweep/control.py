"""Starting, stopping, going on with and cancelling a sweep, from the command line and the app."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from core.common.errors import RunError
from core.common.text import clean, shell_word
from core.common.workspace import Workspace
from core.data.store.lock import hostname
from core.processes.child_process import python_command, start_detached
from core.training.launch.dataset import Progress
from core.training.run.delete import delete_run
from core.training.run.run import Run, cannot_write
from core.training.run.worker_process import mark_stopping, write_worker
from core.training.sweep.prepare import make_sweep, prepare_rest
from core.training.sweep.runner import stop_with_sweep
from core.training.sweep.sweep import Sweep, is_at_rest, state_of


def start_sweep(
    workspace: Workspace,
    values: Mapping[str, Any],
    words: Sequence[str],
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Sweep:
    """Make a sweep of the settings `values` and the choices `words`, and start working it off.

    The process that does outlives whoever started it. Raises as `make_sweep` does, which leaves
    nothing behind.
    """
    sweep = make_sweep(workspace, values, words, progress, cancelled)
    launch(sweep)
    return sweep


def resume_sweep(
    sweep: Sweep,
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> None:
    """Go on with a sweep whose process is gone: with its runs that were lost or stopped with it
    from their last checkpoints, then with those that wait.

    What was not prepared when it was killed is prepared first. Raises RunError when it is worked
    off already, or nothing is left to do, and what preparing raises.
    """
    if sweep.is_worked_off():
        raise RunError(f"The sweep '{clean(sweep.name)}' is {sweep.state()}.", _see(sweep))
    if sweep.state() == "finished":
        raise RunError(
            f"The sweep '{clean(sweep.name)}' has nothing left to train.",
            "A run that failed or was stopped goes on with batman train --resume RUN.",
        )
    with sweep.locked():
        prepare_rest(sweep, progress, cancelled)
    launch(sweep)


def stop_sweep(sweep: Sweep) -> None:
    """Stop the run that trains, with a checkpoint, and begin no other; `resume_sweep` goes on.

    Raises RunError when nothing of it goes on, or that is on another machine.
    """
    worker = sweep.worker()
    if worker is not None and sweep.is_worked_off():
        if worker.host != hostname():
            raise RunError(
                f"The sweep '{clean(sweep.name)}' is worked off on {clean(worker.host)}.",
                "Stop it there.",
            )
        mark_stopping(sweep.path)
        try:
            os.kill(worker.pid, signal.SIGTERM)
        except (ProcessLookupError, PermissionError) as error:
            raise RunError(
                f"The sweep '{clean(sweep.name)}' cannot be stopped: {error.strerror}.",
                _see(sweep),
            ) from None
        return
    going = [run for run in sweep.runs() if not is_at_rest(state_of(run, sweep.left()))]
    if not going:
        raise RunError(f"The sweep '{clean(sweep.name)}' is not running.", _see(sweep))
    for run in going:  # its process was killed, and what it had started trains on
        stop_with_sweep(sweep, run)


def cancel_rest(sweep: Sweep) -> list[str]:
    """Give up the runs that have not begun, and return their names; what trains goes on.

    Their folders, which hold nothing but settings and data, are removed. Raises RunError when none
    waits.
    """
    with sweep.turn():
        left = sweep.left()
        waiting = [run for run in sweep.runs() if state_of(run, left) == "waiting"]
        if not waiting:
            raise RunError(f"No run of the sweep '{clean(sweep.name)}' waits.", _see(sweep))
        names = [run.name for run in waiting]
        # Said first: killed in between, what is left of them is seen to be cancelled.
        sweep.write_left(cancelled=[*left.cancelled, *names])
        for run in waiting:
            delete_run(run)
    return names


def current_run(sweep: Sweep) -> Run | None:
    """Return the run of a sweep that trains now, None if none does."""
    left = sweep.left()
    return next((run for run in sweep.runs() if not is_at_rest(state_of(run, left))), None)


def launch(sweep: Sweep) -> int:
    """Start the process that works a sweep off, and return its number; it outlives us.

    Raises RunError when the system starts none, or its folder cannot be written to.
    """
    since = time.time()
    try:
        log = sweep.log_file.open("ab")
    except OSError as error:
        raise cannot_write(sweep.path, error) from None
    with log:
        command = python_command("core.training.sweep.runner", str(sweep.path.absolute()))
        pid = start_detached(command, sweep.path, log, f"The sweep '{clean(sweep.name)}'")
    try:
        write_worker(sweep.path, pid, since)
    except OSError as error:
        raise cannot_write(sweep.path, error) from error
    return pid


def _see(sweep: Sweep) -> str:
    return f"See batman sweeps show {shell_word(sweep.name)}."
