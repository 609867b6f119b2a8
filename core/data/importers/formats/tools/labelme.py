"""labelme and X-AnyLabeling: a JSON file beside each picture.

The keys are those of labelme 6.3.1 (`labelme/_label_file.py`: version, flags, shapes, imagePath,
imageData, imageHeight, imageWidth; `_shape.py` names the types) and of X-AnyLabeling 3
(`anylabeling/views/labeling/label_file.py`), which adds `rotation` (a box of four corners),
`quadrilateral`, `difficult` and more. Points are pixels from the upper left corner of the picture
as its EXIF tag turns it (`LabelFile.load_image_file`). A rectangle has two opposite corners in
labelme, four in X-AnyLabeling since 2.4; a circle its centre and a point on it; a `mask` the first
and the last pixel of its box (`utils/shape.py`: `mask[y1 : y2 + 1, x1 : x2 + 1]`). Polygons of one
class and one `group_id` are parts of one object, and shapes called `__ignore__` are none, as
`examples/instance_segmentation/labelme2coco.py` of labelme 6.3.1 has it.

A picture without a file has no annotations, as in labelme, where it is one not yet labelled.
"""

from __future__ import annotations

import base64
import math
import re
from pathlib import Path
from typing import Any

import msgspec

from core.data.importers.boxes import around
from core.data.importers.dataset import DataSet, ends
from core.data.importers.formats.look import Look
from core.data.importers.formats.reading.embedded import fitting, format_and_sides
from core.data.importers.formats.reading.json_records import number, numbers
from core.data.importers.formats.reading.labelled_pictures import LabelledPictures
from core.data.importers.formats.reading.text_files import decoded
from core.data.importers.image_files import Found, walk_images
from core.data.importers.report import Watch
from core.data.importers.split_names import split_named

NAME = "labelme"
_COPIES = "picture within the label file"
_NO_CLASS = ("__ignore__", "_background_")
_POLYGONS = ("polygon", "quadrilateral", None)
_NAMES = {"linestrip": "a line strip", "line": "a line", "points": "several points"}


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
    lines = decoded(into.read(file), "replace").splitlines()
    into.data.balance.describe(file)
    names = [line.strip() for line in lines]
    return [name for name in names if name and name not in _NO_CLASS]


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
    inside = value.get("imageData")
    has_copy = isinstance(inside, str) and bool(inside)
    called = re.split(r"[\\/]", names[0])[-1] if names else file.stem
    image = into.picture(
        [*names, *beside],
        where,
        beside=file.parent,
        size=(width, height),
        split=_split(into, file) if has_copy else None,
        instead=(lambda: _copy(into, str(inside), called, where)) if has_copy else None,
    )
    shapes = value["shapes"]
    groups = _groups(shapes)
    into.data.balance.found(len(shapes) - sum(len(parts) - 1 for parts in groups.values()))
    if image is None:
        why = "its picture is not there"
        if has_copy and into.watch.scratch is None:
            why += "; the copy within it cannot be left in place: import without --reference"
        into.data.balance.miss(str(file), why)
        return
    into.data.balance.use(str(file))
    parts = {place: of_one for of_one in groups.values() for place in of_one}
    for place, shape in enumerate(shapes, 1):
        of_one = parts.get(place, [place])
        if len(of_one) == 1:
            _shape(into, image, shape, f"{where}: shape {place}")
        elif place == of_one[0]:
            _joined(into, image, [shapes[part - 1] for part in of_one], f"{where}: shape {place}")


def _split(into: LabelledPictures, file: Path) -> str | None:
    """Return the split of which the folders speak that a file lies in."""
    folders = file.relative_to(into.root).parent.parts[::-1]
    return next((split for split in map(split_named, folders) if split), None)


def _copy(into: LabelledPictures, inside: str, name: str, where: str) -> Found | None:
    """Write out the copy of the picture that a file has within it, which is told."""
    problems = into.data.problems
    try:
        raw = base64.b64decode(inside)
    except ValueError:
        raw = b""
    known = format_and_sides(raw)
    if known is None or into.watch.scratch is None:
        why = "is no picture" if known is None else "cannot be left in place: leave out --reference"
        problems.add("missing image", where, f"no file '{name}', and the copy within {why}")
        return None
    folder = into.watch.scratch() / f"copy-{problems.counts[_COPIES]}"
    folder.mkdir()
    file = folder / (fitting(safe[-1] if (safe := ends(name)) else "picture", known[0]))
    file.write_bytes(raw)
    problems.add(_COPIES, where, f"no file '{name}': the copy within it is taken", "kept")
    return Found(str(file), link=False)


def _groups(shapes: list[Any]) -> dict[tuple[str, str], list[int]]:
    """Return the places, from 1, of sound polygons by their class and `group_id`."""
    found: dict[tuple[str, str], list[int]] = {}
    for place, shape in enumerate(shapes, 1):
        if isinstance(shape, dict) and shape.get("group_id") is not None and _flat(shape):
            key = (str(_name(shape)), str(shape["group_id"]))
            found.setdefault(key, []).append(place)
    return found


def _flat(shape: dict[str, Any]) -> list[float]:
    """Return the points of a polygon as x, y, x, y, …, [] of another shape or a bad one."""
    listed = shape.get("points")
    if shape.get("shape_type") not in _POLYGONS or not isinstance(listed, list) or len(listed) < 3:
        return []
    pairs = [numbers(pair, 2) for pair in listed]
    return [] if None in pairs else [value for pair in pairs if pair for value in pair]


def _name(shape: dict[str, Any]) -> Any:
    """Return the class of a shape, under the key that some programs write it under instead
    (`class`: rafaelpadilla/review_object_detection_metrics, `data/database`).
    """
    return shape.get("label", shape.get("class"))


def _joined(into: LabelledPictures, image: int, parts: list[dict[str, Any]], where: str) -> None:
    """Add the object of several polygons: the box around them all."""
    name = _name(parts[0])
    if name in _NO_CLASS:
        return into.data.problems.add("ignored object", where, _ignored(str(name)))
    label = into.label(name, where)
    if label is None:
        return None
    flats = [[round(value, 3) for value in _flat(part)] for part in parts]
    box = around([value for flat in flats for value in flat])
    shape = msgspec.json.encode(flats).decode()
    if into.data.box(image, label, box, where, segmentation=shape):
        detail = f"{len(parts)} polygons of group {str(parts[0]['group_id'])[:40]} are one object"
        into.data.problems.add("parts of one object", where, detail, "kept")
    return None


def _ignored(name: str) -> str:
    return f"{name} is labelme's word for what is no object"


def _shape(into: LabelledPictures, image: int, shape: Any, where: str) -> None:
    if not isinstance(shape, dict):
        return into.data.problems.add("wrong type", where, "it is no shape")
    if (name := _name(shape)) in _NO_CLASS:
        return into.data.problems.add("ignored object", where, _ignored(name))
    label = into.label(name, where)
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
    if kind in _NAMES and len(pairs) > 1:
        return into.box(image, label, around(flat), where, _NAMES[kind])
    return into.data.problems.add("no box", where, f"a shape of type {str(kind)[:40]}")
