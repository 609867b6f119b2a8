"""DOTA: a text file for each picture in `labelTxt` beside `images`, with boxes that are turned.

Two lines may come first (`imagesource:GoogleEarth`, `gsd:0.146`); a line is eight coordinates in
pixels, the class, and how difficult it is, 0 to 2, which may be missing (CAPTAIN-WHU/DOTA_devkit
at 097c901, `dota_utils.parse_dota_poly`). The upright box around the corners is taken (its
`dots4ToRec4` does the same), and the corners are kept as a polygon: this is said.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

from core.common.errors import ImportFailed
from core.common.text import clean
from core.data.importers.boxes import around
from core.data.importers.dataset import DataSet
from core.data.importers.formats.look import Look
from core.data.importers.formats.reading.label_files import looks_like, read_folder
from core.data.importers.formats.reading.pictures import Pictures, as_json, polygon_json
from core.data.importers.formats.reading.text_files import number
from core.data.importers.image_files import Folders
from core.data.importers.report import Watch
from core.data.importers.split_names import split_named, split_of

_HEADER = re.compile(r"\s*(imagesource|gsd|acquisition dates)\s*:", re.IGNORECASE).match
_LABELS = re.compile(r"labeltxt.*|labels?|annfiles|hbb|obb", re.IGNORECASE).fullmatch


def is_dota(look: Look) -> bool:
    """Whether a text file has eight numbers and then a name on its lines."""
    names = {part.lower() for name in look.names for part in name.split("/")[:-1]}
    folders = tuple(name for name in names if _LABELS(name))
    return looks_like(look, folders, lambda line: _row(line) is not None, header=_HEADER)


def read_dota(source: Path, watch: Watch) -> DataSet:
    """Read the DOTA data set in the folder `source`. Raises `ImportFailed` when there is none."""
    pictures = Pictures("dota", source, watch, folder=True)
    source, data = pictures.source, pictures.data
    groups = _groups(source, pictures.folders)
    if not groups:
        raise ImportFailed(
            f"There are no DOTA labels in '{clean(str(source))}'.",
            "A DOTA data set is a folder with labelTxt and images, or train and val with these.",
        )
    for labels, images, split in groups:
        data.balance.split(labels.parent.name, split)
        read_folder(pictures, labels, images, split, _line, header=_HEADER)
    read = {labels for labels, _, _ in groups}
    for folder in {labels.parent for labels in read if _LABELS(labels.name)}:
        for other in pictures.folders.subfolders(folder):
            if _LABELS(other.name) and other not in read:
                for file in pictures.folders.with_ending(other, ".txt"):
                    data.balance.leave(str(file), f"its picture has labels in '{other.name}'")
    if data.segmentation:
        data.problems.add(
            "turned boxes",
            clean(source.name),
            f"{len(data.segmentation):,} are taken as the upright boxes around them; their corners"
            " are kept as polygons",
            "kept",
        )
    return data


def _groups(source: Path, listed: Folders) -> list[tuple[Path, list[Path], str | None]]:
    found: list[tuple[Path, list[Path], str | None]] = []
    read: set[Path] = set()
    for folder in [source, *listed.subfolders(source)]:
        if folder in read:
            continue
        split = split_named(folder.name)
        inner = listed.subfolders(folder)
        images = [
            sub for sub in inner if sub.name.lower() in ("images", "image", "img", "imgs", "part1")
        ]
        named = sorted(sub for sub in inner if _LABELS(sub.name))
        # DOTA 1.5's labels beside those of 1.0: one of them. None is a folder of pictures too.
        before = len(found)
        for labels in named[:1]:
            below = [sub for sub in listed.subfolders(labels) if split_named(sub.name)]
            if listed.with_ending(labels, ".txt"):
                found.append((labels, [*images, folder, labels], split))
            for sub in below:
                places = [image / sub.name for image in images] or [folder]
                found.append((sub, places, split_named(sub.name)))
        if not named and listed.with_ending(folder, ".txt") and _has_rows(folder, listed):
            found.append((folder, [folder, *images], split or split_of(folder.name)))
        if len(found) > before:
            read.update(named)
    return found


def _has_rows(folder: Path, listed: Folders) -> bool:
    first = listed.with_ending(folder, ".txt")[0]
    return is_dota(Look(first))


def _line(pictures: Pictures, image: int, line: str, where: str) -> None:
    data = pictures.data
    row = _row(line)
    if row is None:
        data.problems.add("bad line", where, f"not eight numbers and a name: {line[:80]}")
        return
    points, name, difficult = row
    label = pictures.label(name, where)
    if label is None:
        return
    extra: dict[str, object] = {"difficult": difficult} if difficult else {}
    data.box(
        image,
        label,
        around(points),
        where,
        segmentation=polygon_json(points),
        extra=as_json(extra),
    )


def _row(line: str) -> tuple[list[float], str, int] | None:
    """Return corners (x, y, x, y, …), class and difficulty of a line, None for any other."""
    words = line.replace(",", " ").split()
    points = [number(word) for word in words[:8]]
    if len(words) < 9 or not all(map(math.isfinite, points)):
        return None
    rest = words[8:]
    # VATIC's lines are nine numbers and a name in quotes: the class would come ninth.
    if math.isfinite(number(rest[0])):
        return None
    last = number(rest[-1])
    difficult = int(last) if len(rest) > 1 and last in (0, 1, 2) else 0
    if len(rest) > 1 and last in (0, 1, 2):
        rest = rest[:-1]
    return points, " ".join(rest), difficult
