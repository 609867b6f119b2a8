"""What runs are compared by, each with how its curve is read from a run."""

from __future__ import annotations

from dataclasses import dataclass

from core.common.errors import ConfigError
from core.common.text import clean, did_you_mean, sentence
from core.plots.run_charts import Measure


@dataclass(frozen=True)
class Metric:
    """Something to compare runs by.

    `measure` says how its curve is read, one value a step or one a validation; `less` that smaller
    is better.
    """

    key: str
    title: str
    measure: Measure
    less: bool = False

    @property
    def per_step(self) -> bool:
        """Whether there is a value for each step; else one for each validation."""
        return bool(self.measure.per_step)

    @property
    def bounded(self) -> bool:
        """Whether it lies between 0 and 1, as accuracy does."""
        return bool(self.measure.per_validation) and self.key != "valid_loss"


def _validated(key: str, title: str, less: bool = False) -> Metric:
    field = "loss" if key == "valid_loss" else key
    measure = Measure(key, title, per_validation=((field, title),))
    return Metric(key, title, measure, less)


def _stepped(key: str, title: str, group: str, factor: float = 1.0, less: bool = False) -> Metric:
    # `group` is the measure of the run screen that smooths alike.
    return Metric(key, title, Measure(group, title, ((key, title, factor),)), less)


METRICS: dict[str, Metric] = {
    metric.key: metric
    for metric in (
        _validated("map50_95", "mAP50-95"),
        _validated("map50", "mAP50"),
        _validated("map75", "mAP75"),
        _validated("precision", "Precision"),
        _validated("recall", "Recall"),
        _validated("f1", "F1"),
        _stepped("loss", "Loss", "loss", less=True),
        _validated("valid_loss", "Validation loss", less=True),
        _stepped("lr", "Learning rate", "lr"),
        _stepped("images_per_s", "Images/s", "speed"),
        _stepped("step_s", "Seconds a step", "waiting", less=True),
        _stepped("gpu_mem_mb", "GPU memory, GB", "memory", 1e-3, less=True),
    )
}


def metric_named(name: str) -> Metric:
    """Return the metric with this key. Raises ConfigError that names the nearest."""
    wanted = name.casefold().replace("-", "_")
    wanted = {"map": "map50_95", "val_loss": "valid_loss"}.get(wanted, wanted)
    if wanted not in METRICS:
        guess = did_you_mean(wanted, METRICS)
        raise ConfigError(
            f"There is no metric '{clean(name)}'.",
            sentence(guess) or f"There are {', '.join(METRICS)}.",
        )
    return METRICS[wanted]
