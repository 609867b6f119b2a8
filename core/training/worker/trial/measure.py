"""How long a step takes and how much memory, by taking a few. Imports torch and rfdetr.

`python -m core.training.worker.trial.measure` is a job of `core.processes.job`. A few images of the
project are prepared, loaded, learnt from and validated by what trains a run; nothing is kept.
Random weights take as long as any others, so none are fetched.
"""

from __future__ import annotations

import resource
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback

from core.common.errors import BatmanError, Cancelled, ConfigError, RunError
from core.common.hardware import find_gpus
from core.common.progress import Cancelled as IsCancelled
from core.common.progress import Progress, Report
from core.data.store import Project
from core.processes.job import serve_job
from core.training.config.batch_size import recommend_here
from core.training.config.effective_batch import Batching
from core.training.config.options import TrainingConfig, parse_config
from core.training.launch.sample import write_sample
from core.training.log.quiet_libraries import quiet_loggers
from core.training.warnings.failures import is_oom
from core.training.worker import build
from core.training.worker.data.seeds import BatchSeeds

# The first step also plans kernels and fills caches: it is left out where there are others.
_WARM_UP = 1
_MOST_IMAGES = 64


@dataclass(frozen=True)
class MeasureOptions:
    """Settings as plain values, the steps to take, and after how many seconds to take no more."""

    config: dict[str, Any]
    steps: int = 6
    seconds: float = 60.0


@dataclass(frozen=True)
class Measured:
    """What a few steps took on one device.

    Seconds for each image learnt and for each image validated (None where time ran out before),
    memory in bytes (of the GPU, else of the process), the batch, and how many steps were measured.
    """

    train_s: float
    valid_s: float | None
    memory: int
    batch: int
    steps: int
    device: str


class _Enough(Exception):
    """Ends the fit: what was wanted is known."""


class _Clock(Callback):
    def __init__(self, options: MeasureOptions, report: Report, cancelled: IsCancelled) -> None:
        self._options, self._report, self._cancelled = options, report, cancelled
        self.steps: list[float] = []
        self.valid: list[tuple[float, int]] = []
        self._begun = self._at = time.perf_counter()

    def _now(self) -> float:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return time.perf_counter()

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        self._begun = self._at = self._now()
        self._report(Progress("training steps", 0, self._options.steps))

    def on_train_batch_end(self, *_: Any) -> None:
        now = self._now()
        self.steps.append(now - self._at)
        self._at = now
        self._report(Progress("training steps", len(self.steps), self._options.steps))
        if self._cancelled():
            raise _Enough
        # Loading the next batch is part of a step: its clock runs on from here.
        if len(self.steps) > _WARM_UP and now - self._begun > self._options.seconds:
            raise _Enough

    def on_validation_start(self, *_: Any) -> None:
        self._at = self._now()
        self._report(Progress("validating", 0, None))

    def on_validation_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, *_: Any
    ) -> None:
        now = self._now()
        self.valid.append((now - self._at, len(batch[1])))
        self._at = now
        if self._cancelled():
            raise _Enough

    def on_validation_end(self, *_: Any) -> None:
        raise _Enough


def measure(options: MeasureOptions, report: Report, cancelled: IsCancelled) -> Measured:
    """Take the steps. Raises ConfigError, ProjectError, RunError (too large a batch), Cancelled."""
    # Several GPUs share the images: one of them tells.
    config = parse_config(options.config).with_changes(num_gpus=1, num_nodes=1, val_images=0)
    config = config.resolved()
    if config.project is None:
        raise ConfigError("No project was chosen to train on.", "Name one with --project.")
    batch = _batch(config)
    quiet_loggers()
    report(Progress("reading", 0))
    with tempfile.TemporaryDirectory(prefix="batman-measure-") as name:
        folder = Path(name)
        with Project.open(config.project) as project:
            count = min(_MOST_IMAGES, batch * options.steps)
            info, _ = write_sample(project, config, count, folder, valid=2 * batch)
        config = config.with_changes(
            dataset=info, epochs=1, batch_size=batch, grad_accum=1, balance=0.0, pretrained=None
        )
        report(Progress("building the model", 0))
        model = build.model_config(config, info.class_names, None)
        train = build.train_config(config, folder, info.class_names, Batching(batch, 1))
        module = build.build_module(model, train)
        data = build.build_data(model, train)
        clock = _Clock(options, report, cancelled)
        chain = [BatchSeeds(config.seed), build.build_evaluation(train), clock]
        trainer = build.make_trainer(config, model, train, chain)
        try:
            trainer.fit(module, datamodule=data)
        except _Enough:
            pass
        except Exception as error:
            if is_oom(error):
                raise RunError(
                    f"A batch of {batch} at {config.image_size} pixels does not fit in memory.",
                    "Take a smaller batch or image size, or switch on --gradient-checkpointing.",
                ) from error
            raise
        if cancelled():
            raise Cancelled("Measuring was stopped.")
        return _result(clock, batch, module.device)


def _batch(config: TrainingConfig) -> int:
    if config.batch_size != "auto":
        return config.batch_size
    return recommend_here(config, find_gpus()).batch_size


def _result(clock: _Clock, batch: int, device: torch.device) -> Measured:
    kept = clock.steps[_WARM_UP:] or clock.steps
    if not kept:
        raise BatmanError("Not one step was taken.")
    cuda = device.type == "cuda"
    images = sum(count for _, count in clock.valid)
    valid_s = sum(took for took, _ in clock.valid) / images if images else None
    # Bytes on macOS, KiB on Linux (getrusage(2)).
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return Measured(
        train_s=statistics.median(kept) / batch,
        valid_s=valid_s,
        memory=torch.cuda.max_memory_reserved(device) if cuda else peak,
        batch=batch,
        steps=len(kept),
        device=torch.cuda.get_device_name(device) if cuda else device.type,
    )


if __name__ == "__main__":
    sys.exit(serve_job(MeasureOptions, measure))
