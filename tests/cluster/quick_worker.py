"""Stands in for the trainer where a test is about the job: tells a run as it does, in a second.

`python quick_worker.py SECONDS_A_STEP RUN_DIR`. Four steps an epoch; goes on from the last
checkpoint; stops with one on SIGUSR1 and SIGTERM, with the worker's exit codes. Looks at the
settings again after each epoch, so that a test can say when it is enough. Where the run has a file
`slow`, its last checkpoint takes until it is signalled for a second time.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path

from core.training.config.options import TrainingConfig
from core.training.run.events import (
    Checkpoint,
    Epoch,
    EventWriter,
    Finished,
    Started,
    Step,
    Stopped,
)
from core.training.run.worker_process import write_worker

STEPS = 4


def main() -> int:
    pause, run = float(sys.argv[1]), Path(sys.argv[2])
    config = TrainingConfig.load(run / "training_config.json")
    asked: list[str] = []
    for number in (signal.SIGUSR1, signal.SIGTERM):
        signal.signal(number, lambda got, _frame: asked.append(signal.Signals(got).name))
    write_worker(run)
    assert config.dataset_dir(run).joinpath("train", "_annotations.coco.json").is_file()
    last = run / "checkpoint_last.pth"
    resume = config.resume if config.resume and not last.is_file() else last
    step = int(resume.read_text()) if resume.is_file() else 0
    start = step
    events = EventWriter(run / "events.jsonl")
    events.write(
        Started(
            run=run.name, pid=1, host="n1", model=config.model, epochs=config.epochs,
            epoch=step // STEPS, step=step, steps_per_epoch=STEPS, batch_size=1, grad_accum=1,
            effective_batch=1, image_size=128, classes=[], device="cpu",
            resumed_from=str(resume) if step else None,
        )
    )  # fmt: skip
    print(f"quick worker from step {start}", flush=True)

    def save(kind: str) -> None:
        last.with_name("part").write_text(str(step))
        last.with_name("part").replace(last)
        events.write(Checkpoint(epoch=step // STEPS, step=step, file=last.name, kind=kind, bytes=1))

    while step < config.epochs * STEPS:
        time.sleep(pause)
        if asked and (len(asked) > 1 or not (run / "slow").exists()):
            save("stop")
            events.write(Stopped(epoch=step // STEPS, step=step, reason=asked[0]))
            return 3
        step += 1
        epoch = (step - 1) // STEPS + 1
        events.write(Step(epoch=epoch, step=step, loss=1 / step, lr=config.lr, images_per_s=1,
                          step_s=pause))  # fmt: skip
        if step % STEPS == 0:
            save("last")
            events.write(Epoch(epoch=epoch, step=step, train_loss=1 / step, seconds=1))
            config = TrainingConfig.load(run / "training_config.json")
    (run / "best.pth").write_bytes(b"weights" * 1000)
    (run / "results.json").write_text(json.dumps({"epochs_trained": config.epochs}))
    events.write(
        Finished(epoch=config.epochs, step=step, best_epoch=1, best_map50_95=0.5, best_map50=0.6,
                 seconds=1)
    )  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
