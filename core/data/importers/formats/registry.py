"""The formats that `batman import` reads beside COCO, YOLO and Pascal VOC, a line for each.

To add one: write `read_NAME(source, watch) -> DataSet` and `is_NAME(look) -> bool` in a module of
`formats/tools` (what labelling programs write) or `formats/tables` (text, CSV and records), and add
it to `FORMATS`. The command line, the import dialog, the guess of what lies at a path and the
documentation follow from it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.data.importers.dataset import DataSet
from core.data.importers.formats.look import Look
from core.data.importers.formats.tools import cvat, labelme
from core.data.importers.report import Watch


@dataclass(frozen=True)
class Format:
    """One format: its word on the command line, its title, what to point at, and its reader.

    `read` raises `ImportFailed` when the data set cannot be read. `recognise` looks at names and
    the beginnings of files only and never raises.
    """

    name: str
    title: str
    source: str
    read: Callable[[Path, Watch], DataSet]
    recognise: Callable[[Look], bool]


# In the order in which they are looked for.
FORMATS: tuple[Format, ...] = (
    Format(
        "cvat",
        "CVAT's own XML",
        "CVAT for images and for videos (1.1): annotations.xml with images/, or a ZIP",
        cvat.read_cvat,
        cvat.is_cvat,
    ),
    Format(
        "labelme",
        "labelme",
        "labelme, X-AnyLabeling: a folder of JSON files beside their pictures",
        labelme.read_labelme,
        labelme.is_labelme,
    ),
)
