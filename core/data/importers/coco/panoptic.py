"""COCO's panoptic files: the objects of an image are the segments of one annotation.

An annotation has `image_id`, `file_name` (a PNG in a folder named as the JSON file, in which a
pixel of segment n has the colour R + 256 G + 65536 B = n) and `segments_info`, of which each has
`id`, `category_id`, `area`, `bbox` and `iscrowd`; a category has `isthing`
(https://cocodataset.org/#format-data, section 4; panopticapi at 2dfccfb, `utils.py`, `rgb2id`).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from core.data.importers.boxes import Box
from core.data.importers.coco.json_lists import BadRecord, Lists
from core.data.importers.coco.records import Annotation, annotation
from core.data.importers.dataset import inside
from core.data.importers.image_files import Folders
from core.late import late

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    np = late("numpy")


_SIGN = b'"segments_info"'


class _Record(msgspec.Struct, gc=False):
    """An annotation of an image; segments are looked at one by one."""

    image_id: Any
    segments_info: list[Any]
    file_name: Any = None


_RECORDS = msgspec.json.Decoder(list[_Record])


def is_panoptic(lists: Lists) -> bool:
    """Whether the annotations of a file are panoptic ones."""
    return _SIGN in lists.head("annotations")


def segments(
    lists: Lists,
    json: Path,
    folders: Folders,
    bad: Callable[[BadRecord], None],
    begun: Callable[[int], None],
) -> Iterator[list[Annotation]]:
    """Yield the segments as annotations, those of some thousand images at a time.

    The boxes of segments that have none are measured in the PNG, which is looked for beside the
    file `json`; its `id` is its number and the PNG. `bad` gets what cannot be taken, `begun` how
    many segments there were.
    """
    masks = _Masks(json, folders)
    place = 0
    for part in lists.records("annotations", _RECORDS, _record, bad):
        taken = []
        for record in part:
            begun(len(record.segments_info))
            for segment in record.segments_info:
                try:
                    taken.append(_segment(place, record, segment, masks))
                except BadRecord as error:
                    bad(error)
            place += 1
        yield taken


def _record(place: int, record: Any) -> _Record:
    """Return a record without types. Raises `BadRecord`."""
    if not isinstance(record, dict):
        raise BadRecord("wrong type", f"annotation number {place + 1}", "it is not an object")
    found = record.get("segments_info")
    if found is None:
        # An ordinary annotation among them.
        return _Record(record.get("image_id"), [record])
    if not isinstance(found, list):
        where = f"annotation number {place + 1}"
        raise BadRecord("wrong type", where, "its segments_info is not a list")
    return _Record(record.get("image_id"), found, record.get("file_name"))


def _segment(place: int, record: _Record, segment: Any, masks: _Masks) -> Annotation:
    if not isinstance(segment, dict):
        where = f"annotation number {place + 1}"
        raise BadRecord("wrong type", where, "a segment is not an object")
    number = segment.get("id")
    named = isinstance(record.file_name, str)
    # A segment's number is one of its picture only.
    key = f"{number} of {record.file_name}" if named else number
    taken = annotation(place, {**segment, "image_id": record.image_id, "id": key})
    if taken.bbox is None and named and isinstance(number, int):
        taken.bbox = masks.box(record.file_name, number)
    return taken


class _Masks:
    """The PNGs of a panoptic file, one read at a time."""

    def __init__(self, json: Path, folders: Folders) -> None:
        here = json.parent
        self._places = [str(here / json.stem), str(here), str(here.parent / json.stem)]
        self._folders = folders
        self._name = ""
        self._numbers: NDArray[np.int32] | None = None

    def box(self, name: str, number: int) -> Box | None:
        """Return the box around the pixels of a segment, None without PNG or pixels."""
        if name != self._name:
            self._name, self._numbers = name, self._read(name)
        if self._numbers is None:
            return None
        mask = self._numbers == number
        xs, ys = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
        if not len(xs):
            return None
        left, top = float(xs[0]), float(ys[0])
        return left, top, float(xs[-1]) + 1 - left, float(ys[-1]) + 1 - top

    def _read(self, name: str) -> NDArray[np.int32] | None:
        relative = inside(name)
        found = relative and _found(self._folders, self._places, relative)
        if not found:
            return None
        from PIL import Image

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                with Image.open(found) as image:
                    colours = np.asarray(image.convert("RGB"), np.int32)
        # Pillow's readers let whatever a damaged file causes through: struct.error, SyntaxError, …
        except Exception:
            return None
        numbers: NDArray[np.int32] = colours @ np.array([1, 256, 65536], np.int32)
        return numbers


def _found(folders: Folders, places: Sequence[str], relative: str) -> str | None:
    for place in places:
        if (found := folders.find(place, relative)) is not None:
            return found.path
    return None
