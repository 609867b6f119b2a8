"""A run: the folder that passes between a trainer and whoever starts, stops or watches it."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.common.errors import BadName, BatmanError, RunError
from core.common.files import expand_user, leads_nowhere, open_plain, read_json, reason
from core.common.text import clean, did_you_mean, sentence
from core.common.workspace import Workspace, holds
from core.data.store.lock import hostname
from core.late import late
from core.training.run.damage import MIRROR_FILE, damage_beside
from core.training.run.events import CONFIG_FILE as CONFIG_FILE  # others know it from here
from core.training.run.events import Event, Failed, decode_event, read_events
from core.training.run.notes import read_notes
from core.training.run.results import RESULTS_FILE
from core.training.run.summary import (
    RunSummary,
    best_of,
    end_of,
    epochs_done,
    loss_of,
)
from core.training.run.trained_time import trained_seconds
from core.training.run.wait import Wait, waiting
from core.training.run.worker_process import (
    AT_REST,
    State,
    Worker,
    derive_state,
    mark_stopping,
    read_worker,
    unstarted_state,
)

if TYPE_CHECKING:
    import tempfile

    from core.training.config.options import TrainingConfig
else:
    tempfile = late("tempfile")

EVENTS_FILE = "events.jsonl"
LOG_FILE = "train.log"

# Enough for the newest epoch, validation and end even with per-class figures of 1,000 classes.
_TAIL_BYTES = 256 * 1024


class Run:
    """A run folder. Cheap to make; every call reads the folder as it is now."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    @property
    def name(self) -> str:
        """The run's name: that of its folder."""
        return self.path.name

    @property
    def events_file(self) -> Path:
        """Where the trainer appends its events."""
        return self.path / EVENTS_FILE

    @property
    def log_file(self) -> Path:
        """Where the trainer's output goes."""
        return self.path / LOG_FILE

    @property
    def dataset_dir(self) -> Path:
        """Where the run's own prepared data set lies."""
        return self.path / "dataset"

    @property
    def is_copy(self) -> bool:
        """Whether the run was copied from a cluster, where its checkpoints may lie."""
        return (self.path / MIRROR_FILE).is_file()

    def config(self) -> TrainingConfig:
        """Return the run's settings. Raises ConfigError when they are missing or broken."""
        from core.training.config.options import TrainingConfig

        return TrainingConfig.load(self.path / CONFIG_FILE)

    def save_config(self, config: TrainingConfig) -> None:
        """Write the run's settings. Raises RunError when its folder cannot be written to."""
        try:
            config.save(self.path / CONFIG_FILE)
        except OSError as error:
            raise cannot_write(self.path, error) from None

    def worker(self) -> Worker | None:
        """Return the process that trains the run or last did, None if there was none."""
        return read_worker(self.path)

    def results(self) -> dict[str, Any] | None:
        """Return `results.json`, None while there is none. Raises BatmanError if it is broken."""
        path = self.path / RESULTS_FILE
        try:
            path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError:
            pass  # Reading says what is wrong.
        found = read_json(path)
        if not isinstance(found, dict):
            raise RunError(
                f"'{clean(str(path))}' does not hold a run's results.",
                "Put a copy from a backup in its place, or remove it.",
            )
        return found

    def state(self) -> State:
        """Return the run's state.

        `lost` means that its process ended without saying how, `prepared` that nobody has started
        it, `waiting` that its sweep has not come to it, `unreadable` that the folder may not be
        read.
        """
        if self._refused():
            return "unreadable"
        worker = self.worker()
        alive = worker.alive() if worker else None
        events = self._tail()
        state = self._state(worker, alive, events)
        return "queued" if self._wait(state, worker, events) else state

    def stop(self) -> None:
        """Ask the run's process to stop after the current step, with a checkpoint.

        Raises RunError when it is not running or runs on another machine.
        """
        worker = self.worker()
        shown = f"The run '{clean(self.name)}'"
        if worker is None or self.state() in AT_REST:
            raise RunError(f"{shown} is not running.")
        if worker.host != hostname():
            raise RunError(
                f"{shown} runs on {clean(worker.host)}.",
                "Stop it there, or cancel its job if it is one.",
            )
        mark_stopping(self.path)
        try:
            os.kill(worker.pid, signal.SIGTERM)
        except ProcessLookupError:
            raise RunError(f"{shown} has just ended.") from None
        except PermissionError:
            raise RunError(
                f"{shown} belongs to another user.", "Ask them to stop it, or a superuser."
            ) from None

    def summary(self) -> RunSummary:
        """Return what a list shows; reads the ends of the event file, not all of it.

        Never raises for what is wrong in the folder: the summary says it in `error`.
        """
        try:
            return self._summary()
        except (BatmanError, OSError, ValueError, RecursionError) as error:
            said = error.message if isinstance(error, BatmanError) else clean(reason(error))
            return RunSummary(self.name, self.path, "unreadable", error=said)

    def _summary(self) -> RunSummary:
        refused = self._refused()
        if refused:
            return RunSummary(self.name, self.path, "unreadable", error=refused)
        worker = self.worker()
        alive = worker.alive() if worker else None
        events = self._tail()
        state = self._state(worker, alive, events)
        wait = self._wait(state, worker, events)
        if wait is not None:
            state = "queued"
        failure = next((e for e in reversed(events) if isinstance(e, Failed)), None)
        error = failure.message if failure and state == "failed" else ""
        said = read_notes(self.path)
        damage = damage_beside(self.path, said)
        try:
            config = self.config()
        except BatmanError as problem:
            return RunSummary(
                self.name,
                self.path,
                state if alive else "unreadable",
                error=problem.message,
                note=said.text,
                tags=said.tags,
                problem=damage,
            )
        from core.training.config.command_line import command_line

        best = best_of(self.path / RESULTS_FILE, events)
        started, updated = self._first_time(), events[-1].t if events else None
        return RunSummary(
            name=self.name,
            path=self.path,
            state=state,
            model=config.model,
            project=config.project.name if config.project else None,
            epochs=config.epochs,
            epoch=epochs_done(events),
            best_map50_95=best.map50_95,
            best_map50=best.map50,
            best_epoch=best.epoch,
            loss=loss_of(events),
            started_at=started,
            updated_at=updated,
            seconds=trained_seconds(events, started),
            error=error,
            note=said.text,
            tags=said.tags,
            problem=damage,
            settings=config.model_dump_json().encode(),
            sweep=config.sweep or "",
            wait=wait,
            command=command_line(config),
        )

    def _state(self, worker: Worker | None, alive: bool | None, events: list[Event]) -> State:
        last = events[-1].t if events else None
        unstarted: State = "preparing"
        if worker is None and not events:
            with contextlib.suppress(BatmanError):
                config = self.config()
                unstarted = unstarted_state(
                    prepared=config.dataset is not None, swept=config.sweep is not None
                )
        return derive_state(end_of(events), last, worker, alive, unstarted)

    def _wait(self, state: State, worker: Worker | None, events: list[Event]) -> Wait | None:
        return waiting(self.path, state, worker, events[-1].t if events else None)

    def _refused(self) -> str:
        """Return why the folder, or what it says of itself, may not be read; empty if it may."""
        for file in (CONFIG_FILE, EVENTS_FILE, "worker.json"):
            path = self.path / file
            try:
                open_plain(path).close()
            except (FileNotFoundError, NotADirectoryError):
                lost = next(filter(leads_nowhere, (path, self.path)), None)
                if lost is None:
                    continue
                path, why = lost, "it is a link that leads nowhere"
            except OSError as error:
                why = reason(error)
            else:
                continue
            return f"'{clean(str(path))}' cannot be read: {clean(why)}."
        return ""

    def _tail(self) -> list[Event]:
        """Return the last events; what a later start took back is still among them."""
        try:
            with open_plain(self.events_file) as file:
                size = file.seek(0, os.SEEK_END)
                start = max(0, size - _TAIL_BYTES)
                file.seek(start)
                data = file.read(_TAIL_BYTES)
        except OSError:
            return []
        if start:
            data = data[data.find(b"\n") + 1 :]
        return read_events(data)[0]

    def _first_time(self) -> float | None:
        try:
            with open_plain(self.events_file) as file:
                event = decode_event(file.readline(_TAIL_BYTES))
        except OSError:
            return None
        return event.t if event else None


def require_writable(run_dir: Path) -> None:
    """Raise RunError unless files can be made in the folder of a run."""
    try:
        tempfile.TemporaryFile(dir=run_dir).close()
    except OSError as error:
        raise cannot_write(run_dir, error) from None


def cannot_write(run_dir: Path, error: OSError) -> RunError:
    """Return the error that nothing can be written into the folder of a run."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        hint = "Free some space, and try again."
    elif error.errno == errno.EROFS:
        hint = "It lies on a file system that can only be read: copy it to another, with its files."
    else:
        hint = "Ask whoever owns it, or copy it to a folder of yours, with its files."
    return RunError(
        f"The folder of the run '{clean(run_dir.name)}' cannot be written to: {error.strerror}"
        f" ({clean(str(run_dir))}).",
        hint,
    )


def find_run(workspace: Workspace, name: str) -> Run:
    """Return the run with this name, or in this folder. Raises RunError naming the nearest."""
    for path in _candidates(workspace, name):
        if holds(path, CONFIG_FILE):
            return Run(path)
    paths = workspace.list_runs()
    for path in paths:
        # One that Batman did not make may have a name that it would not give.
        if path.name == name:
            return Run(path)
    guess = did_you_mean(name, [path.name for path in paths])
    raise RunError(
        f"There is no run '{clean(name)}' in {clean(str(workspace.runs_dir))}.",
        sentence(guess) if guess else "List them with batman runs list.",
    )


def latest_run(workspace: Workspace) -> Run:
    """Return the run that was active last. Raises RunError when there is none."""
    paths = workspace.list_runs()
    if not paths:
        raise RunError(
            f"There are no runs in {clean(str(workspace.runs_dir))}.",
            "Start one with batman train.",
        )
    return Run(paths[0])


def _candidates(workspace: Workspace, name: str) -> Iterator[Path]:
    with contextlib.suppress(BadName):
        yield workspace.run_path(name)
    yield existing(workspace, Path(name))


def existing(workspace: Workspace, path: Path) -> Path:
    """Return `path` made absolute: from the current folder if it is there, else the workspace."""
    path = expand_user(path)
    here = path.absolute()
    return here if os.path.lexists(here) else (workspace.root / path).absolute()
