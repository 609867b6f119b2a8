"""What formats of boxes and nothing else share: one moment, crowds left out, images in folders."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from core.common.files import FileMode
from core.common.progress import Progress
from core.data.exporters.snapshot import ExportReport, Image, Row, Snapshot, at_one_moment, staged
from core.data.exporters.writing import UNUSED, Labelled
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
    """Write the project to the new folder `out` by `write`.

    Crowds, outlines and classes without a box are left out and counted.

    Raises `ExportFailed` when `out` is not empty or cannot be written, and `Cancelled`; nothing is
    left then.
    """
    watch = Watch(progress, cancelled, "export")
    labelled = Labelled()
    seen: set[int] = set()

    def kept(snapshot: Snapshot) -> Iterable[tuple[Image, list[Row]]]:
        for image, rows in snapshot.by_image():
            boxes = labelled.boxes(rows)
            seen.update(row[2] for row in boxes)
            yield image, boxes

    with staged(out) as folder:
        with at_one_moment(project):
            snapshot = Snapshot(project, watch)
            places = write(folder, snapshot, kept(snapshot))
        snapshot.place(places, files)
    labelled.lost(UNUSED, len(snapshot.classes) - len(seen))
    return ExportReport(
        path=Path(out),
        images=len(snapshot.images),
        annotations=labelled.annotations,
        classes=snapshot.classes,
        splits=snapshot.splits(),
        missing=snapshot.missing,
        turned=snapshot.turned,
        left_out=labelled.left_out,
    )


def decimal(value: float) -> str:
    """Return a number of pixels with as many digits as it has, at most ten: `4`, `20.5`."""
    return f"{value:.10g}" if abs(value) < 1e9 else str(round(value))
