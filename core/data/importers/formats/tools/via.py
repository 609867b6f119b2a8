"""VGG Image Annotator 1, 2 and 3: a project or its annotations as JSON, or as CSV.

As VIA 2.0.12 writes them (`via.js`): a record a picture with `filename`, `size` (bytes), `regions`
(a list; in VIA 1 an object of numbers) and `file_attributes`, in a project below
`_via_img_metadata`; in CSV a row a region, its attributes as JSON. Shapes are in pixels from the
upper left corner, `theta` of an ellipse in radians (`via_region_shape_to_coco_annotation`).

A region has attributes of the person's own choice; which of them is the class is not said. It is
the one that is called so (`class`, `label`, `name`, `type`, …), else the commonest; where there are
several this is told. A checkbox holds what is ticked.
"""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from core.common.errors import ImportFailed
from core.common.text import plural
from core.data.importers.dataset import DataSet
from core.data.importers.formats.look import Look
from core.data.importers.formats.reading.json_records import number, numbers
from core.data.importers.formats.reading.labelled_pictures import LabelledPictures, ellipse_box
from core.data.importers.formats.reading.text_files import decoded
from core.data.importers.formats.tools.via_3 import as_via_2, is_via_3
from core.data.importers.report import Watch

NAME = "via"
UNNAMED = "object"
_CALLED = ("class", "label", "name", "type", "category", "object", "class_name", "object_name")
_NOTHING = frozenset(("", "undefined", "not_defined"))
_COLUMNS = ("region_shape_attributes", "region_attributes")


def is_via(look: Look) -> bool:
    """Whether one of the first files has VIA's keys or, of a CSV, its columns."""
    return any(
        '"_via_' in head or is_via_3(head) or ('"shape_attributes"' in head and '"region' in head)
        for head in look.heads(".json")
    ) or any(_COLUMNS[0] in head.partition("\n")[0] for head in look.heads(".csv"))


def read_via(source: Path, watch: Watch) -> DataSet:
    """Read VIA's JSON or CSV at `source`, a folder or one file. Raises `ImportFailed`."""
    into = LabelledPictures(NAME, source, watch)
    for file in into.files(".json", ".csv"):
        try:
            is_table = file.suffix.lower() == ".csv"
            value = None if is_table else into.json(file)
            records = _table(into.read(file)) if is_table else _records(value)
        except ImportFailed as error:
            into.refuse(file, error.message)
            continue
        if records is None:
            into.other(file, "it is no file of VIA")
            continue
        into.data.balance.use(str(file))
        films = as_via_2(value) if isinstance(value, dict) else None
        if films is not None and films[1]:
            detail = f"{plural(films[1], 'region or time', 'regions or times')} of films or sound"
            into.data.problems.add("no box", into.name_of(file), f"{detail}: import their frames")
        _File(into, file, records).read()
    into.leave_rest("VIA's file does not name it")
    return into.finish("files of VIA")


def _records(value: Any) -> list[dict[str, Any]] | None:
    """Return the records of pictures in a project or in exported annotations, None for neither."""
    if not isinstance(value, dict):
        return None
    if (of_3 := as_via_2(value)) is not None:
        return of_3[0]
    inner = value.get("_via_img_metadata", value)
    records = list(inner.values()) if isinstance(inner, dict) else []
    right = [item for item in records if isinstance(item, dict) and "regions" in item]
    return right if len(right) == len(records) and (right or inner is not value) else None


def _table(raw: bytes) -> list[dict[str, Any]] | None:
    """Return the records of a CSV, None when it has other columns. Raises `ImportFailed`."""
    try:
        rows = list(csv.DictReader(io.StringIO(decoded(raw))))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ImportFailed(f"it is no CSV: {error}") from None
    records: dict[str, dict[str, Any]] = {}
    for row in rows:
        name = row.get("filename") or row.get("#filename")
        if name is None or any(row.get(column) is None for column in _COLUMNS):
            return None
        record = records.setdefault(name, {"filename": name, "regions": []})
        shape, attributes = (_object(row[column]) for column in _COLUMNS)
        # A picture without a region has a row of its own, with an empty shape.
        if shape != {}:
            region = {"shape_attributes": shape, "region_attributes": attributes}
            record["regions"].append(region)
    return list(records.values())


def _object(text: str) -> Any:
    try:
        return msgspec.json.decode(text.encode()) if text.strip() else {}
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return None


class _File:
    def __init__(self, into: LabelledPictures, file: Path, records: list[dict[str, Any]]) -> None:
        self.into = into
        self.file = file
        self.name = into.name_of(file)
        self.records = records
        self.key = self._class_key()

    def read(self) -> None:
        for place, record in enumerate(self.records, 1):
            if not place % 64:
                self.into.watch.tick("reading", place, len(self.records))
            name = record.get("filename")
            where = f"{self.name}: image {place} '{name}'"
            regions = _regions(record)
            self.into.data.balance.found(len(regions))
            names = [name] if isinstance(name, str) and name else []
            image = self.into.picture(names, where, beside=self.file.parent)
            for number_, region in enumerate(regions if image is not None else (), 1):
                self._region(image or 0, region, f"{where}: region {number_}")

    def _class_key(self) -> str | None:
        """Return which attribute of the regions is the class, None when they have none."""
        counts: Counter[str] = Counter()
        for record in self.records:
            for region in _regions(record):
                attributes = _attributes(region)
                counts.update(key for key in attributes if _text(attributes[key]))
        called = [key for name in _CALLED for key in counts if key.strip().lower() == name]
        chosen = next(iter([*called, *(key for key, _ in counts.most_common(1))]), None)
        if len(counts) > 1:
            others = ", ".join(key for key in counts if key != chosen)
            detail = f"'{chosen}' is taken as the class, not {others}"
            self.into.data.problems.add("several attributes", self.name, detail[:200], "kept")
        return chosen

    def _region(self, image: int, region: Any, where: str) -> None:
        into = self.into
        shape = region.get("shape_attributes") if isinstance(region, dict) else None
        if not isinstance(shape, dict):
            return into.data.problems.add("wrong type", where, "it has no shape")
        name = _text(_attributes(region).get(self.key or ""))
        if not name:
            detail = f"it has no class and is called '{UNNAMED}'"
            into.data.problems.add("no name", where, detail, "kept")
        label = into.label(name or UNNAMED, where)
        if label is None:
            return None
        kind = shape.get("name")
        if kind == "rect" and (
            box := numbers([shape.get(k) for k in ("x", "y", "width", "height")])
        ):
            return into.box(image, label, (box[0], box[1], box[2], box[3]), where)
        if kind == "circle" and (circle := numbers([shape.get(k) for k in ("cx", "cy", "r")])):
            x, y, r = circle
            return into.box(image, label, (x - r, y - r, 2 * r, 2 * r), where, "a circle")
        if kind == "ellipse" and (
            ellipse := numbers([shape.get(k) for k in ("cx", "cy", "rx", "ry")])
        ):
            x, y, rx, ry = ellipse
            angle = math.degrees(number(shape.get("theta", 0)) or 0.0)
            return into.box(image, label, ellipse_box(x, y, rx, ry, angle), where, "an ellipse")
        xs, ys = numbers(shape.get("all_points_x")), numbers(shape.get("all_points_y"))
        if xs and ys and len(xs) == len(ys):
            if kind == "polygon":
                flat = [value for pair in zip(xs, ys, strict=True) for value in pair]
                return into.outline(image, label, flat, where)
            box_ = (min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys))
            return into.box(image, label, box_, where, f"a {kind}")
        return into.data.problems.add(
            "no box", where, f"a {str(kind)[:40]} without a box's numbers"
        )


def _regions(record: dict[str, Any]) -> list[Any]:
    regions = record.get("regions")
    if isinstance(regions, dict):
        return list(regions.values())
    return regions if isinstance(regions, list) else []


def _attributes(region: Any) -> dict[str, Any]:
    attributes = region.get("region_attributes") if isinstance(region, dict) else None
    return attributes if isinstance(attributes, dict) else {}


def _text(value: Any) -> str:
    """Return the class that an attribute's value names, "" for none."""
    if isinstance(value, dict):
        value = next((key for key, ticked in value.items() if ticked), "")
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    return value if isinstance(value, str) and value.strip() not in _NOTHING else ""
