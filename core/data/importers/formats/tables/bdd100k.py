"""BDD100K: a JSON list of pictures with `labels`, and the pictures in `images/100k/train`.

An entry has `name` and `labels`; a label has `category` and `box2d` with x1, y1, x2, y2 as
fractions of a pixel, or lanes and areas as `poly2d`, which are no objects and are counted. Pictures
without objects have no `labels`, or null. The files are called `bdd100k_labels_images_train.json`
(2018) and `det_train.json` (2020, Scalabel's format, where `frames` may hold the list). A box spans
x1 to x2, as FiftyOne takes it; the kit's own conversion to COCO makes it a pixel larger (scalabel,
`label/transforms.py`, `box2d_to_bbox`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.common.errors import ImportFailed
from core.common.text import clean
from core.data.importers.dataset import DataSet
from core.data.importers.formats.look import Look
from core.data.importers.formats.reading.json_records import json_file, numbers, records
from core.data.importers.formats.reading.pictures import Pictures, as_json
from core.data.importers.report import Watch

_KEYS = ("x1", "y1", "x2", "y2")


def is_bdd100k(look: Look) -> bool:
    """Whether a JSON file begins with a list of records that have `name`, `labels`, `box2d`."""
    return any(_is_list(look.head(name)) for name in look.ending(".json"))


def read_bdd100k(source: Path, watch: Watch) -> DataSet:
    """Read the lists of pictures at `source`, a folder or one of them.

    Raises `ImportFailed` when there is none, or one is damaged.
    """
    pictures = Pictures("bdd100k", source, watch)
    source, data = pictures.source, pictures.data
    files = pictures.files(".json")
    read = False
    for file in files:
        if source.is_dir() and not _may_be_list(Look(file).head(file.name)):
            data.balance.leave(str(file), "no list of BDD100K's pictures")
            continue
        split = pictures.split_of(file)
        _file(pictures, file, split)
        read = True
    if not read:
        raise ImportFailed(
            f"There is no list of BDD100K's pictures in '{clean(str(source))}'.",
            "It has labels/det_20/det_train.json and images/100k/train.",
        )
    return data


def _is_list(head: str) -> bool:
    """Whether it is such a list beyond doubt."""
    return _may_be_list(head) and '"box2d"' in head and '"category"' in head


def _may_be_list(head: str) -> bool:
    """Whether it may be one whose first pictures show nothing, or have lanes and areas first."""
    start = head.lstrip()[:400]
    listed = start.startswith("[") or '"frames"' in start
    return listed and '"name"' in head and '"labels"' in head


def _file(pictures: Pictures, file: Path, split: str | None) -> None:
    data = pictures.data
    value = json_file(file)
    frames = records(value.get("frames") if isinstance(value, dict) else value)
    data.balance.use(str(file))
    root = pictures.root
    sub = {"train": "train", "valid": "val", "test": "test"}.get(split or "", "")
    above = [root, *list(file.parents)[:4]]
    folders = [
        base / part
        for base in dict.fromkeys(above)
        for part in (f"images/100k/{sub}", f"images/10k/{sub}", f"images/{sub}", sub, "images", "")
    ]
    for place, frame in enumerate(frames, 1):
        where = f"{file.name}: picture {place}"
        name = frame.get("name")
        labels = records(frame.get("labels"))
        if not isinstance(name, str) or not name:
            data.problems.add("bad image", where, "it has no name")
            continue
        found = pictures.find([name], folders, where)
        data.balance.line(found is not None)
        if found is None:
            continue
        image = pictures.take(found, split, where)
        if image is not None:
            data.balance.found(sum("box2d" in label for label in labels))
            for number, label in enumerate(labels, 1):
                _label(pictures, image, label, f"{file.name}: {name}: label {number}")


def _label(pictures: Pictures, image: int, entry: dict[str, Any], where: str) -> None:
    data = pictures.data
    box = entry.get("box2d")
    if not isinstance(box, dict):
        data.problems.add("no box", where, f"{entry.get('category')}: a lane, an area or a mask")
        return
    corners = numbers([box.get(key) for key in _KEYS], 4)
    if corners is None:
        data.problems.add("no box", where, "its box2d has not x1, y1, x2 and y2")
        return
    category = entry.get("category")
    label = pictures.label(category, where)
    if label is None:
        return
    attributes = entry.get("attributes")
    extra: dict[str, object] = dict(attributes) if isinstance(attributes, dict) else {}
    left, top, right, bottom = corners
    crowd = int(extra.get("crowd") is True)
    data.box(
        image,
        label,
        (left, top, right - left, bottom - top),
        where,
        iscrowd=crowd,
        extra=as_json(extra),
        corners=True,
    )
