"""Azure Machine Learning: JSON lines, and a COCO file whose boxes are fractions.

- JSON lines (`reference-automl-images-schema`, CLI v2): `image_url` as
  `azureml://…/paths/images/1.jpg` or `AmlDatastore://images/1.jpg`, and `label`, a list of `label`,
  `topX`, `topY`, `bottomX`, `bottomY` from 0 to 1, and `isCrowd`; or `polygon`, lists of x, y, x,
  y, … from 0 to 1. Of `image_details` (width and height as numbers or as `"400px"`) fractions need
  nothing: they are of the picture that lies there.
- COCO as the labelling projects export it and Image Analysis takes it (`coco-verification`):
  pictures have `coco_url` and `absolute_url`, and `bbox` is left, top, width, height from 0 to 1.

The split is that of the file's name.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from core.common.errors import ImportFailed
from core.common.text import clean
from core.data.importers.boxes import Box, around
from core.data.importers.dataset import DataSet
from core.data.importers.formats.look import Look
from core.data.importers.formats.reading.json_records import (
    json_file,
    json_lines,
    number,
    numbers,
    records,
)
from core.data.importers.formats.reading.pictures import Pictures, polygon_json
from core.data.importers.image_files import Found
from core.data.importers.report import Watch
from core.data.importers.split_names import split_of_file

_BOX = re.compile(r'"(bbox)"\s*:\s*\[([^\]]{3,200})\]')


def is_azure(look: Look) -> bool:
    """Whether there are JSON lines with `image_url`, or a COCO file of Azure's with fractions."""
    if any(_is_lines(look.head(name)) for name in look.ending(".jsonl", ".json")):
        return True
    return any(_is_coco(look.head(name)) for name in look.ending(".json"))


def read_azure(source: Path, watch: Watch) -> DataSet:
    """Read the files of Azure's at `source`, a folder or one of them.

    Raises `ImportFailed` when there is none, or one is damaged.
    """
    pictures = Pictures("azure", source, watch)
    source, data = pictures.source, pictures.data
    files = pictures.files(".jsonl", ".json")
    read = False
    for file in files:
        head = Look(file).head(file.name)
        split = split_of_file(file)
        if _is_lines(head):
            _lines(pictures, file, split)
        elif _is_coco(head) or (source.is_file() and '"images"' in head):
            _coco(pictures, file, split)
        else:
            data.balance.leave(str(file), "no records of Azure Machine Learning")
            continue
        read = True
        data.balance.split(file.name, split)
        data.balance.use(str(file))
    if not read:
        raise ImportFailed(
            f"There are no records of Azure Machine Learning in '{clean(str(source))}'.",
            "It has a .jsonl file whose lines have image_url and label.",
        )
    return data


def _is_lines(head: str) -> bool:
    first = head.split("\n", 1)[0]
    return '"image_url"' in first and first.lstrip().startswith("{")


def _is_coco(head: str) -> bool:
    if '"images"' not in head or "AmlDatastore://" not in head:
        return False
    boxes = [match[2].split(",") for match in _BOX.finditer(head)]
    # Where the first boxes come later than the beginning of the file, `coco_url` tells.
    sides = [number(value) for box in boxes for value in box]
    return all(side is not None and 0 <= side <= 1.0001 for side in sides)


def _folders(pictures: Pictures, file: Path) -> list[Path]:
    root = pictures.root
    bases = dict.fromkeys([file.parent, root])
    return [*bases, *(base / sub for base in bases for sub in ("images", "data"))]


def _named(url: str) -> str:
    """Return the path in the storage that an address speaks of."""
    path = unquote(urlsplit(url).path) if "://" in url else url
    tail = path.rpartition("/paths/")[2]
    return tail.lstrip("/")


def _lines(pictures: Pictures, file: Path, split: str | None) -> None:
    data = pictures.data
    for where, record in json_lines(file, data.problems):
        url = record.get("image_url")
        if not isinstance(url, str) or not url:
            data.problems.add("bad line", where, "it has no image_url")
            continue
        objects = record.get("label")
        objects = [objects] if isinstance(objects, dict) else objects
        if isinstance(objects, str) or (
            isinstance(objects, list) and objects and not records(objects)
        ):
            data.problems.add("no box", where, "its label is a class of the whole picture")
            objects = []
        listed = records(objects)
        found = _find(pictures, url, file, where)
        data.balance.line(found is not None)
        if found is None:
            continue
        image = pictures.take(found, split, where)
        if image is not None:
            data.balance.found(len(listed))
            for place, entry in enumerate(listed, 1):
                _object(pictures, image, entry, f"{where}: object {place}")


def _find(pictures: Pictures, url: str, file: Path, where: str) -> Found | None:
    try:
        name = _named(url)
    except ValueError:
        name = url
    return pictures.find([name], _folders(pictures, file), where)


def _object(pictures: Pictures, image: int, entry: dict[str, Any], where: str) -> None:
    data = pictures.data
    name = entry.get("label")
    width, height = pictures.size(image)
    shape = None
    polygons = entry.get("polygon")
    if polygons is not None:
        points = _points(polygons)
        if points is None:
            data.problems.add("bad polygon", where, "it is no list of points")
            return
        scaled = [value * (height if place % 2 else width) for place, value in enumerate(points)]
        box: Box = around(scaled)
        shape = polygon_json(scaled) if len(polygons) == 1 else None
    else:
        corners = numbers([entry.get(key) for key in ("topX", "topY", "bottomX", "bottomY")])
        if corners is None:
            data.problems.add("no box", where, "it has not topX, topY, bottomX and bottomY")
            return
        left, top, right, bottom = corners
        box = (left * width, top * height, (right - left) * width, (bottom - top) * height)
    label = pictures.label(name, where)
    if label is None:
        return
    crowd = int(entry.get("isCrowd") in (1, True, "1", "true"))
    data.box(image, label, box, where, iscrowd=crowd, segmentation=shape, corners=True)


def _points(polygons: Any) -> list[float] | None:
    """Return the points of all rings of a polygon, None when it is none."""
    if not isinstance(polygons, list) or not polygons:
        return None
    points: list[float] = []
    for ring in polygons:
        values = numbers(ring, len(ring)) if isinstance(ring, list) else None
        if values is None or len(values) < 6 or len(values) % 2:
            return None
        points += values
    return points


def _coco(pictures: Pictures, file: Path, split: str | None) -> None:
    data = pictures.data
    value = json_file(file)
    value = value if isinstance(value, dict) else {}
    names = {
        entry.get("id"): entry.get("name")
        for entry in records(value.get("categories"))
        if isinstance(entry.get("id"), int | str)
    }
    images: dict[Any, int | None] = {}
    for entry in records(value.get("images")):
        name = entry.get("file_name") or entry.get("coco_url")
        where = f"{file.name}: image {entry.get('id')}"
        if not isinstance(name, str) or not isinstance(entry.get("id"), int | str):
            data.problems.add("bad image", where, "it has no id or no file_name")
            continue
        found = _find(pictures, name, file, where)
        data.balance.line(found is not None)
        if found is None:
            continue
        images[entry["id"]] = pictures.take(found, split, where)
    for place, entry in enumerate(records(value.get("annotations")), 1):
        where = f"{file.name}: annotation number {place}"
        key = entry.get("image_id")
        image = images.get(key) if isinstance(key, int | str) else None
        bbox = numbers(entry.get("bbox"), 4)
        if image is None or bbox is None:
            kind = "no box" if image is not None else "unknown image"
            data.problems.add(kind, where, f"its image is {key}")
            data.balance.found(int(image is not None))
            continue
        data.balance.found()
        category = entry.get("category_id")
        named = names.get(category) if isinstance(category, int | str) else None
        label = pictures.label(named, where)
        if label is not None:
            width, height = pictures.size(image)
            box = (bbox[0] * width, bbox[1] * height, bbox[2] * width, bbox[3] * height)
            crowd = int(entry.get("iscrowd") in (1, True))
            data.box(image, label, box, where, iscrowd=crowd)
