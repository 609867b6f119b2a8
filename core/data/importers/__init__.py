"""The ways in: data sets of many formats become images and annotations of a project."""

from typing import TYPE_CHECKING

from core.late import late_names

if TYPE_CHECKING:
    from core.common.progress import Progress
    from core.data.importers.coco.reader import import_coco
    from core.data.importers.formats.original_batman import import_original
    from core.data.importers.formats.voc import import_voc
    from core.data.importers.formats.yolo import import_yolo
    from core.data.importers.past_imports import (
        ImportRow,
        imported_before,
        list_imports,
        remove_import,
    )
    from core.data.importers.report import ImportReport, Problem
    from core.data.importers.video.frames import import_video
else:
    __getattr__ = late_names(
        __name__,
        {
            "Progress": "core.common.progress",
            "import_coco": "core.data.importers.coco.reader",
            "import_original": "core.data.importers.formats.original_batman",
            "import_voc": "core.data.importers.formats.voc",
            "import_yolo": "core.data.importers.formats.yolo",
            "ImportRow": "core.data.importers.past_imports",
            "imported_before": "core.data.importers.past_imports",
            "list_imports": "core.data.importers.past_imports",
            "remove_import": "core.data.importers.past_imports",
            "ImportReport": "core.data.importers.report",
            "Problem": "core.data.importers.report",
            "import_video": "core.data.importers.video.frames",
        },
    )

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
