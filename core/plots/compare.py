"""Runs side by side: what came out, what was set differently, how each class fares, the curves.

Pure: made of `RunSnapshot`s, which `core.training.live.follow` reads. A run is known by its place
in the list that was given; every row here has one value for each run, in that order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.late import late
from core.plots.chart import COLOURS, Chart, Curve, XAxis
from core.plots.compared_metrics import METRICS, Metric
from core.plots.run_charts import ChartMaker, Options, is_smoothed
from core.training.config.form import SECTIONS, label, to_text
from core.training.config.options import TrainingConfig, default_for
from core.training.live.follow import RunSnapshot
from core.training.run.results import MAX_DETECTIONS

if TYPE_CHECKING:
    import numpy as np
else:
    np = late("numpy")


# A run folder and where it went on from say nothing about how it was trained.
_NOT_COMPARED = ("output_dir", "resume", "dataset", "notes", "origin", "sweep", "project")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

# How the mAP of a run's validations is counted.
PROTOCOL = f"mAP: up to {MAX_DETECTIONS} detections an image and class, as rfdetr"


def letter(place: int) -> str:
    """Return the short name of the run at `place` (from 0): A to Z, then AA, AB and so on."""
    more, rest = divmod(place, len(_LETTERS))
    return (letter(more - 1) if more else "") + _LETTERS[rest]


@dataclass(frozen=True)
class Outcome:
    """What came of one run; metrics are those of its best epoch, None before any validation.

    `last` is mAP50-95 of the newest validation, `loss` the training loss of the newest epoch,
    `seconds` the time it trained, without pauses.
    """

    run: RunSnapshot
    letter: str
    epoch: int
    epochs: int
    seconds: float
    best_epoch: int | None = None
    map50_95: float | None = None
    map50: float | None = None
    map75: float | None = None
    precision: float | None = None
    recall: float | None = None
    f1: float | None = None
    last: float | None = None
    loss: float | None = None

    @property
    def name(self) -> str:
        """The run's name."""
        return self.run.name


# Fields of `Outcome` that one run can be best in, each with the metric that says which way.
_JUDGED = {
    **{name: name for name in ("map50_95", "map50", "map75", "precision", "recall", "f1", "loss")},
    "last": "map50_95",
}


def outcomes(runs: Sequence[RunSnapshot]) -> list[Outcome]:
    """Return what came of each run."""
    found = []
    for place, run in enumerate(runs):
        best = run.best
        scores: dict[str, Any] = {}
        if best is not None:
            names = ("map50_95", "map50", "map75", "precision", "recall", "f1")
            scores = {name: getattr(best, name) for name in names}
            scores |= {"best_epoch": best.epoch, "last": run.validations[-1].map50_95}
        if run.epochs:
            scores["loss"] = run.epochs[-1].train_loss
        found.append(
            Outcome(
                run=run,
                letter=letter(place),
                epoch=run.epoch,
                epochs=run.started.epochs if run.started else _epochs(run),
                seconds=round(run.seconds, 3),
                **scores,
            )
        )
    return found


def leaders(rows: Sequence[Outcome]) -> dict[str, set[str]]:
    """Return for each metric of `Outcome` the letters of the runs that are best in it.

    Where there is nothing to be better than (one value, or all alike) nobody is.
    """
    found: dict[str, set[str]] = {}
    for name, metric in _JUDGED.items():
        values = {row.letter: getattr(row, name) for row in rows}
        known = {k: v for k, v in values.items() if v is not None and math.isfinite(v)}
        if len(set(known.values())) < 2:
            found[name] = set()
            continue
        less = METRICS[metric].less
        top = min(known.values()) if less else max(known.values())
        found[name] = {key for key, value in known.items() if value == top}
    return found


@dataclass(frozen=True)
class Difference:
    """A setting that is not the same in all runs.

    `values` are texts, None where the run has no readable settings; `defaults` says which of them
    are what the run's model has when nobody chooses.
    """

    key: str
    title: str
    values: tuple[str | None, ...]
    defaults: tuple[bool, ...]


def differences(runs: Sequence[RunSnapshot]) -> list[Difference]:
    """Return the settings in which the runs differ, and what they were trained on if that does."""
    configs = [run.config for run in runs]
    found: list[Difference] = []
    for key, title, read in _DATA:
        values = tuple(None if config is None else read(config) for config in configs)
        if _differ(values):
            found.append(Difference(key, title, values, (False,) * len(values)))
    for name in _names():
        if name in _NOT_COMPARED:
            continue
        values = tuple(
            None if config is None else to_text(name, getattr(config, name)) for config in configs
        )
        if _differ(values):
            defaults = tuple(
                config is not None
                and getattr(config, name) == default_for(name, *_model_of(name, config))
                for config in configs
            )
            found.append(Difference(name, label(name), values, defaults))
    return found


@dataclass(frozen=True)
class ClassRow:
    """AP50-95 of one class in each run's best epoch, None where the run has no such class."""

    name: str
    values: tuple[float | None, ...]

    @property
    def spread(self) -> float:
        """The largest difference between two runs."""
        known = [value for value in self.values if value is not None]
        return max(known) - min(known) if known else 0.0


def class_rows(runs: Sequence[RunSnapshot]) -> list[ClassRow]:
    """Return every class of any run, those in which the runs differ most first."""
    scores = [run.best.per_class if run.best is not None else {} for run in runs]
    names = list(dict.fromkeys(name for found in scores for name in found))
    rows = [ClassRow(name, tuple(found.get(name) for found in scores)) for name in names]
    return sorted(rows, key=lambda row: (-row.spread, row.name))


def by_epoch(
    runs: Sequence[RunSnapshot], metric: Metric
) -> list[tuple[int, tuple[float | None, ...]]]:
    """Return the metric's value at the end of each epoch, for each run; None where it has none.

    Of what is told step by step, it is the epoch's mean of what is finite.
    """
    columns = [_epoch_values(run, metric) for run in runs]
    epochs = sorted({epoch for column in columns for epoch in column})
    return [(epoch, tuple(column.get(epoch) for column in columns)) for epoch in epochs]


class Overlay:
    """Draws one metric of several runs into one chart; keeps what is costly between looks."""

    def __init__(self) -> None:
        self._makers: dict[str, ChartMaker] = {}

    def chart(
        self,
        runs: Sequence[RunSnapshot],
        metric: Metric,
        options: Options,
        names: Sequence[str] | None = None,
    ) -> Chart:
        """Return the chart; runs without the metric have no curve.

        Each run's x begins where it began: at its first step, or the time of its start. `names`
        are what the legend calls the runs, their letters by default.
        """
        curves: list[Curve] = []
        for place, run in enumerate(runs):
            maker = self._makers.setdefault(letter(place), ChartMaker())
            for curve in maker.chart(run, metric.measure, options).curves[:1]:
                curves.append(
                    Curve(
                        names[place] if names else letter(place),
                        curve.x,
                        curve.y,
                        colour=place % COLOURS,
                        markers=not metric.per_step,
                        smoothed=curve.smoothed,
                    )
                )
        return Chart(
            curves=tuple(curves),
            x_axis=options.x_axis,
            log=options.log and not metric.bounded,
            floor=0.0 if metric.bounded else None,
            least=0.01 if metric.bounded else 0.0,
            crop=is_smoothed(metric.measure),
        )


def next_metric(runs: Sequence[RunSnapshot], metric: Metric, by: int, axis: XAxis) -> Metric:
    """Return the next metric (`by` 1, or -1 for the one before) that any of the runs has."""
    keys = list(METRICS)
    overlay, options = Overlay(), Options(x_axis=axis, smoothing=0.0)
    for step in range(1, len(keys) + 1):
        found = METRICS[keys[(keys.index(metric.key) + by * step) % len(keys)]]
        if overlay.chart(runs, found, options).curves:
            return found
    return metric


def _epoch_values(run: RunSnapshot, metric: Metric) -> dict[int, float]:
    if not metric.per_step:
        (attribute, _), *_ = metric.measure.per_validation
        told = {event.epoch: getattr(event, attribute) for event in run.validations}
        return {epoch: float(value) for epoch, value in told.items() if value is not None}
    (column, _, factor), *_ = metric.measure.per_step
    values = np.asarray(getattr(run.series, column), dtype=np.float64) * factor
    epochs = run.series.epoch
    kept = np.isfinite(values)
    values, epochs = values[kept], epochs[kept]
    if not len(values):
        return {}
    sums, counts = np.bincount(epochs, values), np.bincount(epochs)
    return {int(epoch): float(sums[epoch] / counts[epoch]) for epoch in np.flatnonzero(counts)}


def _differ(values: Sequence[str | None]) -> bool:
    return len({value for value in values if value is not None}) > 1


def _names() -> list[str]:
    """All options, in the order of the form; what it does not show comes last."""
    shown = [name for section in SECTIONS for name in section.names]
    return shown + [name for name in TrainingConfig.model_fields if name not in shown]


def _model_of(name: str, config: TrainingConfig) -> tuple[str, ...]:
    # Which model has the default depends on no model.
    return () if name == "model" else (config.model,)


def _epochs(run: RunSnapshot) -> int:
    return run.config.epochs if run.config is not None else 0


def _counts(config: TrainingConfig) -> str:
    data = config.dataset
    if data is None:
        return "–"
    return " + ".join(f"{data.images.get(split, 0):,}" for split in ("train", "valid", "test"))


_DATA: tuple[tuple[str, str, Callable[[TrainingConfig], str]], ...] = (
    ("project", "Project", lambda config: config.project.name if config.project else "–"),
    (
        "dataset",
        "Data set",
        lambda config: config.dataset.fingerprint[:12] if config.dataset else "–",
    ),
    ("images", "Images", _counts),
    (
        "classes",
        "Classes",
        lambda config: f"{len(config.dataset.class_names)}" if config.dataset else "–",
    ),
)
