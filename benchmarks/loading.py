"""Processor time to load an image for training: our loader against rfdetr's own.

    python benchmarks/loading.py [--images 12] [--epochs 10] [--image-cache GB]

JPEGs of 12 megapixels, a quarter as many for validation, are loaded for `base` at 560 pixels, epoch
after epoch, by this process and with rfdetr's default augmentation; once with one size and once
with `--multi-scale`. Both loaders take turns within each epoch, draw from the same seed, and must
give the same pixels and boxes to the bit. rfdetr's decodes a training image at a reduced size where
the training size allows it, which ours does too, as it is the same code; ours keeps what was
decoded. Limit: 0.6 of rfdetr's time over the whole run, its first epoch included.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
LIMIT = 0.6
WIDTH, HEIGHT = 4000, 3000
CLASSES = ["one", "other"]


def make_set(folder: Path, images: int) -> None:
    """Write photographs of 12 megapixels, 3 MB each: shapes of all sizes, and fine noise."""
    numbers = np.random.default_rng(0)
    for split, count in (("train", images), ("valid", max(1, images // 4))):
        (folder / split).mkdir(parents=True)
        coco: dict[str, Any] = {
            "images": [], "annotations": [],
            "categories": [
                {"id": i, "name": name, "supercategory": "x"} for i, name in enumerate(CLASSES)
            ],
        }  # fmt: skip
        for at in range(count):
            coarse = Image.fromarray(numbers.integers(0, 256, (60, 80, 3), dtype=np.uint8))
            grain = Image.fromarray(numbers.integers(0, 26, (1500, 2000), dtype=np.uint8))
            pixels = np.asarray(coarse.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)).astype(
                int
            )
            pixels += np.asarray(grain.resize((WIDTH, HEIGHT)))[..., None] - 13
            picture = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
            picture.save(folder / split / f"{at}.jpg", quality=92)
            coco["images"].append(
                {"id": at, "file_name": f"{at}.jpg", "width": WIDTH, "height": HEIGHT}
            )
            coco["annotations"] += [
                {"id": 5 * at + k, "image_id": at, "category_id": k % 2, "iscrowd": 0,
                 "bbox": [100 + 600 * k, 200 + 400 * k, 400, 300], "area": 120_000}
                for k in range(5)
            ]  # fmt: skip
        (folder / split / "_annotations.coco.json").write_text(json.dumps(coco))


def data_sets(folder: Path, multi_scale: bool, cache: float | None, epochs: int) -> dict[str, Any]:
    """Return each loader's training and validation set, made from the same settings."""
    from rfdetr.training import RFDETRDataModule

    from core.training.config.effective_batch import Batching
    from core.training.config.options import DatasetInfo, TrainingConfig
    from core.training.worker import build
    from core.training.worker.data.seeds import SeededPictures

    info = DatasetInfo(dir=folder, fingerprint="", class_names=CLASSES, images={}, annotations={})
    config = TrainingConfig(
        model="base",
        image_size=560,
        epochs=epochs,
        multi_scale=multi_scale,
        dataset=info,
        workers=0,
    )
    model = build.model_config(config, CLASSES, None)
    train = build.train_config(config, folder, CLASSES, Batching(4, 1))
    made = {
        "rfdetr": RFDETRDataModule(model, train),
        "ours": build.build_data(model, train, 0.0, cache),
    }
    for data in made.values():
        data.setup("fit")
    # What is drawn by chance is drawn for each image anew, from the same seed for both.
    return {
        who: (SeededPictures(data._dataset_train, 0), data._dataset_val)
        for who, data in made.items()
    }


def load(dataset: Any, place: Any) -> tuple[float, Any]:
    """Return the processor seconds that an image takes, and what is made of it."""
    started = time.process_time()
    item = dataset[place]
    return time.process_time() - started, item


def same(one: Any, other: Any) -> bool:
    """Whether two loaded images and their boxes are the same to the bit."""
    import torch

    return torch.equal(one[0], other[0]) and all(
        torch.equal(one[1][name], other[1][name]) for name in one[1]
    )


def main() -> int:
    """Run the benchmark; 0 if the limit is kept."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--images", type=int, default=12)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--image-cache", type=float, metavar="GB")
    options = parser.parse_args()
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    warnings.simplefilter("ignore")
    import torch

    from core.training.worker.data.seeds import Draw

    torch.set_num_threads(1)
    worst = 0.0
    with tempfile.TemporaryDirectory(prefix="loading-") as temporary:
        folder = Path(temporary)
        make_set(folder, options.images)
        for multi_scale in (False, True):
            sets = data_sets(folder, multi_scale, options.image_cache, options.epochs)
            load(sets["rfdetr"][1], 0)  # what is imported late
            took: dict[str, dict[str, list[list[float]]]] = {
                who: {split: [[] for _ in range(options.epochs)] for split in ("train", "valid")}
                for who in sets
            }
            for epoch in range(options.epochs):
                for at, split in enumerate(("train", "valid")):
                    for place in range(len(sets["rfdetr"][at])):
                        made = {}
                        for who, pair in sets.items():
                            which = place if at else Draw(place, epoch, place)
                            seconds, made[who] = load(pair[at], which)
                            took[who][split][epoch].append(seconds * 1000)
                        if not same(made["rfdetr"], made["ours"]):
                            raise SystemExit(f"{split} image {place} differs in epoch {epoch}")
            print(
                f"base at 560{', --multi-scale' if multi_scale else ''}: ms of a processor an image"
            )
            for split in ("train", "valid"):
                for who, times in took.items():
                    later = [ms for epoch in times[split][1:] for ms in epoch]
                    print(
                        f"  {split} {who:6} first epoch {median(times[split][0]):6.1f}, "
                        f"later {median(later or [0.0]):6.1f}"
                    )
            whole = {
                who: sum(ms for epochs in of.values() for epoch in epochs for ms in epoch)
                for who, of in took.items()
            }
            ratio = whole["ours"] / whole["rfdetr"]
            worst = max(worst, ratio)
            print(f"  {options.epochs} epochs: {ratio:.2f} of rfdetr's, the same to the bit")
    met = worst <= LIMIT
    print(f"limit {LIMIT}: {'met' if met else 'MISSED'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
