"""Run folders on a shapes data set, and workers in them, for the engine's tests."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from warm_trainer import WarmTrainer

from core.demo.shapes import make_shapes
from core.training.config.options import DatasetInfo, TrainingConfig
from core.training.run.events import Event, read_events

ROOT = Path(__file__).parents[2]
CLASSES = ["disc", "square"]
TRAINER = ("-m", "core.training.worker")

# Sixty-four images in batches of eight make eight steps an epoch, two seconds on one core; after
# six epochs the first shapes are found.
STEPS = 8
SETTINGS: dict[str, Any] = {
    "model": "tiny",
    "image_size": 96,
    "epochs": 6,
    "checkpoint_interval": 1,
    "keep_checkpoints": 2,
    "ema": True,
    "ema_decay": 0.5,
    "val_images": 3,
    "seed": 7,
}


class Runs:
    """Makes run folders on one data set and runs workers in them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[WarmTrainer] = []
        self.dataset = folder / "dataset"
        make_shapes(self.dataset, train=64, valid=24, test=8, messy=False)
        for split in ("train", "valid", "test"):
            # As prepare writes it: categories from 0 in the order of the names, no group.
            path = self.dataset / split / "_annotations.coco.json"
            coco = json.loads(path.read_text())
            names = {category["id"]: category["name"] for category in coco["categories"]}
            for annotation in coco["annotations"]:
                annotation["category_id"] = CLASSES.index(names[annotation["category_id"]])
            coco["categories"] = [{"id": i, "name": name} for i, name in enumerate(CLASSES)]
            path.write_text(json.dumps(coco))

    def make(self, name: str, **settings: Any) -> Path:
        run = self.folder / name
        # What the first try of a test left, should it be tried again.
        shutil.rmtree(run, ignore_errors=True)
        run.mkdir()
        info = DatasetInfo(
            dir=self.dataset,
            fingerprint="shapes",
            class_names=CLASSES,
            images={"train": 64, "valid": 24, "test": 8},
            annotations={},
        )
        TrainingConfig(dataset=info, **{**SETTINGS, **settings}).save(run / "training_config.json")
        return run

    def end_all(self) -> None:
        """End the trainers that still run: those of a test that failed before it waited."""
        while self.started:
            trainer = self.started.pop()
            if trainer.poll() is None:
                trainer.end()

    def copy(self, run: Path, name: str) -> Path:
        shutil.rmtree(self.folder / name, ignore_errors=True)
        return Path(shutil.copytree(run, self.folder / name))

    def start(
        self, run: Path, command: Sequence[str] = (), *, warm: bool = True, script: str = ""
    ) -> Any:
        """Start a trainer, or `command`; one that is not `warm` is the real command.

        A `script` is a warm trainer that a test has changed: it calls `worker.main` itself.
        """
        env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_WAIT_POLICY": "passive"}
        if warm and not command:
            trainer = WarmTrainer(run, run / "train.log", env, script)
            self.started.append(trainer)
            return trainer
        with (run / "train.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, *(command or TRAINER), str(run)],
                stdout=log,
                stderr=log,
                cwd=run,
                env=env,
                start_new_session=True,
            )

    def train(self, run: Path, command: Sequence[str] = (), **how: Any) -> int:
        return int(self.start(run, command, **how).wait(timeout=240))

    def interrupt(
        self,
        run: Path,
        when: Callable[[list[Event]], bool],
        number: int,
        command: Sequence[str] = (),
    ) -> int:
        """Start a worker, send it `number` as soon as its events satisfy `when`: its exit code."""
        before = len(events_of(run))
        process = self.start(run, command)
        deadline = time.monotonic() + 240
        while not when(events_of(run)[before:]):
            assert process.poll() is None, (run / "train.log").read_text()[-3000:]
            assert time.monotonic() < deadline, "the worker did not get there in time"
            # Steps take a tenth of a second: looking more often only takes the worker's time.
            time.sleep(0.005)
        process.send_signal(number)
        return int(process.wait(timeout=120))


def events_of(run: Path) -> list[Event]:
    path = run / "events.jsonl"
    return read_events(path.read_bytes())[0] if path.exists() else []
