"""What our worker costs: its images per second against plain rfdetr `train()`, same settings.

    python benchmarks/train_overhead.py [--repeats 3] [--epochs 4]

Both train the `tiny` size on the same shapes, each run in a fresh process, taking turns; both are
timed by the same Lightning callback: training loop from the first batch to the end of the last
epoch, with validation and checkpoints (`whole`), and the steps alone (`steps`). The figure is the
median of our images per second over the median of rfdetr's; the target is 0.97 or more.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TARGET = 0.97
IMAGES = 96
CLASSES = ["square", "disc"]  # in the order of the data set's categories


def clock(out: Path) -> Any:
    """Return a Lightning callback that writes what it measured to `out` as JSON."""
    from pytorch_lightning import Callback

    class Clock(Callback):
        images = 0
        steps_s = 0.0
        first = epoch = last = 0.0

        def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
            self.epoch = time.perf_counter()

        def on_train_batch_start(
            self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int
        ) -> None:
            # The first epoch warms up: allocations, caches, lazy imports.
            if trainer.current_epoch == 1 and not self.first:
                self.first = self.epoch

        def on_train_batch_end(
            self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
        ) -> None:
            if trainer.current_epoch >= 1:
                self.images += len(batch[1])
                self.last = time.perf_counter()

        def on_validation_start(self, trainer: Any, pl_module: Any) -> None:
            if trainer.current_epoch >= 1:
                self.steps_s += self.last - self.epoch

        def on_train_end(self, trainer: Any, pl_module: Any) -> None:
            whole = time.perf_counter() - self.first
            rates = {"whole": self.images / whole, "steps": self.images / self.steps_s}
            out.write_text(json.dumps(rates))

    return Clock()


def make_run(folder: Path, dataset: Path, epochs: int) -> Path:
    """Make a run folder for `tiny` on `dataset` and return it."""
    from core.training.config.options import DatasetInfo, TrainingConfig

    folder.mkdir()
    info = DatasetInfo(
        dir=dataset, fingerprint="shapes", class_names=CLASSES, images={}, annotations={}
    )
    config = TrainingConfig(model="tiny", epochs=epochs, patience=0, dataset=info)
    config.save(folder / "training_config.json")
    return folder


def train_ours(run: Path, out: Path) -> None:
    """Train in this process as the worker does."""
    from core.training.worker import main as worker

    code = worker.main([str(run)], callbacks=[clock(out)])
    if code:
        raise SystemExit(code)


def train_plain(run: Path, out: Path) -> None:
    """Train in this process with rfdetr's own `train()` and the same settings."""
    import rfdetr.training
    from rfdetr import RFDETRNano

    from core.models.encoder_blocks import used_blocks_only
    from core.models.sizes import get_model
    from core.training.config.effective_batch import Batching
    from core.training.config.options import TrainingConfig
    from core.training.worker.build import train_config

    config = TrainingConfig.load(run / "training_config.json")
    build = rfdetr.training.build_trainer

    def timed(*args: Any, **kwargs: Any) -> Any:
        trainer = build(*args, **kwargs)
        trainer.callbacks.append(clock(out))
        return trainer

    rfdetr.training.build_trainer = timed
    batch = config.batch_size if isinstance(config.batch_size, int) else 8
    settings = train_config(config, run, CLASSES, Batching(batch, config.grad_accum))
    chosen = {name: getattr(settings, name) for name in settings.model_fields_set}
    chosen |= {"tensorboard": True, "output_dir": str(run / "plain")}
    with used_blocks_only():  # both train the same network
        model = RFDETRNano(
            **get_model("tiny").build,
            resolution=config.image_size,
            num_classes=len(CLASSES),
            pretrain_weights=None,
            device="cpu",
        )
        model.train(**chosen)


def make_dataset(folder: Path, images: int = IMAGES) -> None:
    """Draw the shapes into `folder` as a prepared data set: categories from 0, no group."""
    from core.demo.shapes import make_shapes

    make_shapes(folder, train=images, valid=24, test=0, messy=False)
    for path in folder.glob("*/_annotations.coco.json"):
        coco = json.loads(path.read_text())
        names = {category["id"]: category["name"] for category in coco["categories"]}
        for annotation in coco["annotations"]:
            annotation["category_id"] = CLASSES.index(names[annotation["category_id"]])
        coco["categories"] = [{"id": i, "name": name} for i, name in enumerate(CLASSES)]
        path.write_text(json.dumps(coco))


def main() -> int:
    """Run the benchmark; 0 if the target is met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--child", nargs=3, metavar=("WHO", "RUN", "OUT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        who, run, out = options.child
        (train_ours if who == "ours" else train_plain)(Path(run), Path(out))
        return 0
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_WAIT_POLICY": "passive"}
    sys.path.insert(0, str(ROOT))
    rates: dict[str, dict[str, list[float]]] = {
        who: {"whole": [], "steps": []} for who in ("ours", "plain")
    }
    with tempfile.TemporaryDirectory(prefix="train_overhead-") as temporary:
        folder = Path(temporary)
        make_dataset(folder / "dataset")
        for turn in range(options.repeats):
            order = ("ours", "plain") if turn % 2 == 0 else ("plain", "ours")
            for who in order:
                run = make_run(folder / f"{who}-{turn}", folder / "dataset", options.epochs)
                out = folder / f"{who}-{turn}.json"
                subprocess.run(
                    [sys.executable, __file__, "--child", who, str(run), str(out)],
                    check=True,
                    env=env,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
                measured = json.loads(out.read_text())
                for part, rate in measured.items():
                    rates[who][part].append(rate)
                print(
                    f"{who:5} whole {measured['whole']:6.2f} steps {measured['steps']:6.2f} "
                    "images/s",
                    flush=True,
                )
    ratios = {
        part: statistics.median(rates["ours"][part]) / statistics.median(rates["plain"][part])
        for part in ("whole", "steps")
    }
    met = ratios["whole"] >= TARGET
    print(
        f"ratio ours / rfdetr: whole {ratios['whole']:.3f}, steps {ratios['steps']:.3f} "
        f"(target {TARGET} or more: {'met' if met else 'MISSED'})"
    )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
