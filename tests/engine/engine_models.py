"""A run whose model has learned its shapes, for the tests of what comes after training.

Red squares and blue discs: what a model from random weights tells apart within half a minute.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from core.training.config.options import DatasetInfo, TrainingConfig

ROOT = Path(__file__).parents[2]
CLASSES = ["disc", "square"]
SIDE = 128

Shape = tuple[int, int, int, int]  # class id, left, top, side


def draw_scene(shapes: Sequence[Shape], side: int = SIDE) -> Image.Image:
    picture = Image.new("RGB", (side, side), (40, 40, 44))
    draw = ImageDraw.Draw(picture)
    for kind, x, y, size in shapes:
        box = [x, y, x + size, y + size]
        if kind:
            draw.rectangle(box, fill=(230, 40, 40))
        else:
            draw.ellipse(box, fill=(40, 90, 230))
    return picture


def make_scenes(dataset: Path, counts: dict[str, int]) -> None:
    for split, count in counts.items():
        rng = random.Random(f"scenes {split}")
        folder = dataset / split
        folder.mkdir(parents=True)
        images, annotations = [], []
        for number in range(count):
            shapes = []
            for _ in range(rng.choice((1, 2))):
                size = rng.randint(30, 58)
                place = (rng.randint(0, SIDE - 1 - size), rng.randint(0, SIDE - 1 - size))
                shapes.append((rng.randint(0, 1), *place, size))
            name = f"{split}_{number:03d}.png"
            draw_scene(shapes).save(folder / name)
            images.append({"id": number + 1, "file_name": name, "width": SIDE, "height": SIDE})
            for kind, x, y, size in shapes:
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": number + 1,
                        "category_id": kind,
                        "bbox": [x, y, size, size],
                        "area": size * size,
                        "iscrowd": 0,
                    }
                )
        categories = [{"id": i, "name": name} for i, name in enumerate(CLASSES)]
        content = {"images": images, "annotations": annotations, "categories": categories}
        (folder / "_annotations.coco.json").write_text(json.dumps(content))


def train_learned(folder: Path) -> Path:
    """Train twelve epochs of twelve steps: mAP50 about 0.8."""
    counts = {"train": 96, "valid": 24, "test": 12}
    dataset = folder / "dataset"
    make_scenes(dataset, counts)
    run = folder / "learned"
    run.mkdir()
    info = DatasetInfo(
        dir=dataset, fingerprint="scenes", class_names=CLASSES, images=counts, annotations={}
    )
    TrainingConfig(
        model="tiny",
        epochs=12,
        checkpoint_interval=12,
        ema=False,
        val_images=0,
        tensorboard=False,
        seed=0,
        dataset=info,
    ).save(run / "training_config.json")
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_WAIT_POLICY": "passive"}
    command = [sys.executable, "-m", "core.training.worker", str(run)]
    with (run / "train.log").open("wb") as log:
        code = subprocess.run(command, stdout=log, stderr=log, cwd=run, env=env, timeout=300)
    assert code.returncode == 0, (run / "train.log").read_text()[-3000:]
    return run
