"""The balance of an import: of everything that lay at the path, what was taken and what was not."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from core.data.images.picture_files import why_unread
from core.data.importers.balance.lying import Folder, unknown_files
from core.data.importers.dataset import DataSet
from core.data.importers.formats.reading.text_files import decoded
from core.data.importers.image_files import is_image
from core.data.importers.report import Watch
from core.late import late

if TYPE_CHECKING:
    import numpy as np
else:
    np = late("numpy")


# Pictures that cameras and editors write and that no reader of ours opens.
UNREAD = frozenset({
    ".heic", ".heif", ".hif", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2",
    ".jp2", ".j2k", ".jpx", ".jxl", ".psd", ".xcf", ".pgm", ".pbm", ".pnm", ".tga", ".exr",
    ".hdr", ".svg", ".dcm", ".nii",
})  # fmt: skip
VIDEOS = frozenset({
    ".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp",
    ".mts", ".m2ts",
})  # fmt: skip
NAMED_BY_NOTHING = "named by nothing"
NO_PICTURE = "without a picture"
NOT_TAKEN = "picture not taken"
NO_LABEL = "it is no label file"
OF_VOC = "no file of this format but Pascal VOC's"
# What the readers call objects that they leave out. Of the first two the picture is not there
# either; the last two are said of other records as well.
_WITH_PICTURE = ("image left out", "unknown image")
# What the set itself says is not to be counted: KITTI's DontCare, VisDrone's and MOT's ignored.
IGNORED = ("ignored object", "ignored region")
_OBJECTS = (
    *_WITH_PICTURE, "bad line", "non-finite number", "unknown category", "bad box", "no box",
    "zero-size box", "box outside the image", "duplicate annotation id", *IGNORED,
)  # fmt: skip
_OF_OTHERS_TOO = ("bad category", "wrong type")
_EXAMPLES = 3
_ENDINGS = 6
_NO_ENDING = "without ending"
_QUOTED = re.compile(r" ?'[^']*'")
# Files of a folder that are opened to see whether they are label files; the others are as these.
_OPENED = 200
# Folders that say what is in them, and not of which part of the set.
_OF_A_SORT = frozenset({"images", "labels", "jpegimages", "annotations", "xml", "ann", "img"})
_LABEL_ENDING = {"yolo": ".txt", "voc": ".xml"}


class Part(msgspec.Struct):
    """Things of one sort: how many lay there, how many came in, and why the others did not."""

    found: int = 0
    taken: int = 0
    left: dict[str, int] = {}
    examples: dict[str, list[str]] = {}

    def take(self, count: int) -> None:
        """Count things that came in."""
        self.found += count
        self.taken += count

    def leave(self, why: str, example: str = "", count: int = 1) -> None:
        """Count things that did not come in, for one reason."""
        self.found += count
        self.left[why] = self.left.get(why, 0) + count
        shown = self.examples.setdefault(why, [])
        if example and len(shown) < _EXAMPLES:
            shown.append(example)


class Sheet(msgspec.Struct):
    """The balance of one import; numbers are of files, objects, lines and names."""

    images: Part
    labels: Part
    objects: Part
    lines: Part
    empty: int = 0
    """Label files among those taken that hold no object."""
    bare: int = 0
    """Images without an object."""
    splits: dict[str, str | None] = {}
    classes: int = 0
    unused: list[str] = []
    """Classes without an object."""
    idle: list[str] = []
    """Names that the set has beside its classes, which make none as no object has them."""
    other: dict[str, int] = {}
    """Files that are none of these, by ending."""
    other_names: dict[str, list[str]] = {}
    """Some of them, for each of the most common endings."""
    hidden: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the balance as plain JSON values."""
        value: dict[str, Any] = msgspec.to_builtins(self)
        return value


def sheet_of(sets: Sequence[DataSet], place: Path | None, watch: Watch) -> Sheet:
    """Return the balance of what a reader made of `place`; None for what lies at no path.

    Where `place` is a folder, all below it is looked at, beside the folders that the reader notes.
    """
    sheet = Sheet(Part(), Part(), Part(), Part())
    roots = [root for data in sets for root in data.balance.roots]
    short = _Short(place, roots)
    known: set[str] = set()
    other = _Others(short)
    alone: list[str] = []
    for data in sets:
        notes = data.balance
        known.update(picture.source for picture in data.images)
        known.update(picture.source for picture in data.attachments)
        for paths in (notes.used, notes.described, notes.left, notes.unmet):
            known.update(paths)
        sheet.images.take(len(data.images))
        sheet.labels.take(len(notes.used))
        sheet.empty += len(notes.empty)
        for path, why in notes.left.items():
            if path in notes.used or path in notes.described:
                continue
            # Files are counted by the reason, which may name one of them.
            why = _QUOTED.sub("", why)
            if why == NO_LABEL:
                other.add(path)
                continue
            if not is_image(path):
                sheet.labels.leave(why, short(path))
            elif why_unread(path):
                sheet.images.leave(_unread(path), short(path))
            else:
                sheet.images.leave(why, short(path))
        # A reader that looks in two places may have met a file twice.
        alone += [path for path in notes.unmet if path not in notes.used and path not in notes.left]
        sheet.lines.take(notes.lines["met"])
        if notes.lines["met nothing"]:
            sheet.lines.leave("met nothing", count=notes.lines["met nothing"])
        sheet.splits.update(
            (name, split)
            for name, split in notes.splits.items()
            # The data set's own name, and that of what lies in every split, name no split.
            if split or (name.lower() not in _OF_A_SORT and (place is None or name != place.name))
        )
    if place is not None and place.is_dir():
        roots.append(str(place))
    folders = unknown_files(roots, known, watch)
    pictures = _lying(sheet, _label_ending(sets), folders, short, other)
    for path in alone:
        sheet.labels.leave(NOT_TAKEN if _pair(path) in pictures else NO_PICTURE, short(path))
    sheet.other = dict(sorted(other.counts.items(), key=lambda item: (-item[1], item[0])))
    sheet.other_names = {ending: other.names[ending] for ending in [*sheet.other][:_ENDINGS]}
    _objects(sheet, sets)
    return sheet


class _Short:
    """Says paths from the folder that was named."""

    def __init__(self, place: Path | None, roots: list[str]) -> None:
        self.roots = [str(place).rstrip("/") + "/"] if place is not None else []
        self.roots += [root.rstrip("/") + "/" for root in roots]

    def __call__(self, path: str) -> str:
        return next((path[len(r) :] for r in self.roots if path.startswith(r)), path)


class _Others:
    """Files that nothing is known of, counted by their ending, with some of their names."""

    def __init__(self, short: _Short) -> None:
        self.counts: Counter[str] = Counter()
        self.names: dict[str, list[str]] = {}
        self._short = short

    def add(self, path: str) -> None:
        """Count one file."""
        ending = os.path.splitext(path)[1].lower() or _NO_ENDING  # noqa: PTH122 (a million times)
        self.counts[ending] += 1
        if self.counts[ending] <= _EXAMPLES:
            self.names.setdefault(ending, []).append(self._short(path))


def _unread(path: str) -> str:
    return f"{os.path.splitext(path)[1].lower()} is not read"  # noqa: PTH122 (a million times)


def _lying(
    sheet: Sheet, ending: str, folders: Iterable[Folder], short: _Short, other: _Others
) -> set[str]:
    """Count the files that no reader spoke of; return what their pictures have of `_pair`."""
    labels: list[str] = []
    pictures: set[str] = set()
    for folder in folders:
        sheet.hidden += folder.hidden
        maybe = []
        # The same pictures are often labelled in a second format beside the first.
        xml = [name for name in folder.names if ending != ".xml" and name.lower().endswith(".xml")]
        of_voc = set(_labels_among(folder, xml, ".xml"))
        for name in folder.names:
            suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122 (a million times)
            if is_image(name) or suffix in UNREAD:
                path = f"{folder.path}/{name}"
                named = is_image(name) and not why_unread(name)
                sheet.images.leave(NAMED_BY_NOTHING if named else _unread(name), short(path))
                pictures.add(_pair(path))
            elif ending and suffix == ending:
                maybe.append(name)
            elif name in of_voc:
                sheet.labels.leave(OF_VOC, short(f"{folder.path}/{name}"))
            else:
                other.add(f"{folder.path}/{name}")
        found = _labels_among(folder, maybe, ending)
        labels += [f"{folder.path}/{name}" for name in found]
        for name in sorted({*maybe}.difference(found)):
            other.add(f"{folder.path}/{name}")
    for path in labels:
        sheet.labels.leave(NOT_TAKEN if _pair(path) in pictures else NO_PICTURE, short(path))
    return pictures


def _label_ending(sets: Sequence[DataSet]) -> str:
    """Return the ending of a format's label files, "" for one that has a file for many images."""
    for data in sets:
        if data.kind in _LABEL_ENDING:
            return _LABEL_ENDING[data.kind]
    endings = Counter(
        os.path.splitext(path)[1].lower()  # noqa: PTH122 (a million times)
        for data in sets
        for paths in (data.balance.used, data.balance.unmet)
        for path in paths
    )
    best, count = max(endings.items(), key=lambda item: item[1], default=("", 0))
    return best if count > 1 else ""


def _labels_among(folder: Folder, names: list[str], ending: str) -> list[str]:
    """Return the names of those files that look like label files of single pictures."""
    opened = [name for name in names[:_OPENED] if _is_label(f"{folder.path}/{name}", ending)]
    rest = names[_OPENED:]
    return opened + (rest if 2 * len(opened) > _OPENED else [])


def _is_label(path: str, ending: str) -> bool:
    try:
        # A pipe would wait for a writer.
        if not Path(path).is_file():
            return False
        with open(path, "rb") as file:  # noqa: PTH123 (one for each)
            head = file.read(1024)
    except OSError:
        return False
    if ending == ".xml":
        return b"<annotation>" in head or b"<annotation " in head
    if ending != ".txt":
        return True
    # A line of any of the text formats that lie beside pictures holds several numbers.
    words = re.split(r"[\s,;]+", decoded(head, "replace").strip().partition("\n")[0])
    return sum(map(_is_number, words)) >= 4


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _pair(path: str) -> str:
    """Return what a picture and its label file have in common: `/set/val/a` of both
    `/set/val/images/a.jpg` and `/set/val/labels/a.txt`.
    """
    head, _, name = path.casefold().rpartition("/")
    parts = [part for part in head.split("/") if part not in _OF_A_SORT]
    return "/".join([*parts, os.path.splitext(name)[0]])  # noqa: PTH122 (a million times)


def _objects(sheet: Sheet, sets: Sequence[DataSet]) -> None:
    part = sheet.objects
    said = sum(data.balance.objects for data in sets)
    left_out = left_out_of(sets)
    part.take(sum(map(len, sets)))
    for kind in _OBJECTS:
        if count := left_out[kind]:
            part.leave(kind, count=count)
    for kind in _OF_OTHERS_TOO:
        if (count := min(left_out[kind], said - part.found)) > 0:
            part.leave(kind, count=count)
    if (count := said - part.found) > 0:
        part.leave("other reasons", count=count)
    objects: Counter[str] = Counter()
    idle: dict[str, None] = {}
    for data in sets:
        of_image, of_label, _ = data.columns()
        counts = np.bincount(of_label, minlength=len(data.labels)).tolist()
        for label, count in zip(data.labels, counts, strict=True):
            if count or not label.idle:
                objects[label.name] += count
            else:
                idle[label.name] = None
        boxed = np.bincount(of_image, minlength=len(data.images))
        sheet.bare += len(data.images) - int(np.count_nonzero(boxed))
    sheet.classes = len(objects)
    sheet.unused = [name for name, count in objects.items() if not count]
    sheet.idle = [name for name in idle if name not in objects]


def left_out_of(sets: Sequence[DataSet]) -> Counter[str]:
    """Return how many records were left out for each kind of problem."""
    return sum((data.problems.left_out for data in sets), Counter[str]())


def lost_with_picture(sheet: Sheet) -> int:
    """Return how many objects were left out because their picture was not taken."""
    return sum(sheet.objects.left.get(kind, 0) for kind in _WITH_PICTURE)
