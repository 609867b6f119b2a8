"""Import, export, import: the same project, for generated sets with odd but valid features.

`GENERATED_SETS=1000` in the environment draws so many of each; the suite draws a few.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from generated_sets import NAMES, SIZES, SPLITS, STEMS, voc, yolo
from import_data import png, put

from core.data.exporters import export_coco, export_voc, export_yolo
from core.data.importers import import_coco, import_voc, import_yolo
from core.data.importers.coco.shape_area import object_area
from core.data.store import Project

MANY = int(os.environ.get("GENERATED_SETS", "15"))
Note = tuple[Any, ...]


def square(x: float, y: float, w: float, h: float) -> list[float]:
    return [x, y, x + w, y, x + w, y + h, x, y + h]


def draw_coco(folder: Path, random: Random) -> list[Note]:
    """Write one to three splits; return the objects, as `objects` reads them of an export."""
    key = random.choice((int, str, float, lambda number: f"im-{number}", lambda n: n + 0.5))
    number_of = random.choice((int, str))
    parents = {name: random.choice(("none", "thing", *NAMES[:3])) for name in NAMES}
    categories = [
        {"id": number_of(7 * place), "name": name, "supercategory": parents[name]}
        for place, name in enumerate(NAMES)
        if parents[name] != name or parents.update({name: "none"}) is None
    ]
    for category in categories:
        category["supercategory"] = parents[str(category["name"])]
    stems = random.sample(STEMS, len(STEMS))
    found: list[Note] = []
    first = random.choice((0, 1, 10**7))
    for split in random.sample(SPLITS, random.randint(1, 3)):
        images: list[Any] = []
        notes: list[Any] = []
        for place in range(random.randint(1, 3)):
            name, (width, height) = f"{stems.pop()}.png", random.choice(SIZES)
            put(folder / split / name, png(width, height) + f"{split} {name}".encode())
            images.append(
                {"id": key(first + place), "file_name": name, "width": width, "height": height}
            )
            for _ in range(random.choice((0, 1, 3))):
                x, y = random.randint(0, width - 5) + 0.25, random.randint(0, height - 5) + 0.5
                w = random.randint(2, int(width - x))
                h = random.randint(2, int(height - y))
                class_name = random.choice(NAMES)
                note: dict[str, Any] = {
                    "id": number_of(len(notes) + 1), "image_id": key(first + place),
                    "category_id": number_of(7 * NAMES.index(class_name)),
                    "bbox": [x, y, w, h], "iscrowd": 0,
                }  # fmt: skip
                area: float = w * h
                sort = random.choice(("box", "one", "two", "mask", "crowd", "bare crowd"))
                if sort == "one":
                    note["segmentation"] = [[x, y, x + w, y, x, y + h]]
                    area = w * h / 2
                elif sort == "two":
                    note["segmentation"] = [
                        square(x, y, w / 2, h / 2), square(x + w / 2, y + h / 2, w / 2, h / 2),
                    ]  # fmt: skip
                    area = w * h / 2
                elif sort in ("mask", "crowd"):
                    counts = [0, 5, width * height - 5]
                    note["segmentation"] = {"counts": counts, "size": [height, width]}
                    area = 5
                note["iscrowd"] = int("crowd" in sort)
                if random.random() < 0.4:
                    area = note["area"] = random.choice((3.5, area))
                notes.append(note)
                shape = note.get("segmentation", [])
                found.append((split, name, class_name, (x, y, w, h), note["iscrowd"], shape, area))
        random.shuffle(images)
        random.shuffle(notes)
        text = json.dumps({"images": images, "annotations": notes, "categories": categories})
        put(folder / split / "_annotations.coco.json", text)
    return sorted(found, key=repr)


def objects(out: Path) -> list[Note]:
    """The objects of an export, without its ids."""
    found: list[Note] = []
    for file in out.glob("*/_annotations.coco.json"):
        value = json.loads(file.read_text())
        images = {image["id"]: image["file_name"] for image in value["images"]}
        names = {category["id"]: category["name"] for category in value["categories"]}
        found += [
            (file.parent.name, images[note["image_id"]], names[note["category_id"]],
             tuple(note["bbox"]), note["iscrowd"], note["segmentation"], note["area"])
            for note in value["annotations"]
        ]  # fmt: skip
    return sorted(found, key=repr)


def content(project: Project, digits: int = 6) -> dict[str, Any]:
    """What a project holds, without its ids."""
    db = project.db
    notes = db.execute(
        "SELECT v_images.split, v_images.name, class_name, x, y, w, h, iscrowd, segmentation, area"
        " FROM v_annotations JOIN v_images ON v_images.id = image_id"
    )
    classes = db.execute("SELECT name, supercategory FROM classes")
    images = db.execute("SELECT split, name, width, height FROM v_images")
    found = []
    for split, name, label, *box, crowd, shape, area in notes:
        corners = tuple(round(value, digits) for value in box)
        # The area that counts: an export writes that of a shape, where none was given.
        counts = round(object_area(area, shape, tuple(box)), 3)
        found.append((split, name, label, *corners, crowd, shape, counts))
    return {
        "classes": sorted(map(tuple, classes), key=repr),
        "images": sorted(map(tuple, images)),
        "objects": sorted(found, key=repr),
    }


def test_coco_comes_back_as_it_was(tmp_path: Path) -> None:
    for seed in range(MANY):
        base = tmp_path / "now"
        drawn = draw_coco(base / "set", Random(f"coco {seed}"))
        with Project.create(base / "p") as project:
            report = import_coco(project, base / "set")
            assert report.counts() == {}, f"seed {seed}"
            first = content(project)
            export_coco(project, base / "out")
        seen = objects(base / "out")
        assert [row[:6] for row in seen] == [row[:6] for row in drawn], f"seed {seed}"
        areas = [row[6] for row in drawn]
        assert [row[6] for row in seen] == pytest.approx(areas), f"seed {seed}"
        with Project.create(base / "again") as project:
            assert import_coco(project, base / "out").counts() == {}, f"seed {seed}"
            assert content(project) == first, f"seed {seed}"
            export_coco(project, base / "out2")
        assert objects(base / "out2") == seen, f"seed {seed}"
        shutil.rmtree(base)


@pytest.mark.parametrize(
    ("write", "read", "export"),
    [(yolo, import_yolo, export_yolo), (voc, import_voc, export_voc)],
    ids=["yolo", "voc"],
)
def test_boxes_classes_and_splits_come_back(
    tmp_path: Path,
    write: Callable[..., Any],
    read: Callable[..., Any],
    export: Callable[..., Any],
) -> None:
    """YOLO has fractions of six digits; these pictures are small enough for three of a pixel."""
    for seed in range(MANY):
        base = tmp_path / "now"
        write(base / "set", Random(f"{write.__name__} {seed}"))
        with Project.create(base / "p") as project:
            read(project, base / "set", anyway=True)
            first = content(project, 3)
            export(project, base / "out")
        with Project.create(base / "again") as project:
            report = read(project, base / "out", anyway=True)
            assert report.counts() == {}, f"seed {seed}"
            again = content(project, 3)
        # Classes of which nothing is drawn need not come along.
        used = {row[2] for row in first["objects"]}
        assert used <= {name for name, _ in again["classes"]}, f"seed {seed}"
        assert again["images"] == first["images"], f"seed {seed}"
        assert len(again["objects"]) == len(first["objects"]), f"seed {seed}"
        for one, other in zip(first["objects"], again["objects"], strict=True):
            assert other[:3] == one[:3], f"seed {seed}"
            assert other[3:7] == pytest.approx(one[3:7], abs=0.002), f"seed {seed}"
        shutil.rmtree(base)
