"""WIDER FACE: `wider_face_split/wider_face_train_bbx_gt.txt` and pictures in `WIDER_train/images`.

For each picture its path, the number of its faces, and a line for each: x, y, width, height, blur,
expression, illumination, invalid, occlusion, pose (readme.txt of wider_face_split). A picture of 0
faces has one line of zeros all the same. Faces marked invalid are too poor to be counted: they are
taken as regions that count neither way (`iscrowd`), as the benchmark's evaluation ignores them.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

from core.common.errors import ImportFailed
from core.common.text import clean
from core.data.importers.dataset import DataSet
from core.data.importers.formats.look import Look
from core.data.importers.formats.reading.pictures import Pictures, as_json
from core.data.importers.formats.reading.text_files import lines_of, number
from core.data.importers.image_files import Folders, is_image
from core.data.importers.report import Watch
from core.data.importers.split_names import split_named, split_of

_MARKS = ("blur", "expression", "illumination", "invalid", "occlusion", "pose")
_FILE = re.compile(r".*_bbx_gt\.txt", re.IGNORECASE).fullmatch


def is_wider_face(look: Look) -> bool:
    """Whether a text file begins with a picture's path, a count, and a line of numbers."""
    for name in look.ending(".txt")[:100]:
        lines = [line.strip() for line in look.head(name).splitlines()[:3]]
        if len(lines) == 3 and is_image(lines[0]) and lines[1].isdigit():
            return len(lines[2].split()) in (4, 10) and _values(lines[2]) is not None
    return False


def read_wider_face(source: Path, watch: Watch) -> DataSet:
    """Read the lists of faces at `source`, a folder or one of them.

    Raises `ImportFailed` when there is none.
    """
    pictures = Pictures("wider-face", source, watch)
    source, data = pictures.source, pictures.data
    files = [source] if source.is_file() else _files(source, pictures.folders)
    if not files:
        raise ImportFailed(
            f"There is no list of faces in '{clean(str(source))}'.",
            "WIDER FACE has wider_face_split/wider_face_train_bbx_gt.txt, and WIDER_train/images"
            " beside that folder.",
        )
    for file in files:
        split = split_of(file.stem)
        data.balance.split(file.name, split)
        _file(pictures, file, split)
    return data


def _files(source: Path, listed: Folders) -> list[Path]:
    places = [source, *listed.subfolders(source)]
    texts = [file for place in places for file in listed.with_ending(place, ".txt")]
    exact = [file for file in texts if _FILE(file.name)]
    return exact or [file for file in texts if is_wider_face(Look(file))]


def _roots(file: Path, split: str | None) -> list[Path]:
    """Return the folders below which the pictures of a list may lie."""
    roots = []
    for above in (file.parent, file.parent.parent):
        for part in (f"WIDER_{name}" for name in ("train", "val", "test")):
            if split_named(part[6:]) == split or split is None:
                roots += [above / part / "images", above / part]
        roots += [above / "images", above]
    return roots


def _file(pictures: Pictures, file: Path, split: str | None) -> None:
    data = pictures.data
    lines = lines_of(file)
    if lines is None:
        data.balance.leave(str(file), "it is no text")
        data.problems.add("unreadable label file", file.name, "it is no text")
        return
    data.balance.use(str(file))
    roots = _roots(file, split)
    place = 0
    while place < len(lines):
        name, place = lines[place].strip(), place + 1
        if not name:
            continue
        where = f"{file.name}: line {place}"
        if not is_image(name):
            data.problems.add("bad line", where, f"not a picture's name: {name[:80]}")
            continue
        count = int(text) if place < len(lines) and (text := lines[place].strip()).isdigit() else -1
        first = place + 1
        rows = []
        for at in range(first, min(first + max(count, 1), len(lines))):
            if is_image(lines[at].strip()):
                break
            rows.append((at + 1, lines[at]))
        place = first + len(rows) if count >= 0 else place
        if count < 0 or len(rows) < count:
            problem = f"{max(count, 0)} faces are told, and {len(rows)} lines follow"
            data.problems.add("bad line", where, problem, "kept" if count >= 0 else "left out")
        if count == 0:
            rows = []
        found = pictures.find([name], roots, where)
        data.balance.line(found is not None)
        if found is None:
            continue
        # The folder of the event is part of the name: `0--Parade/0_Parade_1.jpg`.
        image = pictures.take(found, split, where, name="/".join(name.split("/")[-2:]))
        if image is not None:
            data.balance.found(len(rows))
            for at, row in rows:
                _face(pictures, image, row, f"{file.name}: line {at}")


def _face(pictures: Pictures, image: int, line: str, where: str) -> None:
    data = pictures.data
    values = _values(line)
    if values is None:
        data.problems.add("bad line", where, line[:80])
        return
    x, y, w, h, *marks = values
    extra: dict[str, object] = {
        name: int(value) for name, value in zip(_MARKS, marks, strict=False) if value
    }
    invalid = int("invalid" in extra)
    data.box(image, data.label("face"), (x, y, w, h), where, iscrowd=invalid, extra=as_json(extra))


def _values(line: str) -> list[float] | None:
    values = [number(word) for word in line.split()]
    return values if 4 <= len(values) <= 10 and all(map(math.isfinite, values)) else None
