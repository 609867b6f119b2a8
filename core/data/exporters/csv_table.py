"""TensorFlow Object Detection's CSV, as Roboflow lays it out: `_annotations.csv` in each split.

A line for each box: `filename,width,height,class,xmin,ymin,xmax,ymax` (`xml_to_csv.py` of
datitran/raccoon_dataset), corners in continuous pixels from 0. An image without boxes has no line
and lies beside the table. Crowd regions and polygons have no place in it.
"""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from core.common.files import FileMode
from core.common.progress import Progress
from core.data.exporters.boxes_only import decimal, export_boxes
from core.data.exporters.snapshot import ExportReport, Image, Row, Snapshot
from core.data.store import Project

_HEADER = ("filename", "width", "height", "class", "xmin", "ymin", "xmax", "ymax")


def export_csv(
    project: Project,
    out: Path,
    *,
    files: FileMode = "link",
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> ExportReport:
    """Write the project to the new folder `out` as CSV; see `export_boxes` for what it raises."""
    return export_boxes(project, out, _write, files, progress, cancelled)


def _write(
    folder: Path, snapshot: Snapshot, images: Iterable[tuple[Image, list[Row]]]
) -> dict[str, Path]:
    places = {split: folder / split for split in snapshot.splits()}
    with contextlib.ExitStack() as stack:
        tables: dict[str, Any] = {}
        for split, place in places.items():
            place.mkdir()
            path = place / "_annotations.csv"
            file = stack.enter_context(path.open("w", encoding="utf-8", newline=""))
            tables[split] = csv.writer(file, lineterminator="\n")
            tables[split].writerow(_HEADER)
        for image, rows in images:
            for _, _, number, x, y, w, h, _, _ in rows:
                corners = map(decimal, (x, y, x + w, y + h))
                name = snapshot.classes[number]
                tables[image.split].writerow(
                    [image.name, image.width, image.height, name, *corners]
                )
    return places
