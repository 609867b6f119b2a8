"""Pascal VOC: an XML file for each image.

Layouts: `Annotations` and `JPEGImages` with the splits in `ImageSets/Main` (also inside
`VOCdevkit/VOC2012`), the same or XML beside images in train, valid and test folders (Roboflow), or
XML beside images in one folder. An image without an XML file has no annotations.

Coordinates. The development kit counts pixels from 1 and both corners belong to the box ("the
top-left pixel in the image has coordinates (1, 1)", VOC2012 devkit, section 8.1), so a box spans
xmin - 1 to xmax in the continuous coordinates of COCO. Many programs write plain continuous
coordinates into the same fields. A set in which any box starts at 0, which the kit's counting does
not have, is read as such: from xmin to xmax.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from xml.etree.ElementTree import Element

import defusedxml.ElementTree
from defusedxml import DefusedXmlException

from core.common.errors import ImportFailed
from core.common.files import FileMode
from core.common.progress import Progress
from core.common.text import clean
from core.data.importers.boxes import Box
from core.data.importers.coco.layout import what_is_there
from core.data.importers.dataset import DataSet, Picture, ends, inside, storable
from core.data.importers.image_files import (
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
from core.data.importers.split_names import split_named
from core.data.store import Project

_LOOKED_FOR = (
    "A Pascal VOC data set is a folder with Annotations and JPEGImages, or a folder with XML files"
    " beside their images, or train, valid and test folders of these."
)
_ANNOTATIONS = ("annotations", "annotation", "xml", "xmls")
_IMAGES = ("jpegimages", "images", "imgs", "image")
_ENCODING = re.compile(rb"""\s*<\?xml[^>]{0,60}?encoding\s*=\s*["']([\w.-]{1,40})["'][^>]{0,60}>""")
# Not whatever Python can decode: some codecs take minutes for a file of some megabytes.
_ASIAN = re.compile(r"gb|big5|euc|shift|s-?jis|ms|cp9|iso-?2022|ks|johab|hz", re.IGNORECASE)
_ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".heic", ".avif")
_CORNERS = ("xmin", "ymin", "xmax", "ymax")


class _Group(NamedTuple):
    """XML files in one folder, the folders of their images, and the split, or splits by stem."""

    annotations: Path
    images: list[Path]
    split: str | None
    splits: dict[str, str]
    prefix: str


class _Entry(NamedTuple):
    image: int
    objects: list[tuple[int, Box, str]]


def import_voc(
    project: Project,
    source: Path,
    *,
    files: FileMode = "link",
    anyway: bool = False,
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> ImportReport:
    """Import the Pascal VOC data set in the folder or ZIP `source`, in one step.

    Raises `ImportFailed` when it cannot be read or, unless `anyway`, looks like a mistake,
    `ProjectLocked` and `Cancelled`; the project is then as it was.
    """
    return import_folder(
        read_voc,
        project,
        source,
        files=files,
        anyway=anyway,
        progress=progress,
        cancelled=cancelled,
    )


def read_voc(source: Path, watch: Watch) -> DataSet:
    """Read the Pascal VOC data set at `source`. Raises `ImportFailed` when it cannot be read."""
    source = place_of(source)
    data = DataSet("voc", str(source))
    folders = Folders()
    reader = _Reader(data, folders, watch)
    for group in _find(source, folders):
        reader.read(group)
    reader.finish()
    data.group_copies()
    return data


def _find(source: Path, listed: Folders) -> list[_Group]:
    if not source.is_dir():
        raise ImportFailed(f"There is no folder '{clean(str(source))}'.", "Check the path.")
    groups = _groups(source, listed, None, "")
    for folder in [] if groups else listed.subfolders(source):
        split = split_named(folder.name)
        if split is not None:
            groups += _groups(folder, listed, split, "")
    if not groups:
        years = listed.subfolders(source)
        for kit in [folder for folder in years if folder.name.lower() == "vocdevkit"]:
            years += listed.subfolders(kit)
        for folder in years:
            if folder.name.lower().startswith("voc"):
                groups += _groups(folder, listed, None, f"{folder.name}/")
    if not groups:
        there = what_is_there(source, listed)
        raise ImportFailed(
            f"There are no Pascal VOC annotations in '{clean(str(source))}': {there}", _LOOKED_FOR
        )
    return groups if len(groups) > 1 else [groups[0]._replace(prefix="")]


def _groups(folder: Path, listed: Folders, split: str | None, prefix: str) -> list[_Group]:
    inner = {sub.name.lower(): sub for sub in listed.subfolders(folder)}
    images = [inner[name] for name in _IMAGES if name in inner]
    for name in _ANNOTATIONS:
        if name in inner and listed.with_ending(inner[name], ".xml"):
            splits = {} if split else _image_sets(folder, listed)
            return [_Group(inner[name], [*images, folder, inner[name]], split, splits, prefix)]
    if listed.with_ending(folder, ".xml"):
        return [_Group(folder, [folder, *images], split, {}, prefix)]
    return []


def _image_sets(folder: Path, listed: Folders) -> dict[str, str]:
    """Return the splits of `ImageSets/Main` by the images' names without ending."""
    main = folder / "ImageSets" / "Main"
    files = listed.files(str(main))
    splits: dict[str, str] = {}
    for name, split in (
        ("train.txt", "train"),
        ("val.txt", "valid"),
        ("valid.txt", "valid"),
        ("test.txt", "test"),
        ("trainval.txt", "train"),
    ):
        if name in files:
            text = (main / name).read_bytes().decode("utf-8", "replace")
            for line in text.splitlines():
                # A line is a name, or a name and whether the image shows the class (-1, 0, 1).
                stem = re.sub(r"\s+(-1|0|1)$", "", line.strip())
                if stem:
                    splits.setdefault(stem, split)
    return splits


class _Reader:
    def __init__(self, data: DataSet, folders: Folders, watch: Watch) -> None:
        self.data = data
        self.folders = folders
        self.watch = watch
        self.entries: list[_Entry] = []
        self.from_zero = False
        # The number of each image file that was met, None where it cannot be read.
        self.taken: dict[str, int | None] = {}

    def read(self, group: _Group) -> None:
        files = self.folders.with_ending(group.annotations, ".xml")
        for number, file in enumerate(files):
            if not number % 32:
                self.watch.tick("reading", number, len(files))
            self._file(file, group)
        described = {file.stem for file in files}
        # Images without a description. XML beside images may lie in a folder of other pictures,
        # which are then images that show nothing, as in every such layout.
        for folder in group.images[:1]:
            for name in sorted(self.folders.files(str(folder))):
                path = f"{folder}/{name}"
                if is_image(name) and Path(name).stem not in described and path not in self.taken:
                    found = self.folders.find(str(folder), name)
                    if found:
                        self._image(found, name, None, group, name)

    def finish(self) -> None:
        """Turn the corners into boxes, now that it is known how the set counts."""
        first = 0.0 if self.from_zero else 1.0
        for image, objects in self.entries:
            for label, (xmin, ymin, xmax, ymax), where in objects:
                x, y = xmin - first, ymin - first
                self.data.box(image, label, (x, y, xmax - x, ymax - y), where)
        self.data.detail["counted_from"] = int(first)

    def _file(self, file: Path, group: _Group) -> None:
        problems = self.data.problems
        try:
            root = _parsed(file.read_bytes())
        except DefusedXmlException:
            return problems.add("unreadable annotation file", file.name, "it declares entities")
        # Whatever a damaged file makes of the parser: a broken encoding raises LookupError.
        except Exception as error:
            return problems.add("unreadable annotation file", file.name, f"not XML: {error}"[:200])
        if root.tag != "annotation":
            detail = f"its root is <{str(root.tag)[:40]}>, not <annotation>"
            return problems.add("unreadable annotation file", file.name, detail)
        name = (root.findtext("filename") or "").strip()
        safe = inside(name) if name else None
        if name and safe is None:
            # A path of another machine, which many programs write here: its end is what counts.
            nearest = ends(name)
            safe = nearest[-1] if nearest else None
            if safe is None or self._find(safe, file.stem, group) is None:
                return problems.add("unsafe file name", file.name, name)
            problems.add("unsafe file name", file.name, f"'{name}' is taken to be '{safe}'", "kept")
        found = self._find(safe, file.stem, group)
        if found is None:
            wanted = f"'{name}'" if name else f"'{file.stem}.jpg'"
            return problems.add("missing image", file.name, f"no file {wanted}")
        last = found.path.rpartition("/")[2]
        if (stated := self._stated(safe, group)) is not None and stated.path != found.path:
            detail = f"it names '{safe}' and is taken for '{last}', which has its own name"
            problems.add("name of another image", file.name, detail, "kept")
        if found.path in self.taken:
            image = self.taken[found.path]
            detail = f"'{last}' has another XML file; what both show is taken together"
            if image is not None:
                problems.add("image listed twice", file.name, detail, "kept")
        else:
            size = _number(root.findtext("size/width")), _number(root.findtext("size/height"))
            image = self._image(found, last, size, group, file.name)
        if image is None:
            return None
        objects = []
        for place, element in enumerate(root.findall("object"), 1):
            where = f"{file.name}: object {place}"
            self.data.balance.found()
            taken = self._object(element, where)
            if taken is not None:
                objects.append((*taken, where))
        self.entries.append(_Entry(image, objects))
        return None

    def _find(self, name: str | None, stem: str, group: _Group) -> Found | None:
        """Return the image that the file names, if it is called like the file itself or none is.

        Whoever renames or copies images and their files seldom changes what is in the files.
        """
        stated = self._stated(name, group)
        if stated is not None and name and Path(name).stem == stem:
            return stated
        for folder in group.images:
            for suffix in _ENDINGS:
                if found := self.folders.find(str(folder), stem + suffix):
                    return found
        return stated

    def _stated(self, name: str | None, group: _Group) -> Found | None:
        """Return the image of that name, None for no name or no such image."""
        if not name or not is_image(name):
            return None
        found = (self.folders.find(str(folder), name) for folder in group.images)
        return next(filter(None, found), None)

    def _image(
        self,
        found: Found,
        name: str,
        size: tuple[float, float] | None,
        group: _Group,
        where: str,
    ) -> int | None:
        self.taken[found.path] = None
        width, height = size or (0.0, 0.0)
        if found.link or not plausible(width, height):
            real = read_size(found.path)
            if real is None:
                self.data.problems.add("unreadable image", where, no_size(found.path))
                return None
            if not plausible(width, height):
                width, height = real
        safe = inside(name)
        if safe is None:
            self.data.problems.add("unsafe file name", where, name)
            return None
        split = group.split or group.splits.get(Path(name).stem)
        target = self.data.target(split, group.prefix + safe)
        picture = Picture(
            found.path, target, name, round(width), round(height), split, link=found.link
        )
        self.taken[found.path] = number = self.data.image(picture)
        return number

    def _object(self, element: Element, where: str) -> tuple[int, Box] | None:
        problems = self.data.problems
        name = element.findtext("name") or ""
        if not name.strip() or not storable(name):
            problems.add("bad category", where, "the object has no name")
            return None
        corners = [element.findtext(f"bndbox/{corner}") for corner in _CORNERS]
        if None in corners:
            problems.add("no box", where, "it has no bndbox with four corners")
            return None
        xmin, ymin, xmax, ymax = map(_number, corners)
        if not all(map(math.isfinite, (xmin, ymin, xmax, ymax))):
            text = ", ".join(str(corner)[:20] for corner in corners)
            problems.add("non-finite number", where, f"its corners are {text}")
            return None
        if 0 <= xmin < 1 or 0 <= ymin < 1:
            self.from_zero = True
        return self.data.label(name), (xmin, ymin, xmax, ymax)


def _parsed(raw: bytes) -> Element:
    """Return the root of an XML file. Raises what the parsers do.

    Expat, which Python reads XML with, knows no encoding of several bytes a letter but Unicode's.
    """
    try:
        return defusedxml.ElementTree.fromstring(raw)
    except DefusedXmlException:
        raise
    except ValueError:
        declared = _ENCODING.match(raw)
        if declared is None or not _ASIAN.match(declared[1].decode()):
            raise
        name = declared[1].decode()
        # What declares the old Chinese encoding is mostly in one of its larger successors.
        name = "gb18030" if name.lower() in ("gb2312", "gbk") else name
        return defusedxml.ElementTree.fromstring(raw[declared.end() :].decode(name))


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return math.nan
