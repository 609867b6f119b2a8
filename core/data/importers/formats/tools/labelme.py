"""labelme and X-AnyLabeling: a JSON file beside each picture.

The keys are those of labelme 5.5.0 (`labelme/_label_file.py`: version, flags, shapes, imagePath,
imageData, imageHeight, imageWidth; `shape.py` names the types) and of X-AnyLabeling 3
(`anylabeling/views/labeling/label_file.py`), which adds `rotation` (a box of four corners),
`quadrilateral`, `difficult` and more. Points are pixels from the upper left corner of the picture
as its EXIF tag turns it (`LabelFile.load_image_file`). A rectangle has two opposite corners in
labelme, four in X-AnyLabeling since 2.4; a circle its centre and a point on it; a `mask` the first
and the last pixel of its box (`utils/shape.py`: `mask[y1 : y2 + 1, x1 : x2 + 1]`). Shapes of one
`group_id` stay objects of their own.

A picture without a file has no annotations, as in labelme, where it is one not yet labelled.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from core.data.importers.boxes import around
from core.data.importers.dataset import DataSet
from core.data.importers.formats.look import Look
from core.data.importers.formats.reading.json_records import number, numbers
from core.data.importers.formats.reading.labelled_pictures import LabelledPictures
from core.data.importers.image_files import walk_images
from core.data.importers.report import Watch

NAME = "labelme"


def is_labelme(look: Look) -> bool:
    """Whether one of the first JSON files is labelme's: `shapes` with `points` or a picture."""
    return any(
        ('"shapes"' in head and ('"shape_type"' in head or '"imagePath"' in head))
        or ('"imageData"' in head and '"imagePath"' in head)
        for head in look.heads(".json")
    )


def read_labelme(source: Path, watch: Watch) -> DataSet:
    """Read the labelme files at `source`, a folder or one file. Raises `ImportFailed`."""
    into = LabelledPictures(NAME, source, watch)
    for name in _listed(into):
        into.label(name, "labels.txt")
    files = into.files(".json")
    for file, value in into.each_json(files):
        if not isinstance(value, dict) or not isinstance(value.get("shapes"), list):
            into.other(file, "it is no file of labelme")
            continue
        _file(into, file, value)
    if into.source.is_dir():
        for name in walk_images(into.root):
            found = into.folders.find(str(into.root), name)
            if found is not None and found.path not in into.taken:
                into.add(found, name)
    return into.finish("JSON files of labelme")


def _listed(into: LabelledPictures) -> list[str]:
    """Return the classes of `labels.txt`, which `labelme --labels` reads: one a line.

    `__ignore__` and `_background_` are its own words for no class (examples/instance_segmentation).
    """
    file = into.root / "labels.txt"
    if not file.is_file():
        return []
    lines = into.read(file).decode("utf-8-sig", "replace").splitlines()
    into.data.balance.describe(file)
    names = [line.strip() for line in lines]
    return [name for name in names if name and name not in ("__ignore__", "_background_")]


def _file(into: LabelledPictures, file: Path, value: dict[str, Any]) -> None:
    where = into.name_of(file)
    stated = value.get("imagePath")
    names = [stated] if isinstance(stated, str) and stated else []
    # Whoever renames pictures and files seldom changes what is in the files.
    beside = [
        found
        for found in into.folders.files(str(file.parent))
        if Path(found).stem == file.stem and found != file.name
    ]
    width, height = number(value.get("imageWidth")), number(value.get("imageHeight"))
    image = into.picture(
        [*names, *beside],
        where,
        beside=file.parent,
        size=(width, height),
    )
    shapes = value["shapes"]
    into.data.balance.found(len(shapes))
    if image is None:
        why = "its picture is not there"
        if value.get("imageData"):
            why += "; a copy is embedded, which labelme_export_json writes"
        into.data.balance.miss(str(file), why)
        return
    into.data.balance.use(str(file))
    for place, shape in enumerate(shapes, 1):
        _shape(into, image, shape, f"{where}: shape {place}")


def _shape(into: LabelledPictures, image: int, shape: Any, where: str) -> None:
    if not isinstance(shape, dict):
        return into.data.problems.add("wrong type", where, "it is no shape")
    label = into.label(shape.get("label"), where)
    listed = shape.get("points")
    pairs = [numbers(pair, 2) for pair in listed] if isinstance(listed, list) else []
    flat = [value for pair in pairs if pair for value in pair]
    if label is None:
        return None
    if not pairs or None in pairs:
        return into.data.problems.add("no box", where, "its points are no pairs of numbers")
    # Files of labelme before 3 have no type: they are polygons.
    kind = shape.get("shape_type") or "polygon"
    if kind == "rectangle" or (kind == "polygon" and len(pairs) == 2):
        return into.box(image, label, around(flat), where)
    if kind == "mask":
        x, y, w, h = around(flat)
        return into.box(image, label, (x, y, w + 1, h + 1), where, "a mask")
    if kind == "circle" and len(pairs) == 2:
        (x, y), (on_x, on_y) = flat[:2], flat[2:]
        radius = math.hypot(on_x - x, on_y - y)
        box = (x - radius, y - radius, 2 * radius, 2 * radius)
        return into.box(image, label, box, where, "a circle")
    if kind in ("rotation", "oriented_rectangle"):
        return into.outline(image, label, flat, where, "a turned box")
    if kind in ("polygon", "quadrilateral"):
        return into.outline(image, label, flat, where)
    if kind in ("linestrip", "line", "points") and len(pairs) > 1:
        return into.box(image, label, around(flat), where, f"a {kind}")
    return into.data.problems.add("no box", where, f"a shape of type {str(kind)[:40]}")
