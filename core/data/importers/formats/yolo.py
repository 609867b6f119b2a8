"""YOLO: `data.yaml`, images, and a text file of boxes for each.

A line is a class number and then the box's centre, width and height, or the corners of a polygon,
as fractions of the image's size. Of a polygon the box around it is taken and the polygon is kept.
Key points after a box, which `kpt_shape` announces, are passed over.
A sixth value (the confidence of a prediction) is passed over. An image without a label file, or
with an empty one, has no annotations. A label file that is no text leaves its image out, so that
it does not pass for one that shows nothing.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from core.common.errors import ImportFailed
from core.common.files import FileMode
from core.common.progress import Progress
from core.common.text import clean, plural
from core.data.importers.boxes import around
from core.data.importers.dataset import DataSet, Picture, ends, inside
from core.data.importers.formats.yolo_layout import NAMES_FILES, Group, Layout, find, label_paths
from core.data.importers.image_files import (
    Folders,
    Found,
    is_image,
    no_size,
    place_of,
    read_size,
    walk,
    walk_images,
)
from core.data.importers.import_folder import import_folder
from core.data.importers.report import ImportReport, Watch
from core.data.store import Project

# No set has classes without names by the hundred thousand; a number beyond is damage.
_MOST = 100_000


def import_yolo(
    project: Project,
    source: Path,
    *,
    files: FileMode = "link",
    anyway: bool = False,
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> ImportReport:
    """Import the YOLO data set at `source`, a folder, its `data.yaml` or a ZIP, in one step.

    Raises `ImportFailed` when it cannot be read or, unless `anyway`, looks like a mistake,
    `ProjectLocked` and `Cancelled`; the project is then as it was.
    """
    return import_folder(
        read_yolo,
        project,
        source,
        files=files,
        anyway=anyway,
        progress=progress,
        cancelled=cancelled,
    )


def read_yolo(source: Path, watch: Watch) -> DataSet:
    """Read the YOLO data set at `source`. Raises `ImportFailed` when it cannot be read."""
    source = place_of(source)
    data = DataSet("yolo", str(source))
    folders = Folders()
    layout = find(source, folders, data)
    _Reader(data, layout, folders, watch).read()
    data.group_copies()
    return data


class _Reader:
    def __init__(self, data: DataSet, layout: Layout, folders: Folders, watch: Watch) -> None:
        self.data = data
        self.layout = layout
        self.folders = folders
        self.watch = watch
        self.labels = {number: data.label(name) for number, name in layout.names.items()}
        self.seen: dict[str, int] = {}
        self.label_files = 0

    def read(self) -> None:
        count = 0
        for group in self.layout.groups:
            for found, name in self._members(group):
                if not count % 64:
                    self.watch.tick("reading", count)
                count += 1
                self._image(found, name, group.split)
        self.watch.tick("reading", count, count)
        if not count:
            looked = ", ".join(f"'{clean(str(group.path))}'" for group in self.layout.groups[:4])
            raise ImportFailed(f"There is no image in {looked}.", self._why_none())
        if self.data.images and not self.label_files:
            folder, name = label_paths(self.data.images[0].source)[0]
            raise ImportFailed(
                f"None of the {plural(count, 'image')} has a label file.",
                f"Looked for '{clean(name)}' in '{clean(folder)}' and beside the image.",
            )

    def _why_none(self) -> str:
        """Return the way out when no split holds an image."""
        root = self.layout.root
        if walk_images(root):
            return "Check the paths by which the data set names its splits."
        labels = [name for name in walk(root, _is_label) if Path(name).name not in NAMES_FILES]
        if not labels:
            return "Name the folder that holds the images and their label files."
        return (
            f"There are {plural(len(labels), 'label file')} and no image at all: they were exported"
            " without their images. Export both together, or put the images in their places."
        )

    def _members(self, group: Group) -> Iterator[tuple[Found, str]]:
        """Yield the images of a group, each with its path from the group's folder."""
        if group.path.is_dir():
            for name in walk_images(group.path):
                found = self.folders.find(str(group.path), name)
                if found is not None:
                    yield found, name
            return
        if is_image(group.path.name):
            raise ImportFailed(
                f"'{clean(str(group.path))}' is an image.", "A split is a folder or a list."
            )
        yield from self._listed(group.path)

    def _listed(self, file: Path) -> Iterator[tuple[Found, str]]:
        try:
            lines = file.read_bytes().decode("utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError):
            raise ImportFailed(
                f"'{clean(str(file))}' is not a list of images.", "It is no UTF-8 text."
            ) from None
        roots = list(dict.fromkeys([str(file.parent), str(self.layout.root)]))
        for number, line in enumerate(lines, 1):
            entry = line.strip().replace("\\", "/")
            if not entry:
                continue
            where = f"{file.name}: line {number}"
            name = _below(entry, roots)
            found = self._found(roots, [name] if name else [])
            if found is None and (found := self._found(roots, ends(entry))):
                detail = f"'{entry}' is taken to be '{found[1]}'"
                self.data.problems.add("unsafe file name", where, detail, "kept")
            if found is not None:
                yield found[0], found[1].rpartition("/images/")[2]
            elif name is None:
                self.data.problems.add("unsafe file name", where, entry)
            else:
                self.data.problems.add("missing image", where, f"no file '{entry}'")

    def _found(self, roots: list[str], names: list[str]) -> tuple[Found, str] | None:
        """Return the first of these names that is there below one of the roots."""
        for name in names:
            for root in roots:
                found = self.folders.find(root, name)
                if found is not None:
                    return found, name
        return None

    def _image(self, found: Found, name: str, split: str | None) -> None:
        problems = self.data.problems
        if found.path in self.seen:
            return problems.add("image listed twice", name, "it is taken once", "left out")
        self.seen[found.path] = -1
        safe = inside(name)
        if safe is None:
            return problems.add("unsafe file name", name, "it cannot be stored under its name")
        lines = self._lines(found.path)
        if lines is None:
            return problems.add(
                "unreadable label file", name, "it is no text: the image is left out"
            )
        # The fractions are of the picture as it is seen, turned by its EXIF tag: so take it
        # Ultralytics' loader (`exif_size`) and the programs to label with.
        size = read_size(found.path)
        if size is None:
            return problems.add("unreadable image", name, no_size(found.path))
        picture = Picture(
            found.path, self.data.target(split, safe), name, *size, split, link=found.link
        )
        number = self.data.image(picture)
        for line_number, line in enumerate(lines, 1):
            if line and not line.isspace():
                self.data.balance.found()
                self._line(line, number, size, f"{name}: line {line_number} of its label file")
        return None

    def _lines(self, image: str) -> list[str] | None:
        """Return the lines of an image's label file, [] without one, None when it is unreadable."""
        for folder, name in label_paths(image):
            found = self.folders.find(folder, name)
            if found is not None:
                self.label_files += 1
                try:
                    with open(found.path, "rb") as file:  # noqa: PTH123 (one for each image)
                        text = file.read().decode("utf-8-sig")
                except (OSError, UnicodeDecodeError):
                    return None
                return None if "\0" in text else text.splitlines()
        return []

    def _line(self, line: str, image: int, size: tuple[int, int], where: str) -> None:
        problems = self.data.problems
        try:
            first, *values = map(float, line.split())
        except (ValueError, OverflowError):
            return problems.add("bad line", where, f"not numbers: {line[:80]}")
        if self.layout.keypoints and len(values) == 4 + self.layout.keypoints:
            values = values[:4]
        if len(values) not in (4, 5) and (len(values) < 6 or len(values) % 2):
            return problems.add("bad line", where, f"{len(values) + 1} values: {line[:80]}")
        if not math.isfinite(first) or not all(map(math.isfinite, values)):
            return problems.add("non-finite number", where, line[:80])
        label = self.labels.get(int(first)) if first.is_integer() else None
        if label is None and self.layout.unnamed and first.is_integer() and 0 <= first < _MOST:
            label = self.labels[int(first)] = self.data.label(f"class_{int(first)}")
        if label is None:
            return problems.add("unknown category", where, f"there is no class {first:g}")
        width, height = size
        if len(values) < 6:
            x, y, w, h = values[:4]
            box = ((x - w / 2) * width, (y - h / 2) * height, w * width, h * height)
            self.data.box(image, label, box, where)
            return None
        points = [
            round(value * (height if place % 2 else width), 3) for place, value in enumerate(values)
        ]
        shape = msgspec.json.encode([points]).decode()
        self.data.box(image, label, around(points), where, segmentation=shape)
        return None


def _is_label(name: str) -> bool:
    return name.lower().endswith(".txt")


def _below(entry: str, roots: list[str]) -> str | None:
    """Return a line of a list as a path below one of the roots, None when it leads elsewhere."""
    if entry.startswith("/"):
        path = os.path.normpath(entry)
        for root in roots:
            if path.startswith(root + "/"):
                return inside(path[len(root) + 1 :])
        return None
    name = os.path.normpath(entry)
    return inside(name)
