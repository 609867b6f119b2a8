"""What formats of boxes and nothing else share: one moment, crowds left out, images in folders."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from core.common.files import FileMode
from core.common.progress import Progress
from core.data.exporters.snapshot import ExportReport, Image, Row, Snapshot, at_one_moment, staged
from core.data.importers.report import Watch
from core.data.store import Project

# Gets the folder, the class names, and each image with its boxes; returns where images of each
# split shall lie.
Write = Callable[[Path, Snapshot, Iterable[tuple[Image, list[Row]]]], dict[str, Path]]


def export_boxes(
    project: Project,
    out: Path,
    write: Write,
    files: FileMode,
    progress: Callable[[Progress], None] | None,
    cancelled: Callable[[], bool] | None,
) -> ExportReport:
    """Write the project to the new folder `out` by `write`; crowds are left out and counted.

    Raises `ExportFailed` when `out` is not empty or cannot be written, and `Cancelled`; nothing is
    left then.
    """
    watch = Watch(progress, cancelled, "export")
    count = crowds = 0

    def kept(snapshot: Snapshot) -> Iterable[tuple[Image, list[Row]]]:
        nonlocal count, crowds
        for image, rows in snapshot.by_image():
            boxes = [row for row in rows if not row[7]]
            crowds += len(rows) - len(boxes)
            count += len(boxes)
            yield image, boxes

    with staged(out) as folder:
        with at_one_moment(project):
            snapshot = Snapshot(project, watch)
            places = write(folder, snapshot, kept(snapshot))
        snapshot.place(places, files)
    return ExportReport(
        path=Path(out),
        images=len(snapshot.images),
        annotations=count,
        classes=snapshot.classes,
        splits=snapshot.splits(),
        missing=snapshot.missing,
        left_out={"crowd regions": crowds} if crowds else {},
    )


def decimal(value: float) -> str:
    """Return a number of pixels with as many digits as it has, at most ten: `4`, `20.5`."""
    return f"{value:.10g}" if abs(value) < 1e9 else str(round(value))
