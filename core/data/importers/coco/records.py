"""The records of a COCO file: read by type, one by one without types, and as columns."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from core.data.importers.coco.json_lists import BadRecord
from core.data.importers.coco.own_keys import KEY, OfBox, OfImage, box_said, image_said
from core.data.importers.dataset import storable
from core.late import late

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    np = late("numpy")


_NO_BOX = (math.nan,) * 4
# Longer digits are a text: no id counts so far.
_NUMBER = re.compile(r"-?[0-9]{1,18}(?:\.[0-9]{1,9})?")


class Rle(msgspec.Struct, gc=False):
    """A mask as run lengths, as pycocotools writes it."""

    counts: str | list[int]
    size: list[int]


Segmentation = list[list[float]] | Rle | None
# A segmentation that cannot be understood: not sound, so that it is told.
NO_SHAPE = Rle("", [])


class Image(msgspec.Struct, gc=False):
    """An image record, what is read of it."""

    id: Any
    file_name: str
    width: int | float | None = None
    height: int | float | None = None
    batman: OfImage | None = None


class Annotation(msgspec.Struct, gc=False):
    """An annotation record, what is read of it."""

    image_id: int
    category_id: int
    bbox: tuple[float, float, float, float] | None = None
    id: int | None = None
    iscrowd: int | bool | None = 0
    segmentation: Segmentation = None
    area: float | None = None
    keypoints: list[float] | None = None
    batman: OfBox | None = None


IMAGES = msgspec.json.Decoder(list[Image])
ANNOTATIONS = msgspec.json.Decoder(list[Annotation])


class Columns(NamedTuple):
    """Annotations by column: ids of the images, of the categories, and their own, each (n,).

    `boxes` are (n, 4), not a number where a record has none, `areas` (n,) likewise. `extras` has,
    by row, whether it is a crowd and its shape as JSON, for rows that have either; `unsound` are
    the rows whose shape cannot be taken as it is; `said` what our own files say, by row.
    """

    images: Sequence[Any] | NDArray[np.int64]
    categories: Sequence[Any] | NDArray[np.int64]
    ids: Sequence[Any] | NDArray[np.int64]
    boxes: NDArray[np.float64]
    areas: NDArray[np.float64]
    extras: dict[int, tuple[int, str | None]]
    unsound: list[int]
    said: dict[int, OfBox]


def columns_of(records: Sequence[Annotation]) -> Columns:
    """Return records as columns."""
    flat = chain.from_iterable([a.bbox or _NO_BOX for a in records])
    boxes = np.fromiter(flat, float, 4 * len(records)).reshape(-1, 4)
    # A list, for a generator takes twice as long here.
    odd = any([a.iscrowd or a.segmentation for a in records])  # noqa: C419
    extras = {
        row: (int(bool(a.iscrowd)), shape_text(a.segmentation))
        for row, a in enumerate(records if odd else ())
        if a.iscrowd or a.segmentation
    }
    areas = np.array([a.area for a in records], float)
    return Columns(
        [a.image_id for a in records],
        [a.category_id for a in records],
        [a.id for a in records],
        boxes,
        areas,
        extras,
        [row for row in extras if not sound(records[row].segmentation)],
        {row: a.batman for row, a in enumerate(records) if a.batman is not None},
    )


def shape_text(shape: Segmentation) -> str | None:
    """Return a segmentation as JSON, None for an empty one."""
    return msgspec.json.encode(shape).decode() if shape else None


def sound(shape: Segmentation) -> bool:
    """Whether a segmentation is none at all, a mask, or polygons of three points or more each.

    pycocotools 2.0.11 takes a polygon of four numbers for a box (`_mask.pyx`, `frPyObjects`).
    """
    if isinstance(shape, Rle):
        return len(shape.size) == 2 and bool(shape.counts)
    return all(len(points) >= 6 and not len(points) % 2 for points in shape or ())


def mended(shape: Segmentation) -> Segmentation:
    """Return what can be kept of a segmentation that is not sound: its polygons that are some."""
    if isinstance(shape, Rle) or shape is None:
        return shape if sound(shape) else None
    whole = [points[: len(points) // 2 * 2] for points in shape]
    return [points for points in whole if len(points) >= 6] or None


def category(place: int, record: Any) -> tuple[Any, str, str | None]:
    """Return a category's id, name and supercategory. Raises `BadRecord`."""
    where = f"category number {place + 1}"
    if not isinstance(record, dict):
        raise BadRecord("bad category", where, "it is not an object")
    key = key_of(record.get("id"), where)
    name, parent = record.get("name"), record.get("supercategory")
    if parent in (None, "", "none") and isinstance(record.get("parent"), str):
        parent = record["parent"]  # as our own export has a parent that is a class itself
    name = _text_of(name)
    if not isinstance(name, str) or not name.strip():
        raise BadRecord("bad category", f"category {key}", "it has no name")
    if not storable(name):
        raise BadRecord("bad category", f"category {key}", "its name is not valid text")
    return key, name, parent if isinstance(parent, str) and storable(parent) else None


def _text_of(name: Any) -> Any:
    """Return a name, also where a program wrote a whole number for it (digits, ids)."""
    return str(name) if isinstance(name, int) and not isinstance(name, bool) else name


def image(place: int, record: Any) -> Image:
    """Return an image record. Raises `BadRecord`."""
    where = f"image number {place + 1}"
    if not isinstance(record, dict):
        raise BadRecord("wrong type", where, "it is not an object")
    key = key_of(record.get("id"), where)
    name = record.get("file_name")
    if name is None and isinstance(record.get("coco_url"), str):
        # LVIS has COCO's pictures by their addresses: …/val2017/000000000139.jpg
        name = "/".join(record["coco_url"].split("/")[-2:])
    name = _text_of(name)
    if not isinstance(name, str):
        raise BadRecord("wrong type", f"image {key}", "it has no file name")
    size = _length(record.get("width")), _length(record.get("height"))
    return Image(key, name, *size, image_said(record.get(KEY)))


def annotation(place: int, record: Any) -> Annotation:
    """Return an annotation record. Raises `BadRecord`."""
    where = f"annotation number {place + 1}"
    if not isinstance(record, dict):
        raise BadRecord("wrong type", where, "it is not an object")
    number = record.get("id")
    if number is not None:
        number = key_of(number, where)
        where = f"annotation {number}"
    for key in ("image_id", "category_id"):
        if key not in record:
            raise BadRecord("wrong type", where, f"it has no {key}")
    box = record.get("bbox")
    if box is not None and box != []:
        if not isinstance(box, list) or len(box) != 4:
            raise BadRecord("wrong type", where, "its box is not four numbers")
        box = _numbers(box)
        if box is None:
            raise BadRecord("wrong type", where, "its box is not four numbers")
    points = record.get("keypoints")
    return Annotation(
        key_of(record["image_id"], where),
        key_of(record["category_id"], where),
        tuple(box) if box else None,
        number,
        int(flag_of(record.get("iscrowd"))),
        _given_shape(record.get("segmentation")),
        _length(record.get("area")),
        _numbers(points) if isinstance(points, list) else None,
        box_said(record.get(KEY)),
    )


def _given_shape(value: Any) -> Segmentation:
    shape = shape_of(value)
    return NO_SHAPE if shape is None and value not in (None, [], {}, "") else shape


def shape_of(value: Any) -> Segmentation:
    """Return a segmentation as polygons or run lengths, None for what is neither.

    One polygon may stand alone, flat (`[x, y, x, y, …]`, as some converters write it) or as points
    (`[[x, y], [x, y], …]`), polygons may be lists of points, and numbers may be text.
    """
    if isinstance(value, dict):
        try:
            return msgspec.convert(value, Rle, strict=False)
        except (msgspec.ValidationError, ValueError, OverflowError):
            return None
    if not isinstance(value, list):
        return None
    flat = _numbers(value)
    if flat is not None:
        return [flat] if flat and all(map(math.isfinite, flat)) else None
    polygons = [_polygon(part) for part in value]
    if len(polygons) > 1 and all(points is not None and len(points) == 2 for points in polygons):
        polygons = [list(chain.from_iterable(points or () for points in polygons))]
    good = [points for points in polygons if points is not None]
    if len(good) < len(polygons) or not all(map(math.isfinite, chain.from_iterable(good))):
        return None
    return good


def _polygon(value: Any) -> list[float] | None:
    """Return one polygon as flat numbers, None when it is none."""
    if not isinstance(value, list):
        return None
    flat = _numbers(value)
    if flat is not None:
        return flat
    points = [_numbers(point) if isinstance(point, list) else None for point in value]
    if all(point is not None and len(point) == 2 for point in points):
        return list(chain.from_iterable(point or () for point in points))
    return None


def flag_of(value: Any) -> bool:
    """Return a flag that may be a number or a text: `1`, `1.0`, `true`, `"1"` and `"true"`."""
    if isinstance(value, str):
        return value.strip().lower() in ("1", "1.0", "true")
    return isinstance(value, int | float) and bool(value)


def key_of(value: Any, where: str) -> Any:
    """Return an id so that 7, 7.0, "7" and "7.0" are the same one. Raises `BadRecord` for none.

    "007" stays a text: it may stand beside "7" (`IdMap` lets either find the other when alone).
    """
    if isinstance(value, float) and math.isfinite(value):
        return int(value) if value.is_integer() else value
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value):
            return value
        if "." in value:
            return key_of(float(value), where)
        return int(value) if str(int(value)) == value else value
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise BadRecord("wrong type", where, "its id is neither a number nor a text")


def _numbers(values: list[Any]) -> list[float] | None:
    numbers = []
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            return None
        try:
            numbers.append(float(value))
        except OverflowError:
            numbers.append(math.inf)
        except ValueError:
            return None
    return numbers


def _length(value: Any) -> float | None:
    numbers = _numbers([value])
    return numbers[0] if numbers and math.isfinite(numbers[0]) else None
