"""The ways in: data sets of many formats become images and annotations of a project."""

from core.common.progress import Progress
from core.data.importers.coco.reader import import_coco
from core.data.importers.formats.original_batman import import_original
from core.data.importers.formats.video import import_video
from core.data.importers.formats.voc import import_voc
from core.data.importers.formats.yolo import import_yolo
from core.data.importers.past_imports import ImportRow, imported_before, list_imports, remove_import
from core.data.importers.report import ImportReport, Problem

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
