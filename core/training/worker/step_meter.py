"""What a training step is measured by: losses, learning rate, time, memory.

Reading a number from a GPU makes the host wait for it, so there a step's numbers are read when the
next step has been queued; on a CPU at once.
"""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

import psutil
import torch

from core.training.run.events import Step

# rfdetr's names for the raw (unweighted) loss terms of the last decoder layer.
_PARTS = ("loss_ce", "loss_bbox", "loss_giou")
_MB = 1024 * 1024


@dataclass(slots=True)
class _Pending:
    epoch: int
    step: int
    values: torch.Tensor
    lr: float
    images_per_s: float
    step_s: float
    data_s: float
    gpu_mb: float | None


class StepMeter:
    """Turns Lightning's hooks into `Step` events.

    `lr` is the configured learning rate, which the events scale by what the schedule makes of it;
    `images` is how many images a step takes on all devices together. The loss of a step is the
    mean of its batches' losses, each as rfdetr weighs its parts, not divided by the accumulation.
    """

    def __init__(self, device: torch.device, lr: float, images: int, accum: int) -> None:
        self._cuda = device.type == "cuda"
        self._device = device
        self._lr = lr
        self._images = images
        self._accum = accum
        self._pending: deque[_Pending] = deque()
        self._parts: dict[str, torch.Tensor] = {}
        self._process = psutil.Process()
        self.loss_sum = 0.0
        self.loss_count = 0
        self.begin()

    def begin(self) -> None:
        """Start the clock of a step anew, after anything that is not training."""
        self._sum: torch.Tensor | None = None
        self._batches = 0
        self._data_s = 0.0
        self._step_lr = self._lr
        self._step_start = self._batch_end = time.perf_counter()

    def criterion_hook(self, _module: Any, _inputs: Any, losses: dict[str, torch.Tensor]) -> None:
        """Note the parts of a batch's loss; registered as a forward hook on rfdetr's criterion."""
        self._parts = losses

    def batch_start(self, optimizer: torch.optim.Optimizer) -> None:
        """A batch has been loaded: note how long that took, and the learning rate it will have."""
        self._data_s += time.perf_counter() - self._batch_end
        if not self._batches:
            group = optimizer.param_groups[0]
            initial = group.get("initial_lr") or group["lr"] or 1.0
            self._step_lr = self._lr * float(group["lr"]) / float(initial)

    def batch_end(self, loss: torch.Tensor) -> None:
        """A batch has been trained on; `loss` is what Lightning returns, divided by `accum`."""
        zero = loss.new_zeros(())
        parts = [self._parts.get(name, zero) for name in _PARTS]
        values = torch.stack([loss * self._accum, *parts]).detach().float()
        self._sum = values if self._sum is None else self._sum + values
        self._batches += 1
        self._batch_end = time.perf_counter()

    def step_end(self, epoch: int, step: int) -> list[Step]:
        """The optimiser has stepped: return the events that are ready, oldest first."""
        now = time.perf_counter()
        took = max(now - self._step_start, 1e-9)
        assert self._sum is not None
        values = self._sum / self._batches
        memory = torch.cuda.memory_reserved(self._device) / _MB if self._cuda else None
        self._pending.append(
            _Pending(
                epoch, step, values, self._step_lr, self._images / took, took, self._data_s, memory
            )
        )
        self.begin()
        self._step_start = self._batch_end = now
        return self.ready(keep=1 if self._cuda else 0)

    def ready(self, keep: int = 0) -> list[Step]:
        """Return all but the `keep` newest of the steps not yet returned, oldest first."""
        events = []
        while len(self._pending) > keep:
            events.append(self._event(self._pending.popleft()))
        return events

    def _event(self, step: _Pending) -> Step:
        loss, cls, box, giou = step.values.tolist()
        if math.isfinite(loss):
            self.loss_sum += loss
            self.loss_count += 1
        return Step(
            epoch=step.epoch,
            step=step.step,
            loss=_finite(loss),
            loss_cls=_finite(cls),
            loss_box=_finite(box),
            loss_giou=_finite(giou),
            lr=step.lr,
            images_per_s=round(step.images_per_s, 3),
            step_s=round(step.step_s, 6),
            data_s=round(step.data_s, 6),
            gpu_mem_mb=None if step.gpu_mb is None else round(step.gpu_mb, 1),
            rss_mb=round(self._process.memory_info().rss / _MB, 1),
        )

    def take_mean(self) -> float | None:
        """Return the mean loss over the epoch's steps and begin a new mean; None without steps."""
        mean = self.loss_sum / self.loss_count if self.loss_count else None
        self.loss_sum, self.loss_count = 0.0, 0
        return mean


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
