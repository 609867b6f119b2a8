"""The ways out: a project's images and annotations in the formats that others read."""

from typing import TYPE_CHECKING

from core.late import late_names

if TYPE_CHECKING:
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
else:
    __getattr__ = late_names(
        __name__,
        {
            "export_coco": "core.data.exporters.coco",
            "export_csv": "core.data.exporters.csv_table",
            "export_kitti": "core.data.exporters.kitti",
            "export_mot": "core.data.exporters.mot",
            "export_original": "core.data.exporters.original.batman",
            "ExportReport": "core.data.exporters.snapshot",
            "export_createml": "core.data.exporters.tools.createml",
            "export_cvat": "core.data.exporters.tools.cvat",
            "export_cvat_video": "core.data.exporters.tools.cvat_video",
            "export_label_studio": "core.data.exporters.tools.label_studio",
            "export_labelme": "core.data.exporters.tools.labelme",
            "export_open_images": "core.data.exporters.tools.open_images",
            "export_voc": "core.data.exporters.voc",
            "export_yolo": "core.data.exporters.yolo",
        },
    )

__all__ = [
    "ExportReport",
    "export_coco",
    "export_createml",
    "export_csv",
    "export_cvat",
    "export_cvat_video",
    "export_kitti",
    "export_label_studio",
    "export_labelme",
    "export_mot",
    "export_open_images",
    "export_original",
    "export_voc",
    "export_yolo",
]
