"""COCO: Roboflow's folders, the official layout, or one JSON file beside its images.

What is taken: images, categories, boxes, `iscrowd` and segmentations (polygons or run lengths, as
they are). The size in the file is trusted when it is positive; else the image's header is read.
An image without annotations is kept. Roboflow's category 0, the name of the whole project, is
dropped when nothing is labelled with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np

from core.common.errors import ImportFailed
from core.common.files import FileMode
from core.common.progress import Progress
from core.common.text import clean, plural
from core.data.importers.boxes import Box, around, describe
from core.data.importers.coco.json_lists import BadRecord, Lists
from core.data.importers.coco.layout import CocoFile, find
from core.data.importers.coco.panoptic import is_panoptic, segments
from core.data.importers.coco.records import (
    ANNOTATIONS,
    IMAGES,
    Annotation,
    Image,
    Rle,
    Segmentation,
    annotation,
    category,
    columns_of,
    flag_of,
    image,
    key_of,
    mended,
    shape_text,
    sound,
)
from core.data.importers.coco.rle_masks import mask_box
from core.data.importers.dataset import DataSet, Picture, ends, inside, plain_lines, storable
from core.data.importers.garbage_collector import paused
from core.data.importers.id_map import IdMap, Seen
from core.data.importers.image_files import (
    LARGEST_SIDE,
    Folders,
    Found,
    is_image,
    no_size,
    place_of,
    plausible,
    read_size,
)
from core.data.importers.import_folder import import_folder
from core.data.importers.report import ImportReport, Watch
from core.data.store import Project


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
) -> ImportReport:
    """Import the COCO data set at `source`, a folder, a JSON file or a ZIP, in one step.

    `kind`, `origin` and `detail` say where it came from when `source` is only where a download
    lies; `detail` goes into the record of the import. Raises `ImportFailed` when it cannot be
    read or, unless `anyway`, looks like a mistake, `ProjectLocked` and `Cancelled`; the project is
    then as it was.
    """
    with paused():
        return import_folder(
            read_coco,
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


def read_coco(source: Path, watch: Watch) -> DataSet:
    """Read the COCO data set at `source`. Raises `ImportFailed` when it cannot be read."""
    source = place_of(source)
    data = DataSet("coco", str(source))
    folders = Folders()
    for file in find(source, folders):
        data.balance.describe(file.path)
        if file.split:
            data.balance.split(file.name, file.split)
        _Reader(data, file, folders, watch).read()
    data.group_copies()
    return data


class _Bounds:
    """The sizes of the images, (n + 1,): the last, of no size, is for number -1, no image."""

    def __init__(self, pictures: Sequence[Picture]) -> None:
        self.widths = np.array([*(picture.width for picture in pictures), 0.0])
        self.heights = np.array([*(picture.height for picture in pictures), 0.0])


class _Reader:
    """Reads one annotation file into the data set."""

    def __init__(self, data: DataSet, file: CocoFile, folders: Folders, watch: Watch) -> None:
        self.data = data
        self.file = file
        self.folders = folders
        self.watch = watch
        self.places = [str(folder) for folder in file.folders]
        self.images = IdMap()
        self.categories = IdMap()
        self.left_out: set[Any] = set()
        # No category is described: they are called after their ids.
        self.unnamed = False
        # Categories of what has no number and no ends, such as sky (panoptic files).
        self.stuff: dict[int, str] = {}

    def read(self) -> None:
        self.watch.tick("reading", 0)
        lists = Lists(self.file.path, self.file.name)
        self.panoptic = is_panoptic(lists)
        self._categories(lists.plain("categories"))
        self._images(lists)
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
        for key, name, parent in good:
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

    # Images

    def _images(self, lists: Lists) -> None:
        first = len(self.data.images)
        count = 0
        seen: dict[str, int] = {}
        for part in lists.records("images", IMAGES, image, self._bad):
            self._image_part(part, seen)
            count += len(part)
            self.watch.tick("reading", count)
        self.images.build()
        if count and len(self.data.images) == first and self.data.problems.counts["missing image"]:
            looked = ", ".join(f"'{clean(place)}'" for place in self.places[:4])
            name = next(p for p in self.data.problems.listed if p.kind == "missing image").detail
            raise ImportFailed(
                f"None of the {plural(count, 'image')} of '{clean(self.file.name)}' is there:"
                f" {clean(name)}.",
                f"Put the images beside the file; looked in {looked}.",
            )

    def _image_part(self, part: list[Image], seen: dict[str, int]) -> None:
        """Take image records: together when nothing is odd about any of them, else one by one."""
        data, split = self.data, self.file.split
        # Nearly all images lie in the one folder in which the first was found.
        first = self._home(part)
        files = self.folders.files(first) if first else {}
        numbers, pictures = self.images.numbers, data.images
        source, target = f"{first}/", f"{split}/" if split else ""
        keys = [record.id for record in part]
        names = [record.file_name for record in part]
        widths = [record.width for record in part]
        heights = [record.height for record in part]
        if (
            all(type(key) is int for key in keys)
            and _sides(widths)
            and _sides(heights)
            and not any(map(files.get, names, repeat(True)))
            and plain_lines(lines := "\n".join(names))
            and lines.count("\n") == len(part) - 1
            and len({*keys}) == len({*names}) == len(part)
            and numbers.keys().isdisjoint(keys)
            and seen.keys().isdisjoint(paths := [source + name for name in names])
        ):
            places = range(len(pictures), len(pictures) + len(part))
            numbers.update(zip(keys, places, strict=True))
            seen.update(zip(paths, places, strict=True))
            targets = [target + name for name in names] if target else names
            pictures.extend(map(Picture, paths, targets, names, widths, heights, repeat(split)))
            return
        for record in part:
            self._image(record, seen)

    def _image(self, record: Image, seen: dict[str, int]) -> None:
        key, name = record.id, record.file_name
        problems = self.data.problems
        if type(key) is not int:
            try:
                key = key_of(key, f"image {key}")
            except BadRecord as error:
                return self._bad(error)
        if key in self.images:
            return problems.add("duplicate image id", self._where(f"image {key}"), name)
        relative = inside(name)
        found = relative and self._find(relative)
        if relative is None:
            # A path of another machine: the file may have come along.
            for end in ends(name):
                if found := self._find(end):
                    detail = f"'{name}' is taken to be '{end}'"
                    problems.add("unsafe file name", self._where(f"image {key}"), detail, "kept")
                    name = relative = end
                    break
        if not relative or not found:
            self.left_out.add(key)
            where = self._where(f"image {key}")
            if relative is None:
                return problems.add("unsafe file name", where, f"'{name}'")
            return problems.add("missing image", where, f"no file '{name}'")
        path, link = found
        width, height = record.width, record.height
        if path in seen:
            detail = f"'{name}' has another record; its annotations are taken together"
            problems.add("image listed twice", self._where(f"image {key}"), detail, "kept")
            return self.images.add(key, seen[path])
        if link or not width or not height or not plausible(width, height):
            size = read_size(path)
            if size is None:
                self.data.balance.leave(path, "it cannot be read")
                self.left_out.add(key)
                where = self._where(f"image {key}")
                return problems.add("unreadable image", where, f"'{name}': {no_size(path)}")
            if not width or not height or not plausible(width, height):
                width, height = size
        split = self.file.split
        target = self.data.target(split, relative)
        picture = Picture(path, target, name, round(width), round(height), split, link=link)
        seen[path] = number = self.data.image(picture)
        return self.images.add(key, number)

    def _home(self, part: list[Image]) -> str:
        """Return the place of the first image, if no place that comes before it has any image."""
        name = inside(part[0].file_name) if part else None
        for place in self.places if name else ():
            if name and self.folders.find(place, name):
                return place
            if any(map(is_image, self.folders.files(place))):
                return ""
        return ""

    def _find(self, relative: str) -> Found | None:
        for place in self.places:
            if (found := self.folders.find(place, relative)) is not None:
                return found
        return None

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
        images = self.images.lookup(columns.images)
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

    def _odd(self, record: Annotation, image: int, label: int, fresh: bool) -> None:
        """Take an annotation that is not as it should be, or say why not."""
        where = self._where(f"annotation {'?' if record.id is None else record.id}")
        problems = self.data.problems
        if image >= 0:
            where += f" of {self.data.images[image].name}"
        if not fresh:
            return problems.add("duplicate annotation id", where, f"id {record.id}")
        if image < 0:
            if record.image_id in self.left_out:
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
            box, source = _around(shape), "shape"
            if box is None:
                box, source = _around_points(record.keypoints or ()), "keypoints"
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
        )
        return None


def _around(shape: Segmentation) -> Box | None:
    """Return the box around polygons or a mask, None where there is neither."""
    if isinstance(shape, Rle):
        return mask_box(shape)
    points = [value for polygon in shape or [] for value in polygon[: len(polygon) // 2 * 2]]
    return around(points) if points else None


def _around_points(keypoints: Sequence[float]) -> Box | None:
    """Return the box around the keypoints (x, y, visibility) that are labelled, None for none.

    Visibility 0 is "not labelled" (https://cocodataset.org/#format-data, section 2).
    """
    places = [place for place in range(0, len(keypoints) - 2, 3) if keypoints[place + 2] > 0]
    points = [value for place in places for value in keypoints[place : place + 2]]
    return around(points) if points else None


def _sides(values: list[Any]) -> bool:
    """Whether all are widths or heights that an image can have."""
    return {*map(type, values)} == {int} and min(values) > 0 and max(values) <= LARGEST_SIDE
