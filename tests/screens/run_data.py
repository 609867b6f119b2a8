"""Runs for the screens' tests and pictures, the same every time they are made."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

import msgspec
from sample_data import NOW

from core.training.config.options import DatasetInfo, TrainingConfig
from core.training.run.events import (
    Checkpoint,
    Epoch,
    Event,
    Failed,
    Finished,
    Oom,
    Started,
    Step,
    Stopped,
    Validation,
    Warning_,
    encode_event,
)

BEGAN = NOW.timestamp() - 3600
CLASSES = {"person [front]": 0.71, "hard hat": 0.55, "crane_hook": 0.33, "[/x] vest": 0.62}
STEPS_PER_EPOCH = 60


def config(root: Path, **changes: Any) -> TrainingConfig:
    """Settings of a prepared run of the project `building-site`."""
    info = DatasetInfo(
        dir=Path("dataset"),
        fingerprint="c0ffee" * 10,
        class_names=list(CLASSES),
        images={"train": 480, "valid": 96, "test": 96},
        annotations={"train": 4800, "valid": 960, "test": 960},
        per_class={"train": {name: 400 + 300 * i for i, name in enumerate(CLASSES)}},
    )
    values = {
        "project": root / "data" / "projects" / "building-site",
        "model": "small",
        "epochs": 20,
        "batch_size": 4,
        "grad_accum": 2,
        "image_size": 512,
        "dataset": info,
        **changes,
    }
    return TrainingConfig.model_validate(values)


def started(name: str, *, epoch: int = 0, t: float = BEGAN, **changes: Any) -> Started:
    """The first event of a run, or of its going on after `epoch`."""
    values: dict[str, object] = {
        "t": t,
        "run": name,
        "pid": 4242,
        "host": "gotham",
        "model": "small",
        "epochs": 20,
        "epoch": epoch,
        "step": epoch * STEPS_PER_EPOCH,
        "steps_per_epoch": STEPS_PER_EPOCH,
        "batch_size": 4,
        "grad_accum": 2,
        "effective_batch": 8,
        "image_size": 512,
        "classes": list(CLASSES),
        "device": "cuda:0",
        "gpu": "NVIDIA A100-SXM4-40GB",
    }
    return Started(**(values | changes))  # type: ignore[arg-type]


def epoch_events(epoch: int, *, seed: int = 7, spike: int | None = None) -> list[Event]:
    """Steps, validation and checkpoints of one epoch, counted from 1."""
    dice = random.Random(seed * 1000 + epoch)
    events: list[Event] = []
    t = BEGAN + 40 + (epoch - 1) * 75.0
    for number in range(STEPS_PER_EPOCH):
        step = (epoch - 1) * STEPS_PER_EPOCH + number + 1
        done = step / (20 * STEPS_PER_EPOCH)
        base = 0.6 + 5.4 * math.exp(-4 * done)
        loss = base * dice.uniform(0.8, 1.25) if step != spike else 24.0
        t += 1.1
        events.append(
            Step(
                t=t,
                epoch=epoch,
                step=step,
                loss=loss,
                loss_cls=loss * 0.45,
                loss_box=loss * 0.2,
                loss_giou=loss * 0.35,
                lr=1e-4,
                images_per_s=7.2 * dice.uniform(0.9, 1.1),
                step_s=1.1,
                data_s=0.05,
                gpu_mem_mb=21_400.0,
                rss_mb=5_300.0,
            )
        )
    last = epoch * STEPS_PER_EPOCH
    grown = 1 - math.exp(-epoch / 6)
    scores = {name: top * grown * dice.uniform(0.95, 1.05) for name, top in CLASSES.items()}
    mean = sum(scores.values()) / len(scores)
    events.append(
        Validation(
            t=t + 6,
            epoch=epoch,
            step=last,
            map50_95=mean,
            map50=min(1.0, mean * 1.5),
            map75=mean * 1.1,
            precision=0.4 + 0.5 * grown,
            recall=0.3 + 0.5 * grown,
            f1=0.35 + 0.5 * grown,
            loss=0.9 + 5 * math.exp(-epoch / 5),
            per_class=scores,
            best=True,
        )
    )
    if epoch % 5 == 0:
        file = f"checkpoint_epoch_{epoch}.pth"
        events.append(
            Checkpoint(t=t + 7, epoch=epoch, step=last, file=file, kind="periodic", bytes=10**8)
        )
    events.append(Epoch(t=t + 8, epoch=epoch, step=last, train_loss=base, seconds=74.0))
    return events


def running(name: str, epochs: int = 8) -> list[Event]:
    """A run that has done `epochs` of 20 and a part of the next, with a warning and a spike."""
    events: list[Event] = [started(name)]
    for epoch in range(1, epochs + 1):
        events += epoch_events(epoch, spike=200)
    events.append(
        Warning_(
            t=BEGAN + 330,
            code="loss-spike",
            message="The loss jumped to [24.0] for one step.",
            hint="If it happens again, lower the learning rate.",
            command="batman train --lr 5e-5",
            epoch=4,
            step=200,
        )
    )
    events += epoch_events(epochs + 1)[:25]
    return sorted(events, key=lambda event: event.t)


def finished(name: str) -> list[Event]:
    """A run that has done all of its 20 epochs."""
    events: list[Event] = [started(name)]
    for epoch in range(1, 21):
        events += epoch_events(epoch)
    t = events[-1].t + 5
    events.append(
        Finished(
            t=t,
            epoch=20,
            step=20 * STEPS_PER_EPOCH,
            best_epoch=19,
            best_map50_95=0.534,
            best_map50=0.801,
            seconds=t - BEGAN,
        )
    )
    return events


def failed(name: str, epochs: int = 3) -> list[Event]:
    """A run that ran out of memory, went on with less, and then lost its data set."""
    events: list[Event] = [started(name, batch_size=8, grad_accum=1)]
    for epoch in range(1, epochs + 1):
        events += epoch_events(epoch)
    t = events[-1].t
    step = epochs * STEPS_PER_EPOCH
    events.append(
        Oom(
            t=t + 2,
            batch_size=8,
            grad_accum=1,
            new_batch_size=4,
            new_grad_accum=2,
            attempt=1,
            epoch=epochs,
            step=step,
        )
    )
    events.append(started(name, epoch=epochs, t=t + 20))
    events += epoch_events(epochs + 1)[:30]
    events.append(
        Failed(
            t=t + 70,
            kind="data",
            message="The image 'train/a[1].jpg' is gone.",
            hint="Put the data set back at /data/sets, or prepare it again; then resume.",
            traceback="Traceback (most recent call last):\n  FileNotFoundError: train/a[1].jpg",
        )
    )
    return events


def stopped(name: str, epochs: int = 5) -> list[Event]:
    """A run that was stopped after some epochs."""
    events: list[Event] = [started(name)]
    for epoch in range(1, epochs + 1):
        events += epoch_events(epoch)
    t, step = events[-1].t, epochs * STEPS_PER_EPOCH
    events.append(Stopped(t=t + 3, epoch=epochs, step=step, reason="SIGTERM"))
    return events


def better(name: str, epochs: int = 14) -> list[Event]:
    """A run with higher figures than the others, stopped after `epochs`."""
    events: list[Event] = [started(name)]
    for epoch in range(1, epochs + 1):
        for event in epoch_events(epoch, seed=3):
            if isinstance(event, Validation):
                score = min(1.0, event.map50_95 * 1.2)
                event = msgspec.structs.replace(event, map50_95=score, map50=score * 1.3)
            events.append(event)
    step = epochs * STEPS_PER_EPOCH
    events.append(Stopped(t=events[-1].t + 1, epoch=epochs, step=step, reason="asked"))
    return events


LOG = """\
[09:20:01] Preparing the data set: 672 images, 4 classes
[09:20:04] Loading RF-DETR small with rf-detr-small.pth
[09:20:09] Training on NVIDIA A100-SXM4-40GB, batch 4 x 2
UserWarning: class [person] has few boxes
[09:21:20] epoch 1: loss 5.12, mAP50-95 0.084
\x1b[31mError-like text in colour\x1b[0m
[09:22:35] epoch 2: loss 4.31, mAP50-95 0.156
"""


def make_run(root: Path, name: str, events: list[Event], *, log: str = LOG, **changes) -> Path:
    """Write a run folder into the workspace `root`; return it.

    The worker is on another machine, so that its state is what the events say.
    """
    path = root / "runs" / name
    path.mkdir(parents=True)
    config(root, **changes).save(path / "training_config.json")
    (path / "events.jsonl").write_bytes(b"".join(encode_event(event) for event in events))
    (path / "train.log").write_text(log, encoding="utf-8")
    worker = {"pid": 4242, "host": "elsewhere", "create_time": BEGAN - 5, "since": BEGAN - 5}
    (path / "worker.json").write_text(json.dumps(worker))
    return path
