"""Two processes on the CPU train one run (gloo), as two GPUs would."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import psutil
import pytest
from engine_runs import Runs, events_of

from core.common.errors import ConfigError
from core.training.config.options import TrainingConfig
from core.training.run import events as ev
from core.training.run.checkpoints import read_info
from core.training.run.run import Run

# The second of two GPUs, so to speak, holds two images.
SMALL_SECOND = """
import os, sys, torch
from pytorch_lightning import Callback
from core.training.worker import main as worker

class SmallSecond(Callback):
    def on_train_batch_start(self, trainer, module, batch, batch_idx):
        if os.environ.get("LOCAL_RANK") == "1" and len(batch[1]) > 2 and trainer.global_step >= 1:
            raise torch.OutOfMemoryError(f"CUDA out of memory: {len(batch[1])} images")

sys.exit(worker.main(callbacks=[SmallSecond()]))
"""


def test_two_processes_are_one_run(runs: Runs, tmp_path: Path) -> None:
    """Memory runs out in the second: both begin again with half the batch, and stop together."""
    run = runs.make("two", device="cpu", num_gpus=2, batch_size=4, epochs=3)
    script = tmp_path / "small_second.py"
    script.write_text(SMALL_SECOND)
    seen: list[psutil.Process] = []

    def second_attempt(events: list[ev.Event]) -> bool:
        starts = [event for event in events if isinstance(event, ev.Started)]
        if not seen and events:
            seen.extend(psutil.Process(starts[0].pid).children(recursive=True))
        # In the middle of an epoch, after the restart.
        return len(starts) == 2 and isinstance(events[-1], ev.Step)

    code = runs.interrupt(run, second_attempt, signal.SIGTERM, command=(str(script),))
    log = (run / "train.log").read_text()
    assert code == 3, log[-3000:]
    events = events_of(run)

    (oom,) = [event for event in events if isinstance(event, ev.Oom)]
    assert (oom.batch_size, oom.grad_accum) == (4, 1)
    assert (oom.new_batch_size, oom.new_grad_accum) == (2, 2)
    assert "4 images" in oom.message

    first, second = [event for event in events if isinstance(event, ev.Started)]
    assert first.pid == second.pid
    assert (first.batch_size, first.grad_accum, first.effective_batch) == (4, 1, 8)
    assert (second.batch_size, second.grad_accum, second.effective_batch) == (2, 2, 8)
    # Sixty-four images, four for each of two: eight steps, not sixteen.
    assert first.steps_per_epoch == second.steps_per_epoch == 8

    # One writer: every step is told once.
    steps = [event.step for event in events[events.index(second) :] if isinstance(event, ev.Step)]
    assert steps == list(range(1, len(steps) + 1))
    assert isinstance(events[-1], ev.Stopped)
    stop = next(event for event in events if isinstance(event, ev.Checkpoint))
    assert (stop.kind, stop.step) == ("stop", steps[-1])
    assert read_info(run / "checkpoint_last.pth").step == steps[-1]
    assert json.loads((run / "results.json").read_text())["effective_batch"] == 8
    assert Run(run).state() == "stopped"

    assert seen, "the second process was never there"
    assert not psutil.wait_procs(seen, timeout=30)[1]
    assert not list(run.glob(".rank-*"))


def test_gpus_that_are_not_there_are_not_replaced_by_processes_on_the_cpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import torch

    from core.training.worker.build import device_arguments

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="4 GPUs were asked for, and this machine has none"):
        device_arguments(TrainingConfig(num_gpus=4))
    assert device_arguments(TrainingConfig(num_gpus=4, device="cpu")) == ("cpu", 4)
    assert device_arguments(TrainingConfig(device="cpu")) == ("cpu", 1)
