"""What a list shows of a run, from its last events and its results."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from core.common.errors import BatmanError
from core.common.files import read_typed_json
from core.training.run.checkpoints import BEST, read_best
from core.training.run.events import (
    Epoch,
    Event,
    Failed,
    Finished,
    Started,
    Step,
    Stopped,
    Validation,
)
from core.training.run.wait import Wait
from core.training.run.worker_process import State

if TYPE_CHECKING:
    from core.training.config.options import TrainingConfig

_ENDS: dict[type, State] = {Stopped: "stopped", Finished: "finished", Failed: "failed"}


class RunSummary(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a list of runs shows. Times are Unix seconds, metrics lie between 0 and 1.

    `epoch` counts complete epochs of `epochs`, `seconds` is the time it trained, without pauses.
    While a run goes on, `best_map50_95` is the best among its latest validations. `loss` is the
    newest epoch's mean training loss. `error` says what failed, or why the folder cannot be read,
    `problem` what is wrong with a file without which the run can be shown
    (`core.training.run.damage`). `note` and `tags` are a person's (`core.training.run.notes`),
    `settings` the run's settings as JSON, None where they cannot be read, `sweep` the name of the
    sweep that the run belongs to, empty for none. `wait` is how its job waits while it is queued,
    `command` the command line that trains with the same settings, empty where they cannot be read.

    Lists hold tens of thousands: it is made fast, and not walked by the garbage collector.
    """

    name: str
    path: Path
    state: State
    model: str = "?"
    project: str | None = None
    epochs: int = 0
    epoch: int = 0
    best_map50_95: float | None = None
    best_map50: float | None = None
    best_epoch: int | None = None
    loss: float | None = None
    started_at: float | None = None
    updated_at: float | None = None
    seconds: float = 0.0
    error: str = ""
    note: str = ""
    tags: tuple[str, ...] = ()
    problem: str = ""
    settings: bytes | None = None
    sweep: str = ""
    wait: Wait | None = None
    command: str = ""

    @property
    def config(self) -> TrainingConfig | None:
        """The settings, None where they cannot be read.

        Ten thousand rows hold them as bytes; only those that are looked at are taken apart.
        """
        return None if self.settings is None else _config(self.settings)


@lru_cache(maxsize=512)
def _config(settings: bytes) -> TrainingConfig | None:
    # A job on a cluster asks how its run ended, several times: pydantic takes longer than all else.
    from core.training.config.options import TrainingConfig

    try:
        return TrainingConfig.model_validate_json(settings)
    except ValueError:  # kept by a version that had other settings
        return None


class Best(msgspec.Struct):
    """The best validation of a run: its epoch and metrics, None while unknown."""

    epoch: int | None = None
    map50_95: float | None = None
    map50: float | None = None


class Results(msgspec.Struct):
    """What is read of `results.json` for a list."""

    best: Best | None = None


def best_of(results: Path, events: Sequence[Event]) -> Best:
    """Return the best validation that the file `results` or `events` tell of.

    Results are written when a run ends, so that a resumed one may be better by now. Where the best
    model beside them is of another epoch, it counts and not they.
    """
    written = Best()
    with contextlib.suppress(BatmanError):  # told by `core.training.run.damage`
        found = read_typed_json(results, Results)
        written = found.best if found and found.best else written
    written = _newer(results) or written
    seen: list[Validation] = []
    for event in events:
        if isinstance(event, Started):
            seen = [kept for kept in seen if kept.epoch <= event.epoch]
        elif isinstance(event, Validation):
            seen.append(event)
    top = max(seen, key=lambda event: event.map50_95, default=None)
    if top is None or (written.map50_95 is not None and written.map50_95 >= top.map50_95):
        return written
    return Best(top.epoch, top.map50_95, top.map50)


def _newer(results: Path) -> Best | None:
    """Return what a best model says of itself that was written after `results`."""
    model = results.with_name(BEST)
    try:
        if model.stat().st_mtime_ns <= results.stat().st_mtime_ns:
            return None
    except OSError:
        return None
    said = read_best(model)
    if said is None or not said.epoch:
        return None
    record = said.record or {"map50_95": said.worth.get("map")}
    with contextlib.suppress(msgspec.ValidationError):
        return msgspec.convert({**record, "epoch": said.epoch}, Best)
    return None


def end_of(events: Sequence[Event]) -> State | None:
    """Return how the newest start ended, None if its end is not among `events`."""
    for event in reversed(events):
        if isinstance(event, Started):
            return None
        if type(event) in _ENDS:
            return _ENDS[type(event)]
    return None


def epochs_done(events: Sequence[Event]) -> int:
    """Return the number of complete epochs that the newest of `events` tells of."""
    for event in reversed(events):
        if isinstance(event, (Started, Epoch, Stopped, Finished)):
            return event.epoch
        if isinstance(event, Validation):
            return event.epoch
        if isinstance(event, Step):
            return max(0, event.epoch - 1)
    return 0


def loss_of(events: Sequence[Event]) -> float | None:
    """Return the newest complete epoch's mean training loss, None before there is one.

    Of an epoch longer than what `events` hold, it is the mean of its steps among them.
    """
    for event in reversed(events):
        if isinstance(event, Epoch):
            return event.train_loss
    losses = [e.loss for e in events if isinstance(e, Step) and e.loss is not None]
    return math.fsum(losses) / len(losses) if losses else None
