"""The ways in: data sets of many formats become images and annotations of a project."""

from core.importers.coco import import_coco
from core.importers.manage import ImportRow, imported_before, list_imports, remove_import
from core.importers.original import import_original
from core.importers.report import ImportReport, Problem, Progress
from core.importers.video import import_video
from core.importers.voc import import_voc
from core.importers.yolo import import_yolo

__all__ = [
    "ImportReport",
    "ImportRow",
    "Problem",
    "Progress",
    "import_coco",
    "import_original",
    "import_video",
    "import_voc",
    "import_yolo",
    "imported_before",
    "list_imports",
    "remove_import",
]
