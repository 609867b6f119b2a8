"""The ways out: a project's images and annotations in the formats that others read."""

from core.exporters.coco import export_coco
from core.exporters.original import export_original
from core.exporters.snapshot import ExportReport
from core.exporters.voc import export_voc
from core.exporters.yolo import export_yolo

__all__ = ["ExportReport", "export_coco", "export_original", "export_voc", "export_yolo"]
