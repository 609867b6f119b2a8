"""The ways out: a project's images and annotations in the formats that others read."""

from core.data.exporters.coco import export_coco
from core.data.exporters.createml import export_createml
from core.data.exporters.csv_table import export_csv
from core.data.exporters.cvat import export_cvat
from core.data.exporters.kitti import export_kitti
from core.data.exporters.label_studio import export_label_studio
from core.data.exporters.labelme import export_labelme
from core.data.exporters.original_batman import export_original
from core.data.exporters.snapshot import ExportReport
from core.data.exporters.voc import export_voc
from core.data.exporters.yolo import export_yolo

__all__ = [
    "ExportReport",
    "export_coco",
    "export_createml",
    "export_csv",
    "export_cvat",
    "export_kitti",
    "export_label_studio",
    "export_labelme",
    "export_original",
    "export_voc",
    "export_yolo",
]
