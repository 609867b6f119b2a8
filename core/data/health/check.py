"""The check of a project: every rule, one report."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from core.common.errors import Cancelled
from core.common.progress import Progress
from core.data.health.boxes import Boxes, check_boxes
from core.data.health.classes import check_classes
from core.data.health.file_cache import KnownImages
from core.data.health.images import ImageRow, check_copies, check_files, check_groups
from core.data.health.report import SEVERITIES, Finding, HealthReport
from core.data.health.scan import Files, ScannedImage, scan
from core.data.store import Project
from core.late import late

if TYPE_CHECKING:
    import numpy as np
else:
    np = late("numpy")


def check(
    project: Project,
    image_size: int = 640,
    *,
    files: Files = "read",
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> HealthReport:
    """Look for what is wrong with a project's images, boxes and classes; change nothing.

    `image_size` is the size in pixels that training will use. `files` says how far to go with the
    image files: "read" reads those that changed since they were last read (a few milliseconds each,
    on several threads), "known" takes what was found when they were last read, "look" only sees
    whether they are there, "skip" leaves them alone. Findings come with the gravest first.
    Raises `Cancelled`.
    """
    started = time.monotonic()
    tell = progress or (lambda item: None)
    never = cancelled or (lambda: False)
    tell(Progress("boxes", 0, None))
    boxes = Boxes.load(project)
    rows, paths = _images(project, boxes)
    findings: list[Finding] = []
    if not rows:
        findings.append(
            Finding(
                kind="project-empty",
                severity="error",
                message="There is no image in the project.",
                hint="Import a data set: i on the list of projects, or batman import.",
                subject="project",
            )
        )
    findings += check_boxes(boxes, image_size, never)
    tell(Progress("classes", 0, None))
    findings += check_classes(project, boxes, {row.id: row.split for row in rows.values()})
    findings += check_groups(rows)
    if files != "skip":
        known = KnownImages(project.path) if files in ("read", "known") else None
        scanned: list[ScannedImage] | None = None
        try:
            scanned = scan(
                [(image_id, project.image_file(path)) for image_id, path in paths.items()],
                read=files == "read",
                known=known,
                progress=lambda done, total: tell(Progress("images", done, total)),
                cancelled=never,
            )
        finally:
            # What was read until it was stopped need not be read again.
            if known is not None:
                known.save(whole=scanned is not None)
        findings += check_files(rows, scanned)
        if known is not None:
            tell(Progress("copies", 0, None))
            findings += check_copies(rows, scanned, never)
    if never():
        raise Cancelled("The check was stopped.", "Nothing was changed.")
    findings.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    return HealthReport(
        project=project.name,
        image_size=image_size,
        files=files,
        images=len(rows),
        annotations=len(boxes.ids),
        seconds=time.monotonic() - started,
        findings=tuple(findings),
    )


def _images(project: Project, boxes: Boxes) -> tuple[dict[int, ImageRow], dict[int, str]]:
    labelled, counted = np.unique(boxes.images, return_counts=True)
    counts = dict(zip(labelled.tolist(), counted.tolist(), strict=True))
    rows: dict[int, ImageRow] = {}
    paths: dict[int, str] = {}
    for row in project.db.execute(
        "SELECT id, path, width, height, split, grp FROM v_images ORDER BY id"
    ):
        rows[row["id"]] = ImageRow(
            row["id"], row["width"], row["height"], row["split"], row["grp"],
            counts.get(row["id"], 0),
        )  # fmt: skip
        paths[row["id"]] = row["path"]
    return rows, paths
