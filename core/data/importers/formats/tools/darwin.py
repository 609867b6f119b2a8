"""Darwin JSON of V7, 1.0 and 2.0: a file a picture.

As darwin-py 3 reads it (`darwin/utils/utils.py`, `parse_darwin_json`) and V7 writes it: in 2.0 the
picture is `item` (`name`, `path`, `slots` with `source_files`, width and height), in 1.0 `image`
(`filename`, `original_filename`, `path`). An annotation has its class as `name` and its shape
below a key: `bounding_box` (x, y, w, h in pixels from the upper left corner), `polygon` (paths; in
1.0 path) with the box around it, `ellipse` (centre, radius, angle in radians), and others. A
mask's pixels lie in a layer of their own (`raster_layer`), whose numbers
`mask_annotation_ids_mapping` gives to annotations. Of videos each annotation has frames.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import msgspec

from core.data.importers.boxes import Box, around
from core.data.importers.dataset import DataSet
from core.data.importers.formats.look import Look
from core.data.importers.formats.reading.json_records import number, numbers
from core.data.importers.formats.reading.labelled_pictures import LabelledPictures, ellipse_box
from core.data.importers.formats.reading.masks import MaskBox, raster_boxes
from core.data.importers.report import Watch

NAME = "darwin"
# What says something of the whole picture or of another annotation, and is no object; the masks'
# layer of pixels is no annotation of its own.
_NO_SHAPES = {
    "tag": "a tag of the whole picture",
    "keypoint": "a point",
    "string": "a string of other annotations",
    "graph": "a graph of other annotations",
    "link": "a link between annotations",
    "eye": "the points of an eye",
}
_PIXELS = "raster_layer"


def is_darwin(look: Look) -> bool:
    """Whether one of the first JSON files is Darwin's: its schema, or 1.0's `image` and keys."""
    return any(
        "darwin_json" in head
        or ('"slots"' in head and '"item"' in head)
        or ('"workview_url"' in head and '"annotations"' in head)
        for head in look.heads(".json")
    )


def read_darwin(source: Path, watch: Watch) -> DataSet:
    """Read Darwin's JSON at `source`, a folder or one file. Raises `ImportFailed`."""
    into = LabelledPictures(NAME, source, watch)
    for file, value in into.each_json(into.files(".json")):
        about = value.get("item", value.get("image")) if isinstance(value, dict) else None
        if not isinstance(about, dict) or not isinstance(value.get("annotations"), list):
            into.other(file, "it is no file of Darwin JSON")
            continue
        _file(into, file, about, value["annotations"])
    into.leave_rest("no file of Darwin JSON names it")
    return into.finish("files of Darwin JSON")


def _file(into: LabelledPictures, file: Path, about: dict[str, Any], annotations: Any) -> None:
    where = into.name_of(file)
    listed = about.get("slots")
    listed = listed if isinstance(listed, list) and listed else [about]
    slots = [slot for slot in listed if isinstance(slot, dict)]
    slot: dict[str, Any] = slots[0] if slots else {}
    objects = [item for item in annotations if isinstance(item, dict) and not _no_shape(item)]
    into.data.balance.found(len(objects))
    for item in annotations:
        kind = next((key for key in _NO_SHAPES if isinstance(item, dict) and key in item), "")
        if kind:
            detail = f"{_NO_SHAPES[kind]}: {item.get('name')}"
            into.data.problems.add("no box", where, detail)
    if len(slots) > 1:
        detail = f"it has {len(slots)} slots; only boxes of the first are taken"
        into.data.problems.add("several pictures", where, detail)
    width, height = number(slot.get("width")), number(slot.get("height"))
    image = into.picture(
        _names(about, slot, file),
        where,
        beside=file.parent,
        size=(width, height),
    )
    if image is None:
        into.data.balance.miss(str(file), "its picture is not there")
        return
    into.data.balance.use(str(file))
    masks = _masks(annotations, slot, into.size(image))
    for place, item in enumerate(annotations, 1):
        if not isinstance(item, dict) or _no_shape(item):
            continue
        named = item.get("slot_names")
        if len(slots) == 1 or not isinstance(named, list) or slot.get("slot_name") in named:
            _object(into, image, item, masks, f"{where}: annotation {place}")


def _names(about: dict[str, Any], slot: dict[str, Any], file: Path) -> list[str]:
    """Return what the picture may be called: with its folder in V7, and without."""
    sources = slot.get("source_files")
    first = sources[0] if isinstance(sources, list) and sources else {}
    first = first if isinstance(first, dict) else {}
    texts = [
        *(about.get(key) for key in ("name", "filename", "original_filename")),
        first.get("file_name"),
        first.get("storage_key"),
    ]
    names = list(dict.fromkeys(text for text in texts if isinstance(text, str) and text))
    folder = about.get("path")
    folder = folder.strip("/") if isinstance(folder, str) else ""
    placed = [f"{folder}/{name}" for name in names] if folder else []
    # The export calls a file as its picture.
    return [*placed, *names] or [file.stem]


def _no_shape(item: dict[str, Any]) -> bool:
    return _PIXELS in item or any(key in item for key in _NO_SHAPES)


def _masks(
    annotations: list[Any], slot: dict[str, Any], size: tuple[int, int]
) -> dict[str, MaskBox]:
    """Return the boxes of the masks in the raster layers of a slot, by their annotations' ids."""
    width, height = (number(slot.get(side)) for side in ("width", "height"))
    width, height = (width, height) if width and height else size
    found: dict[str, MaskBox] = {}
    for item in annotations:
        layer = item.get(_PIXELS) if isinstance(item, dict) else None
        named = layer.get("mask_annotation_ids_mapping") if isinstance(layer, dict) else None
        if not isinstance(layer, dict) or not isinstance(named, dict):
            continue
        boxes = raster_boxes(layer.get("dense_rle"), int(width), int(height))
        for key, value in named.items():
            if isinstance(value, int) and value in boxes:
                found[key] = boxes[value]
    return found


def _object(
    into: LabelledPictures,
    image: int,
    item: dict[str, Any],
    masks: dict[str, MaskBox],
    where: str,
) -> None:
    label = into.label(item.get("name"), where)
    if label is None:
        return None
    if "frames" in item:
        detail = "it is one of a video: export the frames as pictures"
        return into.data.problems.add("no box", where, detail)
    box = _box(item.get("bounding_box"))
    outlines = _outlines(item)
    if outlines:
        if box is None:
            box = around([value for outline in outlines for value in outline])
        shape = msgspec.json.encode([[round(v, 3) for v in part] for part in outlines]).decode()
        into.data.box(image, label, box, where, segmentation=shape)
        return None
    if "mask" in item and (mask := masks.get(str(item.get("id")))) is not None:
        return into.box(image, label, mask.box, where, "a mask", area=mask.area)
    if box is not None:
        return into.box(image, label, box, where, "a mask" if "mask" in item else "")
    ellipse = item.get("ellipse")
    if isinstance(ellipse, dict) and (found := _ellipse(ellipse)):
        return into.box(image, label, found, where, "an ellipse")
    for kind, key in (("line", "path"), ("skeleton", "nodes")):
        part = item.get(kind)
        points = _flat(part.get(key)) if isinstance(part, dict) else []
        if len(points) >= 4:
            return into.box(image, label, around(points), where, f"a {kind}")
    if "mask" in item:
        detail = "a mask whose pixels are in no raster layer of this picture"
        return into.data.problems.add("no box", where, detail)
    kinds = ", ".join(key for key in item if key not in _ABOUT) or "nothing"
    return into.data.problems.add("no box", where, f"it has {kinds[:80]}")


_ABOUT = frozenset(
    ("id", "name", "slot_names", "properties", "ranges", "attributes", "instance_id")
)


def _box(value: Any) -> Box | None:
    found = (
        numbers([value.get(k) for k in ("x", "y", "w", "h")]) if isinstance(value, dict) else None
    )
    return (found[0], found[1], found[2], found[3]) if found else None


def _outlines(item: dict[str, Any]) -> list[list[float]]:
    """Return the outlines of a polygon, each x, y, x, y, …; [] when it is none."""
    polygon = item.get("polygon", item.get("complex_polygon"))
    if not isinstance(polygon, dict):
        return []
    paths = polygon.get("paths", polygon.get("path"))
    paths = paths if isinstance(paths, list) else []
    if paths and isinstance(paths[0], dict):
        paths = [paths]
    flats = [_flat(path) for path in paths]
    return flats if flats and all(len(flat) >= 6 for flat in flats) else []


def _flat(path: Any) -> list[float]:
    pairs = [
        numbers([point.get("x"), point.get("y")]) if isinstance(point, dict) else None
        for point in (path if isinstance(path, list) else [])
    ]
    return [] if None in pairs else [value for pair in pairs if pair for value in pair]


def _ellipse(ellipse: dict[str, Any]) -> Box | None:
    centre, radius = ellipse.get("center"), ellipse.get("radius")
    if not isinstance(centre, dict) or not isinstance(radius, dict):
        return None
    parts = numbers([centre.get("x"), centre.get("y"), radius.get("x"), radius.get("y")])
    if parts is None:
        return None
    angle = math.degrees(number(ellipse.get("angle", 0)) or 0.0)
    return ellipse_box(parts[0], parts[1], parts[2], parts[3], angle)
