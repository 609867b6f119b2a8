"""Formats that are recognised and not read, with what to export instead."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from core.data.importers.formats.look import Look


@dataclass(frozen=True)
class Unread:
    """One format: its title, how it is recognised, and what to choose instead."""

    title: str
    recognise: Callable[[Look], bool]
    instead: str


def _cvat_backup(look: Look) -> bool:
    """A task's or project's backup: `task.json` with `annotations.json`, or `project.json` with
    `task_0/` (cvat/apps/engine/backup.py, 2.x: `TaskFilename`, `AnnotationsFilename`).
    """
    tasks = [name for name in look.ending("task.json") if name.rpartition("/")[2] == "task.json"]
    return any('"jobs"' in look.head(name) or '"version"' in look.head(name) for name in tasks)


def _label_studio_table(look: Look) -> bool:
    """Label Studio's CSV and TSV: a column of tasks' data and `annotator`, `annotation_id`."""
    return any(
        "annotation_id" in (first := head.partition("\n")[0]) and "lead_time" in first
        for head in look.heads(".csv", ".tsv")
    )


def _label_studio_conll(look: Look) -> bool:
    """CoNLL 2003, which Label Studio writes of texts."""
    return any(head.startswith("-DOCSTART-") for head in look.heads(".conll", ".txt"))


def _labelbox(look: Look) -> bool:
    """Labelbox's export: a JSON object a line with `data_row` and `projects`."""
    return any(
        '"data_row"' in head and ('"media_attributes"' in head or '"projects"' in head)
        for head in look.heads(".ndjson", ".json", ".jsonl")
    )


def _scale(look: Look) -> bool:
    """Scale AI's tasks: `task_id` with `params` and `response` (docs.scale.com, task object)."""
    return any(
        '"task_id"' in head and ('"response"' in head or '"callback_url"' in head)
        for head in look.heads(".json", ".jsonl")
    )


def _via_3(look: Look) -> bool:
    """A project of VIA 3: `project`, `config`, `attribute`, `file`, `metadata`, `view`."""
    return any(
        '"project"' in head and (('"pid"' in head and '"vid_list"' in head) or '"__VIA' in head)
        for head in look.heads(".json")
    )


def _masks(look: Look) -> bool:
    """A list of masks' colours as CVAT and CamVid write: `# label:color_rgb:parts:actions`."""
    return any(
        head.startswith("# label:color_rgb") for head in look.heads("labelmap.txt", most=2)
    ) or bool(look.ending("label_colors.txt"))


def _masks_alone(look: Look) -> bool:
    """Pascal VOC's masks without its XML, as labelme2voc of labelme 6.3.1 writes them."""
    folders = {part.lower() for name in look.names for part in name.split("/")[:-1]}
    masks = any(name.startswith(("segmentationclass", "segmentationobject")) for name in folders)
    return masks and not look.ending(".xml", ".json", ".csv", ".yaml", ".yml")


def _lightly(look: Look) -> bool:
    """Lightly's predictions: `schema.json` of categories, and `file_name`, `predictions` a picture
    (labelformat 0.1.17, `formats/lightly.py`).
    """
    return bool(look.ending("schema.json")) and any(
        '"predictions"' in head and '"category_id"' in head for head in look.heads(".json", most=9)
    )


def _detrac(look: Look) -> bool:
    """UA-DETRAC's XML: `<sequence>` of frames with `<target_list>` (motmetrics 1.4.0,
    `data/iotest/detrac.xml`).
    """
    heads = look.heads(".xml", most=3)
    return any("<sequence" in head and "<target_list" in head for head in heads)


def _supervisely_point_clouds(look: Look) -> bool:
    """Supervisely's point clouds and episodes: `key_id_map.json` with `pointcloud`."""
    return bool(look.ending("key_id_map.json")) and any(
        "pointcloud/" in f"/{name}" for name in look.names
    )


def _label_me_web(look: Look) -> bool:
    """The web tool LabelMe of MIT: XML with points (`<polygon><pt><x>`), which is not labelme."""
    return any("<annotation" in head and "<pt>" in head for head in look.heads(".xml", most=3))


def _dicom(look: Look) -> bool:
    return bool(look.ending(".dcm", ".nii", ".nii.gz")) and not look.images


def _tfrecord(look: Look) -> bool:
    """Records of TensorFlow: `train.tfrecord`, `x.record`, `x.tfrecord-00000-of-00010`."""
    record = re.compile(r"\.(tfrecords?|record)(-\d+-of-\d+)?$|\.tfrecord\b", re.IGNORECASE).search
    return any(record(name) for name in look.names)


def _shards(look: Look) -> bool:
    """RF-DETR's WebDataset shards: `train-index.json` that lists `train-000000.tar` (rfdetr 1.11,
    `datasets/webdataset/index.py`).
    """
    return bool(look.ending(".tar")) and any(
        '"shards"' in look.head(name) for name in look.ending("-index.json")
    )


def _sagemaker(look: Look) -> bool:
    """SageMaker Ground Truth's output manifest: `source-ref` and `NAME-metadata` a line."""
    return any(
        re.search(r'"source-ref"', head) and "-metadata" in head
        for head in look.heads(".manifest", ".jsonl", ".json")
    )


def _prodigy(look: Look) -> bool:
    """Prodigy's JSONL: `_input_hash` and `spans` a line (prodi.gy/docs/api-interfaces)."""
    return any('"_input_hash"' in head for head in look.heads(".jsonl"))


UNREAD = (
    Unread(
        "a backup of CVAT",
        _cvat_backup,
        "In CVAT choose Export task dataset (not Backup task), as CVAT for images or COCO 1.0,"
        " with Save images.",
    ),
    Unread(
        "a table of Label Studio",
        _label_studio_table,
        "In Label Studio choose Export, JSON (or COCO, YOLO), which keep every box.",
    ),
    Unread(
        "CoNLL 2003, which labels words of texts",
        _label_studio_conll,
        "It holds no boxes in pictures: choose Export, JSON or COCO.",
    ),
    Unread(
        "an export of Labelbox",
        _labelbox,
        "Turn it into COCO with Labelbox's own converter (labelbox.data.serialization's"
        " COCOConverter of labelbox 3, or its notebook), and import that.",
    ),
    Unread(
        "tasks of Scale AI",
        _scale,
        "Export the data set from Scale Nucleus as COCO, and import that.",
    ),
    Unread(
        "a project of VIA 3",
        _via_3,
        "In VIA 3 choose Export as COCO or CSV; VIA 2 saves a JSON that is read as it is.",
    ),
    Unread(
        "segmentation masks with a list of colours",
        _masks,
        "Masks of classes do not part one object from the next: export polygons or boxes, as COCO"
        " 1.0 or CVAT for images.",
    ),
    Unread(
        "segmentation masks of Pascal VOC without its XML",
        _masks_alone,
        "Import what they were made from: labelme's JSON files are read (batman import labelme),"
        " and a Pascal VOC data set with its folder Annotations.",
    ),
    Unread(
        "predictions in Lightly's format",
        _lightly,
        "The package labelformat turns it into COCO: labelformat convert --task object-detection"
        " --input-format lightly --output-format coco.",
    ),
    Unread(
        "UA-DETRAC's XML",
        _detrac,
        "Write the boxes of each sequence as MOTChallenge, gt/gt.txt beside img1, and import that.",
    ),
    Unread(
        "point clouds of Supervisely",
        _supervisely_point_clouds,
        "Batman detects in pictures: export the project's images.",
    ),
    Unread(
        "XML of the web tool LabelMe (MIT)",
        _label_me_web,
        "CVAT takes it in (LabelMe 3.0): export it there as CVAT for images.",
    ),
    Unread(
        "DICOM or NIfTI volumes", _dicom, "Export the slices as PNG with boxes as COCO or YOLO."
    ),
    Unread(
        "TensorFlow's TFRecord",
        _tfrecord,
        "Its pictures are packed in it, and TensorFlow reads it: export the data set as COCO, or as"
        " TensorFlow's CSV (Roboflow offers both), and import that.",
    ),
    Unread(
        "shards that RF-DETR packed",
        _shards,
        "Import the COCO or YOLO data set from which they were packed.",
    ),
    Unread(
        "a manifest of SageMaker Ground Truth",
        _sagemaker,
        "Its pictures lie in a bucket: download them, and write the boxes as COCO.",
    ),
    Unread(
        "a data set of Prodigy",
        _prodigy,
        "Its spans are polygons by the picture: write them as COCO.",
    ),
)
