"""COCO in Roboflow's layout: `train`, `valid` and `test`, each with its images and one JSON file.

Category ids count from 1 in the order of names; image and annotation ids are those of the project,
so that they differ between splits too. `area` is the one that the data set gave, else that of the
polygons or the mask, else of the box. Where boxes are from and what was reviewed stands under the
key `batman` (`core.data.importers.coco.own_keys`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec
from msgspec import UNSET, UnsetType

from core.common.files import FileMode
from core.common.progress import Progress
from core.data.exporters.snapshot import ExportReport, Snapshot, at_one_moment, staged
from core.data.importers.boxes import Box
from core.data.importers.coco.layout import ROBOFLOW
from core.data.importers.coco.own_keys import OfBox, OfImage
from core.data.importers.coco.shape_area import object_area
from core.data.importers.report import Watch
from core.data.store import Project
from core.processes.garbage_collector import paused

_encode = msgspec.json.Encoder().encode
_EMPTY = msgspec.Raw(b"[]")


class _Image(msgspec.Struct, gc=False):
    id: int
    file_name: str
    width: int
    height: int
    batman: OfImage | UnsetType = UNSET


class _Annotation(msgspec.Struct, gc=False):
    id: int
    image_id: int
    category_id: int
    bbox: tuple[float, float, float, float]
    area: float
    iscrowd: int
    segmentation: msgspec.Raw
    batman: OfBox | UnsetType = UNSET


class _File:
    """One annotation file, written list by list."""

    def __init__(self, path: Path, categories: Sequence[dict[str, object]]) -> None:
        self.file: BinaryIO = path.open("wb")
        self.empty = True
        head = {"info": {"description": "exported by Batman"}, "licenses": []}
        self.file.write(_encode(head)[:-1] + b',"categories":' + _encode(categories))

    def begin(self, key: str) -> None:
        """Begin the list `key`."""
        self.file.write(f',"{key}":['.encode())
        self.empty = True

    def add(self, records: Sequence[msgspec.Struct]) -> None:
        """Write records into the list."""
        if records:
            self.file.write((b"" if self.empty else b",\n") + _encode(records)[1:-1])
            self.empty = False

    def end(self) -> None:
        """End the list."""
        self.file.write(b"]")

    def close(self) -> None:
        """End the file."""
        self.file.write(b"}\n")
        self.file.close()


def export_coco(
    project: Project,
    out: Path,
    *,
    files: FileMode = "link",
    only_reviewed: bool = False,
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> ExportReport:
    """Write the project to the new folder `out` as COCO; images without a split go to `train`.

    Images are hard-linked where the file system allows, or copied with `files="copy"`;
    `only_reviewed` leaves out those that nobody has reviewed. Raises `ExportFailed` when `out` is
    not empty or cannot be written, and `Cancelled`; nothing is left then.
    """
    watch = Watch(progress, cancelled, "export")
    with staged(out) as folder, paused():
        with at_one_moment(project):
            snapshot = Snapshot(project, watch, only_reviewed=only_reviewed)
            folders = {split: folder / split for split in snapshot.splits()}
            for split in folders.values():
                split.mkdir()
            count = _write(snapshot, folders)
        snapshot.place(folders, files)
    return ExportReport(
        path=Path(out),
        images=len(snapshot.images),
        annotations=count,
        classes=snapshot.classes,
        splits=snapshot.splits(),
        missing=snapshot.missing,
        turned=snapshot.turned,
        unreviewed=snapshot.unreviewed,
    )


def _write(snapshot: Snapshot, folders: dict[str, Path]) -> int:
    parents = dict(
        snapshot.project.db.execute("SELECT name, supercategory FROM classes").fetchall()
    )
    categories = categories_of(snapshot.classes, parents)
    out = {split: _File(folder / ROBOFLOW, categories) for split, folder in folders.items()}
    said = _said_of_images(snapshot)
    for split, file in out.items():
        file.begin("images")
        file.add([
            _Image(image.id, image.name, image.width, image.height, said.get(image.id, UNSET))
            for image in snapshot.images
            if image.split == split
        ])  # fmt: skip
        file.end()
        file.begin("annotations")
    records: dict[str, list[_Annotation]] = {split: [] for split in out}
    # From an image to the list its annotations go to, from a label to its category.
    list_of = {image.id: records[image.split] for image in snapshot.images}
    category_of = {label: number + 1 for label, number in snapshot.labels.items()}
    areas, made = snapshot.areas(), snapshot.made()
    count = 0
    for batch in snapshot.rows():
        for number, image, label, x, y, w, h, crowd, shape in batch:
            into, category = list_of.get(image), category_of.get(label)
            if into is None or category is None:
                continue
            box = (x, y, w, h)
            record = (
                _Annotation(number, image, category, box, w * h, crowd, _EMPTY)
                if shape is None and number not in areas
                else _shaped(number, image, category, box, crowd, shape, areas.get(number))
            )
            if number in made:
                record.batman = OfBox(*made[number])
            into.append(record)
        for split, part in records.items():
            out[split].add(part)
            count += len(part)
            part.clear()
    for file in out.values():
        file.end()
        file.close()
    return count


def _said_of_images(snapshot: Snapshot) -> dict[int, OfImage]:
    """Return the review and the group of the images that have either, by their ids."""
    return {
        row[0]: OfImage(*row[1:])
        for row in snapshot.project.db.execute(
            "SELECT id, review, reviewed_at, reviewed_by, grp, time FROM v_images"
            " WHERE review IS NOT NULL OR grp IS NOT NULL"
        )
    }


def categories_of(
    names: Sequence[str], parents: Mapping[str, str | None]
) -> list[dict[str, object]]:
    """Return COCO's categories of classes, numbered from 1; `parents` are their supercategories.

    rfdetr 1.11.2 drops a category that another names as its supercategory when train has no box
    of it, and then fails on a box of it in another split (`datasets/coco.py`,
    `filter_parent_categories`). A parent that is a class itself is therefore called `parent`,
    which no reader looks at but our own.
    """
    known = set(names)
    categories: list[dict[str, object]] = []
    for number, name in enumerate(names, 1):
        above = parents.get(name) or "none"
        if above in known - {name}:
            categories.append(
                {"id": number, "name": name, "supercategory": "none", "parent": above}
            )
        else:
            categories.append({"id": number, "name": name, "supercategory": above})
    return categories


def _shaped(
    number: int,
    image: int,
    category: int,
    box: Box,
    crowd: int,
    shape: str | None,
    given: float | None,
) -> _Annotation:
    area = object_area(given, shape, box)
    raw = _EMPTY if shape is None else msgspec.Raw(shape.encode())
    return _Annotation(number, image, category, box, area, crowd, raw)
