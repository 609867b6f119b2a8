"""YOLO as Ultralytics reads it: `data.yaml` and, for each split, `images` and `labels`.

A line is the class number and the box's centre, width and height as fractions of the image, with
six decimals. The format has no crowd regions; they are left out and counted. Polygons are not
written: their boxes are, since this is for detectors.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import yaml

from core.common.files import FileMode
from core.common.progress import Progress
from core.data.exporters.snapshot import ExportReport, Snapshot, at_one_moment, staged
from core.data.importers.report import Watch
from core.data.store import Project

_KEYS = {"train": "train", "valid": "val", "test": "test"}


def export_yolo(
    project: Project,
    out: Path,
    *,
    files: FileMode = "link",
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> ExportReport:
    """Write the project to the new folder `out` as YOLO; images without a split go to `train`.

    Raises `ExportFailed` when `out` is not empty or cannot be written, and `Cancelled`; nothing is
    left then.
    """
    watch = Watch(progress, cancelled, "export")
    with staged(out) as folder:
        with at_one_moment(project):
            snapshot = Snapshot(project, watch)
            splits = snapshot.splits()
            for split in splits:
                (folder / split / "images").mkdir(parents=True)
                (folder / split / "labels").mkdir()
            count, crowds = _labels(snapshot, folder)
        description = {
            **{_KEYS[split]: f"{split}/images" for split in splits},
            "nc": len(snapshot.classes),
            "names": dict(enumerate(snapshot.classes)),
        }
        text = yaml.safe_dump(description, sort_keys=False, allow_unicode=True, width=1000)
        (folder / "data.yaml").write_text(text, encoding="utf-8")
        snapshot.place({split: folder / split / "images" for split in splits}, files)
    return ExportReport(
        path=Path(out),
        images=len(snapshot.images),
        annotations=count,
        classes=snapshot.classes,
        splits=splits,
        missing=snapshot.missing,
        turned=snapshot.turned,
        left_out={"crowd regions": crowds} if crowds else {},
    )


def _labels(snapshot: Snapshot, folder: Path) -> tuple[int, int]:
    count = crowds = 0
    for image, rows in snapshot.by_image():
        lines = []
        for _, _, number, x, y, w, h, crowd, _ in rows:
            if crowd:
                crowds += 1
                continue
            width, height = image.width, image.height
            lines.append(
                f"{number} {(x + w / 2) / width:.6f} {(y + h / 2) / height:.6f}"
                f" {w / width:.6f} {h / height:.6f}\n"
            )
        count += len(lines)
        file = folder / image.split / "labels" / f"{image.stem}.txt"
        file.write_text("".join(lines), encoding="ascii")
    return count, crowds
