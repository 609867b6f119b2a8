"""Open Images: boxes as fractions in a CSV table, and names of the classes in another.

- The files as published: `train-annotations-bbox.csv` or `oidv6-train-annotations-bbox.csv` with
  ImageID, LabelName (`/m/0k4j`), XMin, XMax, YMin, YMax from 0 to 1, and IsOccluded, IsTruncated,
  IsGroupOf, IsDepiction, IsInside as 1, 0 or -1 for unknown; `class-descriptions-boxable.csv`, of
  two columns, without a header up to V6 and with one in V7 (storage.googleapis.com/openimages/web/
  download_v7.html). Pictures are called by their ids.
- As FiftyOne lays them out: `train/data`, `train/labels/detections.csv`,
  `train/metadata/classes.csv`.
- As the OIDv4 toolkit does: `Dataset/train/Apple/*.jpg` and `Label/*.txt` in each class's folder, a
  line the name and left, top, right, bottom in pixels. The same picture lies in several folders.

A box that is `IsGroupOf` is a crowd region. Lines whose picture was not downloaded are counted.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

from core.common.errors import ImportFailed
from core.common.text import clean
from core.data.importers.dataset import DataSet
from core.data.importers.formats.look import Look
from core.data.importers.formats.reading.pictures import Pictures, as_json
from core.data.importers.formats.reading.text_files import cells_of, column, lines_of, number, table
from core.data.importers.image_files import Folders, is_image, walk
from core.data.importers.report import Watch
from core.data.importers.split_names import split_named, split_of

_NEEDED = ("imageid", "labelname", "xmin", "xmax", "ymin", "ymax")
_MARKS = {"isoccluded": "occluded", "istruncated": "truncated", "isdepiction": "depiction",
          "isinside": "inside"}  # fmt: skip
_NAMES = ("class-descriptions", "classes.csv")


def is_open_images(look: Look) -> bool:
    """Whether there is a table with Open Images' columns, or the OIDv4 toolkit's text files."""
    if any(_columns(look.head(name)) for name in look.ending(".csv")):
        return True
    texts = [name for name in look.ending(".txt") if name.split("/")[-2:-1] == ["Label"]]
    heads = (look.head(name).splitlines() for name in texts[:20])
    first = next((lines[0] for lines in heads if lines), "")
    return _toolkit_row(first) is not None


def read_open_images(source: Path, watch: Watch) -> DataSet:
    """Read the tables of boxes at `source`, a folder or one of them.

    Raises `ImportFailed` when there is none, or no table names the classes.
    """
    pictures = Pictures("open-images", source, watch)
    source, data = pictures.source, pictures.data
    root = pictures.root
    below = walk(root, lambda name: name.lower().endswith((".csv", ".txt")))
    tables = [root / name for name in below if name.lower().endswith(".csv")]
    boxes = [file for file in tables if _columns(Look(file).head(file.name))]
    boxes = [source] if source.is_file() else boxes
    if boxes:
        names = _names(pictures, tables)
        for file in tables if source.is_dir() else ():
            if file not in boxes and str(file) not in data.balance.described:
                data.balance.leave(str(file), "no table of boxes")
        for file in boxes:
            _Boxes(pictures, file, names, root).read()
        pictures.rest_everywhere()
        return data
    texts = [root / name for name in below if Path(name).parent.name == "Label"]
    if not texts:
        raise ImportFailed(
            f"There is no table of boxes in '{clean(str(source))}'.",
            "Open Images has train-annotations-bbox.csv and class-descriptions-boxable.csv; put"
            " them beside the folders of pictures.",
        )
    _toolkit(pictures, texts)
    return data


def _columns(head: str) -> dict[str, int]:
    names = [column(cell) for cell in cells_of(head.split("\n", 1)[0])]
    at = {name: place for place, name in enumerate(names)}
    return at if all(name in at for name in _NEEDED) else {}


def _names(pictures: Pictures, tables: list[Path]) -> dict[str, str]:
    """Return the classes' names by their codes, such as `/m/0k4j`."""
    names: dict[str, str] = {}
    for file in tables:
        if any(part in file.name.lower() for part in _NAMES):
            rows = [row for _, row in table(file) if len(row) == 2]
            found = {row[0]: row[1] for row in rows if row[0].startswith("/")}
            if found:
                pictures.data.balance.describe(file)
                for code, name in found.items():
                    names.setdefault(code, name)
    return names


class _Boxes:
    def __init__(self, pictures: Pictures, file: Path, names: dict[str, str], root: Path) -> None:
        self.pictures = pictures
        self.data = pictures.data
        self.file = file
        self.names = names
        self.columns = _columns(Look(file).head(file.name))
        above = file.parent
        self.split = (
            split_of(file.stem) or split_named(above.name) or split_named(above.parent.name)
        )
        self.data.balance.split(file.name, self.split)
        self.folders = self._folders(pictures.folders, root)
        # The folder of each picture that is there; None is one of the millions that are not.
        self.images: dict[str, int | None] = {}
        self.unnamed: set[str] = set()

    def _folders(self, listed: Folders, root: Path) -> list[Path]:
        """Return the folders in which pictures of this table may lie."""
        above = self.file.parent
        places = [above, root, above.parent, root.parent] if above != root else [root]
        same = [
            sub
            for place in places[:3]
            for sub in listed.subfolders(place)
            if split_named(sub.name) == self.split and self.split
        ]
        places = [*same, *places[:3]]
        parts = ("data", "images", "image")
        inner = [place / part for place in places for part in parts]
        # Datumaro and CVAT, which uses it, put them into images/train.
        by_split = [
            sub
            for folder in inner
            if folder.is_dir()
            for sub in listed.subfolders(folder)
            if split_named(sub.name) == self.split and self.split
        ]
        return [*places, *inner, *by_split]

    def read(self) -> None:
        """Read the lines one by one, for there may be fifteen million."""
        data = self.data
        first = True
        for place, row in table(self.file):
            if first:
                first = False
                continue
            image = self._image(row, place)
            data.balance.line(image is not None)
            if image is not None:
                data.balance.found()
                self._box(image, row, f"{self.file.name}: line {place}")
        data.balance.use(str(self.file))
        if self.unnamed:
            data.problems.add(
                "class without a name",
                self.file.name,
                f"{len(self.unnamed)} have none in class-descriptions-boxable.csv and are called by"
                f" their codes, such as {min(self.unnamed)}",
                "kept",
            )

    def _image(self, row: list[str], place: int) -> int | None:
        at = self.columns["imageid"]
        name = row[at] if at < len(row) else ""
        if name not in self.images:
            # An id has no ending; tools that write this format put file names (FiftyOne does not,
            # rafaelpadilla/review_object_detection_metrics does).
            file = is_image(name)
            stem = os.path.splitext(name)[0] if file else name  # noqa: PTH122 (a million times)
            found = self.pictures.with_stem(stem, self.folders) if name else None
            where = f"{self.file.name}: line {place}"
            if found is None:
                self.pictures.missing(where, name if file else f"{name}.jpg")
                self.images[name] = None
            else:
                self.images[name] = self.pictures.take(found, self.split, where)
        return self.images[name]

    def _box(self, image: int, row: list[str], where: str) -> None:
        at = self.columns
        if len(row) <= max(at[name] for name in _NEEDED):
            self.data.problems.add("bad line", where, ",".join(row)[:80])
            return
        left, right, top, bottom = (number(row[at[name]]) for name in _NEEDED[2:])
        if not all(map(math.isfinite, (left, right, top, bottom))):
            self.data.problems.add("bad line", where, "its box is not four numbers")
            return
        code = row[at["labelname"]]
        name = self.names.get(code)
        if name is None and code.startswith("/"):
            self.unnamed.add(code)
        label = self.pictures.label(name or code, where)
        if label is None:
            return
        width, height = self.pictures.size(image)
        extra: dict[str, object] = {
            ours: True for theirs, ours in _MARKS.items() if self._is(row, theirs)
        }
        box = (left * width, top * height, (right - left) * width, (bottom - top) * height)
        crowd = int(self._is(row, "isgroupof"))
        self.data.box(image, label, box, where, iscrowd=crowd, extra=as_json(extra), corners=True)

    def _is(self, row: list[str], name: str) -> bool:
        at = self.columns.get(name)
        return at is not None and at < len(row) and row[at].lower() in ("1", "true")


def _toolkit(pictures: Pictures, texts: list[Path]) -> None:
    """Read the text files of the OIDv4 toolkit; a picture of several classes lies several times."""
    data = pictures.data
    seen: dict[tuple[str | None, str], int | None] = {}
    for file in sorted(texts):
        folder = file.parent.parent
        split = split_named(folder.parent.name)
        data.balance.split(folder.parent.name, split)
        lines = lines_of(file)
        found = pictures.with_stem(file.stem, [folder])
        if lines is None or found is None:
            why = "it is no text" if lines is None else "its image is not there"
            (data.balance.leave if lines is None else data.balance.miss)(str(file), why)
            data.problems.add("missing image", f"{folder.name}/Label/{file.name}", why)
            continue
        key = (split, file.stem)
        where = f"{folder.name}/Label/{file.name}"
        if key not in seen:
            seen[key] = pictures.take(found, split, where)
        image = seen[key]
        if image is None:
            data.balance.leave(str(file), "its image cannot be read")
            continue
        data.balance.use(str(file))
        for place, line in enumerate(lines, 1):
            if not line.strip():
                continue
            data.balance.found()
            row = _toolkit_row(line)
            at = f"{where}: line {place}"
            if row is None:
                data.problems.add("bad line", at, line[:80])
                continue
            name, (left, top, right, bottom) = row
            label = pictures.label(name, at)
            if label is not None:
                box = (left, top, right - left, bottom - top)
                data.box(image, label, box, at, corners=True)


def _toolkit_row(line: str) -> tuple[str, list[float]] | None:
    words = line.split()
    values = [number(word) for word in words[-4:]]
    if len(words) < 5 or not all(map(math.isfinite, values)):
        return None
    return None if math.isfinite(number(words[0])) else (" ".join(words[:-4]), values)
