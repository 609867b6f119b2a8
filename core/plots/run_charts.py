"""A run's curves as charts: loss and its parts, accuracy, rates, learning rate, speed, memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.common.text import clean
from core.late import late
from core.plots.chart import Chart, Curve, Mark, View, XAxis
from core.plots.thin_and_smooth import Floats, Smoother, as_curve
from core.training.live.follow import RunSnapshot
from core.training.run.events import Started, Validation

if TYPE_CHECKING:
    import numpy as np
else:
    np = late("numpy")


SMOOTHING = (0.0, 0.6, 0.9, 0.97, 0.99, 0.999)
X_AXES: tuple[XAxis, ...] = ("step", "epoch", "time")


@dataclass(frozen=True)
class Measure:
    """Something to plot beside the loss: a title and how it is read from a run.

    `per_step` names columns of the series and what they are called, with a factor;
    `per_validation` does so for fields of a validation.
    """

    key: str
    title: str
    per_step: tuple[tuple[str, str, float], ...] = ()
    per_validation: tuple[tuple[str, str], ...] = ()
    empty: str = "Comes with the first steps"


LOSS = Measure("loss", "Loss", (("loss", "loss", 1.0),))
LOSS_PARTS = Measure(
    "parts",
    "Loss and its parts",
    (
        ("loss", "loss", 1.0),
        ("loss_cls", "class", 1.0),
        ("loss_box", "box", 1.0),
        ("loss_giou", "giou", 1.0),
    ),
)
MEASURES = (
    Measure(
        "accuracy",
        "mAP",
        per_validation=(("map50_95", "50-95"), ("map50", "50"), ("map75", "75")),
        empty="Comes after the first epoch",
    ),
    Measure(
        "rates",
        "Precision and recall",
        per_validation=(("precision", "precision"), ("recall", "recall"), ("f1", "F1")),
        empty="Comes after the first epoch",
    ),
    Measure("lr", "Learning rate", (("lr", "lr", 1.0),)),
    Measure("speed", "Speed", (("images_per_s", "images/s", 1.0),)),
    Measure(
        "waiting", "Seconds a step", (("step_s", "step", 1.0), ("data_s", "waiting for data", 1.0))
    ),
    Measure("memory", "Memory, GB", (("gpu_mem_mb", "GPU", 1e-3), ("rss_mb", "process", 1e-3))),
)

# What is drawn smoothed: a learning rate or a memory curve has nothing to average away.
_SMOOTHED = ("loss", "parts", "speed", "waiting")


def is_smoothed(measure: Measure) -> bool:
    """True for a measure whose curves are noisy enough to be smoothed."""
    return measure.key in _SMOOTHED


@dataclass(frozen=True)
class Options:
    """How to draw: the x axis, the weight of the moving average, a logarithmic y axis."""

    x_axis: XAxis = "step"
    smoothing: float = 0.9
    log: bool = False


class ChartMaker:
    """Makes charts of one run. Keeps what is costly between looks, so a new step costs little."""

    def __init__(self) -> None:
        self._smoothers: dict[tuple[str, float], Smoother] = {}
        self._x: tuple[Any, XAxis, Floats] | None = None

    def chart(self, snapshot: RunSnapshot, measure: Measure, options: Options) -> Chart:
        """The chart of `measure`; empty curves are left out, none at all is an empty chart."""
        curves: list[Curve] = []
        for column, name, factor in measure.per_step:
            values = getattr(snapshot.series, column)
            # The newest value tells for most runs; a million of them need not be looked at.
            if len(values) and (np.isfinite(values[-1]) or np.isfinite(values).any()):
                curves.append(self._per_step(snapshot, measure, options, column, name, factor))
        for number, (attribute, name) in enumerate(measure.per_validation):
            curves += _per_validation(snapshot, options, attribute, name, number)
        if measure in (LOSS, LOSS_PARTS):
            curves += _per_validation(snapshot, options, "loss", "valid", 4)
        return Chart(
            curves=tuple(curves),
            marks=marks(snapshot, options.x_axis),
            x_axis=options.x_axis,
            log=options.log,
            floor=0.0 if measure.per_validation or measure.key == "memory" else None,
            least=0.01 if measure.per_validation else 0.0,
            crop=is_smoothed(measure),
            span=self._span(snapshot, options.x_axis),
        )

    def _per_step(
        self,
        snapshot: RunSnapshot,
        measure: Measure,
        options: Options,
        column: str,
        name: str,
        factor: float,
    ) -> Curve:
        x = self._steps(snapshot, options.x_axis)
        y = getattr(snapshot.series, column)
        if factor != 1.0:
            y = y * factor
        smoothed = None
        if options.smoothing and is_smoothed(measure) and len(y) > 1:
            key = (column, options.smoothing)
            smoothed = self._smoothers.setdefault(key, Smoother(options.smoothing)).update(y)
        place = [part[0] for part in measure.per_step].index(column)
        return Curve(name, x, y, colour=place, smoothed=smoothed)

    def _steps(self, snapshot: RunSnapshot, x_axis: XAxis) -> Floats:
        """Where each step lies on the x axis; made once for a snapshot, shared by its curves."""
        series = snapshot.series
        if self._x is not None and self._x[0] is series and self._x[1] == x_axis:
            return self._x[2]
        if x_axis == "time":
            # A clock that was set back must not turn the curve round.
            x = np.maximum.accumulate(series.t - beginning(snapshot)) if len(series) else series.t
        elif x_axis == "epoch":
            x = series.step / steps_per_epoch(snapshot)
        else:
            x = series.step
        self._x = (series, x_axis, x)
        return x

    def _span(self, snapshot: RunSnapshot, x_axis: XAxis) -> View | None:
        ends: list[float] = []
        x = self._steps(snapshot, x_axis)
        if x.size:
            ends += [float(x[0]), float(x[-1])]
        for validation in snapshot.validations:
            ends.append(place(snapshot, validation, x_axis))
        return (min(ends), max(ends)) if ends else None


def _per_validation(
    snapshot: RunSnapshot, options: Options, attribute: str, name: str, colour: int
) -> list[Curve]:
    values = [getattr(validation, attribute) for validation in snapshot.validations]
    if not any(value is not None for value in values):
        return []
    x, y = as_curve(
        [place(snapshot, validation, options.x_axis) for validation in snapshot.validations],
        [np.nan if value is None else value for value in values],
    )
    return [Curve(name, x, y, colour=colour, markers=True)]


def beginning(snapshot: RunSnapshot) -> float:
    """When the run began (Unix seconds), 0 while nothing has happened.

    A run that ended before it had begun began when it ended.
    """
    if len(snapshot.series):
        first = float(snapshot.series.t[0])
        started = snapshot.started
        fresh = started is not None and not snapshot.restarts and started.t <= first
        return started.t if fresh and started is not None else first
    first_event = snapshot.started or snapshot.ended
    return first_event.t if first_event is not None else 0.0


def steps_per_epoch(snapshot: RunSnapshot) -> int:
    """Optimiser steps of one epoch, 1 while unknown."""
    return max(1, snapshot.started.steps_per_epoch) if snapshot.started else 1


def place(snapshot: RunSnapshot, event: Any, x_axis: XAxis) -> float:
    """Where an event lies on the x axis."""
    if x_axis == "time":
        return max(0.0, float(event.t - beginning(snapshot)))
    return float(event.step / (steps_per_epoch(snapshot) if x_axis == "epoch" else 1))


def marks(snapshot: RunSnapshot, x_axis: XAxis) -> tuple[Mark, ...]:
    """What happened, on the x axis: checkpoints that stay, best ones, warnings, restarts."""
    found: list[Mark] = []
    for checkpoint in snapshot.checkpoints:
        if checkpoint.kind != "last":
            kind = "best" if checkpoint.kind == "best" else "checkpoint"
            label = f"best, epoch {checkpoint.epoch}" if kind == "best" else checkpoint.file
            found.append(Mark(place(snapshot, checkpoint, x_axis), kind, clean(label)))
    for warning in snapshot.warnings:
        found.append(Mark(place(snapshot, warning, x_axis), "warning", clean(warning.message)))
    for start in snapshot.restarts:
        found.append(Mark(place(snapshot, start, x_axis), "restart", "started again"))
    for oom in snapshot.ooms:
        label = f"out of memory: batch {oom.batch_size} → {oom.new_batch_size}"
        found.append(Mark(place(snapshot, oom, x_axis), "oom", label))
    return tuple(found)


@dataclass(frozen=True)
class Happening:
    """A line of a run's story: when (Unix seconds), what kind of mark, in words, and where."""

    t: float
    kind: str
    text: str
    hint: str
    event: Any


def story(snapshot: RunSnapshot) -> list[Happening]:
    """What happened in the run, by time; single steps and passing checkpoints left out."""
    found: list[Happening] = []

    def tell(event: Any, kind: str, text: str, hint: str = "") -> None:
        found.append(Happening(event.t, kind, clean(text), clean(hint), event))

    if snapshot.started is not None and not snapshot.restarts:
        tell(snapshot.started, "start", f"started on {_machine(snapshot.started)}")
    for start in snapshot.restarts:
        tell(start, "restart", f"went on after step {start.step:,} on {_machine(start)}")
    for validation in snapshot.validations:
        tell(validation, "best" if validation.best else "validation", _scores(validation))
    for checkpoint in snapshot.checkpoints:
        if checkpoint.kind not in ("last", "best"):
            tell(checkpoint, "checkpoint", f"wrote {checkpoint.file}")
    for warning in snapshot.warnings:
        advice = " ".join(filter(None, (warning.hint, warning.command)))
        tell(warning, "warning", warning.message, advice)
    for oom in snapshot.ooms:
        tell(
            oom,
            "oom",
            f"out of memory: batch {oom.batch_size} × {oom.grad_accum} became "
            f"{oom.new_batch_size} × {oom.new_grad_accum}",
        )
    ended = snapshot.ended
    if ended is not None:
        words: dict[str, Callable[[Any], str]] = {
            "Finished": lambda e: f"finished, best mAP50-95 {e.best_map50_95:.3f}",
            "Stopped": lambda e: f"stopped: {e.reason}",
            "Failed": lambda e: f"failed: {e.message}",
        }
        name = type(ended).__name__
        tell(ended, "end" if name != "Failed" else "oom", words[name](ended))
    return sorted(found, key=lambda happening: happening.t)


def _machine(started: Started) -> str:
    return started.gpu or started.device


def _scores(validation: Validation) -> str:
    best = ", the best so far" if validation.best else ""
    return (
        f"epoch {validation.epoch}: mAP50-95 {validation.map50_95:.3f}, "
        f"mAP50 {validation.map50:.3f}{best}"
    )
