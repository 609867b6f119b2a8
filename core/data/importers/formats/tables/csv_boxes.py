"""Boxes in a CSV table, a line each, in the dialects that people bring.

- TensorFlow Object Detection: `filename,width,height,class,xmin,ymin,xmax,ymax` (`xml_to_csv.py` of
  datitran/raccoon_dataset; Roboflow writes it as `_annotations.csv` into train, valid and test).
- RetinaNet: no header, `path,x1,y1,x2,y2,class`, a picture without objects as `path,,,,,`, and
  names and numbers of the classes in a file beside it (fizyr/keras-retinanet, README, "CSV
  datasets").
- Kaggle's tables: `image_id,width,height,bbox` with `[x, y, width, height]` (Global Wheat
  Detection), and `x, y, w, h` in columns of their own (makesense.ai: `bbox_x`, `bbox_width`).

Columns are told by their names, in any order and case. Coordinates are continuous pixels from 0, as
these tools take them: a box spans xmin to xmax. A table in which no number is above 1 holds
fractions of the picture, which is said. Pictures beside the table that no line names show nothing.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import NamedTuple

from core.common.errors import ImportFailed
from core.common.text import clean
from core.data.importers.boxes import Box
from core.data.importers.dataset import DataSet
from core.data.importers.formats.look import Look
from core.data.importers.formats.reading.pictures import Pictures
from core.data.importers.formats.reading.text_files import (
    cells_of,
    column,
    lines_of,
    number,
    table,
)
from core.data.importers.image_files import Folders, is_image
from core.data.importers.report import Watch
from core.data.importers.split_names import split_named, split_of_file

_IMAGE = ("filename", "imageid", "imagename", "imagepath", "filepath", "image", "file", "path",
          "img", "imagefilename", "imgname")  # fmt: skip
_CLASS = ("class", "classname", "label", "labelname", "category", "categoryname", "name")
# Numbers of classes, for a table that has no names.
_NUMBER = ("classid", "labelid", "categoryid", "classnumber", "classidx")
_SPLIT = ("split", "subset", "set", "usage")
_CORNERS = (
    ("xmin", "ymin", "xmax", "ymax"),
    ("x1", "y1", "x2", "y2"),
    ("left", "top", "right", "bottom"),
    ("bboxxmin", "bboxymin", "bboxxmax", "bboxymax"),
)
_SIDES = (
    ("bboxx", "bboxy", "bboxwidth", "bboxheight"),
    ("x", "y", "w", "h"),
    ("bboxleft", "bboxtop", "bboxwidth", "bboxheight"),
    ("xmin", "ymin", "boxwidth", "boxheight"),
    ("left", "top", "width", "height"),
    ("xmin", "ymin", "width", "height"),
    ("x", "y", "width", "height"),
)
_CENTRES = (
    ("xcenter", "ycenter", "width", "height"),
    ("xcenter", "ycenter", "w", "h"),
    ("centerx", "centery", "width", "height"),
    ("centerx", "centery", "w", "h"),
    ("cx", "cy", "w", "h"),
    ("cx", "cy", "width", "height"),
    ("xc", "yc", "w", "h"),
)
_SIZE = (("imagewidth", "imageheight"), ("imgwidth", "imgheight"), ("width", "height"))
# Lists of names, as labelImg and Darknet leave them.
_LISTS = frozenset({"classes.txt", "labels.txt", "names.txt", "obj.names", "classes.names"})
_OF_OPEN_IMAGES = ("imageid", "labelname", "xmin", "xmax", "ymin", "ymax")
# Of a table of one class that does not name it.
_ONLY = "object"


class _Columns(NamedTuple):
    """Where what stands in a row; `corners` tells whether the box ends at the last two, `centred`
    whether it is about the first two, `numbered` whether its class is a number without a name.
    """

    image: int
    label: int | None
    box: tuple[int, ...]
    corners: bool
    size: tuple[int, int] | None
    split: int | None
    centred: bool = False
    numbered: bool = False


# The table in which each box of a picture was met first.
Seen = dict[tuple[int, int, Box], Path]


class _Line(NamedTuple):
    place: int
    label: str | None
    box: Box | None
    size: tuple[float, float] | None
    split: str | None


def is_csv(look: Look) -> bool:
    """Whether there is a table of boxes: by its header, or by its first line of six cells."""
    return any(_columns_of(look.head(name)) is not None for name in look.ending(".csv", ".tsv"))


def read_csv(source: Path, watch: Watch) -> DataSet:
    """Read the tables of boxes at `source`, a CSV file or a folder with some.

    Raises `ImportFailed` when there is none, or one cannot be read.
    """
    pictures = Pictures("csv", source, watch)
    source, data = pictures.source, pictures.data
    files = [source] if source.is_file() else _files(source, pictures.folders)
    tables = []
    for file in files:
        head = Look(file).head(file.name)
        columns = _columns_of(head)
        if columns is not None:
            tables.append((file, columns, _has_header(head)))
        else:
            data.balance.leave(str(file), "no table of boxes")
    if not tables:
        raise ImportFailed(
            f"There is no table of boxes in '{clean(str(source))}'.",
            "A table has a line for each box: filename, class, xmin, ymin, xmax, ymax. Point at the"
            " CSV file or the folder that holds it.",
        )
    read = [(_Table(pictures, file, columns), header) for file, columns, header in tables]
    # The names of tables mean splits when one of them does.
    if any(one.split for one, _ in read):
        for one, _ in read:
            data.balance.split(one.file.name, one.split)
    # Who follows TensorFlow's guide has `x_labels.csv` of all and tables for training and testing
    # cut from it (datitran/raccoon_dataset, `data`): those know the splits.
    seen: Seen = {}
    for one, header in sorted(read, key=lambda pair: pair[0].split is None):
        one.read(header, seen if len(read) > 1 else None)
    pictures.rest_everywhere()
    data.group_copies()
    return data


def _files(source: Path, listed: Folders) -> list[Path]:
    found = listed.with_ending(source, ".csv", ".tsv")
    for folder in listed.subfolders(source):
        found += listed.with_ending(folder, ".csv", ".tsv")
    return found


def _has_header(head: str) -> bool:
    return _named(_first(head)) is not None


def _first(head: str) -> list[str]:
    line = next((line for line in head.splitlines() if line.strip()), "")
    return cells_of(line)


def _columns_of(head: str) -> _Columns | None:
    """Return the columns of a table of boxes by its beginning, None for any other text."""
    cells = _first(head)
    named = _named(cells)
    if named is not None:
        return named
    if len(cells) == 8 and is_image(cells[5]):
        # make-sense: class, x, y, width, height, picture, its width and height.
        boxes = [number(cell) for cell in (*cells[1:5], *cells[6:])]
        finite = all(map(math.isfinite, boxes))
        return _Columns(5, 0, (1, 2, 3, 4), False, (6, 7), None) if finite else None
    if len(cells) != 6:
        return None
    boxes = [number(cell) for cell in cells[1:5]]
    whole = all(map(math.isfinite, boxes)) and bool(cells[-1])
    if is_image(cells[0]) and (whole or not any(cells[1:])):
        return _Columns(0, 5, (1, 2, 3, 4), True, None, None)
    return None


def _named(cells: list[str]) -> _Columns | None:
    names = [column(cell) for cell in cells]
    at = {name: place for place, name in reversed(list(enumerate(names)))}
    image = next((at[name] for name in _IMAGE if name in at), None)
    if image is None:
        return None
    label = next((at[name] for name in _CLASS if name in at and at[name] != image), None)
    numbered = label is None
    if numbered:
        label = next((at[name] for name in _NUMBER if name in at), None)
    split = next((at[name] for name in _SPLIT if name in at), None)
    # Open Images' fractions have a reader of their own.
    if all(name in at for name in _OF_OPEN_IMAGES):
        return None
    for kind, choices in enumerate((_CORNERS, _SIDES, _CENTRES)):
        for choice in choices:
            if all(name in at for name in choice):
                box = tuple(at[name] for name in choice)
                size = _size(at, box)
                return _Columns(image, label, box, kind == 0, size, split, kind == 2, numbered)
    if "bbox" in at:
        size = _size(at, ())
        return _Columns(image, label, (at["bbox"],), False, size, split, numbered=numbered)
    return None


def _size(at: dict[str, int], box: tuple[int, ...]) -> tuple[int, int] | None:
    for names in _SIZE:
        if all(name in at and at[name] not in box for name in names):
            return at[names[0]], at[names[1]]
    return None


class _Table:
    def __init__(self, pictures: Pictures, file: Path, columns: _Columns) -> None:
        self.pictures = pictures
        self.data = pictures.data
        self.file = file
        self.columns = columns
        self.split = split_of_file(file)
        root = pictures.root
        bases = [file.parent, root]
        self.folders = [
            *bases,
            *(base / sub for base in bases for sub in ("images", "image", "JPEGImages", "data")),
            *(base / file.stem for base in bases),
        ]
        # The names of classes by their numbers, once they are asked for.
        self.names: list[str] | None = None
        self.unnamed = False
        self.numbers: set[int] = set()
        self.seen: Seen | None = None
        self.repeated = 0
        self.others: set[str] = set()

    def read(self, header: bool, seen: Seen | None) -> None:
        """Read the table's lines by picture, then take the pictures and their boxes.

        A box that another table has as well is taken once, which is noted; `seen` holds those.
        """
        self.seen = seen
        listed: dict[str, list[_Line]] = {}
        for place, row in table(self.file):
            if header:
                header = False
                continue
            name = self._cell(row, self.columns.image)
            if not name:
                self.data.problems.add("bad line", self._where(place), "it names no picture")
                continue
            listed.setdefault(name, []).append(self._line(place, row))
        if (
            self.names
            and self.numbers
            and (min(self.numbers), max(self.numbers))
            == (
                1,
                len(self.names),
            )
        ):
            self.data.balance.stop(
                f"The class numbers of '{clean(self.file.name)}' seem to begin at 1: the highest is"
                f" {len(self.names)}, the number after that of the last name, and none is 0.",
                "Put a name before the first one, or take 1 from the numbers.",
            )
        fractions = self._fractions(listed)
        for name, lines in listed.items():
            self._picture(name, lines, fractions)
        self.data.balance.use(str(self.file))
        if self.repeated:
            count = "1 box of it is" if self.repeated == 1 else f"{self.repeated:,} boxes of it are"
            names = ", ".join(f"'{name}'" for name in sorted(self.others)[:3])
            detail = f"{count} in {names} too, and taken once"
            self.data.problems.add("boxes in two tables", self.file.name, detail, "kept")

    def _again(self, key: tuple[int, int, Box]) -> bool:
        """Whether another table has this box of this picture."""
        if self.seen is None:
            return False
        first = self.seen.setdefault(key, self.file)
        if first != self.file:
            self.repeated += 1
            self.others.add(first.name)
        return first != self.file

    def _where(self, place: int) -> str:
        return f"{self.file.name}: line {place}"

    @staticmethod
    def _cell(row: list[str], place: int | None) -> str:
        return row[place] if place is not None and place < len(row) else ""

    def _line(self, place: int, row: list[str]) -> _Line:
        columns = self.columns
        cells = [self._cell(row, at) for at in columns.box]
        label: str | None = self._cell(row, columns.label) if columns.label is not None else _ONLY
        if columns.numbered and label and columns.label is not None:
            label = self._name_of(label)
        size = None
        if columns.size is not None:
            size = (number(self._cell(row, columns.size[0])),
                    number(self._cell(row, columns.size[1])))  # fmt: skip
        split = split_named(self._cell(row, columns.split)) if columns.split is not None else None
        if not any(cells):
            return _Line(place, None, None, size, split)
        if len(cells) == 1:
            cells = re.findall(r"[^\s,;\[\]()]+", cells[0])
            cells = cells if len(cells) == 4 else [""] * 4
        first, second, third, fourth = map(number, cells)
        if columns.corners:
            third, fourth = third - first, fourth - second
        if columns.centred:
            first, second = first - third / 2, second - fourth / 2
        return _Line(place, label, (first, second, third, fourth), size, split)

    def _name_of(self, number_: str) -> str:
        """Return the name of a class that the table has by its number alone.

        It is looked up in a list of names beside the table, from 0, and else `class_1`.
        """
        if self.names is None:
            self.names = self._list_of_names()
        value = number(number_)
        if not value.is_integer():
            return number_
        place = int(value)
        self.numbers.add(place)
        if 0 <= place < len(self.names):
            return self.names[place]
        if not self.unnamed:
            detail = "its classes are numbers without names, and called class_0, class_1, …"
            self.data.problems.add("no names", self.file.name, detail, "kept")
        self.unnamed = True
        return f"class_{place}"

    def _list_of_names(self) -> list[str]:
        for folder in dict.fromkeys((self.file.parent, self.pictures.root)):
            for file in self.pictures.folders.with_ending(folder, ".txt", ".names"):
                if file.name.lower() in _LISTS and (lines := lines_of(file)) is not None:
                    self.data.balance.describe(file)
                    return [line.strip() for line in lines if line.strip()]
        return []

    def _fractions(self, listed: dict[str, list[_Line]]) -> bool:
        boxes = [line.box for lines in listed.values() for line in lines if line.box]
        finite = [box for box in boxes if all(map(math.isfinite, box))]
        ends = [value for x, y, w, h in finite for value in (x, y, x + w, y + h)]
        # Whole numbers of 0 and 1 would be boxes of a pixel.
        fractions = (
            bool(ends)
            and max(ends) <= 1.0001
            and min(ends) >= -0.0001
            and any(value not in (0.0, 1.0) for value in ends)
        )
        if fractions:
            self.data.problems.add(
                "fractions", self.file.name, "its boxes are fractions of the pictures' size", "kept"
            )
        return fractions

    def _picture(self, name: str, lines: list[_Line], fractions: bool) -> None:
        """Take a picture and its boxes."""
        balance, problems = self.data.balance, self.data.problems
        where = self._where(lines[0].place)
        found = None if is_image(name) else self.pictures.with_stem(name, self.folders)
        split = next((line.split for line in lines if line.split), self.split)
        found = found or self.pictures.find([name], self.folders, where, split=split)
        for _ in lines:
            balance.line(found is not None)
        if found is None:
            return
        # Fractions are of the picture that lies there, whatever the table says of its size.
        size = None if fractions else lines[0].size
        image = self.pictures.take(found, split, where, size=size)
        if image is None:
            return
        width, height = self.pictures.size(image)
        for line in lines:
            if line.box is None:
                continue
            where = self._where(line.place)
            if not all(map(math.isfinite, line.box)):
                balance.found()
                problems.add("bad line", where, "its box is not four numbers")
                continue
            label = self.pictures.label(line.label or "", where)
            if label is not None and self._again((image, label, line.box)):
                continue
            balance.found()
            if label is None:
                continue
            x, y, w, h = line.box
            box = (x * width, y * height, w * width, h * height) if fractions else line.box
            self.data.box(image, label, box, where, corners=self.columns.corners)
