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
from core.data.importers.formats.tables.azure import is_azure, read_azure
from core.data.importers.formats.tables.bdd100k import is_bdd100k, read_bdd100k
from core.data.importers.formats.tables.crowdhuman import is_crowdhuman, read_crowdhuman
from core.data.importers.formats.tables.csv_boxes import is_csv, read_csv
from core.data.importers.formats.tables.dota import is_dota, read_dota
from core.data.importers.formats.tables.kitti import is_kitti, read_kitti
from core.data.importers.formats.tables.location_tokens import (
    is_location_tokens,
    read_location_tokens,
)
from core.data.importers.formats.tables.mot import is_mot, read_mot
from core.data.importers.formats.tables.open_images import is_open_images, read_open_images
from core.data.importers.formats.tables.tfrecord import is_tfrecord, read_tfrecord
from core.data.importers.formats.tables.visdrone import is_visdrone, read_visdrone
from core.data.importers.formats.tables.wider_face import is_wider_face, read_wider_face
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


_TOOLS: tuple[Format, ...] = (
    Format(
        cvat.NAME,
        "CVAT's own XML",
        "annotations.xml (for images or video) or the folder that holds it with images/",
        cvat.read_cvat,
        cvat.is_cvat,
    ),
    Format(
        label_studio.NAME,
        "Label Studio",
        "its JSON or JSON-MIN, the pictures beside or below",
        label_studio.read_label_studio,
        label_studio.is_label_studio,
    ),
    Format(
        labelme.NAME,
        "labelme",
        "a folder of JSON files beside their pictures, X-AnyLabeling's too",
        labelme.read_labelme,
        labelme.is_labelme,
    ),
    Format(
        createml.NAME,
        "CreateML",
        "its JSON, or the folder that holds it, also in train, valid and test",
        createml.read_createml,
        createml.is_createml,
    ),
    Format(
        via.NAME,
        "VGG Image Annotator",
        "the JSON of VIA 1, 2 and 3 or CSV of VIA 1 and 2, or the folder that holds it",
        via.read_via,
        via.is_via,
    ),
    Format(
        vott.NAME,
        "VoTT",
        "its exported JSON, or the folder of its own files",
        vott.read_vott,
        vott.is_vott,
    ),
    Format(
        supervisely.NAME,
        "Supervisely",
        "a project's folder with meta.json, ann and img",
        supervisely.read_supervisely,
        supervisely.is_supervisely,
    ),
    Format(
        darwin.NAME,
        "Darwin (V7)",
        "a folder of Darwin JSON 1.0 or 2.0, or one such file",
        darwin.read_darwin,
        darwin.is_darwin,
    ),
)

_TABLES: tuple[Format, ...] = (
    Format(
        "csv",
        "CSV tables of boxes (TensorFlow, RetinaNet, Kaggle)",
        "a .csv file, or a folder of them",
        read_csv,
        is_csv,
    ),
    Format(
        "open-images",
        "Open Images",
        "its CSV files and pictures, FiftyOne's and the OIDv4 toolkit's too",
        read_open_images,
        is_open_images,
    ),
    Format(
        "kitti",
        "KITTI",
        "the folder with training/label_2 and image_2",
        read_kitti,
        is_kitti,
    ),
    Format(
        "mot",
        "MOTChallenge",
        "a sequence (gt/gt.txt and img1), or a folder of them",
        read_mot,
        is_mot,
    ),
    Format(
        "dota",
        "DOTA",
        "the folder with labelTxt and images; upright boxes are taken",
        read_dota,
        is_dota,
    ),
    Format(
        "wider-face",
        "WIDER FACE",
        "the folder with wider_face_split and WIDER_train",
        read_wider_face,
        is_wider_face,
    ),
    Format(
        "visdrone",
        "VisDrone-DET",
        "the folder with annotations and images",
        read_visdrone,
        is_visdrone,
    ),
    Format(
        "bdd100k",
        "BDD100K",
        "a det_train.json, or the folder with labels and images",
        read_bdd100k,
        is_bdd100k,
    ),
    Format(
        "crowdhuman",
        "CrowdHuman",
        "an .odgt file, or the folder that holds it",
        read_crowdhuman,
        is_crowdhuman,
    ),
    Format(
        "azure",
        "Azure Machine Learning",
        "JSON lines, or its COCO with fractions",
        read_azure,
        is_azure,
    ),
    Format(
        "paligemma",
        "PaliGemma and Florence-2",
        "JSON lines of Roboflow and others",
        read_location_tokens,
        is_location_tokens,
    ),
    Format(
        "tfrecord",
        "TensorFlow's TFRecord",
        "a .tfrecord or .record file of the Object Detection API, or a folder of them",
        read_tfrecord,
        is_tfrecord,
    ),
)

# In the order in which they are looked for.
FORMATS = (*_TOOLS, *_TABLES)
