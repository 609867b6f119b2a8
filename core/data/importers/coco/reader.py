"""COCO: Roboflow's folders, the official layout, or one JSON file beside its images.

What is taken: images, categories, boxes, `iscrowd` and segmentations (polygons or run lengths, as
they are). The size in the file is trusted when it is positive; else the image's header is read.
An image without annotations is kept. Roboflow's category 0, the name of the whole project, is
dropped when nothing is labelled with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.common.errors import ImportFailed
from core.common.files import FileMode
from core.common.progress import Progress
from core.common.text import clean
from core.data.importers.boxes import describe
from core.data.importers.coco.id_map import IdMap, Seen
from core.data.importers.coco.images import CocoImages
from core.data.importers.coco.json_lists import BadRecord, Lists
from core.data.importers.coco.layout import ANNOTATIONS_FOLDERS, ROBOFLOW, CocoFile, find
from core.data.importers.coco.own_keys import OfBox, made_of
from core.data.importers.coco.panoptic import is_panoptic, segments
from core.data.importers.coco.records import (
    ANNOTATIONS,
    Annotation,
    annotation,
    category,
    columns_of,
    flag_of,
    mended,
    shape_text,
    sound,
)
from core.data.importers.coco.shape_area import around_keypoints, around_shape
from core.data.importers.dataset import DataSet, Picture, storable
from core.data.importers.find_picture import Pictures
from core.data.importers.image_files import (
    Folders,
    place_of,
)
from core.data.importers.import_folder import import_folder
from core.data.importers.report import ImportReport, Watch
from core.data.labels.provenance import Made, Track
from core.data.store import Project
from core.late import late
from core.processes.garbage_collector import paused

if TYPE_CHECKING:
    import numpy as np
else:
    np = late("numpy")


_OF_OBJECTS = (b'"category_id"', b'"bbox"', b'"segmentation"', b'"segments_info"', b'"keypoints"')


def import_coco(
    project: Project,
    source: Path,
    *,
    files: FileMode = "link",
    anyway: bool = False,
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    kind: str = "coco",
    origin: str = "",
    detail: Mapping[str, Any] | None = None,
    images: Path | None = None,
) -> ImportReport:
    """Import the COCO data set at `source`, a folder, a JSON file or a ZIP, in one step.

    Pictures are looked for in the folder `images` first, if there is one. `kind`, `origin` and
    `detail` say where it came from when `source` is only where a download lies; `detail` goes into
    the record of the import. Raises `ImportFailed` when it cannot be read or, unless `anyway`,
    looks like a mistake, `ProjectLocked` and `Cancelled`; the project is then as it was.
    """
    with paused():
        return import_folder(
            partial(read_coco, images=images),
            project,
            source,
            files=files,
            anyway=anyway,
            progress=progress,
            cancelled=cancelled,
            kind=kind,
            origin=origin,
            detail=detail,
        )


def read_coco(source: Path, watch: Watch, images: Path | None = None) -> DataSet:
    """Read the COCO data set at `source`; its pictures are looked for in `images` first.

    Raises `ImportFailed` when it cannot be read.
    """
    source = place_of(source)
    data = DataSet("coco", str(source))
    folders = Folders()
    elsewhere = [] if images is None else [place_of(images)]
    if images is not None and not elsewhere[0].is_dir():
        raise ImportFailed(f"There is no folder '{clean(str(images))}'.", "Check --images.")
    top = source if source.is_dir() else source.parent
    if top.name.lower() in ANNOTATIONS_FOLDERS:
        top = top.parent
    pictures = Pictures(top, folders)
    for file in find(source, folders, data.balance.leave):
        file = file._replace(folders=[*elsewhere, *file.folders])
        data.balance.describe(file.path)
        if file.split:
            # Roboflow's files all have one name, and their folders say the split.
            roboflow = file.path.name.lower() == ROBOFLOW
            data.balance.split(file.path.parent.name if roboflow else file.name, file.split)
        _Reader(data, file, folders, pictures, watch).read()
    data.group_copies()
    return data


class _Bounds:
    """The sizes of the images, (n + 1,): the last, of no size, is for number -1, no image."""

    def __init__(self, pictures: Sequence[Picture]) -> None:
        self.widths = np.array([*(picture.width for picture in pictures), 0.0])
        self.heights = np.array([*(picture.height for picture in pictures), 0.0])


class _Reader:
    """Reads one annotation file into the data set."""

    def __init__(
        self, data: DataSet, file: CocoFile, folders: Folders, pictures: Pictures, watch: Watch
    ) -> None:
        self.data = data
        self.file = file
        self.folders = folders
        self.watch = watch
        self.images = CocoImages(data, file, folders, pictures, watch, self._bad)
        self.categories = IdMap()
        # No category is described: they are called after their ids.
        self.unnamed = False
        # Categories of what has no number and no ends, such as sky (panoptic files).
        self.stuff: dict[int, str] = {}

    def read(self) -> None:
        self.watch.tick("reading", 0)
        lists = Lists(self.file.path, self.file.name)
        _refuse_captions(lists)
        self.panoptic = is_panoptic(lists)
        self._categories(lists.plain("categories"))
        self.images.read(lists)
        self._annotations(lists)

    def _where(self, what: str) -> str:
        return f"{self.file.name}: {what}"

    def _bad(self, error: BadRecord) -> None:
        self.data.problems.add(error.kind, self._where(error.where), error.detail)

    def _bad_annotation(self, error: BadRecord) -> None:
        self.data.balance.found()
        self._bad(error)

    # Categories

    def _categories(self, records: list[Any]) -> None:
        self.unnamed = not records
        good: list[tuple[Any, str, str | None]] = []
        seen = set()
        stuff = set()
        for place, record in enumerate(records):
            try:
                key, name, parent = category(place, record)
                if key in seen:
                    raise BadRecord("duplicate category id", f"category {key}", name)
            except BadRecord as error:
                self._bad(error)
            else:
                seen.add(key)
                good.append((key, name, parent))
                if self.panoptic and not flag_of(record.get("isthing", 1)):
                    stuff.add(key)
        first: dict[str, Any] = {}
        for key, name, parent in good:
            if first.setdefault(name, key) != key:
                detail = f"'{name}' is the name of category {first[name]} too: they are one class"
                self.data.problems.add(
                    "duplicate category name", self._where(f"category {key}"), detail, "kept"
                )
            root = (
                key == 0
                and (parent or "none").lower() == "none"
                and len(good) > 1
                and all(other[2] == name for other in good if other[0] != 0)
            )
            supercategory = None if parent in ("", "none") else parent
            idle = root or key in stuff
            number = self.data.label(name, supercategory, idle=idle)
            self.categories.add(key, number)
            if key in stuff:
                self.stuff[number] = name
        self.categories.build()

    def _named(self, key: Any) -> int:
        """Return the label of a category that nothing describes, -1 if it can have no name."""
        name = key if isinstance(key, str) else f"class_{key}"
        if not name.strip() or not storable(name):
            return -1
        if not self.categories.numbers:
            detail = "no category is described: they are called after their ids"
            self.data.problems.add("no names", self.file.name, detail, "kept")
        number = self.data.label(name)
        self.categories.add(key, number)
        return number

    # Annotations

    def _annotations(self, lists: Lists) -> None:
        bounds, seen = _Bounds(self.data.images), Seen()
        count = 0

        def begun(more: int) -> None:
            nonlocal count
            count += more
            self.watch.tick("reading", count)

        if self.panoptic:
            for part in segments(lists, self.file.path, self.folders, self._bad, begun):
                self.data.balance.found(len(part))
                self._part(part, bounds, seen)
            return
        for part in lists.records("annotations", ANNOTATIONS, annotation, self._bad_annotation):
            self.data.balance.found(len(part))
            self._part(part, bounds, seen)
            begun(len(part))

    def _part(self, part: list[Annotation], bounds: _Bounds, seen: Seen) -> None:
        """Take annotations by column, the odd ones one by one."""
        columns = columns_of(part)
        images = self.images.ids.lookup(columns.images)
        labels = self.categories.lookup(columns.categories)
        boxes = columns.boxes
        x, y, w, h = boxes.T
        fresh = seen.fresh(columns.ids)
        good = fresh & (images >= 0) & (labels >= 0) & (x >= 0) & (y >= 0) & (w > 0) & (h > 0)
        # Numbers near the largest there are: their sum is infinite, and so outside.
        with np.errstate(over="ignore", invalid="ignore"):
            good &= (x + w <= bounds.widths[images]) & (y + h <= bounds.heights[images])
        good[columns.unsound] = False
        if self.stuff:
            good &= ~np.isin(labels, list(self.stuff))
        start, count = 0, len(boxes)
        for odd in [*np.flatnonzero(~good).tolist(), count]:
            if start < odd:
                first = self.data.rows(images[start:odd], labels[start:odd], boxes[start:odd])
                if columns.extras:
                    self._extras(columns.extras, start, odd, first)
                if columns.said:
                    self._said(columns.said, start, odd, first)
                self.data.areas(columns.areas[start:odd], boxes[start:odd], first)
            if odd < count:
                self._odd(part[odd], int(images[odd]), int(labels[odd]), bool(fresh[odd]))
            start = odd + 1

    def _extras(
        self, extras: dict[int, tuple[int, str | None]], start: int, stop: int, first: int
    ) -> None:
        """Note the crowds and shapes of records that became the rows from `first` on."""
        for place in range(start, stop):
            crowd, shape = extras.get(place, (0, None))
            if crowd:
                self.data.iscrowd[first + place - start] = 1
            if shape is not None:
                self.data.segmentation[first + place - start] = shape

    def _said(self, said: dict[int, OfBox], start: int, stop: int, first: int) -> None:
        """Note where the boxes are from of records that became the rows from `first` on."""
        of_image, of_label, _ = self.data.columns()
        for place in range(start, stop):
            if place in said:
                row = first + place - start
                image, label = int(of_image[row]), int(of_label[row])
                self.data.made[row] = self._made(said[place], image, label)

    def _made(self, said: OfBox, image: int, label: int) -> Made:
        made = made_of(said, self.data.images[image].grp)
        if made.track is not None:
            self.data.tracks.setdefault(made.track, Track(label, said.approved))
        return made

    def _odd(self, record: Annotation, image: int, label: int, fresh: bool) -> None:
        """Take an annotation that is not as it should be, or say why not."""
        where = self._where(f"annotation {'?' if record.id is None else record.id}")
        problems = self.data.problems
        if image >= 0:
            where += f" of {self.data.images[image].name}"
        if not fresh:
            return problems.add("duplicate annotation id", where, f"id {record.id}")
        if image < 0:
            if record.image_id in self.images.left_out:
                detail = f"image {record.image_id} was left out"
                return problems.add("image left out", where, detail)
            return problems.add("unknown image", where, f"there is no image {record.image_id}")
        if label < 0 and self.unnamed:
            label = self._named(record.category_id)
        if label < 0:
            detail = f"there is no category {record.category_id}"
            return problems.add("unknown category", where, detail)
        if label in self.stuff:
            detail = f"'{self.stuff[label]}' is no thing (isthing 0)"
            return problems.add("stuff region", where, detail)
        box = record.bbox
        shape = record.segmentation
        if box is None:
            box, source = around_shape(shape), "shape"
            if box is None:
                box, source = around_keypoints(record.keypoints or ()), "keypoints"
            if box is None:
                return problems.add("no box", where, "it has neither a box nor a shape")
            problems.add("no box", where, f"taken from its {source}: {describe(box)}", "kept")
        if not sound(shape):
            shape = mended(shape)
            what = "in part" if shape else "altogether; its box is taken"
            detail = f"it is no polygon of three points or more, and is left out {what}"
            problems.add("bad shape", where, detail, "kept")
        self.data.box(
            image,
            label,
            box,
            where,
            iscrowd=int(bool(record.iscrowd)),
            segmentation=shape_text(shape),
            area=record.area,
            made=None if record.batman is None else self._made(record.batman, image, label),
        )
        return None


def _refuse_captions(lists: Lists) -> None:
    """Raise `ImportFailed` for a file of captions, which has `caption` where others have a box."""
    head = lists.head("annotations")
    if b'"caption"' in head and not any(key in head for key in _OF_OBJECTS):
        raise ImportFailed(
            f"'{clean(lists.name)}' holds captions of images: no boxes and no classes.",
            "Take the file with the objects: instances_*.json of the same data set.",
        )
