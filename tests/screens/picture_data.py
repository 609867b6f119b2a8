"""A project with real pictures and something wrong in it, for the screens that show them."""

from __future__ import annotations

import random
from pathlib import Path

from PIL import Image, ImageDraw
from sample_data import NOW

from core.data.store import Project

SIZE = (160, 120)
CLASSES = ("crane", "safety vest", "person [front]")


def make_pictures(path: Path, *, images: int = 24) -> Path:
    """Make a project of drawn pictures; return `path`.

    Every picture has a crane, every third a safety vest and every fourth a person; images 5, 10
    and 15 have a box of no height, image 7 one past the edge, and the file of image 9 is missing.
    Images 1 to 4 are frames of one video.
    """
    dice = random.Random(3)
    with Project.create(path) as project:
        with project.change("import.coco", f"Imported {images} images from coco") as change:
            change.insert(
                "imports",
                {"kind": "coco", "origin": "/data/site", "at": NOW.isoformat(), "active": 1},
            )
            labels = []
            for name in CLASSES:
                of = change.insert("classes", {"name": name})
                labels.append(
                    change.insert("labels", {"import_id": 1, "name": name, "class_id": of})
                )
            folder = project.images_dir / "1"
            folder.mkdir()
            for number in range(1, images + 1):
                image = Image.new("RGB", SIZE, tuple(dice.randrange(40, 110) for _ in range(3)))
                pen = ImageDraw.Draw(image)
                name = f"site_{number:03}.png"
                change.insert(
                    "images",
                    {
                        "import_id": 1,
                        "path": f"1/{name}",
                        "name": name,
                        "width": SIZE[0],
                        "height": SIZE[1],
                        "split": "valid" if number % 5 == 0 else "train",
                        "grp": "clip.mp4" if number <= 4 else None,
                        "time": number * 0.5 if number <= 4 else None,
                    },
                )
                for kind, every in enumerate((1, 3, 4)):
                    if number % every:
                        continue
                    x, y = dice.randrange(100), dice.randrange(70)
                    w, h = dice.randrange(20, 55), dice.randrange(20, 45)
                    shade = tuple(dice.randrange(120, 255) for _ in range(3))
                    pen.rectangle((x, y, x + w, y + h), fill=shade)
                    if kind == 0 and number in (5, 7, 10, 15):
                        w, h = (300, h) if number == 7 else (w, 0)
                    change.insert(
                        "annotations",
                        {
                            "image_id": number,
                            "label_id": labels[kind],
                            "x": x,
                            "y": y,
                            "w": w,
                            "h": h,
                        },
                    )
                if number != 9:
                    image.save(folder / name)
        project.db.execute("UPDATE history SET at = ?, who = 'ada@gotham'", (NOW.isoformat(),))
    return path
