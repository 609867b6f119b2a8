"""The records of a COCO file: read by type, one by one without types, and as columns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from core.data.importers.coco.json_lists import BadRecord
from core.data.importers.dataset import storable

_NO_BOX = (math.nan,) * 4


class Rle(msgspec.Struct, gc=False):
    """A mask as run lengths, as pycocotools writes it."""

    counts: str | list[int]
    size: list[int]


Segmentation = list[list[float]] | Rle | None


class Image(msgspec.Struct, gc=False):
    """An image record, what is read of it."""

    id: Any
    file_name: str
    width: int | float | None = None
    height: int | float | None = None


class Annotation(msgspec.Struct, gc=False):
    """An annotation record, what is read of it."""

    image_id: int
    category_id: int
    bbox: tuple[float, float, float, float] | None = None
    id: int | None = None
    iscrowd: int | bool | None = 0
    segmentation: Segmentation = None


IMAGES = msgspec.json.Decoder(list[Image])
ANNOTATIONS = msgspec.json.Decoder(list[Annotation])


class Columns(NamedTuple):
    """Annotations by column: ids of the images, of the categories, and their own, each (n,).

    `boxes` are (n, 4), not a number where a record has none. `extras` has, by row, whether it is a
    crowd and its shape as JSON, for rows that have either.
    """

    images: Sequence[Any] | NDArray[np.int64]
    categories: Sequence[Any] | NDArray[np.int64]
    ids: Sequence[Any] | NDArray[np.int64]
    boxes: NDArray[np.float64]
    extras: dict[int, tuple[int, str | None]]


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
    return Columns(
        [a.image_id for a in records],
        [a.category_id for a in records],
        [a.id for a in records],
        boxes,
        extras,
    )


def shape_text(shape: Segmentation) -> str | None:
    """Return a segmentation as JSON, None for an empty one."""
    return msgspec.json.encode(shape).decode() if shape else None


def category(place: int, record: Any) -> tuple[Any, str, str | None]:
    """Return a category's id, name and supercategory. Raises `BadRecord`."""
    where = f"category number {place + 1}"
    if not isinstance(record, dict):
        raise BadRecord("bad category", where, "it is not an object")
    key = key_of(record.get("id"), where)
    name, parent = record.get("name"), record.get("supercategory")
    if not isinstance(name, str) or not name.strip():
        raise BadRecord("bad category", f"category {key}", "it has no name")
    if not storable(name):
        raise BadRecord("bad category", f"category {key}", "its name is not valid text")
    return key, name, parent if isinstance(parent, str) and storable(parent) else None


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
    if not isinstance(name, str):
        raise BadRecord("wrong type", f"image {key}", "it has no file name")
    return Image(key, name, _length(record.get("width")), _length(record.get("height")))


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
    crowd = record.get("iscrowd")
    return Annotation(
        key_of(record["image_id"], where),
        key_of(record["category_id"], where),
        tuple(box) if box else None,
        number,
        int(crowd) if isinstance(crowd, bool | int) else 0,
        shape_of(record.get("segmentation")),
    )


def shape_of(value: Any) -> Segmentation:
    """Return a segmentation that has the right form, None for any other."""
    try:
        shape: list[list[float]] | Rle | None = msgspec.convert(value, Segmentation)
    except (msgspec.ValidationError, ValueError, OverflowError, RecursionError):
        return None
    if isinstance(shape, list) and not all(map(math.isfinite, chain.from_iterable(shape))):
        return None
    return shape


def key_of(value: Any, where: str) -> Any:
    """Return an id so that 7, 7.0 and "7" are the same one."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str):
        digits = value.removeprefix("-")
        short = digits.isascii() and digits.isdecimal() and len(digits) < 19
        return int(value) if short else value
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
