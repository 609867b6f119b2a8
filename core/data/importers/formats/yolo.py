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
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import msgspec

from core.common.errors import ImportFailed
from core.common.text import clean, plural
from core.data.importers.boxes import around
from core.data.importers.dataset import DataSet, Picture, inside
from core.data.importers.find_picture import Met, Pictures, Unmet, tell
from core.data.importers.formats.reading.text_files import decoded, is_utf16
from core.data.importers.formats.yolo_folders import Group
from core.data.importers.formats.yolo_labels import Labels, is_label, texts_below, words_of
from core.data.importers.formats.yolo_layout import Layout, find
from core.data.importers.formats.yolo_names import is_names_file
from core.data.importers.image_files import (
    Folders,
    Found,
    is_image,
    no_size,
    place_of,
    read_size,
    walk_images,
)
from core.data.importers.import_folder import import_folder
from core.data.importers.report import Watch
from core.data.importers.split_names import split_named, unites

# No set has classes without names by the hundred thousand; a number beyond is damage.
_MOST = 100_000
# A fraction of the picture beyond this is no careless box but pixels.
_FRACTION = 2.0
# From so many objects of the class after the last one on, numbers that begin at 1 are no slip.
_FROM_1 = 2


def read_yolo(source: Path, watch: Watch) -> DataSet:
    """Read the YOLO data set at `source`. Raises `ImportFailed` when it cannot be read."""
    source = place_of(source)
    data = DataSet("yolo", str(source))
    folders = Folders()
    layout = find(source, folders, data)
    data.balance.root(layout.root)
    _Reader(data, layout, folders, watch).read()
    data.group_copies()
    return data


# A project, a folder, its `data.yaml` or a ZIP, and what `import_folder` takes.
import_yolo = partial(import_folder, read_yolo)


class _Reader:
    def __init__(self, data: DataSet, layout: Layout, folders: Folders, watch: Watch) -> None:
        self.data = data
        self.layout = layout
        self.folders = folders
        self.watch = watch
        self.names = {number: data.label(name) for number, name in layout.names.items()}
        self.pictures = Pictures(layout.root, folders)
        self.labels = Labels(layout.root, folders)
        # The number of each image that was met by its path, -1 for one that is left out.
        self.seen: dict[str, int] = {}
        # Those without a label file, by their paths.
        self.bare: dict[str, int] = {}
        self.label_files = 0
        self.count = 0
        self.polygons = self.four_cornered = 0
        self.passed_over: Counter[str] = Counter()
        self.utf16 = self.commas = 0
        # How many objects have each class number, named or not.
        self.numbered: Counter[int] = Counter()
        # Lines of lists that are not there as spelled, each with where it stands.
        self.unmet: list[tuple[Group, list[tuple[str, str]]]] = []

    def read(self) -> None:
        for group in self.layout.groups:
            if not group.labelled:
                self._group(group)
        self._unmet_lines()
        for group in self.layout.groups:
            if group.labelled:
                self._labelled(group)
        self.watch.tick("reading", self.count, self.count)
        for folder in self._outside():
            self.data.balance.root(folder)
        self._other_labels()
        self._check()
        if self.four_cornered and self.four_cornered == self.polygons:
            boxes = plural(self.polygons, "box", "boxes")
            detail = f"{boxes} of four corners: the box around is taken, the corners are kept"
            self.data.problems.add("oriented box", self.layout.root.name, detail, "kept")

        for what, count in self.passed_over.items():
            detail = f"{plural(count, 'line')} with {what} behind the box, which is not taken"
            self.data.problems.add("more than a box", self.layout.root.name, detail, "kept")
        if self.commas:
            detail = f"{plural(self.commas, 'line')} with commas or semicolons, read as spaces"
            self.data.problems.add("commas between values", self.layout.root.name, detail, "kept")
        if self.utf16:
            detail = f"{plural(self.utf16, 'label file')} in UTF-16, read by its byte order mark"
            self.data.problems.add("UTF-16 text", self.layout.root.name, detail, "kept")

    def _check(self) -> None:
        """Note where images were looked for when there is none, or that none has a label file."""
        if not self.count:
            self.data.balance.looked = [str(group.path) for group in self.layout.groups]
        self._check_first_class()
        if self.data.images and not self.label_files:
            folder, _, name = self.data.images[0].source.rpartition("/")
            base, below = self.labels.places(folder)[0]
            place = f"{base}/{below}" if below else base
            self.data.balance.stop(
                f"None of the {plural(self.count, 'image')} has a label file.",
                f"Looked for '{clean(name.rpartition('.')[0])}.txt' in '{clean(place)}' and beside"
                " the image.",
            )

    def _check_first_class(self) -> None:
        """Stop where class numbers begin at 1, or are another file's: objects would be misnamed.

        SAHI 0.12.8 (`Coco.export_as_yolo`) writes the ids of COCO's categories as class numbers.
        """
        count = len(self.layout.names)
        numbers = sorted(self.numbered)
        beyond = sum(times for number, times in self.numbered.items() if number >= count)
        if beyond < _FROM_1 or sorted(self.layout.names) != list(range(count)):
            return
        if numbers[0] == 1 and numbers[-1] == count:
            self.data.balance.stop(
                f"The class numbers of the label files seem to begin at 1: {beyond:,} of"
                f" {plural(self.numbered.total(), 'object')} are of class {count}, the number after"
                " that of the last name, and none is of class 0.",
                "Put a name before the first one, or take 1 from the numbers.",
            )
        elif numbers[0] > 0 and len(numbers) == count > 1:
            shown = ", ".join(map(str, numbers[:5])) + (", …" if count > 5 else "")
            self.data.balance.stop(
                f"The class numbers of the label files, {shown}, seem to be the ids of a COCO file:"
                f" as many as there are names, but not 0 to {count - 1}.",
                "Import that file, or number the classes of the label files by the names' order.",
            )

    # Images

    def _group(self, group: Group) -> None:
        """Take the images of a group."""
        before = self.count
        if group.entries:
            self._lines_of(group, group.entries, f"{group.path.name}: {group.name}")
        elif group.path.is_dir():
            for name in walk_images(group.path):
                found = self.folders.find(str(group.path), name)
                if found is not None:
                    self._image(found, name, group)
        elif is_image(group.path.name):
            raise ImportFailed(
                f"'{clean(str(group.path))}' is an image.", "A split is a folder or a list."
            )
        else:
            self.data.balance.describe(group.path)
            self._lines_of(group, read_list(group.path), group.path.name)
        if group.name and (self.layout.file or self.count > before):
            self.data.balance.split(group.name, group.split)

    def _labelled(self, group: Group) -> None:
        """Take what is labelled and was in no split, and say the names of its folders."""
        root = str(group.path)
        for name in walk_images(group.path):
            found = self.folders.find(root, name)
            if found and found.path not in self.seen and self.labels.find(found.path):
                self._image(found, name, group)
                folder = name.rpartition("/")[0] or group.path.name
                self.data.balance.split(folder, None)

    def _lines_of(self, group: Group, lines: Sequence[str], where: str) -> None:
        """Take the images that a list names; those that are not there as spelled wait."""
        places = self._places(group)
        unmet: list[tuple[str, str]] = []
        for number, line in enumerate(lines, 1):
            entry = line.strip().replace("\\", "/")
            if entry:
                met = self.pictures.named(os.path.normpath(entry), places)
                if met is None:
                    unmet.append((entry, f"{where}: line {number}"))
                else:
                    self.data.balance.line(True)
                    self._image(met.found, met.name.rpartition("/images/")[2], group)
        if unmet:
            self.unmet.append((group, unmet))

    def _places(self, group: Group) -> list[str]:
        return list(dict.fromkeys([str(group.path.parent), str(self.layout.root)]))

    def _unmet_lines(self) -> None:
        """Take the images that the other lines of lists mean, or say that there is none."""
        for group, lines in self.unmet:
            met = self.pictures.all_meant(
                (entry for entry, _ in lines),
                self._places(group),
                taken=self.seen,
                split=group.split,
            )
            for entry, where in lines:
                found = tell(met[entry], entry, where, self.data.problems)
                self.data.balance.line(found is not None)
                if found is not None:
                    self.data.balance.split(group.name, group.split)
                    self._image(found.found, found.name.rpartition("/images/")[2], group)

    def _image(self, found: Found, name: str, group: Group) -> None:
        problems = self.data.problems
        if not self.count % 64:
            self.watch.tick("reading", self.count)
        if found.path in self.seen:
            if group.split is not None and not unites(group.name):
                number = self.seen[found.path]
                first = self.data.images[number].split if number >= 0 else None
                detail = f"it is in {first or 'no split'}, and taken once"
                problems.add("image listed twice", f"{group.name}: {name}", detail, "left out")
            return
        self.count += 1
        self.seen[found.path] = -1
        safe = inside(name)
        balance = self.data.balance
        if safe is None:
            balance.leave(found.path, "its name cannot be stored")
            problems.add("unsafe file name", name, "it cannot be stored under its name")
            return
        label = self.labels.find(found.path)
        lines = None if label is None else self._text(label.path)
        if label is not None and lines is None:
            problems.add("unreadable label file", name, "it is no text: the image is left out")
            balance.leave(label.path, "it is no text")
            balance.leave(found.path, "its label file cannot be read")
            return
        # The fractions are of the picture as it is seen, turned by its EXIF tag: so take it
        # Ultralytics' loader (`exif_size`) and the programs to label with.
        size = read_size(found.path)
        if size is None:
            balance.leave(found.path, "it cannot be read")
            if label is not None:
                balance.leave(label.path, "its picture cannot be read")
            problems.add("unreadable image", name, no_size(found.path))
            return
        split = group.split
        picture = Picture(
            found.path, self.data.target(split, safe), name, *size, split, link=found.link
        )
        number = self.seen[found.path] = self.data.image(picture)
        if lines is None or label is None:
            self.bare[found.path] = number
        else:
            self._objects(lines, label.path, number)

    # Labels

    def _text(self, path: str) -> list[str] | None:
        """Return the lines of a label file, None when it is no text."""
        self.label_files += 1
        try:
            with open(path, "rb") as file:  # noqa: PTH123 (one for each image)
                raw = file.read()
            text = decoded(raw)
        except (OSError, UnicodeDecodeError):
            return None
        self.utf16 += is_utf16(raw)
        return None if "\0" in text else text.splitlines()

    def _objects(self, lines: list[str], path: str, image: int) -> None:
        """Take what an image's label file says."""
        if path in self.data.balance.used:
            detail = f"{os.path.basename(path)} is the label file of another image too"  # noqa: PTH119
            name = self.data.images[image].name
            self.data.problems.add("label file of two images", name, detail, "kept")
        self.data.balance.use(path, empty=all(not line or line.isspace() for line in lines))
        picture = self.data.images[image]
        for number, line in enumerate(lines, 1):
            if line and not line.isspace():
                self.data.balance.found()
                self._line(line, image, f"{picture.name}: line {number} of its label file")

    def _other_labels(self) -> None:
        """Find the images of the label files that lie where those of no image are looked for."""
        balance = self.data.balance
        names: dict[str | None, dict[str, str]] = {}
        root = str(self.layout.root)
        roots = [root, *self._outside()]
        for path in dict.fromkeys(p for top in roots for p in texts_below(top, self.folders)):
            if path in balance.used or path in balance.left or path in balance.described:
                continue
            below = os.path.relpath(path, root)
            if is_names_file(os.path.basename(path)) or not is_label(path):  # noqa: PTH119
                balance.leave(path, "it is no label file")
                continue
            parts = below.split("/")
            split = next(filter(None, map(split_named, parts[:-1])), None)
            names.setdefault(split, {})[os.path.splitext(below)[0]] = path  # noqa: PTH122
        labelled = _Labelled(self.seen, self.bare)
        for split, paths in names.items():
            met = self.pictures.all_meant(paths, [root], taken=labelled, split=split)
            for name, path in paths.items():
                self._other_label(met[name], path, os.path.relpath(path, root))

    def _outside(self) -> list[str]:
        """Return the folders outside the root that hold images of the set, or their labels."""
        root = f"{self.layout.root}/"
        outside = []
        for group in self.layout.groups:
            folder = str(group.path)
            if group.path.is_dir() and not f"{folder}/".startswith(root):
                base, below = self.labels.places(folder)[0]
                outside += [folder, f"{base}/{below}".rstrip("/")]
        return outside

    def _other_label(self, met: Met | Unmet, path: str, below: str) -> None:
        problems, balance = self.data.problems, self.data.balance
        if isinstance(met, Unmet):
            return balance.miss(path, "there is no image for it")
        image = self.bare.pop(met.found.path, None)
        if image is None:
            return balance.leave(path, "its image is in no split")
        lines = self._text(path)
        if lines is None:
            balance.leave(path, "it is no text")
            return problems.add("unreadable label file", below, "it is no text")
        problems.add("guessed file name", below, f"it is taken for '{met.guess}'", "kept")
        return self._objects(lines, path, image)

    def _line(self, line: str, image: int, where: str) -> None:
        problems = self.data.problems
        try:
            if "," in line or ";" in line:
                line = " ".join(words := words_of(line))
                self.commas += bool(words)
            first, *values = map(float, line.split())
        except (ValueError, OverflowError):
            return problems.add("bad line", where, f"not numbers: {line[:80]}")
        if self.layout.keypoints and len(values) == 4 + self.layout.keypoints:
            values = values[:4]
            self.passed_over["key points"] += 1
        elif len(values) == 5:
            self.passed_over["a fifth value (a track or how sure a model was)"] += 1
        if len(values) not in (4, 5) and (len(values) < 6 or len(values) % 2):
            return problems.add("bad line", where, f"{len(values) + 1} values: {line[:80]}")
        if not math.isfinite(first) or not all(map(math.isfinite, values)):
            return problems.add("non-finite number", where, line[:80])
        label = self.names.get(int(first)) if first.is_integer() else None
        if label is None and self.layout.unnamed and first.is_integer() and 0 <= first < _MOST:
            label = self.names[int(first)] = self.data.label(f"class_{int(first)}")
        if first.is_integer():
            self.numbered[int(first)] += 1
        if label is None:
            return problems.add("unknown category", where, f"there is no class {first:g}")
        width, height = self.data.images[image].width, self.data.images[image].height
        if max(values) > _FRACTION:
            self.data.balance.suspect("pixels")
        if len(values) < 6:
            x, y, w, h = values[:4]
            box = ((x - w / 2) * width, (y - h / 2) * height, w * width, h * height)
            self.data.box(image, label, box, where)
            return None
        self.polygons += 1
        self.four_cornered += len(values) == 8
        points = [
            round(value * (height if place % 2 else width), 3) for place, value in enumerate(values)
        ]
        shape = msgspec.json.encode([points]).decode()
        self.data.box(image, label, around(points), where, segmentation=shape)
        return None


class _Labelled:
    """The images that have a label file, or can have none."""

    def __init__(self, seen: dict[str, int], bare: dict[str, int]) -> None:
        self.seen = seen
        self.bare = bare

    def __contains__(self, path: object) -> bool:
        return path in self.seen and path not in self.bare


def read_list(file: Path) -> list[str]:
    """Return the lines of a list of images. Raises `ImportFailed` when it is no text."""
    try:
        return decoded(file.read_bytes()).splitlines()
    except (OSError, UnicodeDecodeError):
        raise ImportFailed(
            f"'{clean(str(file))}' is not a list of images.", "It is no UTF-8 text."
        ) from None
