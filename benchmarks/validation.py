"""What the metrics of a validation cost while training, against rfdetr's own.

    python benchmarks/validation.py [--images N] [--repeats N]

Pictures with 300 predictions each, 80 classes and 7 objects go in batches of 8 through what a
validation does with them: rfdetr's evaluation (its metric, and its matching for precision, recall
and F1) and ours. Processor time of all threads, each in a process of its own.

Limits: 5 s for 5,000 pictures, and no more than half of rfdetr's own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
import warnings
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

LIMIT_S, RATIO = 5.0, 0.5
BATCH = 8
TIMEOUT_S = 600.0


def _child(build: str, images: int) -> None:
    warnings.simplefilter("ignore")
    import numpy as np
    import torch
    from coco_backends import big_case
    from rfdetr.training import COCOEvalCallback

    from core.training.worker.coco_validation import CocoEval

    kind = {"rfdetr": COCOEvalCallback, "batman": CocoEval}[build]
    evaluation = kind(max_dets=500, log_per_class_metrics=True, in_notebook=False)
    logged: dict[str, Any] = {}
    module = SimpleNamespace(
        device=torch.device("cpu"), model_config=None, train_config=None,
        log=lambda name, value, **_: logged.update({name: float(value)}),
    )  # fmt: skip
    trainer = SimpleNamespace(callbacks=[], datamodule=None, callback_metrics={}, max_epochs=1,
                              current_epoch=0, progress_bar_callback=None)  # fmt: skip
    evaluation._print_metrics_tables = lambda *_: None
    objects, found, _, _, _ = big_case(images)
    size = 1024.0
    batches = []
    for first in range(0, images, BATCH):
        results, targets = [], []
        for image in range(first, min(images, first + BATCH)):
            there, seen = (
                slice(*np.searchsorted(of.images, (image, image + 1))) for of in (objects, found)
            )
            corners = found.boxes[seen].copy()
            corners[:, 2:] += corners[:, :2]
            centres = objects.boxes[there].copy()
            centres[:, :2] += centres[:, 2:] / 2
            results.append({
                "boxes": torch.tensor(corners).float(),
                "scores": torch.tensor(found.scores[seen]).float(),
                "labels": torch.tensor(found.classes[seen]),
            })  # fmt: skip
            targets.append({
                "boxes": torch.tensor(centres / size).float(),
                "labels": torch.tensor(objects.classes[there]),
                "orig_size": torch.tensor([size, size]).long(),
                "image_id": torch.tensor([image]),
            })  # fmt: skip
        batches.append({"results": results, "targets": targets})
    evaluation.setup(trainer, module, "fit")
    began = time.process_time()
    evaluation.on_validation_epoch_start(trainer, module)
    for number, outputs in enumerate(batches):
        evaluation.on_validation_batch_end(trainer, module, outputs, None, number)
    evaluation.on_validation_epoch_end(trainer, module)
    cpu = time.process_time() - began
    print(json.dumps({"cpu": cpu, "map": logged["val/mAP_50_95"], "f1": logged["val/F1"]}))


def _cost(build: str, images: int, repeats: int) -> dict[str, float]:
    words = [sys.executable, __file__, "--child", build, str(images)]
    runs = []
    for _ in range(repeats):
        done = subprocess.run(
            words, stdout=subprocess.PIPE, text=True, check=True, timeout=TIMEOUT_S
        )
        runs.append(json.loads(done.stdout.splitlines()[-1]))
    return {key: median(run[key] for run in runs) for key in runs[0]}


def main() -> int:
    """Measure, print, and return 1 when a limit is broken."""
    if sys.argv[1:2] == ["--child"]:
        _child(sys.argv[2], int(sys.argv[3]))
        return 0
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=5_000)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    # rfdetr's own takes longer: once is enough for a ratio of two.
    found = {"rfdetr": _cost("rfdetr", args.images, 1)}
    found["batman"] = _cost("batman", args.images, args.repeats)
    for name, row in found.items():
        print(f"{name:<8} {row['cpu']:6.2f} s of a processor  mAP {row['map']:.6f}  "
              f"F1 {row['f1']:.6f}")  # fmt: skip
    ours = found["batman"]["cpu"]
    ratio = ours / found["rfdetr"]["cpu"]
    limit = LIMIT_S * args.images / 5_000
    print(f"{ours:.2f} s (limit {limit:.1f} s), {ratio:.2f} of rfdetr's own (limit {RATIO})")
    return 0 if ours <= limit and ratio <= RATIO else 1


if __name__ == "__main__":
    raise SystemExit(main())
