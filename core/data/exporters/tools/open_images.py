"""Open Images: a table of boxes as fractions for each split, and one of the classes' names.

The columns are those of `train-annotations-bbox.csv` (storage.googleapis.com/openimages/web/
download_v7.html): a picture is called by its name without an ending, a class by a code that
`class-descriptions-boxable.csv` names; marks are 1, 0 or -1 for unknown. Freebase's codes
(`/m/0k4j`) are of Open Images' own classes, so those written here begin with `/c/`. A crowd region
is a box that is `IsGroupOf`. Pictures lie in `train`, `validation` and `test`.
"""

from __future__ import annotations

import contextlib
import csv
from functools import partial
from pathlib import Path
from typing import Any

from core.data.exporters.snapshot import Image, Snapshot
from core.data.exporters.writing import OUTLINES, Labelled, export_labels

_FOLDERS = {"train": "train", "valid": "validation", "test": "test"}
_HEADER = (
    *("ImageID", "Source", "LabelName", "Confidence", "XMin", "XMax", "YMin", "YMax"),
    *("IsOccluded", "IsTruncated", "IsGroupOf", "IsDepiction", "IsInside"),
)


def _place(_snapshot: Snapshot, image: Image) -> str:
    return f"{_FOLDERS[image.split]}/{image.name}"


def _write(snapshot: Snapshot, folder: Path, labelled: Labelled) -> None:
    names = folder / "class-descriptions-boxable.csv"
    with names.open("w", encoding="utf-8", newline="") as file:
        rows = ((f"/c/{number}", name) for number, name in enumerate(snapshot.classes))
        csv.writer(file, lineterminator="\n").writerows(rows)
    with contextlib.ExitStack() as stack:
        tables: dict[str, Any] = {}
        for split in snapshot.splits():
            path = folder / f"{_FOLDERS[split]}-annotations-bbox.csv"
            file = stack.enter_context(path.open("w", encoding="utf-8", newline=""))
            tables[split] = csv.writer(file, lineterminator="\n")
            tables[split].writerow(_HEADER)
        for image, found in snapshot.by_image():
            labelled.count(found)
            labelled.lost(OUTLINES, sum(row[8] is not None for row in found))
            for _, _, number, x, y, w, h, crowd, _ in found:
                across, down = image.width, image.height
                sides = (x / across, (x + w) / across, y / down, (y + h) / down)
                marks = (-1, -1, int(bool(crowd)), -1, -1)
                tables[image.split].writerow(
                    (image.stem, "", f"/c/{number}", 1, *map(_fraction, sides), *marks)
                )
    labelled.without_box(snapshot)


def _fraction(value: float) -> str:
    return f"{value:.10g}"


export_open_images = partial(export_labels, _write, place=_place)
