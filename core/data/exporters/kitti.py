"""KITTI: `image_2` and `label_2` in `training`, `validation` and `testing`.

A line has the 15 values of the object development kit's readme; those of three dimensions are what
the kit writes for unknown ones (alpha -10, sizes -1, place -1000, rotation -10; as its `DontCare`
lines have). Values are separated by spaces, so that a class name's own become `_`, which is
counted. Crowd regions are left out; `DontCare` is of no class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from core.common.files import FileMode
from core.common.progress import Progress
from core.data.exporters.boxes_only import decimal, export_boxes
from core.data.exporters.snapshot import ExportReport, Image, Row, Snapshot
from core.data.store import Project

_FOLDERS = {"train": "training", "valid": "validation", "test": "testing"}
_UNKNOWN = "-1 -1 -1 -1000 -1000 -1000 -10"


def export_kitti(
    project: Project,
    out: Path,
    *,
    files: FileMode = "link",
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> ExportReport:
    """Write the project to the new folder `out` as KITTI; see `export_boxes` for what it raises."""
    report = export_boxes(project, out, _write, files, progress, cancelled)
    spaced = sum(name != _name(name) for name in report.classes)
    if not spaced:
        return report
    spaces = {"space in a class name (written as _)": spaced}
    return replace(report, left_out={**report.left_out, **spaces})


def _write(
    folder: Path, snapshot: Snapshot, images: Iterable[tuple[Image, list[Row]]]
) -> dict[str, Path]:
    places = {split: folder / _FOLDERS[split] / "image_2" for split in snapshot.splits()}
    for place in places.values():
        place.mkdir(parents=True)
        (place.parent / "label_2").mkdir()
    names = _names(snapshot.classes)
    for image, rows in images:
        text = "".join(
            f"{names[number]} 0 0 -10 {decimal(x)} {decimal(y)} {decimal(x + w)} {decimal(y + h)}"
            f" {_UNKNOWN}\n"
            for _, _, number, x, y, w, h, _, _ in rows
        )
        labels = places[image.split].parent / "label_2"
        (labels / f"{image.stem}.txt").write_text(text, encoding="utf-8")
    return places


def _names(classes: Sequence[str]) -> list[str]:
    """Return the names that are written: two that differ by spaces alone stay two."""
    taken = {name for name in classes if name == _name(name)}
    written = []
    for name in classes:
        plain, number = _name(name), 1
        while plain != name and plain in taken:
            number += 1
            plain = f"{_name(name)}_{number}"
        taken.add(plain)
        written.append(plain)
    return written


def _name(name: str) -> str:
    return "_".join(name.split())
