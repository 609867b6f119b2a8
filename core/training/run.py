"""A run: the folder that passes between a trainer and whoever starts, stops or watches it."""

from __future__ import annotations

import contextlib
import os
import re
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from core.errors import BadName, BatmanError, ConfigError, RunError
from core.files import read_json, safe_name
from core.store.lock import hostname
from core.text import clean, did_you_mean, plural, sentence
from core.training.checkpoints import LAST as LAST_CHECKPOINT
from core.training.checkpoints import require_state
from core.training.config import TrainingConfig
from core.training.events import Event, Failed, decode_event, read_events
from core.training.notes import read_notes
from core.training.process import (
    ENDED,
    State,
    Worker,
    derive_state,
    mark_stopping,
    read_worker,
)
from core.training.summary import (
    RunSummary,
    best_of,
    end_of,
    epochs_done,
    loss_of,
    seconds_of,
)
from core.workspace import Workspace

CONFIG_FILE = "training_config.json"
EVENTS_FILE = "events.jsonl"
RESULTS_FILE = "results.json"
LOG_FILE = "train.log"

# What goes into the prepared data set: when it changes, the set has to be made again.
_DATA_OPTIONS = (
    *("project", "filter_classes", "max_per_class", "balance"),
    *("splits", "split_policy", "seed"),
)

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

    def config(self) -> TrainingConfig:
        """Return the run's settings. Raises ConfigError when they are missing or broken."""
        return TrainingConfig.load(self.path / CONFIG_FILE)

    def save_config(self, config: TrainingConfig) -> None:
        """Write the run's settings."""
        config.save(self.path / CONFIG_FILE)

    def worker(self) -> Worker | None:
        """Return the process that trains the run or last did, None if there was none."""
        return read_worker(self.path)

    def results(self) -> dict[str, Any] | None:
        """Return `results.json`, None while there is none. Raises BatmanError if it is broken."""
        path = self.path / RESULTS_FILE
        return dict(read_json(path)) if path.is_file() else None

    def state(self) -> State:
        """Return the run's state; `lost` means its process ended without saying how."""
        worker = self.worker()
        alive = worker.alive() if worker else None
        events = self._tail()
        return derive_state(end_of(events), events[-1].t if events else None, worker, alive)

    def stop(self) -> None:
        """Ask the run's process to stop after the current step, with a checkpoint.

        Raises RunError when it is not running or runs on another machine.
        """
        worker = self.worker()
        shown = f"The run '{clean(self.name)}'"
        if worker is None or self.state() in ENDED:
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
        """Return what a list shows; reads the ends of the event file, not all of it."""
        worker = self.worker()
        alive = worker.alive() if worker else None
        events = self._tail()
        state = derive_state(end_of(events), events[-1].t if events else None, worker, alive)
        failure = next((e for e in reversed(events) if isinstance(e, Failed)), None)
        error = failure.message if failure and state == "failed" else ""
        said = read_notes(self.path)
        try:
            config = self.config()
        except BatmanError as problem:
            return RunSummary(
                self.name,
                self.path,
                state,
                error=problem.message,
                note=said.text,
                tags=said.tags,
            )
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
            seconds=seconds_of(events, started),
            error=error,
            note=said.text,
            tags=said.tags,
            config=config,
        )

    def _tail(self) -> list[Event]:
        """Return the last events; what a later start took back is still among them."""
        try:
            with self.events_file.open("rb") as file:
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
            with self.events_file.open("rb") as file:
                event = decode_event(file.readline(_TAIL_BYTES))
        except OSError:
            return None
        return event.t if event else None


def create_run(workspace: Workspace, config: TrainingConfig) -> Run:
    """Make the folder of a new run and write its settings, with paths made absolute.

    The folder is the config's `output_dir`, relative to the workspace, or else
    `runs/<project>-<model>-<number>`. An image size that the model cannot take gives way to the
    nearest, with a note. Raises RunError when the folder holds a run already.
    """
    config = _absolute(workspace, config.resolved())
    if config.output_dir is None:
        path = _new_folder(workspace, config)
    else:
        path = (workspace.root / config.output_dir.expanduser()).absolute()
        _refuse_used(path)
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _cannot_make(path, error) from None
    run = Run(path)
    run.save_config(config.with_changes(output_dir=path))
    return run


def resume_run(run: Run, checkpoint: Path | None = None, **changes: Any) -> Run:
    """Ready `run` to go on in its own folder from `checkpoint` (default: its last one).

    `changes` to its settings are written, such as more epochs; its data set is forgotten when they
    say what goes into it. Without any checkpoint the run was lost before its first one, and begins
    again. Raises RunError when it is running or has done all its epochs, ConfigError for changes
    that make no sense.
    """
    run.save_config(_resumed(run, checkpoint, changes))
    return run


def plan_run(workspace: Workspace, config: TrainingConfig) -> tuple[Run, TrainingConfig]:
    """Return the run to start for `config` and its settings: a new one, or the one it resumes.

    With `resume` the settings are those of the run it names, with what was chosen in `config`
    instead; without an `output_dir` it goes on in its own folder, where its old settings stand
    until the new ones are saved. `resume` is a run's folder or name, or a checkpoint in it. Raises
    as `create_run` and `resume_run` do.
    """
    wanted = None if config.resume is None else _existing(workspace, config.resume)
    if wanted is not None and not wanted.exists():
        wanted = find_run(workspace, str(config.resume)).path
    if wanted is not None and wanted.is_file():
        require_state(wanted)
    folder = wanted.parent if wanted is not None and wanted.is_file() else wanted
    if folder is None or not (folder / CONFIG_FILE).is_file():
        run = create_run(workspace, config)
        return run, run.config()
    skipped = ("resume", "output_dir", "dataset", "notes")
    chosen = _absolute(workspace, config)
    changes = {n: getattr(chosen, n) for n in config.model_fields_set if n not in skipped}
    run = Run(folder)
    if config.output_dir is None:
        return run, _resumed(run, None if wanted == folder else wanted, changes)
    changes |= {"resume": wanted, "output_dir": config.output_dir, "dataset": None, "notes": []}
    new = create_run(workspace, run.config().with_changes(**changes))
    return new, new.config()


def would_be_path(workspace: Workspace, config: TrainingConfig, skip: int = 0) -> Path:
    """Return the folder that a new run for `config` would get, `skip` others before it."""
    if config.output_dir is not None:
        return (workspace.root / config.output_dir.expanduser()).absolute()
    if config.resume is not None:
        with contextlib.suppress(BatmanError):
            return find_run(workspace, str(config.resume)).path
    base = _base_name(config)
    return workspace.runs_dir / f"{base}-{_next_number(workspace, base) + skip}"


def _resumed(run: Run, checkpoint: Path | None, changes: Mapping[str, Any]) -> TrainingConfig:
    """Return the settings with which `run` goes on; see `resume_run`."""
    shown = f"The run '{clean(run.name)}'"
    summary = run.summary()
    if summary.state not in ENDED and run.worker() is not None:
        raise RunError(f"{shown} is {summary.state}.", f"Watch it with batman watch {run.name}.")
    if checkpoint is None and (run.path / LAST_CHECKPOINT).is_file():
        checkpoint = run.path / LAST_CHECKPOINT
    elif checkpoint is not None and not checkpoint.is_file():
        raise RunError(f"There is no checkpoint '{clean(str(checkpoint))}'.")
    before = run.config()
    own = {"resume": checkpoint, "output_dir": run.path}  # it may have been moved or copied
    config = before.with_changes(**{**changes, **own}).resolved()
    if any(getattr(before, name) != getattr(config, name) for name in _DATA_OPTIONS):
        config = config.with_changes(dataset=None)
    if checkpoint is not None:
        require_state(checkpoint)
        _refuse_changed(shown, before, config)
        if checkpoint == run.path / LAST_CHECKPOINT:
            _refuse_done(shown, summary, config)
    return config


def _refuse_changed(shown: str, before: TrainingConfig, config: TrainingConfig) -> None:
    """Raise ConfigError for changes with which no checkpoint of the run can go on."""
    for name in ("model", "image_size"):
        old, new = getattr(before, name), getattr(config, name)
        if new != old:
            flag = f"--{name.replace('_', '-')}"
            raise ConfigError(
                f"{shown} was trained with {flag} {old}, and cannot go on with {new}.",
                f"Leave out {flag}, or start a new run: --pretrained takes its best.pth.",
            )
    classes = before.dataset.class_names if before.dataset else []
    wanted = config.filter_classes
    if wanted is not None and classes and set(wanted) != set(classes):
        raise ConfigError(
            f"{shown} was trained on other classes: {', '.join(map(clean, classes[:8]))}"
            f"{' and more' if len(classes) > 8 else ''}.",
            "Leave out --filter-classes, or start a new run: --pretrained takes its best.pth.",
        )


def _refuse_done(shown: str, summary: RunSummary, config: TrainingConfig) -> None:
    """Raise RunError when the run has no epoch left; one that was lost at its end may finish."""
    done, epochs = summary.epoch, plural(summary.epoch, "epoch", "epochs")
    if done > config.epochs:
        raise RunError(
            f"{shown} has {epochs} behind it, and {config.epochs} were asked for.",
            f"Give --epochs a number above {done}.",
        )
    if done == config.epochs and summary.state == "finished":
        raise RunError(
            f"{shown} has done all of its {epochs}.",
            f"Give more with --epochs, such as {done * 2}.",
        )


def list_runs(workspace: Workspace) -> list[RunSummary]:
    """Return the workspace's runs, the most recently active first."""
    return [Run(path).summary() for path in workspace.list_runs()]


def find_run(workspace: Workspace, name: str) -> Run:
    """Return the run with this name, or in this folder. Raises RunError naming the nearest."""
    for path in _candidates(workspace, name):
        if (path / CONFIG_FILE).is_file():
            return Run(path)
    names = [path.name for path in workspace.list_runs()]
    guess = did_you_mean(name, names)
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
    yield _existing(workspace, Path(name))


def _existing(workspace: Workspace, path: Path) -> Path:
    """Return `path` made absolute: from the current folder if it is there, else the workspace."""
    here = path.expanduser().absolute()
    return here if here.exists() else (workspace.root / path.expanduser()).absolute()


def _absolute(workspace: Workspace, config: TrainingConfig) -> TrainingConfig:
    """Make the paths absolute that the worker reads; it runs in another folder."""
    paths = {name: getattr(config, name) for name in ("project", "resume", "pretrained")}
    found = {name: _existing(workspace, path) for name, path in paths.items() if path is not None}
    return config.with_changes(**found) if found else config


def _base_name(config: TrainingConfig) -> str:
    stem = config.project.name if config.project else "run"
    return safe_name(f"{stem[:60]}-{config.model}")


def _next_number(workspace: Workspace, base: str) -> int:
    pattern = re.compile(re.escape(base) + r"-(\d+)")
    found = workspace.runs_dir.iterdir() if workspace.runs_dir.is_dir() else ()
    numbers = (pattern.fullmatch(path.name) for path in found)
    return 1 + max((int(match[1]) for match in numbers if match), default=0)


def _new_folder(workspace: Workspace, config: TrainingConfig) -> Path:
    base = _base_name(config)
    try:
        workspace.runs_dir.mkdir(parents=True, exist_ok=True)
        number = _next_number(workspace, base)
        while True:
            path = workspace.runs_dir / f"{base}-{number}"
            try:
                path.mkdir()
            except FileExistsError:  # somebody else took it just now
                number += 1
            else:
                return path
    except OSError as error:
        raise _cannot_make(workspace.runs_dir, error) from None


def _cannot_make(path: Path, error: OSError) -> RunError:
    return RunError(
        f"The run folder '{clean(str(path))}' cannot be made: {error.strerror}.",
        "Choose another with --output-dir.",
    )


def _refuse_used(path: Path) -> None:
    if path.exists() and not path.is_dir():
        raise RunError(
            f"'{clean(str(path))}' is a file, not a folder.", "Choose another --output-dir."
        )
    if (path / EVENTS_FILE).exists() or Run(path).worker() is not None:
        raise RunError(
            f"'{clean(str(path))}' already holds a run.",
            f"Go on with it by --resume {clean(str(path))}, or choose another --output-dir.",
        )
