"""Supervisely: a project's folder with `meta.json`, and `ann` beside `img` in each data set.

As its SDK writes and reads it: `ann/a.jpg.json` is that of `img/a.jpg`. Corners of a rectangle are
pixels and both belong to it (`geometry/rectangle.py` at 0933cf3: a picture's own rectangle ends at
width - 1, and `Rectangle.width` is right - left + 1), so that it spans left to right + 1; points of
polygons are taken as they stand. A bitmap is a packed PNG with the pixel of its upper left corner.
Tags of a picture that are called as splits are (train, val) say its split.
"""

from __future__ import annotations

import base64
import io
import zlib
from pathlib import Path
from typing import Any

from core.data.importers.boxes import Box, around
from core.data.importers.dataset import DataSet
from core.data.importers.formats.look import Look
from core.data.importers.formats.reading.json_records import number, numbers
from core.data.importers.formats.reading.labelled_pictures import LabelledPictures
from core.data.importers.image_files import plausible
from core.data.importers.report import Watch
from core.data.importers.split_names import split_named

NAME = "supervisely"
# No mask's PNG is larger; what unpacks to more was made to fill memory.
_MOST = 64 << 20


def is_supervisely(look: Look) -> bool:
    """Whether there is a `meta.json` with classes, or annotations with Supervisely's keys."""
    metas = [name for name in look.ending("meta.json") if name.rpartition("/")[2] == "meta.json"]
    if any('"classes"' in look.head(name) for name in metas) and (
        any("ann/" in name for name in look.names) or look.path.is_file()
    ):
        return True
    return any('"classTitle"' in head for head in look.heads(".json", most=3))


def read_supervisely(source: Path, watch: Watch) -> DataSet:
    """Read the project at `source`, a folder. Raises `ImportFailed` when it cannot be read."""
    into = LabelledPictures(NAME, source, watch)
    if into.source.name == "meta.json":
        into = LabelledPictures(NAME, into.root, watch)
    for file, value in into.each_json(into.files(".json")):
        if file.name == "meta.json" and isinstance(value, dict):
            into.data.balance.describe(file)
            for item in _list(value.get("classes")):
                if isinstance(item, dict):
                    into.label(item.get("title"), f"{into.name_of(file)}: classes")
        elif isinstance(value, dict) and "framesCount" in value:
            into.other(file, "it is of a video: run Turn video project to images in Supervisely")
        elif isinstance(value, dict) and isinstance(value.get("objects"), list):
            _annotation(into, file, value)
        elif file.parent.name != "img_info" and file.name not in _OTHERS:
            into.other(file, "it is no annotation of Supervisely")
    into.leave_rest("it has no file in ann")
    return into.finish("annotations of Supervisely")


_OTHERS = ("obj_class_to_machine_color.json", "key_id_map.json", "custom_data.json")


def _annotation(into: LabelledPictures, file: Path, value: dict[str, Any]) -> None:
    where = into.name_of(file)
    objects = value["objects"]
    into.data.balance.found(len(objects))
    tags = _list(value.get("tags"))
    named = [tag.get("name") for tag in tags if isinstance(tag, dict)]
    spoken = next((name for name in named if isinstance(name, str) and split_named(name)), None)
    split = split_named(spoken) if spoken else None
    if spoken:
        into.data.balance.split(spoken, split)
    size = value.get("size")
    sides = [number(size.get(k)) for k in ("width", "height")] if isinstance(size, dict) else []
    width, height = (*sides, None, None)[:2]
    image = into.picture(
        [file.stem],
        where,
        beside=file.parent.parent / "img",
        size=(width, height),
        split=split,
    )
    if image is None:
        into.data.balance.miss(str(file), "its picture is not there")
        return
    into.data.balance.use(str(file))
    for place, item in enumerate(objects, 1):
        _object(into, image, item, f"{where}: object {place}")


def _object(into: LabelledPictures, image: int, item: Any, where: str) -> None:
    item = item if isinstance(item, dict) else {}
    label = into.label(item.get("classTitle"), where)
    if label is None:
        return None
    kind = item.get("geometryType")
    if kind in ("bitmap", "alpha_mask"):
        box = _bitmap(item.get("bitmap"))
        if box is None:
            return into.data.problems.add("no box", where, "its bitmap cannot be read")
        return into.box(image, label, box, where, "a mask")
    points = _points(item)
    if kind == "rectangle" and len(points) == 4:
        x, y, w, h = around(points)
        return into.box(image, label, (x, y, w + 1, h + 1), where)
    if kind == "polygon" and len(points) >= 6:
        if _list(item["points"].get("interior")):
            detail = "holes of its outline are not kept"
            into.data.problems.add("shape with holes", where, detail, "kept")
        return into.outline(image, label, points, where)
    if len(points) >= 4:
        return into.box(image, label, around(points), where, f"a {str(kind)[:40]}")
    return into.data.problems.add("no box", where, f"a {str(kind)[:40]}")


def _points(item: dict[str, Any]) -> list[float]:
    """Return the outer points of an object as x, y, x, y, …, [] when they are none."""
    points = item.get("points")
    listed = points.get("exterior") if isinstance(points, dict) else None
    nodes = item.get("nodes")
    if isinstance(nodes, dict):  # A graph of key points.
        listed = [node.get("loc") for node in nodes.values() if isinstance(node, dict)]
    pairs = [numbers(pair, 2) for pair in _list(listed)]
    return [] if None in pairs else [value for pair in pairs if pair for value in pair]


def _bitmap(bitmap: Any) -> Box | None:
    """Return the box of a bitmap: its origin and the size of its PNG, None when unreadable."""
    from PIL import Image

    if not isinstance(bitmap, dict) or not isinstance(bitmap.get("data"), str):
        return None
    origin = numbers(bitmap.get("origin"), 2)
    try:
        packed = base64.b64decode(bitmap["data"], validate=True)
        unpacking = zlib.decompressobj()
        with Image.open(io.BytesIO(unpacking.decompress(packed, _MOST))) as image:
            width, height = image.size
    # Pillow lets whatever a damaged header causes through.
    except Exception:
        return None
    if origin is None or not plausible(width, height):
        return None
    return origin[0], origin[1], float(width), float(height)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
