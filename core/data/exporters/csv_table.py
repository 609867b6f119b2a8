"""TensorFlow Object Detection's CSV, as Roboflow lays it out: `_annotations.csv` in each split.

A line for each box: `filename,width,height,class,xmin,ymin,xmax,ymax` (`xml_to_csv.py` of
datitran/raccoon_dataset), corners in continuous pixels from 0. An image without boxes has no line
and lies beside the table. Crowd regions and polygons have no place in it.
"""

from __future__ import annotations

import contextlib
import csv
from functools import partial
from pathlib import Path
from typing import Any

from core.data.exporters.snapshot import Snapshot
from core.data.exporters.writing import Labelled, decimal, export_labels

_HEADER = ("filename", "width", "height", "class", "xmin", "ymin", "xmax", "ymax")


def _write(snapshot: Snapshot, folder: Path, labelled: Labelled) -> None:
    with contextlib.ExitStack() as stack:
        tables: dict[str, Any] = {}
        for split in snapshot.splits():
            path = folder / split / "_annotations.csv"
            file = stack.enter_context(path.open("w", encoding="utf-8", newline=""))
            tables[split] = csv.writer(file, lineterminator="\n")
            tables[split].writerow(_HEADER)
        for image, rows in snapshot.by_image():
            for _, _, number, x, y, w, h, _, _ in labelled.boxes(rows):
                corners = map(decimal, (x, y, x + w, y + h))
                name = snapshot.classes[number]
                tables[image.split].writerow(
                    [image.name, image.width, image.height, name, *corners]
                )
    labelled.without_box(snapshot)


export_csv = partial(
    export_labels, _write, place=lambda _snapshot, image: f"{image.split}/{image.name}"
)
