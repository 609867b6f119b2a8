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


def _masks(look: Look) -> bool:
    """A list of masks' colours as CVAT and CamVid write: `# label:color_rgb:parts:actions`."""
    listed = any(
        head.startswith("# label:color_rgb") for head in look.heads("labelmap.txt", most=2)
    ) or bool(look.ending("label_colors.txt"))
    # CVAT's Pascal VOC has the list beside its XML.
    return listed and not any("<annotation" in head for head in look.heads(".xml", most=20))


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


def _ultralytics_ndjson(look: Look) -> bool:
    """NDJSON of Ultralytics' platform: a first line of `type` `dataset`, then one an image
    (docs.ultralytics.com/datasets/detect).
    """
    return any(
        re.match(r'\s*\{[^\n]*"type"\s*:\s*"dataset"', head)
        for head in look.heads(".ndjson", ".jsonl")
    )


def _fiftyone(look: Look) -> bool:
    """FiftyOne's own export: `samples.json` with a `filepath` a sample, `metadata.json`
    (`fiftyone.types.FiftyOneDataset`).
    """
    return any('"filepath"' in head for head in look.heads("samples.json", most=2))


def _datumaro(look: Look) -> bool:
    """Datumaro's own JSON, which CVAT exports too: `categories` as an object, and `items`
    (datumaro 1.13.12, `plugins/data_formats/datumaro`).
    """
    return any(
        re.search(r'"categories"\s*:\s*\{', head) and ('"items"' in head or '"label"' in head)
        for head in look.heads(".json")
    )


def _hub_folder(look: Look) -> bool:
    """A folder of pictures as Hugging Face's `datasets` has it: `metadata.jsonl` or `.csv` with
    `file_name` (huggingface.co/docs/datasets/image_dataset).
    """
    heads = look.heads("metadata.jsonl", most=3)
    return any('"file_name"' in head and '"objects"' in head for head in heads)


def _parquet(look: Look) -> bool:
    return bool(look.ending(".parquet", ".arrow")) and not look.images


def _detectron2(look: Look) -> bool:
    """Detectron2's list of dicts, as people dump it: `bbox_mode` in each annotation
    (detectron2.readthedocs.io, tutorials/datasets).
    """
    return any(
        head.lstrip().startswith("[") and '"bbox_mode"' in head for head in look.heads(".json")
    )


_BEHIND = re.compile(r"\S.*\.(jpe?g|png|bmp)( \d+,\d+,\d+,\d+,\d+)+\s*$", re.IGNORECASE)


def _boxes_behind_names(look: Look) -> bool:
    """A list of pictures with their boxes behind: `a.jpg 1,2,30,40,0 5,6,20,30,1`
    (qqwweee/keras-yolo3, README).
    """
    texts = [look.head(name) for name in look.ending(".txt")[:20]]
    return any(_BEHIND.match(text.partition("\n")[0].rstrip("\r")) for text in texts)


_AUTOML = re.compile(
    r"(TRAIN|VALIDAT\w+|TEST|UNASSIGNED),gs://[^,\n]+(,[^,\n]*){9}\s*$", re.MULTILINE
)


def _google_automl(look: Look) -> bool:
    """Google's AutoML Vision: a set, an address, a class and four corners in pairs a line
    (cloud.google.com/vision/automl/object-detection/docs/csv-format).
    """
    return any(_AUTOML.match(head) for head in look.heads(".csv"))


def _sequences(look: Look, folder: str, line: re.Pattern[str]) -> bool:
    names = [name for name in look.ending(".txt") if folder in name.split("/")[-2:-1]]
    heads = [look.head(name).partition("\n")[0].strip() for name in names[:20]]
    return bool(heads) and all(map(line.fullmatch, heads))


# A frame and a track before what the formats of single pictures have.
_KITTI_LINE = re.compile(r"\d+ -?\d+ [A-Za-z]\w*( -?[\d.e+-]+){14,15}")
_VISDRONE_LINE = re.compile(r"\d+,\d+(,-?\d+){8},?")


def _kitti_tracking(look: Look) -> bool:
    """KITTI's tracking: `label_02/0000.txt` of a sequence, `image_02/0000` (its readme.txt)."""
    return _sequences(look, "label_02", _KITTI_LINE)


def _visdrone_videos(look: Look) -> bool:
    """VisDrone-VID and -MOT: `annotations/NAME.txt` of ten values, `sequences/NAME`."""
    return any("sequences/" in f"/{name}" for name in look.names) and _sequences(
        look, "annotations", _VISDRONE_LINE
    )


_CORNERS_LINE = re.compile(r"[^\W\d][^\n]*?( -?\d+(\.\d+)?){4} ?")


def _names_and_corners(look: Look) -> bool:
    """A text file a picture of a name and left, top, right, bottom (Cartucho/mAP, README)."""
    texts = [look.head(name).splitlines()[:5] for name in look.ending(".txt")[:20]]
    lines = [line for text in texts for line in text]
    return bool(look.images and lines) and all(map(_CORNERS_LINE.fullmatch, lines))


_AS_MOT = "Write each sequence's boxes as MOTChallenge, gt/gt.txt beside img1, and import that."
_AS_TABLE = "Write a CSV table, a line a box, of filename,class,xmin,ymin,xmax,ymax; import that."

UNREAD = (
    Unread("KITTI's tracking", _kitti_tracking, _AS_MOT),
    Unread("VisDrone's videos", _visdrone_videos, _AS_MOT),
    Unread(
        "lists with boxes behind the names, as keras-yolo3 has them", _boxes_behind_names, _AS_TABLE
    ),
    Unread("text of names and corners", _names_and_corners, _AS_TABLE),
    Unread("a table of Google's AutoML Vision", _google_automl, _AS_TABLE),
    Unread(
        "Detectron2's list of pictures",
        _detectron2,
        "Write it with detectron2.data.datasets.convert_to_coco_json, and import that as COCO.",
    ),
    Unread(
        "NDJSON of Ultralytics",
        _ultralytics_ndjson,
        "It names its pictures by address: export the data set as YOLO or COCO.",
    ),
    Unread(
        "FiftyOne's own export",
        _fiftyone,
        "Export it with dataset_type=fiftyone.types.COCODetectionDataset, and import that.",
    ),
    Unread(
        "Datumaro's own JSON",
        _datumaro,
        "In CVAT choose CVAT for images or COCO 1.0; elsewhere datum convert -f coco.",
    ),
    Unread(
        "a folder of pictures of Hugging Face's datasets",
        _hub_folder,
        "Write its objects as COCO, with the names of the classes, and import that.",
    ),
    Unread(
        "a data set in Parquet or Arrow, as Hugging Face has them",
        _parquet,
        "Pictures and boxes lie in its columns: write them out as COCO, and import that.",
    ),
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
        _AS_MOT,
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
