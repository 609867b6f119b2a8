"""A run whose model has learned its shapes, for the tests of what comes after training.

It is the demo's, of fewer epochs: what a model from random weights tells apart within a minute. The
scenes that tests draw are of its kind: red squares and blue discs.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from core.models.backend import open_model

ROOT = Path(__file__).parents[2]
CLASSES = ["disc", "square"]
SIDE = 128
# In the middle of the demo's warm and cold hues, where a short training is surest of them.
RED, BLUE = (230, 108, 40), (40, 144, 230)

Shape = tuple[int, int, int, int]  # class id, left, top, side


def draw_scene(shapes: Sequence[Shape], side: int = SIDE) -> Image.Image:
    picture = Image.new("RGB", (side, side), (40, 40, 44))
    draw = ImageDraw.Draw(picture)
    for kind, x, y, size in shapes:
        box = [x, y, x + size, y + size]
        if kind:
            draw.rectangle(box, fill=RED)
        else:
            draw.ellipse(box, fill=BLUE)
    return picture


def make_scenes(dataset: Path, counts: dict[str, int]) -> None:
    for split, count in counts.items():
        rng = random.Random(f"scenes {split}")
        folder = dataset / split
        folder.mkdir(parents=True)
        images: list[Any] = []
        annotations: list[Any] = []
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


def run_demo(folder: Path) -> Path:
    """Go the demo's way in a process of its own and return its run.

    Eighteen epochs are a tenth less of processor time than the demo's own twenty.

    What it printed is in `said.txt` of the folder.
    """
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_WAIT_POLICY": "passive"}
    command = [sys.executable, "-m", "cli.main", "demo", "--no-tui", "--epochs", "18"]
    said = folder / "said.txt"
    with said.open("wb") as file:
        done = subprocess.run(command, stdout=file, stderr=file, cwd=folder, env=env, timeout=500)
    assert done.returncode == 0, said.read_text()[-3000:]
    return folder / "demo" / "runs" / "shapes-tiny-1"


def copy_of(run: Path, folder: Path) -> Path:
    """Copy a run into an empty folder as `learned`, without its evaluation.

    Models, a gigabyte in all, are not copied but linked: they are only ever replaced.
    """

    def copy(source: str, target: str) -> None:
        large = source.endswith((".pth", ".onnx"))
        (os.link if large else shutil.copy2)(source, target)

    without = shutil.ignore_patterns("evaluation")
    copied = shutil.copytree(run, folder / "learned", ignore=without, copy_function=copy)
    return Path(copied)


def look_with(run: Path, folder: Path) -> Path:
    """Return a copy of a run whose best model has its ONNX beside it, as a first look makes it."""
    copy = copy_of(run, folder)
    assert open_model(copy, device="cpu").notes == []
    return copy
