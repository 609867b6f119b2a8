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
from core.data.importers.formats.tools import (
    createml,
    cvat,
    darwin,
    label_studio,
    labelme,
    supervisely,
    via,
    vott,
)
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
        cvat.NAME,
        "CVAT's own XML",
        "CVAT for images and for videos (1.1): annotations.xml with images/, or a ZIP",
        cvat.read_cvat,
        cvat.is_cvat,
    ),
    Format(
        label_studio.NAME,
        "Label Studio",
        "Label Studio: its JSON or JSON-MIN, with the pictures beside or below",
        label_studio.read_label_studio,
        label_studio.is_label_studio,
    ),
    Format(
        labelme.NAME,
        "labelme",
        "labelme, X-AnyLabeling: a folder of JSON files beside their pictures",
        labelme.read_labelme,
        labelme.is_labelme,
    ),
    Format(
        createml.NAME,
        "CreateML",
        "CreateML: one JSON with boxes about their centres, also in train, valid and test",
        createml.read_createml,
        createml.is_createml,
    ),
    Format(
        via.NAME,
        "VGG Image Annotator",
        "VGG Image Annotator (VIA 1 and 2): its project or annotations, JSON or CSV",
        via.read_via,
        via.is_via,
    ),
    Format(
        vott.NAME,
        "VoTT",
        "VoTT 2: its exported JSON, or its own files of assets",
        vott.read_vott,
        vott.is_vott,
    ),
    Format(
        supervisely.NAME,
        "Supervisely",
        "Supervisely: a project's folder with meta.json, ann and img",
        supervisely.read_supervisely,
        supervisely.is_supervisely,
    ),
    Format(
        darwin.NAME,
        "Darwin (V7)",
        "V7: Darwin JSON 1.0 and 2.0, a file a picture",
        darwin.read_darwin,
        darwin.is_darwin,
    ),
)
