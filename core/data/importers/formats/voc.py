"""Pascal VOC: an XML file for each image.

Layouts: `core.data.importers.formats.voc_layout`. An image without an XML file has no annotations.

Coordinates. The development kit counts pixels from 1 and both corners belong to the box ("the
top-left pixel in the image has coordinates (1, 1)", VOC2012 devkit, section 8.1), so a box spans
xmin - 1 to xmax in the continuous coordinates of COCO. Many programs write plain continuous
coordinates into the same fields. A set in which any box starts at 0, which the kit's counting does
not have, is read as such: from xmin to xmax; so is one in which more than one box in a hundred is
written with a decimal point (CVAT, labelme, X-AnyLabeling), for pixels are not counted in parts.
"""

from __future__ import annotations

import math
import os
from functools import partial
from pathlib import Path
from typing import NamedTuple
from xml.etree.ElementTree import Element

from defusedxml import DefusedXmlException

from core.common.errors import ImportFailed
from core.common.text import clean, plural
from core.data.images.picture_files import SUFFIXES
from core.data.importers.boxes import Box
from core.data.importers.dataset import DataSet, Picture, ends, inside, storable
from core.data.importers.find_picture import Pictures, Unmet, tell
from core.data.importers.formats.reading.text_files import number
from core.data.importers.formats.reading.voc_shapes import around_shape
from core.data.importers.formats.reading.xml_files import xml_root
from core.data.importers.formats.voc_layout import LOOKED_FOR, Group, find, key_of
from core.data.importers.image_files import (
    Folders,
    Found,
    is_image,
    letters,
    no_size,
    place_of,
    plausible,
    read_size,
    walk_images,
)
from core.data.importers.import_folder import import_folder
from core.data.importers.report import Watch
from core.data.importers.split_names import split_named

# Of the challenge's own sets a few files have fractions (VOC2012: 45.70000076293945), which counts
# from 1 all the same. Sets of programs that write them have them nearly everywhere.
_FEW = 100
_USUAL = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
_SUFFIXES = (*_USUAL, *sorted(SUFFIXES.difference(_USUAL)))
_CORNERS = ("xmin", "ymin", "xmax", "ymax")


class _Entry(NamedTuple):
    image: int
    objects: list[tuple[int, Box, str]]


def read_voc(source: Path, watch: Watch) -> DataSet:
    """Read the Pascal VOC data set at `source`. Raises `ImportFailed` when it cannot be read."""
    source = place_of(source)
    data = DataSet("voc", str(source))
    folders = Folders()
    reader = _Reader(data, source, folders, watch)
    for group in find(source, folders, data):
        reader.read(group)
    reader.finish()
    refused = data.problems.counts["unreadable annotation file"]
    if refused and not reader.entries and refused == sum(data.problems.counts.values()):
        # Its images would all come in as pictures of nothing.
        first = data.problems.listed[0]
        where, detail = clean(first.where), clean(first.detail)
        none = (
            f"None of the {plural(refused, 'XML file')} in '{clean(str(source))}' is a Pascal VOC"
            f" annotation: {where}: {detail}."
        )
        one = f"'{where}' is no Pascal VOC annotation: {detail}."
        raise ImportFailed(one if refused == 1 else none, LOOKED_FOR)
    data.group_copies()
    return data


# A project, a folder or a ZIP, and what `import_folder` takes.
import_voc = partial(import_folder, read_voc)


class _Reader:
    def __init__(self, data: DataSet, source: Path, folders: Folders, watch: Watch) -> None:
        self.data = data
        self.pictures = Pictures(source, folders)
        self.folders = folders
        self.watch = watch
        self.entries: list[_Entry] = []
        self.from_zero = False
        self.boxes = self.fractions = 0
        # XML files whose image is not there as they name it, with the name they have for it.
        self.unmet: list[tuple[Group, str, Element, str]] = []
        self.groups: list[Group] = []
        # The entries of lists that an image was found for.
        self.matched: set[str] = set()
        # The number of each image file that was met, None where it cannot be read.
        self.taken: dict[str, int | None] = {}

    def read(self, group: Group) -> None:
        self.groups.append(group)
        for place, file in enumerate(group.files):
            if not place % 32:
                self.watch.tick("reading", place, len(group.files))
            self._file(file, group)

    def finish(self) -> None:
        """Take what no file describes, and turn the corners into boxes as the set counts."""
        self._unmet_files()
        for group in self.groups:
            self._bare(group)
            for entry in group.splits:
                self.data.balance.line(entry in self.matched)
        self.from_zero = self.from_zero or self.fractions * _FEW > self.boxes
        first = 0.0 if self.from_zero else 1.0
        for image, objects in self.entries:
            for label, (xmin, ymin, xmax, ymax), where in objects:
                x, y = xmin - first, ymin - first
                self.data.box(image, label, (x, y, xmax - x, ymax - y), where)
        self.data.detail["counted_from"] = int(first)

    def _bare(self, group: Group) -> None:
        """Take the images of a group that no XML file describes."""
        # XML beside images may lie in a folder of other pictures, which are then images that show
        # nothing, as in every such layout.
        described = {os.path.splitext(file)[0] for file in group.files}  # noqa: PTH122
        described |= {stem.rpartition("/")[2] for stem in described}
        for folder in group.images[:1]:
            beside = folder == group.annotations
            names = sorted(self.folders.files(str(folder))) if beside else walk_images(folder)
            for name in names:
                path = f"{folder}/{name}"
                stem = os.path.splitext(name)[0]  # noqa: PTH122
                hidden = name.rpartition("/")[2].startswith(".")
                if (
                    is_image(name)
                    and not hidden
                    and stem not in described
                    and path not in self.taken
                ):
                    found = self.folders.find(str(folder), name)
                    if found:
                        self._image(found, None, group, name)

    def _file(self, file: str, group: Group) -> None:
        problems, balance = self.data.problems, self.data.balance
        path = group.annotations / file
        try:
            root = xml_root(path.read_bytes())
        except DefusedXmlException:
            balance.leave(str(path), "it declares entities")
            return problems.add("unreadable annotation file", file, "it declares entities")
        # Whatever a damaged file makes of the parser: a broken encoding raises LookupError.
        except Exception as error:
            balance.leave(str(path), "it is not XML")
            return problems.add("unreadable annotation file", file, f"not XML: {error}"[:200])
        if root.tag != "annotation":
            detail = f"its root is <{str(root.tag)[:40]}>, not <annotation>"
            balance.leave(str(path), "it is not of Pascal VOC")
            return problems.add("unreadable annotation file", file, detail)
        balance.found(len(root.findall("object")))
        name = (root.findtext("filename") or "").strip()
        safe = inside(name) if name else None
        if name and safe is None:
            # A path of another machine, which many programs write here: its end is what counts.
            nearest = ends(name)
            safe = nearest[-1] if nearest else None
            if safe is None or self._find(safe, file, group) is None:
                self.unmet.append((group, file, root, name))
                return None
            problems.add("unsafe file name", file, f"'{name}' is taken to be '{safe}'", "kept")
        found = self._find(safe, file, group)
        if found is None:
            self.unmet.append((group, file, root, name))
            return None
        return self._take(found, safe, file, root, group)

    def _unmet_files(self) -> None:
        """Take the files whose images are called otherwise, or say that there is none."""
        for group in self.groups:
            files = [unmet[1:] for unmet in self.unmet if unmet[0] is group]
            for ask in (_name_or_stem, _stem):
                met = self.pictures.all_meant(
                    (ask(name, file) for file, _, name in files),
                    [str(folder) for folder in group.images],
                    taken=self.taken,
                    split=group.split,
                    any_ending=True,
                )
                waiting = []
                for file, root, name in files:
                    found = met[ask(name, file)]
                    if isinstance(found, Unmet) and ask is _name_or_stem:
                        waiting.append((file, root, name))
                        continue
                    wanted = name or f"{_stem(name, file)}.jpg"
                    if isinstance(found, Unmet):
                        found = Unmet(f"no file '{wanted}'")
                        self.data.balance.miss(
                            f"{group.annotations}/{file}", "there is no image for it"
                        )
                    if (picture := tell(found, wanted, file, self.data.problems)) is not None:
                        self._take(picture.found, None, file, root, group)
                files = waiting

    def _take(self, found: Found, safe: str | None, file: str, root: Element, group: Group) -> None:
        """Take what a file says of an image that was found."""
        problems, balance = self.data.problems, self.data.balance
        last = found.path.rpartition("/")[2]
        if (stated := self._stated(safe, file, group)) is not None and stated.path != found.path:
            detail = f"it names '{safe}' and is taken for '{last}', which has its own name"
            problems.add("name of another image", file, detail, "kept")
        if found.path in self.taken:
            image = self.taken[found.path]
            detail = f"'{last}' has another XML file; what both show is taken together"
            if image is not None:
                problems.add("image listed twice", file, detail, "kept")
        else:
            size = _number(root.findtext("size/width")), _number(root.findtext("size/height"))
            image = self._image(found, size, group, file)
        if image is None:
            return balance.leave(str(group.annotations / file), "its picture cannot be read")
        balance.use(str(group.annotations / file), empty=root.find("object") is None)
        objects = []
        for place, element in enumerate(root.findall("object"), 1):
            where = f"{file}: object {place}"
            taken = self._object(element, where)
            if taken is not None:
                objects.append((*taken, where))
        self.entries.append(_Entry(image, objects))
        return None

    def _find(self, name: str | None, file: str, group: Group) -> Found | None:
        """Return the image that the file names, if it is called like the file itself or none is.

        Whoever renames or copies images and their files seldom changes what is in the files.
        """
        stated = self._stated(name, file, group)
        relative = os.path.splitext(file)[0]  # noqa: PTH122
        stem = relative.rpartition("/")[2]
        if stated is not None and name and Path(name).stem == stem:
            return stated
        places = [*map(str, group.images), str(group.annotations)]
        for end in dict.fromkeys((relative, stem)):
            for folder in places:
                for suffix in _SUFFIXES:
                    if found := self.folders.find(folder, end + suffix):
                        return found
        return stated

    def _stated(self, name: str | None, file: str, group: Group) -> Found | None:
        """Return the image of that name, None for no name or no such image."""
        if not name or not is_image(name):
            return None
        below = file.rpartition("/")[0]
        # The same name in the folder that the file lies in comes first.
        names = [f"{below}/{name}", name] if below and "/" not in name else [name]
        places = [*map(str, group.images), str(group.annotations)]
        found = (self.folders.find(place, end) for end in names for place in places)
        return next(filter(None, found), None)

    def _image(
        self,
        found: Found,
        size: tuple[float, float] | None,
        group: Group,
        where: str,
    ) -> int | None:
        self.taken[found.path] = None
        name = self._below(found.path, group)
        width, height = size or (0.0, 0.0)
        if found.link or not plausible(width, height):
            real = read_size(found.path)
            if real is None:
                self.data.balance.leave(found.path, "it cannot be read")
                self.data.problems.add("unreadable image", where, no_size(found.path))
                return None
            if not plausible(width, height):
                width, height = real
        safe = inside(name)
        if safe is None:
            self.data.balance.leave(found.path, "its name cannot be stored")
            self.data.problems.add("unsafe file name", where, name)
            return None
        split = group.split or self._split(name, where, group)
        target = self.data.target(split, group.prefix + safe)
        picture = Picture(
            found.path, target, name, round(width), round(height), split, link=found.link
        )
        self.taken[found.path] = number = self.data.image(picture)
        return number

    def _below(self, path: str, group: Group) -> str:
        """Return an image's path below the folder of images in which it lies."""
        homes = [str(folder) for folder in group.images if path.startswith(f"{folder}/")]
        return path[len(max(homes, key=len)) + 1 :] if homes else path.rpartition("/")[2]

    def _split(self, name: str, file: str, group: Group) -> str | None:
        """Return the split that a list says, or a folder on the way to the image or its file."""
        stem = os.path.splitext(name)[0]  # noqa: PTH122
        ways = dict.fromkeys((key_of(name), key_of(os.path.splitext(file)[0])))  # noqa: PTH122
        for key in (*ways, letters(stem.rpartition("/")[2])):
            if key in group.splits:
                self.matched.add(key)
                if group.splits[key]:
                    return group.splits[key]
        if any(group.splits.values()):
            return None
        for folder in (*file.split("/")[:-1], *name.split("/")[:-1]):
            split = split_named(folder)
            if split is not None:
                self.data.balance.split(folder, split)
                return split
        return None

    def _object(self, element: Element, where: str) -> tuple[int, Box] | None:
        problems = self.data.problems
        name = element.findtext("name") or ""
        if not name.strip() or not storable(name):
            problems.add("bad category", where, "the object has no name")
            return None
        corners = [element.findtext(f"bndbox/{corner}") for corner in _CORNERS]
        if (count := len(element.findall("bndbox"))) > 1:
            detail = f"it has {count} boxes: the first is taken"
            problems.add("several boxes", where, detail, "kept")
        if None in corners and (around_ := around_shape(element)) is not None:
            detail = "the box around its shape is taken"
            problems.add("shape taken as a box", where, detail, "kept")
            corners = [f"{side:.10g}" for side in around_]
        if None in corners:
            problems.add("no box", where, "it has no bndbox with four corners")
            return None
        xmin, ymin, xmax, ymax = map(_number, corners)
        if not all(map(math.isfinite, (xmin, ymin, xmax, ymax))):
            text = ", ".join(str(corner)[:20] for corner in corners)
            problems.add("non-finite number", where, f"its corners are {text}")
            return None
        if xmax < xmin or ymax < ymin:
            # Drawn from the lower right to the upper left (X-AnyLabeling, bstld).
            detail = f"x {xmin:g} to {xmax:g}, y {ymin:g} to {ymax:g}: put in order"
            problems.add("corners swapped", where, detail, "kept")
            xmin, xmax = sorted((xmin, xmax))
            ymin, ymax = sorted((ymin, ymax))
        self.boxes += 1
        self.fractions += any("." in str(corner) or "," in str(corner) for corner in corners)
        if 0 <= xmin < 1 or 0 <= ymin < 1:
            self.from_zero = True
        return self.data.label(name), (xmin, ymin, xmax, ymax)


def _name_or_stem(name: str, file: str) -> str:
    return name or _stem(name, file)


def _stem(name: str, file: str) -> str:
    return os.path.splitext(file)[0]  # noqa: PTH122


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return number(text or "")  # with a decimal comma
