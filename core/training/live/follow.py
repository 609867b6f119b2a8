"""Follows a run as it is written: every look reads only what is new.

The same reader serves this machine and a cluster, through a `FileSource`. A million steps take
about a second the first time; afterwards a look costs what came since the last one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Union

import msgspec

from core.common.errors import ConfigError
from core.common.files import reason
from core.common.text import clean
from core.late import late
from core.training.live import curve_index
from core.training.live.series import Series, SeriesBuilder, StepRow, no_steps
from core.training.live.tail import CHUNK, FileSource, LineReader, LocalFiles, LogTail
from core.training.run.damage import DamageWatch
from core.training.run.events import (
    Checkpoint,
    Epoch,
    Failed,
    Finished,
    Oom,
    Started,
    Stopped,
    Validation,
    Warning_,
)
from core.training.run.run import CONFIG_FILE, EVENTS_FILE, LOG_FILE
from core.training.run.trained_time import TrainedTime
from core.training.run.wait import Wait, waiting
from core.training.run.worker_process import (
    WORKER_FILE,
    State,
    Worker,
    decode_worker,
    derive_state,
    unstarted_state,
)

if TYPE_CHECKING:
    import numpy as np

    from core.training.config.options import TrainingConfig
else:
    np = late("numpy")

__all__ = ["FileSource", "LocalFiles", "LogTail", "RunFollower", "RunSnapshot", "log_of"]

End = Stopped | Finished | Failed
_Other = Union[Started, Epoch, Validation, Checkpoint, Warning_, Oom, Stopped, Finished, Failed]  # noqa: UP007
_Known = Union[StepRow, _Other]  # noqa: UP007 - msgspec reads the unions at run time

_many = msgspec.json.Decoder(list[_Known])
_one = msgspec.json.Decoder(_Known)

_ENDS: dict[type, State] = {Stopped: "stopped", Finished: "finished", Failed: "failed"}
_SMALL_FILE = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, eq=False)
class RunSnapshot:
    """A run at one moment; never changes.

    What a resumed run did not keep is gone from `series`, `validations`, `epochs` and
    `checkpoints`; `restarts` are the starts after the first. `ended` is the end, if it stands.
    `seconds` is the time it trained, without pauses. `wait` is how its job waits, while it is
    queued. `behind` counts bytes of events not read yet. `problem` says what is wrong with files
    that are read beside them (`core.training.run.damage`), of a run on this machine.
    """

    name: str
    state: State = "preparing"
    config: TrainingConfig | None = None
    started: Started | None = None
    series: Series = field(default_factory=lambda: SeriesBuilder().view())
    validations: tuple[Validation, ...] = ()
    epochs: tuple[Epoch, ...] = ()
    checkpoints: tuple[Checkpoint, ...] = ()
    warnings: tuple[Warning_, ...] = ()
    ooms: tuple[Oom, ...] = ()
    restarts: tuple[Started, ...] = ()
    ended: End | None = None
    last_event: float | None = None
    seconds: float = 0.0
    wait: Wait | None = None
    behind: int = 0
    problem: str = ""

    @property
    def error(self) -> Failed | None:
        """Why the run failed, None if it did not."""
        return self.ended if isinstance(self.ended, Failed) else None

    @property
    def step(self) -> int:
        """Optimiser steps done."""
        if len(self.series):
            return int(self.series.step[-1])
        return self.started.step if self.started else 0

    @property
    def epoch(self) -> int:
        """Epochs that are complete."""
        done = self.epochs[-1].epoch if self.epochs else 0
        return max(done, self.started.epoch if self.started else 0)

    @property
    def total_steps(self) -> int:
        """Optimiser steps of all epochs, 0 while unknown."""
        return self.started.epochs * self.started.steps_per_epoch if self.started else 0

    @property
    def progress(self) -> float:
        """How much is done, from 0 to 1; 1 when it finished, early or not."""
        if isinstance(self.ended, Finished):
            return 1.0
        return min(1.0, self.step / self.total_steps) if self.total_steps else 0.0

    @property
    def best(self) -> Validation | None:
        """The validation with the highest mAP50-95, the first of equal ones."""
        return max(self.validations, key=lambda v: v.map50_95, default=None)

    @property
    def eta(self) -> float | None:
        """Seconds that are left at the pace of the last two epochs, validation included.

        None before two steps of this start were seen, and once the run has ended.
        """
        if self.started is None or self.state not in ("running", "stopping"):
            return None
        since = max(self.started.step, self.step - 2 * self.started.steps_per_epoch)
        first = int(np.searchsorted(self.series.step, since, side="right"))
        if len(self.series) - first < 2:
            return None
        steps = int(self.series.step[-1] - self.series.step[first])
        last = self.epochs[-1].t if self.epochs and self.epochs[-1].step == self.step else 0.0
        seconds = max(float(self.series.t[-1]), last) - float(self.series.t[first])
        return max(0, self.total_steps - self.step) * seconds / steps if steps else None


class RunFollower:
    """Reads a run folder as it grows. Use one for each thread."""

    def __init__(
        self,
        path: str | Path,
        source: FileSource | None = None,
        own: Path | None = None,
        *,
        curve: bool = True,
    ) -> None:
        """Follow the folder `path`; `own` is the run's folder here, where `source` is elsewhere.

        Without `curve` neither steps nor settings are kept, for whoever only tells what happened:
        NumPy and pydantic are not loaded for that, nor the numbers of a long run read.
        """
        self._curve = curve
        self.own = own if source is not None else Path(path)
        self.path = str(path).rstrip("/")
        self.source: FileSource = source or LocalFiles()
        self._reader = LineReader(f"{self.path}/{EVENTS_FILE}", self.source)
        here = isinstance(self.source, LocalFiles)
        self._damage = DamageWatch(Path(self.path)) if here and curve else None
        # Bytes of events that the index covers; None where none is looked for.
        self._indexed: int | None = 0 if here else None
        self._begun = False
        self._clear()

    def _clear(self) -> None:
        self._builder = SeriesBuilder() if self._curve else None
        self._validations: list[Validation] = []
        self._epochs: list[Epoch] = []
        self._checkpoints: list[Checkpoint] = []
        self._warnings: list[Warning_] = []
        self._ooms: list[Oom] = []
        self._starts: list[Started] = []
        self._ended: End | None = None
        self._last_event: float | None = None
        self._time = TrainedTime()
        self._config_due = self._curve
        named = self.own.name if self.own is not None else ""
        self._snapshot = RunSnapshot(
            name=named or self.path.rsplit("/", 1)[-1], series=self._series()
        )

    def _series(self) -> Series:
        return self._builder.view() if self._builder else no_steps()

    def poll(self, max_bytes: int | None = None, *, settings: bool = True) -> RunSnapshot:
        """Read what is new and return the run as it is now.

        At most about `max_bytes` of events (default: all there is), so that a first look at a long
        run can be shown in parts: go on while `behind` is not 0. Without `settings` those of a run
        that has begun are left to the next look, as reading the first takes a while. The same
        object comes back when nothing has changed. A folder of this machine that may not be read
        is `unreadable`; raises OSError when another source cannot be read.
        """
        try:
            return self._poll(max_bytes, settings)
        except OSError as error:
            if not isinstance(self.source, LocalFiles):
                raise
            said = f"'{clean(str(error.filename))}' cannot be read: {clean(reason(error))}."
            self._snapshot = replace(self._snapshot, state="unreadable", behind=0, problem=said)
            return self._snapshot

    def _poll(self, max_bytes: int | None, settings: bool) -> RunSnapshot:
        worker = decode_worker(self.source.read(f"{self.path}/{WORKER_FILE}", 0, 65536))
        # Asked before the events are read: a worker writes how it ended, and then it is gone.
        alive = self._alive(worker)
        changed = self._go_on_from_index()
        changed = self._read_events(max_bytes) or changed
        behind = self._reader.behind() if max_bytes is not None else 0
        if not behind:
            self._keep_index()
        problem = self._damage.look() if self._damage else ""
        if self._config_due and (settings or not self._starts):
            changed = self._read_config() or changed
        ended = _ENDS[type(self._ended)] if self._ended else None
        state = derive_state(
            ended, self._last_event, worker, None if behind else alive, self._unstarted()
        )
        wait = None
        if self.own is not None and not behind:
            wait = waiting(self.own, state, worker, self._last_event)
            state = state if wait is None else "queued"
        if changed:
            self._snapshot = RunSnapshot(
                name=self._snapshot.name,
                state=state,
                config=self._snapshot.config,
                started=self._starts[-1] if self._starts else None,
                series=self._series(),
                validations=tuple(self._validations),
                epochs=tuple(self._epochs),
                checkpoints=tuple(self._checkpoints),
                warnings=tuple(self._warnings),
                ooms=tuple(self._ooms),
                restarts=tuple(self._starts[1:]),
                ended=self._ended,
                last_event=self._last_event,
                seconds=self._time.seconds,
                wait=wait,
                behind=behind,
                problem=problem,
            )
        elif (state, wait, behind, problem) != (
            self._snapshot.state, self._snapshot.wait, self._snapshot.behind, self._snapshot.problem
        ):  # fmt: skip
            self._snapshot = replace(
                self._snapshot, state=state, wait=wait, behind=behind, problem=problem
            )
        return self._snapshot

    def _alive(self, worker: Worker | None) -> bool | None:
        if worker is None or not isinstance(self.source, LocalFiles):
            return None
        return worker.alive()

    def _unstarted(self) -> State:
        # Of a folder on another machine it is not known who will start it.
        config = self._snapshot.config
        if config is None or not isinstance(self.source, LocalFiles):
            return "preparing"
        return unstarted_state(prepared=config.dataset is not None, swept=config.sweep is not None)

    def _go_on_from_index(self) -> bool:
        """Take over what is kept of a long run, at the first look; return whether there is any."""
        if self._begun or self._indexed is None:
            return False
        self._begun = True
        events = self._reader.path
        if (self.source.size(events) or 0) < curve_index.LEAST:
            return False
        read = partial(self.source.read, events)
        found = curve_index.load(Path(self.path), read, columns=self._curve)
        if found is None:
            return False
        known, columns = found
        self._builder = SeriesBuilder(columns) if self._curve else None
        self._validations, self._epochs = known.validations, known.epochs
        self._checkpoints, self._warnings = known.checkpoints, known.warnings
        self._ooms, self._starts, self._ended = known.ooms, known.starts, known.ended
        self._last_event = known.last_event
        self._time.restore(known.time)
        self._reader.go_on(known.offset, known.head)
        self._indexed = known.offset
        return True

    def _keep_index(self) -> None:
        """Keep what is known, when much was read since it was."""
        offset, before = self._reader.whole, self._indexed
        if before is None or offset < max(curve_index.LEAST, int(curve_index.GROWTH * before)):
            return
        if self._builder is None:
            return
        self._indexed = offset
        start = max(0, offset - curve_index.EDGE)
        known = curve_index.Known(
            offset=offset,
            head=self._reader.head,
            tail=self.source.read(self._reader.path, start, offset - start),
            changed=curve_index.changed_at(Path(self.path), offset),
            length=self._builder.length,
            validations=self._validations,
            epochs=self._epochs,
            checkpoints=self._checkpoints,
            warnings=self._warnings,
            ooms=self._ooms,
            starts=self._starts,
            ended=self._ended,
            last_event=self._last_event,
            time=self._time.state,
        )
        curve_index.save(Path(self.path), known, self._builder.columns())

    def _read_events(self, max_bytes: int | None) -> bool:
        changed = False
        left = max_bytes
        while left is None or left > 0:
            before = self._reader.offset
            lines = self._reader.read(CHUNK if left is None else min(CHUNK, left))
            if self._reader.restarted:
                config = self._snapshot.config
                self._clear()
                # The index, if there is one, is of what was there before.
                self._indexed = None if self._indexed is None else 0
                self._snapshot = replace(self._snapshot, config=config)
                changed = True
                before = 0
            if lines:
                self._take(_decode(lines))
                changed = True
            moved = self._reader.offset - before
            if moved <= 0:
                break
            if left is not None:
                left -= moved
        return changed

    def _take(self, events: list[_Known]) -> None:
        rows: list[StepRow] = []
        for event in events:
            if type(event) is StepRow:
                rows.append(event)
                continue
            self._take_steps(rows)
            rows = []
            self._take_other(event)  # type: ignore[arg-type]
        self._take_steps(rows)
        if events:
            self._last_event = events[-1].t

    def _take_steps(self, rows: list[StepRow]) -> None:
        if self._builder:
            self._builder.append(rows)
        if rows:
            self._time.until(rows[-1].t)

    def _take_other(self, event: _Other) -> None:
        self._time.see(event)
        match event:
            case Started():
                self._start(event)
            case Epoch():
                self._epochs.append(event)
            case Validation():
                self._validations.append(event)
            case Checkpoint():
                self._checkpoints.append(event)
            case Warning_():
                self._warnings.append(event)
            case Oom():
                self._ooms.append(event)
            case Stopped() | Finished() | Failed():
                self._ended = event

    def _start(self, event: Started) -> None:
        """Begin, or go on from what `event` says was kept; the rest never happened."""
        if self._builder:
            self._builder.drop_after(event.step)
        self._epochs = [e for e in self._epochs if e.epoch <= event.epoch]
        self._validations = [v for v in self._validations if v.epoch <= event.epoch]
        self._checkpoints = [c for c in self._checkpoints if c.step <= event.step]
        self._ended = None
        self._starts.append(event)
        # A resumed run may have been given more epochs.
        self._config_due = self._curve

    def _read_config(self) -> bool:
        data = self.source.read(f"{self.path}/{CONFIG_FILE}", 0, _SMALL_FILE)
        try:
            from core.training.config.options import parse_config

            config = parse_config(json.loads(data))
        except (ValueError, TypeError, RecursionError, ConfigError):
            return False  # not there yet, or made by another version: the curve is good without
        self._config_due = False
        changed = config != self._snapshot.config
        self._snapshot = replace(self._snapshot, config=config)
        return changed


def log_of(path: str | Path, source: FileSource | None = None) -> LogTail:
    """Return a reader of the log of the run in the folder `path`."""
    return LogTail(f"{str(path).rstrip('/')}/{LOG_FILE}", source)


def _decode(lines: bytes) -> list[_Known]:
    """Decode whole lines; those that are no events of ours are left out."""
    try:
        # One list in one call is several times faster than line by line.
        return _many.decode(b"[" + lines[:-1].replace(b"\n", b",") + b"]")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    events: list[_Known] = []
    for line in lines.split(b"\n"):
        try:
            events.append(_one.decode(line))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
    return events
