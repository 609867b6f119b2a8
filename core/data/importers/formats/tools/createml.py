"""CreateML: one JSON list of pictures with boxes about their centres.

As Apple's "Building an object detector data source" has it: a list of `{"image", "annotations":
[{"label", "coordinates": {"x", "y", "width", "height"}}]}`, where x and y are the box's centre in
pixels from the upper left corner. Older files say `imagefilename` and `annotation`. Units, origin
and anchor can be chosen when Create ML reads a file and stand nowhere in it; these are its defaults
(`MLObjectDetector.AnnotationType.boundingBox`). Roboflow writes `_annotations.createml.json` in
train, valid and test.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.data.importers.dataset import DataSet
from core.data.importers.formats.look import Look
from core.data.importers.formats.reading.json_records import numbers
from core.data.importers.formats.reading.labelled_pictures import LabelledPictures
from core.data.importers.report import Watch

NAME = "createml"
_SIDES = ("x", "y", "width", "height")


def is_createml(look: Look) -> bool:
    """Whether one of the first JSON files is CreateML's, by its name or its keys."""
    return bool(look.ending(".createml.json")) or any(
        head.lstrip().startswith("[") and '"coordinates"' in head and '"image' in head
        for head in look.heads(".json")
    )


def read_createml(source: Path, watch: Watch) -> DataSet:
    """Read CreateML's JSON at `source`, a folder or one file. Raises `ImportFailed`."""
    into = LabelledPictures(NAME, source, watch)
    files = into.files(".json")
    for file, value in into.each_json(files):
        records = value if isinstance(value, list) else []
        if not all(isinstance(record, dict) and _name(record) for record in records[:1]) or (
            not isinstance(value, list)
        ):
            into.other(file, "it is no list of CreateML's")
            continue
        into.data.balance.use(str(file))
        for place, record in enumerate(records, 1):
            _record(into, file, record, f"{into.name_of(file)}: image {place}")
    into.leave_rest("CreateML's JSON does not name it")
    return into.finish("JSON files of CreateML")


def _name(record: dict[str, Any]) -> str | None:
    name = record.get("image", record.get("imagefilename"))
    return name if isinstance(name, str) and name else None


def _record(into: LabelledPictures, file: Path, record: Any, where: str) -> None:
    problems = into.data.problems
    name = _name(record) if isinstance(record, dict) else None
    if name is None:
        return problems.add("wrong type", where, "it is no record of a picture")
    objects = record.get("annotations", record.get("annotation"))
    objects = objects if isinstance(objects, list) else []
    into.data.balance.found(len(objects))
    image = into.picture([name], where, beside=file.parent)
    for place, item in enumerate(objects if image is not None else (), 1):
        at = f"{where} '{name}': object {place}"
        item = item if isinstance(item, dict) else {}
        label = into.label(item.get("label"), at)
        corners = item.get("coordinates")
        values = numbers([corners.get(k) for k in _SIDES]) if isinstance(corners, dict) else None
        if label is None or image is None:
            continue
        if values is None:
            problems.add("no box", at, "its coordinates are not four numbers")
            continue
        x, y, w, h = values
        into.box(image, label, (x - w / 2, y - h / 2, w, h), at)
    return None
