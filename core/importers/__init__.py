"""The ways in: data sets of many formats become images and annotations of a project."""

from core.importers.coco import import_coco
from core.importers.report import ImportReport, Problem, Progress

__all__ = ["ImportReport", "Problem", "Progress", "import_coco"]
