"""The training process: `python -m core.training.worker RUN_DIR`.

Reads `training_config.json` in the run folder, trains rfdetr on the prepared data set, and writes
the run folder's files; it talks to nobody. Exit codes: 0 finished, 1 failed (a `failed` event says
why), 2 could not begin (no run folder, another worker has it, or the run is finished and this start
would add nothing to it or take it back: its folder stays as it is), 3 stopped on request with a
checkpoint. SIGTERM, SIGINT and SIGUSR1 stop it after the step under way, or at once before the
first one.

When a GPU's memory runs out, the process replaces itself (same pid) with one that takes half the
batch and adds up twice as many, and goes on from the last checkpoint.

With several GPUs (or `device=cpu` and `num_gpus=2`: two processes on the CPU) it starts one process
for each of them, unless torchrun or srun has. All train, the first one writes.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

import msgspec

from core.common.errors import BatmanError, RunError
from core.common.text import clean, plural
from core.processes.child_process import begin_process
from core.processes.light_imports import light_imports
from core.processes.light_torchmetrics import import_torchmetrics
from core.training.config.options import TrainingConfig
from core.training.launch.pretrained_weights import start_weights
from core.training.log.pump import LogPump
from core.training.log.quiet_libraries import quiet_warnings
from core.training.log.train_log import say, tell
from core.training.run import checkpoints
from core.training.run.disk_space import release, reserve
from core.training.run.events import (
    Event,
    EventWriter,
    Failed,
    Finished,
    Oom,
    Stopped,
    read_events,
)
from core.training.run.overwrite_guard import reached, refuse_setback
from core.training.run.run import cannot_write
from core.training.run.summary import epochs_done
from core.training.run.trained_time import trained_seconds
from core.training.run.worker_process import (
    Worker,
    forget_worker,
    mark_stopping,
    read_worker,
    save_worker,
    write_worker,
)
from core.training.warnings.failures import explain
from core.training.warnings.stall import Ticker
from core.training.worker.out_of_memory import restart, smaller_batch
from core.training.worker.peers import Peers
from core.training.worker.ranks import is_rank_zero
from core.training.worker.stop import StopRequest, TrainingStopped

if TYPE_CHECKING:
    from pytorch_lightning import Callback

    from core.training.worker.session import Session

FINISHED, FAILED, UNUSABLE, STOPPED = 0, 1, 2, 3

# How often a process looks after the others; how long the first waits to hear from a process that
# was lost, and how long it may hang after it has.
_LOOK_S, _NEWS_S, _HANGING_S = 1.0, 3.0, 5.0


def main(argv: Sequence[str] | None = None, *, callbacks: Sequence[Callback] = ()) -> int:
    """Train the run in the folder that `argv` names; return the exit code.

    `callbacks` are further Lightning callbacks, called before the recorder's.
    """
    begin_process()
    pump = LogPump.start()
    options = _parse(argv)
    run_dir: Path = options.run_dir.absolute()
    stop = StopRequest()
    stop.listen(at_once=True)
    _quiet_environment()
    try:
        # One process of several works for all: the others write nothing.
        with _locked(run_dir) if is_rank_zero() else contextlib.nullcontext():
            return _Worker(run_dir, options, stop, pump).run(callbacks)
    except TrainingStopped:
        # Still waiting for the lock: the events are another process's to write.
        say(f"stopped by {stop.reason} before it began")
        worker = read_worker(run_dir)
        if worker is not None and worker.pid == os.getpid():
            mark_stopping(run_dir)
        return STOPPED
    except BatmanError as error:
        say(f"error: {error.message} {error.hint}".rstrip(), sys.stderr)
        return UNUSABLE


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="core.training.worker", description=__doc__)
    parser.add_argument("run_dir", type=Path)
    # How the worker tells its successor after running out of memory.
    parser.add_argument("--attempt", type=int, default=1, help=argparse.SUPPRESS)
    parser.add_argument("--batching", type=int, nargs=2, default=None, help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def _quiet_environment() -> None:
    """Make train.log plain text, and keep idle threads from starving busy ones on a CPU."""
    os.environ.update(NO_COLOR="1", TERM="dumb", PYTHONUNBUFFERED="1")
    os.environ.pop("FORCE_COLOR", None)
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    quiet_warnings()


# Where a scheduler starts the run again, its last process may hold the lock for a while: a file
# server frees the locks of a node that has gone after a minute or two (NFS's lease is 90 s).
LOCK_WAIT = "BATMAN_LOCK_WAIT"


@contextlib.contextmanager
def _locked(run_dir: Path) -> Iterator[None]:
    """Hold the run folder's lock, waiting for it as many seconds as the environment says.

    Raises RunError when another worker holds it, or no folder. A file system without locks, as
    Lustre is at some sites, is trained on without one.
    """
    if not (run_dir / "training_config.json").is_file():
        raise RunError(
            f"There is no training_config.json in '{clean(str(run_dir))}'.",
            "Prepare a run with batman train, or give another folder.",
        )
    seconds = os.environ.get(LOCK_WAIT, "")
    until = time.monotonic() + (float(seconds) if seconds.isdigit() else 0.0)
    try:
        file = (run_dir / ".worker.lock").open("a")
    except OSError as error:
        raise cannot_write(run_dir, error) from None
    with file as lock:
        while not _take(lock):
            if time.monotonic() >= until:
                raise RunError(
                    f"The run '{clean(run_dir.name)}' is being trained already.",
                    "Watch it with batman watch, or stop it first.",
                )
            time.sleep(0.5)
        yield


def _take(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        say("this file system has no locks: mind that nobody else trains this run")
    return True


class _NotBegun(Exception):
    """Training was not begun, for the reason `why`; nothing in the folder was touched."""

    def __init__(self, why: BatmanError) -> None:
        super().__init__(why.message)
        self.why = why


class _Worker:
    def __init__(
        self,
        run_dir: Path,
        options: argparse.Namespace,
        stop: StopRequest,
        pump: LogPump | None = None,
    ) -> None:
        self.pump = pump
        self.run_dir = run_dir
        self.options = options
        self.stop = stop
        self.session: Session | None = None
        path = run_dir / "events.jsonl"
        self.earlier: list[Event] = read_events(path.read_bytes())[0] if path.exists() else []
        try:
            self.events = EventWriter(path)
        except OSError as error:
            raise cannot_write(run_dir, error) from None
        self.peers = Peers(run_dir, first=is_rank_zero())
        self._ending = threading.Lock()
        self._heard_at: float | None = None

    def run(self, callbacks: Sequence[Callback]) -> int:
        announced = read_worker(self.run_dir)
        clock = Ticker(self._look_at_peers, _LOOK_S)
        try:
            if self.peers.first:
                reserve(self.run_dir)
                write_worker(self.run_dir)
            code = self._train(callbacks)
        except TrainingStopped:
            code = self._stopped_early()
        except _NotBegun as error:
            if self.peers.first and self._at_rest(announced):
                self._as_it_was(announced)
                raise error.why from None
            code = self._ended_by(error.why)
        except Exception as error:  # whatever it is, the run folder must say that it ended
            code = self._ended_by(error)
        finally:
            clock.close()
            if self.peers.first:
                release(self.run_dir)
        # Lightning takes another code of a process that it started for a crash, and kills us all.
        return FINISHED if self.peers.ours and not self.peers.first else code

    def _look_at_peers(self) -> None:
        """End this process when the others cannot go on; called by a clock, in its own thread."""
        if self.peers.orphaned():
            os._exit(FAILED)
        failed = self.peers.heard() if self.peers.first else None
        if failed is None:
            return
        self._heard_at = self._heard_at or time.monotonic()
        # In most cases the loss of the connection ends the training loop by itself.
        hanging = time.monotonic() - self._heard_at > _HANGING_S
        if hanging and self._ending.acquire(blocking=False):
            os._exit(self._ended_with(failed))

    def _at_rest(self, announced: Worker | None) -> bool:
        """Tell whether the run is finished and nobody waits for news of this start of it."""
        last = self.earlier[-1] if self.earlier else None
        waited_for = announced is not None and last is not None and announced.since > last.t
        return isinstance(last, Finished) and not waited_for

    def _as_it_was(self, announced: Worker | None) -> None:
        if announced is None:
            forget_worker(self.run_dir)
        else:
            save_worker(self.run_dir, announced)

    def _begin_from(
        self, config: TrainingConfig, config_time: float
    ) -> checkpoints.CheckpointInfo | None:
        """Return the checkpoint to go on from, None for a start from the beginning.

        Raises _NotBegun when training from there would add nothing, or throw something away.
        """
        try:
            resume = checkpoints.choose_resume(self.run_dir, config, self.earlier, config_time)
            info = None if resume is None else checkpoints.read_info(resume)
            best = checkpoints.read_best(self.run_dir / checkpoints.BEST)
            # A kill between a best model and its checkpoint leaves the model an epoch ahead.
            told = max(epochs_done(self.earlier), best.epoch - 1 if best else 0)
            at = reached(self.run_dir, told)
            refuse_setback(self.run_dir, config, at, resume, info.epoch if info else None)
            if info is not None:
                ended = bool(self.earlier) and isinstance(self.earlier[-1], Finished)
                own = info.path.parent.resolve() == self.run_dir.resolve()
                checkpoints.check_resume(info, config, finishing=own and not ended)
        except BatmanError as error:
            raise _NotBegun(error) from None
        return info

    def _train(self, callbacks: Sequence[Callback]) -> int:
        path = self.run_dir / "training_config.json"
        config = TrainingConfig.load(path)
        checkpoints.remove_leftovers(self.run_dir)
        info = self._begin_from(config, path.stat().st_mtime)
        weights = None if info else start_weights(config)
        epochs = plural(config.epochs, "epoch", "epochs")
        say(f"training {self.run_dir.name}: {config.model}, {epochs}; loading rfdetr")
        with light_imports():
            import_torchmetrics()
            from core.training.worker.session import Session

        self.session = session = Session(
            self.run_dir,
            config,
            write=self.events.write,
            say=say,
            earlier=self.earlier,
            config_time=path.stat().st_mtime,
            resume=info,
            weights_file=weights,
            attempt=self.options.attempt,
            batching=self.options.batching,
            stop=self.stop,
        )
        session.train(callbacks)
        if session.stopped:
            return self._stopped(session.epoch, session.step)
        best = session.best
        self._end(
            Finished(
                epoch=session.epoch,
                step=session.step,
                best_epoch=best["epoch"] if best else 0,
                best_map50_95=best["map50_95"] if best else 0.0,
                best_map50=best["map50"] if best else 0.0,
                seconds=self._seconds(),
                reason=session.reason,
            )
        )
        session.leave("finished")
        return FINISHED

    def _stopped_early(self) -> int:
        """Say that it stopped before its first step: the folder stays as it is."""
        say(f"stopped by {self.stop.reason} before the first step")
        if self.session is not None:
            return self._stopped(self.session.epoch, self.session.step)
        steps = (event.step for event in reversed(self.earlier) if hasattr(event, "step"))
        return self._stopped(epochs_done(self.earlier), next(steps, 0))

    def _stopped(self, epoch: int, step: int) -> int:
        reason = self.stop.reason or "request"
        self._end(Stopped(epoch=epoch, step=step, reason=reason, seconds=self._seconds()))
        if self.session is not None:
            self.session.leave("stopped")
        return STOPPED

    def _seconds(self) -> float:
        """Return how long the run has trained, in all its sessions."""
        now = self.session.seconds if self.session is not None else 0.0
        return round(max(now, trained_seconds(self.earlier)), 1)

    def _end(self, event: Event) -> None:
        if self.peers.first:
            self.events.write(event)

    def _ended_by(self, error: Exception) -> int:
        failed = explain(error)
        if not self.peers.first:
            self.peers.tell(failed)
            tell(failed.traceback, sys.stderr)
            return FAILED
        if self._several() and failed.kind in ("error", "run"):
            # This may be no more than the loss of a process that knows better.
            failed = self.peers.heard(_NEWS_S) or failed
        self._ending.acquire()  # one of two threads says it, and this one waits to be ended
        return self._ended_with(failed)

    def _ended_with(self, failed: Failed) -> int:
        """Go on with a smaller batch where that may help, else say how the run ended."""
        if failed.kind == "oom":
            smaller = self._smaller(failed)
            if smaller is not None:
                self._end(smaller)
                self._leave()
                restart(smaller, self.peers, self.pump)
        # First of all the run says its end, for which it has held room on a full disk.
        if self.peers.first:
            release(self.run_dir)
        try:
            self._end(msgspec.structs.replace(failed, seconds=self._seconds()))
        except OSError as error:
            say(f"its end could not be written: {error.strerror}", sys.stderr)
        say(f"failed: {failed.message} {failed.hint}".rstrip(), sys.stderr)
        tell(failed.traceback, sys.stderr)
        self._leave()
        return FAILED

    def _leave(self) -> None:
        if self.session is not None:
            self.session.leave("failed")

    def _smaller(self, failed: Failed) -> Oom | None:
        if self._several() and not self.peers.ours:
            return None
        return smaller_batch(self.session, failed, self.options.attempt)

    def _several(self) -> bool:
        batching = self.session.batching if self.session is not None else None
        return batching is not None and batching.world > 1
