"""The formats that `batman export` writes, a line for each.

To add one: write `export_NAME(project, out, …) -> ExportReport` in a module beside this one or in
`exporters/tools`, and add it to `FORMATS`. The command line and the export dialog follow from it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from core.data.exporters.coco import export_coco
from core.data.exporters.csv_table import export_csv
from core.data.exporters.kitti import export_kitti
from core.data.exporters.mot import export_mot
from core.data.exporters.original.batman import export_original
from core.data.exporters.snapshot import ExportReport
from core.data.exporters.tools.createml import export_createml
from core.data.exporters.tools.cvat import export_cvat
from core.data.exporters.tools.cvat_video import export_cvat_video
from core.data.exporters.tools.label_studio import export_label_studio
from core.data.exporters.tools.labelme import export_labelme
from core.data.exporters.tools.open_images import export_open_images
from core.data.exporters.voc import export_voc
from core.data.exporters.yolo import export_yolo


@dataclass(frozen=True)
class Format:
    """One format: its word on the command line, its title, what it is, what to know, its writer.

    `what` is the command's help, `about` the line in the dialog.
    """

    name: str
    title: str
    what: str
    about: str
    write: Callable[..., ExportReport]


FORMATS = (
    Format(
        "coco",
        "COCO",
        "COCO in Roboflow's folders, which rfdetr and supervision read",
        "Roboflow's folders; rfdetr and supervision read them. All is kept.",
        export_coco,
    ),
    Format(
        "yolo",
        "YOLO",
        "YOLO: data.yaml, images and labels",
        "data.yaml, images and labels. Crowd regions are left out.",
        export_yolo,
    ),
    Format(
        "voc",
        "Pascal VOC",
        "Pascal VOC: XML annotations beside the images",
        "XML beside images; whole pixels. Crowd regions are left out.",
        export_voc,
    ),
    Format(
        "csv",
        "CSV",
        "TensorFlow's CSV: a line for each box, a table for each split",
        "TensorFlow's table of boxes for each split. Crowd regions are left out.",
        export_csv,
    ),
    Format(
        "kitti",
        "KITTI",
        "KITTI: image_2 and label_2 in training, validation, testing",
        "image_2 and label_2 for each split. Crowd regions are left out.",
        export_kitti,
    ),
    Format(
        "open-images",
        "Open Images",
        "Open Images: a table of boxes for each split, and the classes' names",
        "Tables of fractions for each split; crowd regions are groups. No outlines.",
        export_open_images,
    ),
    Format(
        "mot",
        "MOTChallenge",
        "MOTChallenge: gt.txt with tracks and img1 for each video",
        "Tracks of videos, which CVAT reads. No outlines, no crowds.",
        export_mot,
    ),
    Format(
        "original",
        "Original",
        "a project of the original Batman",
        "A project that the original Batman opens.",
        export_original,
    ),
    Format(
        "cvat",
        "CVAT",
        "CVAT for images 1.1: annotations.xml and images",
        "For images 1.1, with subsets. Crowd regions are left out.",
        export_cvat,
    ),
    Format(
        "cvat-video",
        "CVAT for video",
        "CVAT for video 1.1: annotations.xml with tracks and frames of each video",
        "Tracks with key frames, a task a video. No outlines, no crowds.",
        export_cvat_video,
    ),
    Format(
        "label-studio",
        "Label Studio",
        "Label Studio: tasks, labeling interface and images",
        "Tasks for its local storage, and the interface.",
        export_label_studio,
    ),
    Format(
        "labelme",
        "labelme",
        "labelme: a JSON file beside each picture",
        "A JSON file beside each picture. No crowd regions.",
        export_labelme,
    ),
    Format(
        "createml",
        "CreateML",
        "CreateML: a JSON file beside the pictures of each split",
        "Boxes only, a JSON file a split. No outlines, no crowds.",
        export_createml,
    ),
)
