"""How long a training will take, from earlier runs of the same model, image size and machine.

The time of a run grows with the images that an epoch goes through: those of train are learnt, those
of valid are only looked at. What a run took for each is its own measure, whatever its batch was.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.common.text import clean, duration, plural, size
from core.models.sizes import resolve_image_size
from core.training.config.effective_batch import steps_per_epoch
from core.training.config.options import TrainingConfig
from core.training.run.events import Started, read_events
from core.training.run.run import EVENTS_FILE
from core.training.run.summary import RunSummary

# A forward pass takes about a third of a training step, whose backward pass takes two (Kaplan et
# al. 2020, "Scaling Laws for Neural Language Models", 2.1: 2 N and 4 N operations a token).
_VALID = 1 / 3
_FIRST = 64 * 1024
_MOST = 5


@dataclass(frozen=True)
class TimeEstimate:
    """Seconds an epoch, and all epochs, will take, and the runs that tell so, on which device."""

    epoch_s: float
    run_s: float
    runs: tuple[str, ...]
    device: str

    def sentence(self) -> str:
        """Return it in words."""
        shown = ", ".join(map(clean, self.runs[:2]))
        more = f" and {len(self.runs) - 2} more" if len(self.runs) > 2 else ""
        return (
            f"about {duration(self.epoch_s)} an epoch, {duration(self.run_s)} in all, going by"
            f" {shown}{more} on {clean(self.device)}."
        )


def estimate(
    runs: Iterable[RunSummary],
    config: TrainingConfig,
    images: dict[str, int],
    device: str | None = None,
) -> list[TimeEstimate]:
    """Return how long `config` takes on `images` by split, for each device that runs tell of.

    `device` is the name of a GPU, or `cpu`: others are left out. The newest runs, at most five a
    device, are asked; none that has not done a whole epoch, or that trained on another number of
    GPUs. The largest number of runs comes first.
    """
    side, _ = resolve_image_size(config.model, config.image_size)
    work = _work(images)
    found: dict[str, list[tuple[float, str]]] = {}
    for run in runs:
        told = run.config
        if told is None or told.dataset is None or run.model != config.model or run.epoch < 1:
            continue
        same = (told.num_gpus, told.num_nodes) == (config.num_gpus, config.num_nodes)
        if not same or resolve_image_size(told.model, told.image_size)[0] != side:
            continue
        done = _work(told.dataset.images)
        on = _device(run.path) if done and run.seconds > 0 else None
        if on is None or (device is not None and on != device):
            continue
        if len(found.setdefault(on, [])) < _MOST:
            found[on].append((run.seconds / run.epoch / done, run.name))
    return sorted(
        (
            TimeEstimate(
                epoch_s=(each := statistics.median(cost for cost, _ in costs) * work),
                run_s=each * config.epochs,
                runs=tuple(name for _, name in costs),
                device=on,
            )
            for on, costs in found.items()
        ),
        key=lambda found: -len(found.runs),
    )


def measured_time(
    config: TrainingConfig, images: dict[str, int], measured: Mapping[str, Any]
) -> TimeEstimate:
    """Return how long `config` takes on `images` by split, by what a few steps took here.

    `measured` is a `core.training.worker.trial.measure.Measured` as plain values. Each epoch shows
    whole steps, as `steps_per_epoch` has it. Several GPUs share it.
    """
    devices = config.num_gpus * config.num_nodes
    step = int(measured["batch"]) * config.grad_accum * devices
    shown = steps_per_epoch(images.get("train", 0), step) * step
    train_s = float(measured["train_s"])
    valid_s = measured["valid_s"]
    valid_s = _VALID * train_s if valid_s is None else float(valid_s)
    each = (shown * train_s + images.get("valid", 0) * valid_s) / devices
    return TimeEstimate(each, each * config.epochs, (), str(measured["device"]))


def measured_sentence(
    config: TrainingConfig, images: dict[str, int], measured: Mapping[str, Any]
) -> str:
    """Return in words what a few steps say of time and memory."""
    time = measured_time(config, images, measured)
    end = ", less where patience runs out" if config.patience else ""
    return (
        f"about {duration(time.epoch_s)} an epoch, {duration(time.run_s)} in all{end}: measured by "
        f"{plural(int(measured['steps']), 'step')} of {plural(int(measured['batch']), 'image')} on "
        f"{clean(time.device)}, which took {size(int(measured['memory']))} of memory."
    )


def on_gpu_type(found: Iterable[TimeEstimate], gpu: str) -> TimeEstimate | None:
    """Return the estimate of `found` for a GPU that a cluster calls `gpu`, None if there is none.

    A scheduler's names are short (`a100`, `rtx_4090`), a driver's are long (`NVIDIA
    A100-SXM4-40GB`, `NVIDIA GeForce RTX 4090`): one is taken to be the other where all of the
    short one's letters and digits stand in it in a row.
    """
    wanted = _letters(gpu)
    return next((one for one in found if wanted and wanted in _letters(one.device)), None)


def _letters(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def time_sentence(found: list[TimeEstimate], epochs: int, measure: str) -> str:
    """Return what to tell of an estimate for this machine; where there is none, why.

    `measure` is what takes a few steps where it is read: a key of the app, an option of the shell.
    """
    if found:
        return found[0].sentence()
    return (
        "unknown: no run of this model and image size has done an epoch on this machine yet; the"
        f" first{f' of the {epochs:,} epochs' if epochs > 1 else ''} will tell; {measure} takes"
        " a few steps to know before."
    )


def _work(images: dict[str, int]) -> float:
    return images.get("train", 0) + _VALID * images.get("valid", 0)


def _device(path: Path) -> str | None:
    """Return on what a run trained: its GPU's name or `cpu`; None where it does not say."""
    try:
        with (path / EVENTS_FILE).open("rb") as file:
            events, _ = read_events(file.read(_FIRST))
    except OSError:
        return None
    started = next((event for event in events if isinstance(event, Started)), None)
    return None if started is None else started.gpu or started.device.partition(":")[0]
