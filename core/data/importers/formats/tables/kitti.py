"""KITTI: a text file for each picture, in `label_2` beside `image_2`, in `training` and `testing`.

A line is type, truncated, occluded, alpha, left, top, right, bottom, three dimensions, three of a
location, rotation, and of results a score: 15 or 16 values. Corners are pixels from 0 (KITTI object
development kit, readme.txt: "0-based index"); its evaluation takes right - left for a box's width
(`evaluate_object.cpp`, `boxoverlap`). `DontCare` marks regions that were not labelled, of any
class: they are left out, which is said. NVIDIA TAO calls the folders `images` and `labels`.
"""

from __future__ import annotations

import math
from pathlib import Path

from core.common.errors import ImportFailed
from core.common.text import clean
from core.data.importers.dataset import DataSet
from core.data.importers.formats.look import Look
from core.data.importers.formats.reading.label_files import looks_like, read_folder
from core.data.importers.formats.reading.pictures import Pictures, as_json
from core.data.importers.formats.reading.text_files import number
from core.data.importers.image_files import Folders
from core.data.importers.report import Watch
from core.data.importers.split_names import split_named

# Folders of labels, and where their pictures lie beside them.
_LABELS = {
    "label_2": ("image_2",),
    "label_02": ("image_02",),
    "labels": ("images", "image"),
    "label": ("image", "images"),
}
# After the name; results have a score as well.
_VALUES = (15, 14)


def is_kitti(look: Look) -> bool:
    """Whether text files in a folder for labels have KITTI's 15 values, a word before numbers."""
    return looks_like(look, tuple(_LABELS), _is_line)


def read_kitti(source: Path, watch: Watch) -> DataSet:
    """Read the KITTI data set in the folder `source`. Raises `ImportFailed` when there is none."""
    pictures = Pictures("kitti", source, watch, folder=True)
    source, data = pictures.source, pictures.data
    groups = _groups(source, pictures.folders)
    if not groups:
        raise ImportFailed(
            f"There are no KITTI labels in '{clean(str(source))}'.",
            "A KITTI data set has training/label_2/*.txt and training/image_2.",
        )
    for folder, labels, split in groups:
        above = folder if split_named(folder.name) else folder.parent
        data.balance.split(above.name, split)
        if labels is None:
            pictures.rest(folder, split)
        else:
            read_folder(pictures, labels, [folder], split, _line)
    return data


def _groups(source: Path, listed: Folders) -> list[tuple[Path, Path | None, str | None]]:
    """Return folders of pictures, each with that of its labels and its split."""
    found: list[tuple[Path, Path | None, str | None]] = []
    above = [source, *listed.subfolders(source)]
    above += [sub for folder in above[1:] for sub in listed.subfolders(folder)]
    for folder in above:
        inner = {sub.name.lower(): sub for sub in listed.subfolders(folder)}
        split = split_named(folder.name)
        for name, beside in _LABELS.items():
            images = next((inner[image] for image in beside if image in inner), None)
            if images is None:
                continue
            labels = inner.get(name)
            if labels is not None and listed.with_ending(labels, ".txt"):
                found.append((images, labels, split))
                break
            if labels is None and name == "label_2":
                # The test set has pictures only.
                found.append((images, None, split))
                break
            if labels is not None:
                # Splits below: labels/train beside images/train.
                parts = {sub.name.lower(): sub for sub in listed.subfolders(images)}
                found += [
                    (parts[sub.name.lower()], sub, split_named(sub.name))
                    for sub in listed.subfolders(labels)
                    if sub.name.lower() in parts
                ]
                break
    if not found and listed.with_ending(source, ".txt"):
        found.append((source, source, split_named(source.name)))
    return found if any(labels for _, labels, _ in found) else []


def _line(pictures: Pictures, image: int, line: str, where: str) -> None:
    data = pictures.data
    parts = _parts(line)
    if parts is None:
        data.problems.add("bad line", where, f"not a name and 14 numbers: {line[:80]}")
        return
    name, values = parts
    if name.replace(" ", "").lower() == "dontcare":
        data.problems.add("ignored region", where, "DontCare is a region of no class")
        return
    truncated, occluded, _, left, top, right, bottom = values[:7]
    label = pictures.label(name, where)
    if label is None:
        return
    extra: dict[str, object] = {}
    if truncated > 0:
        extra["truncated"] = truncated
    if occluded > 0:
        extra["occluded"] = int(occluded)
    box = (left, top, right - left, bottom - top)
    data.box(image, label, box, where, extra=as_json(extra), corners=True)


def _is_line(line: str) -> bool:
    """Whether it is a line of KITTI's beyond doubt: its name is no number."""
    parts = _parts(line)
    return parts is not None and not math.isfinite(number(parts[0].split()[0]))


def _parts(line: str) -> tuple[str, list[float]] | None:
    """Return the name and the numbers of a line, None when it is none of KITTI's.

    Some write names of several words: the numbers are the last.
    """
    words = line.split()
    if len(words) in (15, 16):
        values = [number(word) for word in words[1:]]
        if all(map(math.isfinite, values)):
            return words[0], values
    for count in _VALUES:
        values = [number(word) for word in words[-count:]]
        if len(words) > count and all(map(math.isfinite, values)):
            return " ".join(words[:-count]), values
    return None
