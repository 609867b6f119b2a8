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
from core.data.importers.formats.tables.visdrone import is_visdrone, read_visdrone
from core.data.importers.formats.tables.wider_face import is_wider_face, read_wider_face
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


_TOOLS: tuple[Format, ...] = (
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

_TABLES: tuple[Format, ...] = (
    Format(
        "csv",
        "CSV tables of boxes (TensorFlow, RetinaNet, Kaggle)",
        "a .csv file, or the folder that holds it",
        read_csv,
        is_csv,
    ),
    Format(
        "open-images",
        "Open Images",
        "the folder of its CSV files and pictures",
        read_open_images,
        is_open_images,
    ),
    Format(
        "kitti",
        "KITTI",
        "the folder with training/label_2, or label_2 itself beside image_2",
        read_kitti,
        is_kitti,
    ),
    Format(
        "mot",
        "MOTChallenge",
        "a sequence (gt/gt.txt and img1), or the folder of sequences",
        read_mot,
        is_mot,
    ),
    Format("dota", "DOTA", "the folder with labelTxt and images", read_dota, is_dota),
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
        "a det_train.json, or the folder above it and the pictures",
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
        "a .jsonl file, or the folder that holds it",
        read_azure,
        is_azure,
    ),
    Format(
        "paligemma",
        "PaliGemma and Florence-2",
        "a .jsonl file, or the folder that holds it",
        read_location_tokens,
        is_location_tokens,
    ),
)

# In the order in which they are looked for.
FORMATS = (*_TOOLS, *_TABLES)
