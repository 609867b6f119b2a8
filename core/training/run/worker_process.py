"""Which process trains a run, and whether it still lives: `worker.json` in the run folder."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from core.common.files import read_plain, write_json
from core.common.hardware import SAME_START_S, process_lives
from core.common.parse import ParseError, parse_json
from core.data.store.lock import hostname
from core.late import late

if TYPE_CHECKING:
    import psutil
else:
    psutil = late("psutil")

WORKER_FILE = "worker.json"

State = Literal[
    "waiting", "prepared", "queued", "preparing", "running", "stopping", "stopped", "finished",
    "failed", "lost", "unreadable",
]  # fmt: skip
ENDED: tuple[State, ...] = ("stopped", "finished", "failed", "lost")
# What nobody is known to train.
AT_REST: tuple[State, ...] = (*ENDED, "waiting", "prepared", "unreadable")


class Worker(msgspec.Struct, frozen=True, kw_only=True):
    """The process that trains a run, as `worker.json` holds it.

    `create_time` is when the process started and `since` when it took the run over (Unix seconds);
    `stopping` is set when it was asked to stop. `again` is set while a scheduler is to start it
    again by itself, so that a stop is no end. Before a cluster's job has begun, `pid` is 0 and
    `host` names the cluster.
    """

    pid: int
    host: str
    create_time: float
    since: float = 0.0
    stopping: bool = False
    again: bool = False

    def alive(self) -> bool | None:
        """Return whether the process lives; None if it is on another machine."""
        if self.host != hostname():
            return None
        return process_lives(self.pid, self.create_time)


def decode_worker(data: bytes) -> Worker | None:
    """Return the worker in the bytes of a `worker.json`, None if they hold none."""
    try:
        return parse_json(data, Worker)
    except ParseError:
        return None


def read_worker(run_dir: Path) -> Worker | None:
    """Return the process recorded in `run_dir`, None if there is none."""
    try:
        return decode_worker(read_plain(run_dir / WORKER_FILE))
    except OSError:
        return None


def write_worker(run_dir: Path, pid: int | None = None, since: float | None = None) -> Worker:
    """Record `pid` (this process if None) as the one that trains the run in `run_dir`.

    `since` is from when its events count, now if None. A process that is recorded already and was
    asked to stop stays so.
    """
    number = os.getpid() if pid is None else pid
    before = read_worker(run_dir)
    try:
        started = psutil.Process(number).create_time()
    except psutil.Error:  # gone already, which the next look will tell
        started = time.time()
    worker = Worker(
        pid=number,
        host=hostname(),
        create_time=started,
        since=time.time() if since is None else since,
    )
    if before is not None and before.stopping and _same(before, worker):
        worker = msgspec.structs.replace(worker, stopping=True)
    save_worker(run_dir, worker)
    return worker


def forget_worker(run_dir: Path) -> None:
    """Record that no process has trained the run in `run_dir`."""
    (run_dir / WORKER_FILE).unlink(missing_ok=True)


def mark_stopping(run_dir: Path) -> None:
    """Note that the run in `run_dir` was asked to stop; nothing happens if no process is known."""
    worker = read_worker(run_dir)
    if worker is not None and not worker.stopping:
        save_worker(run_dir, msgspec.structs.replace(worker, stopping=True))


def mark_again(run_dir: Path, again: bool) -> None:
    """Note whether the run in `run_dir` is started again by itself when it has stopped."""
    worker = read_worker(run_dir)
    if worker is not None and worker.again != again:
        save_worker(run_dir, msgspec.structs.replace(worker, again=again))


def expect_worker(run_dir: Path, host: str) -> Worker:
    """Record that `host` (a cluster) will train the run in `run_dir`, from now on."""
    now = time.time()
    worker = Worker(pid=0, host=host, create_time=now, since=now)
    save_worker(run_dir, worker)
    return worker


def unstarted_state(*, prepared: bool, swept: bool) -> State:
    """Return the state of a run that nobody has started: its data set is `prepared`, it is a
    sweep's to start (`swept`).
    """
    return "waiting" if swept else "prepared" if prepared else "preparing"


def derive_state(
    ended: State | None,
    last_event: float | None,
    worker: Worker | None,
    alive: bool | None,
    unstarted: State = "preparing",
) -> State:
    """Return a run's state from what is known of it.

    `ended` is the end that its events tell, if nothing started after it; `last_event` the Unix time
    of its newest event; `alive` what `Worker.alive` said *before* the events were read, because a
    worker writes its end and is gone. `unstarted` is what it is called while nobody has
    started it (`unstarted_state`).
    """
    if worker is None and last_event is None and ended is None:
        return unstarted
    if worker is None:
        return ended or "lost"
    since = worker.since or worker.create_time - 1.0  # the kernel counts starts in whole seconds
    waiting = last_event is None or last_event < since
    if ended is not None and not waiting:
        return "preparing" if worker.again and ended == "stopped" else ended
    if alive is False:
        # Asked to stop before it had begun: there is nothing that could be lost.
        return "stopped" if worker.stopping and waiting else "lost"
    if worker.stopping:
        return "stopping"
    return "preparing" if waiting else "running"


def _same(one: Worker, other: Worker) -> bool:
    near = abs(one.create_time - other.create_time) < SAME_START_S
    return near and (one.pid, one.host) == (other.pid, other.host)


def save_worker(run_dir: Path, worker: Worker) -> None:
    """Record `worker` as it is."""
    values: dict[str, Any] = msgspec.to_builtins(worker)
    write_json(run_dir / WORKER_FILE, values)
