"""A sweep on disk: what it trains, in which run folders, and which process works it off.

`sweeps/NAME/` in the workspace has `sweep.json` (the plan, written before anything else is made),
`worker.json` (the process that works it off, as a run's), `left.json` (what was not begun or not
ended, and why) and `sweep.log`. How far a run of it is, its own folder tells.
"""

from __future__ import annotations

import contextlib
import fcntl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec

from core.common.errors import BatmanError, RunError
from core.common.files import read_typed_json, write_json
from core.common.text import clean, did_you_mean, sentence
from core.common.workspace import Workspace, entries_of, holds
from core.training.run.run import Run, cannot_write
from core.training.run.worker_process import AT_REST, State, Worker, read_worker

PLAN_FILE = "sweep.json"
LEFT_FILE = "left.json"
LOG_FILE = "sweep.log"
_LOCK, _TURN = ".runner.lock", ".turn.lock"
# A start holds the turn for as long as a process takes to begin.
_TURN_S = 60.0
_GONE_S = 5.0

SweepState = Literal["running", "stopping", "stopped", "finished"]
RunState = Literal[State, "cancelled", "gone"]


class Planned(msgspec.Struct, frozen=True):
    """A run of a sweep: its folder (from the workspace, if it lies there), the choices that make
    it, as typed, and its settings as JSON.
    """

    folder: str
    choices: dict[str, str]
    settings: dict[str, Any]


class Plan(msgspec.Struct, frozen=True):
    """What a sweep trains: `words` as typed (`lr=1e-4,5e-5`), when it was made (Unix seconds), its
    runs in their order, and whether all of their data sets were prepared.
    """

    words: list[str]
    created: float
    runs: list[Planned]
    prepared: bool = False
    version: int = 1


class Left(msgspec.Struct, frozen=True):
    """What a sweep left, by the names of runs: `stopped` with it, so that they go on with it,
    `cancelled` before they began, and those that could not be started, with the reason.
    """

    stopped: list[str] = []
    cancelled: list[str] = []
    refused: dict[str, str] = {}


class Sweep:
    """The folder of a sweep. Cheap to make; every call reads it as it is now."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.workspace = Workspace(path.parent.parent)

    @property
    def name(self) -> str:
        """The sweep's name: that of its folder."""
        return self.path.name

    @property
    def log_file(self) -> Path:
        """Where it is said what was started when, and what could not be."""
        return self.path / LOG_FILE

    def plan(self) -> Plan:
        """Return what it trains. Raises BatmanError when that cannot be read."""
        plan = read_typed_json(self.path / PLAN_FILE, Plan)
        if plan is None:
            raise RunError(f"There is no sweep in '{clean(str(self.path))}'.")
        return plan

    def left(self) -> Left:
        """Return what it left; nothing where that cannot be read."""
        try:
            return read_typed_json(self.path / LEFT_FILE, Left) or Left()
        except BatmanError:
            return Left()

    def write_left(self, **changes: Any) -> None:
        """Change what it left. For whoever has the turn."""
        write_json(
            self.path / LEFT_FILE,
            msgspec.to_builtins(msgspec.structs.replace(self.left(), **changes)),
        )

    def folder(self, planned: Planned) -> Path:
        """Return the folder of a run of it."""
        return self.workspace.root / planned.folder

    def runs(self) -> list[Run]:
        """Return its runs in their order; a folder need not be there."""
        return [Run(self.folder(planned)) for planned in self.plan().runs]

    def worker(self) -> Worker | None:
        """Return the process that works it off or last did."""
        return read_worker(self.path)

    def is_worked_off(self) -> bool:
        """Return whether a process works it off; one on another machine is believed to."""
        worker = self.worker()
        return worker is not None and worker.alive() is not False

    def state(self) -> SweepState:
        """Return its state; `stopped` is one that has runs to go on with, and no process."""
        if self.is_worked_off():
            worker = self.worker()
            return "stopping" if worker is not None and worker.stopping else "running"
        left = self.left()
        states = {run.name: state_of(run, left) for run in self.runs()}
        if not self.plan().prepared or any(goes_on(n, s, left) for n, s in states.items()):
            return "stopped"
        return "finished"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Work it off while the block runs. Raises RunError when another process does."""
        # One that was killed is gone a moment before what it held is free.
        with self._held(_LOCK, _GONE_S, "is worked off already", "See it with batman sweeps show."):
            yield

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Hold off whoever starts or cancels a run of it while the block runs, shortly."""
        hint = f"What it says is in {clean(str(self.log_file))}."
        with self._held(_TURN, _TURN_S, "does not answer", hint):
            yield

    @contextlib.contextmanager
    def _held(self, name: str, wait_s: float, said: str, hint: str) -> Iterator[None]:
        until = time.monotonic() + wait_s
        try:
            file = (self.path / name).open("a")
        except OSError as error:
            raise cannot_write(self.path, error) from None
        with file:
            while not _take(file.fileno()):
                if time.monotonic() > until:
                    raise RunError(f"The sweep '{clean(self.name)}' {said}.", hint)
                time.sleep(0.05)
            yield


def goes_on(name: str, state: RunState, left: Left) -> bool:
    """Return whether a sweep has something to do for its run `name` that is in `state`.

    What failed or was stopped by itself is left as it is, and what trains is waited for.
    """
    if state == "stopped":
        return name in left.stopped
    return state in ("waiting", "prepared", "preparing", "running", "stopping", "lost")


def state_of(run: Run, left: Left) -> RunState:
    """Return the state of a run of a sweep, whose folder may not be there any more."""
    if not holds(run.path, "training_config.json"):
        return "cancelled" if run.name in left.cancelled else "gone"
    state = run.state()
    return "cancelled" if state == "waiting" and run.name in left.cancelled else state


def sweeps_dir(workspace: Workspace) -> Path:
    """Return where the sweeps of a workspace lie."""
    return workspace.root / "sweeps"


def list_sweeps(workspace: Workspace) -> list[Sweep]:
    """Return the workspace's sweeps, the newest first."""
    parent = sweeps_dir(workspace)
    found = [entry.name for entry in entries_of(parent) if holds(parent / entry.name, PLAN_FILE)]
    paths = [parent / name for name in found]
    return [Sweep(path) for path in sorted(paths, key=_changed, reverse=True)]


def find_sweep(workspace: Workspace, name: str | None = None) -> Sweep:
    """Return the sweep `name`, without one the newest. Raises RunError naming the nearest."""
    sweeps = list_sweeps(workspace)
    if not sweeps:
        raise RunError(
            f"There are no sweeps in {clean(str(sweeps_dir(workspace)))}.",
            "Start one with batman train --sweep lr=1e-4,5e-5.",
        )
    for sweep in sweeps:
        if name is None or sweep.name == name:
            return sweep
    guess = did_you_mean(str(name), [sweep.name for sweep in sweeps])
    raise RunError(
        f"There is no sweep '{clean(str(name))}'.",
        sentence(guess) if guess else "List them with batman sweeps list.",
    )


def is_at_rest(state: RunState) -> bool:
    """Return whether nobody trains a run in `state`."""
    return state in AT_REST or state in ("cancelled", "gone")


def _changed(path: Path) -> tuple[float, str]:
    try:
        return (path / PLAN_FILE).stat().st_mtime, path.name
    except OSError:
        return 0.0, path.name


def _take(fd: int) -> bool:
    """Take a lock and return whether it was free; where there are no locks, it is."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
