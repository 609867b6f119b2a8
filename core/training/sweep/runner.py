"""The process that works a sweep off: `python -m core.training.sweep.runner SWEEP_DIR`.

It starts the runs of the sweep one after the other, each in a process of its own, and waits for
each. It keeps nothing in memory that is not on disk: killed at any moment, it is started again and
goes on. What has ended is never started again; a run that was lost, with its process or the
machine, goes on from its last checkpoint; one that fails, or cannot be started, does not hold up
the others. SIGTERM and SIGINT stop the run that trains, with a checkpoint, and end the process.

Exit codes: 0 nothing is left to do, 2 could not begin, 3 stopped on request.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from core.common.errors import BatmanError, Cancelled, RunError
from core.common.text import clean, duration
from core.processes.child_process import begin_process, listen_for_stop
from core.processes.tracebacks import traceback_text
from core.training.config.sweep import choice_words
from core.training.launch.local import launch_local, resume_local
from core.training.run.run import Run
from core.training.run.worker_process import mark_stopping, write_worker
from core.training.sweep.prepare import prepare_rest
from core.training.sweep.sweep import Planned, RunState, Sweep, is_at_rest, state_of

DONE, UNUSABLE, STOPPED = 0, 2, 3
LOOK_S = 0.5

Starter = Callable[[Run], object]


def main(argv: Sequence[str] | None = None) -> int:
    """Work off the sweep in the folder that `argv` names; return the exit code."""
    begin_process()
    parser = argparse.ArgumentParser(prog="core.training.sweep.runner", description=__doc__)
    parser.add_argument("sweep", type=Path)
    sweep = Sweep(parser.parse_args(argv).sweep.absolute())
    stopped = listen_for_stop()
    try:
        with sweep.locked():
            write_worker(sweep.path)
            _say(f"process {os.getpid()} works the sweep off")
            return Runner(sweep, stopped).run()
    except BatmanError as error:
        _say(f"error: {error.message} {error.hint}".rstrip())
        return UNUSABLE


class Runner:
    """Works one sweep off; `stopped` tells whether to stop. `start` and `resume` start a run."""

    def __init__(
        self,
        sweep: Sweep,
        stopped: Callable[[], bool],
        start: Starter = launch_local,
        resume: Starter = resume_local,
        look_s: float = LOOK_S,
    ) -> None:
        self._sweep = sweep
        self._stopped = stopped
        self._start = start
        self._resume = resume
        self._look_s = look_s

    def run(self) -> int:
        """Train what is left, in order; return the exit code."""
        sweep = self._sweep
        try:
            prepare_rest(sweep, cancelled=self._stopped)
        except Cancelled:
            return self._end(STOPPED)
        with sweep.turn():
            sweep.write_left(refused={})
        for planned in sweep.plan().runs:
            if self._stopped():
                break
            self._one(planned)
        if not self._stopped():
            return self._end(DONE)
        for run in sweep.runs():  # one may train on since a process before this one
            if not is_at_rest(state_of(run, sweep.left())):
                self._wait(run)
        return self._end(STOPPED)

    def _one(self, planned: Planned) -> None:
        """See one run to its end, if it has not ended."""
        sweep, run = self._sweep, Run(self._sweep.folder(planned))
        with sweep.turn():  # nobody cancels it in between
            state = state_of(run, sweep.left())
            start = self._starter(run, state)
            if start is not None:
                words = choice_words(planned.choices)
                going = "goes on" if start is self._resume else "begins"
                _say(f"{run.name} {going}: {words}")
                if not self._try(run, start):
                    return
            elif is_at_rest(state):
                return
        self._wait(run)

    def _starter(self, run: Run, state: RunState) -> Starter | None:
        """Return what sets a run going that is in `state`; None for one that goes on, or ended."""
        left = self._sweep.left()
        if state in ("waiting", "prepared"):
            return self._start
        if state == "lost" or (state == "stopped" and run.name in left.stopped):
            return self._resume
        return None

    def _try(self, run: Run, start: Starter) -> bool:
        """Set a run going; whatever keeps it from that is noted, and the others go on."""
        left = self._sweep.left()
        self._sweep.write_left(stopped=[name for name in left.stopped if name != run.name])
        try:
            start(run)
        except BatmanError as error:
            why = f"{error.message} {error.hint}".strip()
        except Exception as error:
            _say(traceback_text(error))
            why = f"{type(error).__name__}: {error}"
        else:
            return True
        _say(f"{run.name} cannot be started: {why}")
        self._sweep.write_left(refused={**self._sweep.left().refused, run.name: clean(why)})
        return False

    def _wait(self, run: Run) -> None:
        """Wait for the end of a run; when it is to stop, stop it."""
        asked = False
        while not is_at_rest(state := state_of(run, self._sweep.left())):
            if self._stopped() and not asked:
                asked = True
                mark_stopping(self._sweep.path)
                stop_with_sweep(self._sweep, run)
            time.sleep(self._look_s)
        summary = run.summary()
        score = "" if summary.best_map50_95 is None else f", mAP50-95 {summary.best_map50_95:.3f}"
        why = f": {summary.error}" if summary.error else ""
        _say(f"{run.name} {state} after {duration(summary.seconds)}{score}{why}")

    def _end(self, code: int) -> int:
        _say("stopped; what is left waits" if code == STOPPED else "nothing is left to train")
        return code


def stop_with_sweep(sweep: Sweep, run: Run) -> None:
    """Stop a run that trains so that it goes on with its sweep, and not before."""
    with sweep.turn():
        left = sweep.left()
        if run.name not in left.stopped:
            sweep.write_left(stopped=[*left.stopped, run.name])
    with contextlib.suppress(RunError):  # one that has just ended needs no stopping
        run.stop()


def _say(text: str) -> None:
    """Say something in the log, with the time."""
    sys.stdout.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {clean(text)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
