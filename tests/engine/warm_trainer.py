"""Trainers for tests that have torch and rfdetr imported when they start.

Importing them is more than half of the processor time of a run of one epoch (11.6 of 21 seconds),
and two dozen runs of these tests would each pay it. So one process a session imports them and
forks a trainer when one is wanted; all else is as `python -m core.training.worker` has it: a
process of its own in its own session, its output in `train.log`, ended by signals, replaced by
exec when memory runs out. Tests about how a trainer starts take the real command.
"""

from __future__ import annotations

import atexit
import contextlib
import multiprocessing
import multiprocessing.process
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Mapping
from multiprocessing.context import ForkServerContext
from pathlib import Path

# What the trainer imports when it builds a run (`core.training.worker.build`).
_PRELOADED = ["core.training.worker.session", "core.training.worker.build"]
_made: list[ForkServerContext] = []


class WarmTrainer:
    """A trainer in a process of its own, with the methods of `subprocess.Popen` that tests use."""

    def __init__(self, run: Path, log: Path, env: Mapping[str, str], script: str = "") -> None:
        """Begin `python -m core.training.worker RUN`, or `python SCRIPT RUN`."""
        log.touch()
        # As a daemon it does not outlive the session of tests, should one of them fail.
        self._process = _context().Process(
            target=_train, args=(str(run), str(log), dict(env), script), daemon=True
        )
        self._process.start()
        assert self._process.pid is not None
        self.pid: int = self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. One that takes longer than `timeout` is ended, with what it started.

        Python waits for its daemons when it ends: a trainer that hangs would hang the session.
        """
        self._process.join(timeout)
        if self._process.exitcode is None:
            self.end()
            raise subprocess.TimeoutExpired("core.training.worker", timeout or 0.0)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def end(self) -> None:
        """Kill it and all processes of its session, and wait until it is gone."""
        with contextlib.suppress(ProcessLookupError):  # before it has a session of its own
            os.killpg(self.pid, signal.SIGKILL)
        self.kill()
        self._process.join()


def _context() -> ForkServerContext:
    if not _made:
        context = multiprocessing.get_context("forkserver")
        # Read by libraries when they are imported; the trainer itself sets them first of all.
        before = dict(os.environ)
        try:
            os.environ.update(OMP_WAIT_POLICY="passive", NO_COLOR="1", TERM="dumb")
            context.set_forkserver_preload(_PRELOADED)
            context.Process(target=_nothing).start()
        finally:
            os.environ.clear()
            os.environ.update(before)
        _made.append(context)
    return _made[0]


def _nothing() -> None:
    pass


def _train(run: str, log: str, env: dict[str, str], script: str) -> None:
    os.setsid()
    multiprocessing.process.current_process()._config["daemon"] = False  # it starts loaders
    with Path(log).open("ab") as file, Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(run)
    words = [script, run] if script else ["-m", "core.training.worker", run]
    sys.argv = words[-2:]
    sys.orig_argv = [sys.executable, *words]

    from core.training.log.train_log import drop_unsaid
    from core.training.worker.main import main

    if script:
        with contextlib.ExitStack() as ends:
            ends.callback(drop_unsaid)
            ends.callback(atexit._run_exitfuncs)
            runpy.run_path(script, run_name="__main__")
    code = main([run])
    atexit._run_exitfuncs()  # a forked process does not by itself
    drop_unsaid()
    sys.exit(code)
