"""A small data set of drawn shapes that a detector learns on a CPU: for the demo and the tests.

One or two big saturated squares and discs on plain dark grey, which the `tiny` size learns from
random weights in about a minute.
"""

from __future__ import annotations

import colorsys
import json
import random
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from PIL import Image, ImageDraw

from core.common.errors import ExportFailed
from core.common.files import write_atomic
from core.common.text import clean

# What people who label at different times write for the same two things.
SPELLINGS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {"square": ("square", "Square", "squares "), "disc": ("disc", "Disc", "disk")}
)

# Shares of the picture's side that shapes measure: a quarter to nearly half of it.
_SMALLEST, _LARGEST = 0.25, 0.45
_GREY = (40, 40, 44)
# Squares are warm and discs are cold: with colours at random the tiny model only gets to an mAP50
# of 0.6 in the same time.
_HUES = {"square": (0.0, 0.12), "disc": (0.5, 0.65)}

Box = tuple[int, int, int, int]


def make_shapes(
    out: Path,
    train: int = 96,
    valid: int = 24,
    test: int = 24,
    size: int = 128,
    seed: int = 0,
    messy: bool = True,
) -> dict[str, int]:
    """Draw the data set into the folder `out` and return the images of each split.

    Roboflow's COCO layout: `train`, `valid` and `test`, each with its PNG images (`size` × `size`
    pixels) and `_annotations.coco.json`; a split of 0 images is left out. Category 0 is the empty
    group that Roboflow's exports begin with. With `messy` each class comes in the spellings of
    `SPELLINGS`. The same arguments give the same bytes. Raises ExportFailed when `out` holds
    something.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ExportFailed(
            f"There is something at '{clean(str(out))}' already.", "Choose an empty folder."
        )
    counts = {"train": train, "valid": valid, "test": test}
    counts = {split: count for split, count in counts.items() if count}
    names = [name for kind in SPELLINGS for name in (SPELLINGS[kind] if messy else (kind,))]
    for split, count in counts.items():
        rng = random.Random(f"{seed} {split}")
        folder = out / split
        folder.mkdir(parents=True)
        coco: dict[str, list[dict[str, Any]]] = {
            "images": [],
            "annotations": [],
            "categories": [
                {"id": number, "name": name, "supercategory": "none" if number == 0 else "shapes"}
                for number, name in enumerate(["shapes", *names])
            ],
        }
        for number in range(count):
            file = f"shapes_{number:04d}.png"
            picture, shapes = _draw(rng, size)
            picture.save(folder / file, optimize=False)
            coco["images"].append({"id": number, "file_name": file, "width": size, "height": size})
            for kind, (x, y, w, h) in shapes:
                name = rng.choice(SPELLINGS[kind]) if messy else kind
                coco["annotations"].append(
                    {
                        "id": len(coco["annotations"]),
                        "image_id": number,
                        "category_id": names.index(name) + 1,
                        "bbox": [x, y, w, h],
                        "area": w * h,
                        "iscrowd": 0,
                        "segmentation": [],
                    }
                )
        write_atomic(folder / "_annotations.coco.json", json.dumps(coco))
    return counts


def _draw(rng: random.Random, size: int) -> tuple[Image.Image, list[tuple[str, Box]]]:
    """Return a picture and its shapes: their kinds and boxes (x, y, width, height in pixels)."""
    picture = Image.new("RGB", (size, size), _GREY)
    pen = ImageDraw.Draw(picture)
    shapes: list[tuple[str, Box]] = []
    for _ in range(rng.randint(1, 2)):
        box = _place(rng, size, [box for _, box in shapes])
        kind = rng.choice(list(SPELLINGS))
        hue = rng.uniform(*_HUES[kind])
        red, green, blue = colorsys.hsv_to_rgb(hue, rng.uniform(0.8, 1), rng.uniform(0.8, 1))
        colour = (round(red * 255), round(green * 255), round(blue * 255))
        x, y, w, h = box
        # Pillow's corners are both inside the shape.
        corners = (x, y, x + w - 1, y + h - 1)
        if kind == "square":
            pen.rectangle(corners, fill=colour)
        else:
            pen.ellipse(corners, fill=colour)
        shapes.append((kind, box))
    return picture, shapes


def _place(rng: random.Random, size: int, taken: list[Box]) -> Box:
    """Return a box that overlaps none of `taken`, or after 50 tries any box."""
    for _ in range(50):
        side = round(size * rng.uniform(_SMALLEST, _LARGEST))
        x, y = rng.randint(0, size - side), rng.randint(0, size - side)
        if not any(
            x < left + width and left < x + side and y < top + height and top < y + side
            for left, top, width, height in taken
        ):
            break
    return x, y, side, side
