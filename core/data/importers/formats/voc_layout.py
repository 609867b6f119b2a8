"""Where Pascal VOC data sets keep their XML files, their images and the names of their splits.

The kit has `Annotations`, `JPEGImages` and lists in `ImageSets/Main`. CVAT writes folders below
these, and its own subsets' names (`Train.txt`, `default.txt`; datumaro,
`plugins/data_formats/voc/exporter.py` at 0848abd); Roboflow XML beside the images in `train`,
`valid` and `test`; others XML in `labels`, or `Annotations/train`. XML files that lie elsewhere are
read too, so that none is passed over.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

from core.common.errors import ImportFailed
from core.common.text import clean
from core.data.importers.coco.layout import what_is_there
from core.data.importers.dataset import DataSet
from core.data.importers.formats.reading.text_files import decoded
from core.data.importers.image_files import Folders, is_image, letters, walk
from core.data.importers.split_names import split_named, unites

LOOKED_FOR = (
    "A Pascal VOC data set is a folder with Annotations and JPEGImages, or a folder with XML files"
    " beside their images, or train, valid and test folders of these."
)
_ANNOTATIONS = ("annotations", "annotation", "xml", "xmls", "labels", "label")
_IMAGES = ("jpegimages", "images", "imgs", "image")
# A line of a class's list: a name, and whether the image shows the class.
_FLAG = re.compile(r"\s+(-1|0|1)$")


class Group(NamedTuple):
    """XML files below one folder, the folders of their images, and the split, or splits by name.

    `files` are relative paths; `splits` are by `key_of` a path, None for one in a list of no split.
    """

    annotations: Path
    files: list[str]
    images: list[Path]
    split: str | None
    splits: dict[str, str | None]
    prefix: str


def find(source: Path, folders: Folders, data: DataSet) -> list[Group]:
    """Return the XML files of the data set in `source`, and where their images may lie.

    Raises `ImportFailed` that says what was looked for and what is there instead.
    """
    if source.is_file():
        name = clean(source.name)
        raise ImportFailed(
            f"'{name}' is one file: Pascal VOC has one for each picture.",
            "Name the folder that holds them and the pictures.",
        )
    if not source.is_dir():
        raise ImportFailed(f"There is no folder '{clean(str(source))}'.", "Check the path.")
    groups = _groups(source, folders, data, None, "")
    for folder in [] if groups else folders.subfolders(source):
        split = split_named(folder.name)
        if split is not None and (found := _groups(folder, folders, data, split, "")):
            data.balance.split(folder.name, split)
            groups += found
    if not groups:
        years = folders.subfolders(source)
        for kit in [folder for folder in years if folder.name.lower() == "vocdevkit"]:
            years += folders.subfolders(kit)
        for folder in years:
            if folder.name.lower().startswith("voc"):
                groups += _groups(folder, folders, data, None, f"{folder.name}/")
    groups = groups if len(groups) != 1 else [groups[0]._replace(prefix="")]
    taken = {f"{group.annotations}/{file}" for group in groups for file in group.files}
    others = [file for file in _xml_below(source) if f"{source}/{file}" not in taken]
    if others:
        images = [place for group in groups for place in group.images[:1]]
        splits = {} if groups else _image_sets(source, folders, data)
        groups.append(Group(source, others, [*images, source], None, splits, ""))
    if not groups:
        there = what_is_there(source, folders)
        raise ImportFailed(
            f"There are no Pascal VOC annotations in '{clean(str(source))}': {there}", LOOKED_FOR
        )
    return groups


def _groups(
    folder: Path, folders: Folders, data: DataSet, split: str | None, prefix: str
) -> list[Group]:
    inner = {sub.name.lower(): sub for sub in folders.subfolders(folder)}
    images = [inner[name] for name in _IMAGES if name in inner]
    for name in _ANNOTATIONS:
        if name in inner and (files := _xml_below(inner[name])):
            splits = {} if split else _image_sets(folder, folders, data)
            places = [*images, folder, inner[name]]
            return [Group(inner[name], files, places, split, splits, prefix)]
    files = [path.name for path in folders.with_ending(folder, ".xml")]
    if files:
        splits = {} if split else _image_sets(folder, folders, data)
        return [Group(folder, files, [folder, *images], split, splits, prefix)]
    return []


def _xml_below(folder: Path) -> list[str]:
    return walk(folder, lambda name: name.lower().endswith(".xml"))


def _image_sets(folder: Path, folders: Folders, data: DataSet) -> dict[str, str | None]:
    """Return the splits of `ImageSets/Main` by the images' paths without their endings.

    An image that only lists of other names have, such as CVAT's `default.txt`, is in none.
    """
    places: list[str] = []
    for below in ("ImageSets/Main", "ImageSets"):
        places += [f"{folder}/{below}", *folders.alike(str(folder), below)]
    splits: dict[str, str | None] = {}
    place = next((place for place in places if folders.files(place)), None)
    names = [name for name in folders.files(place or "") if name.lower().endswith(".txt")]
    for name in sorted(names, key=lambda name: (unites(name), name)):
        path = f"{place}/{name}"
        stem = os.path.splitext(name)[0]  # noqa: PTH122
        split = split_named(stem)
        try:
            lines = decoded(Path(path).read_bytes(), "replace").splitlines()
        except OSError as error:
            data.problems.add("unreadable list", name, error.strerror or "it cannot be read")
            data.balance.leave(path, "it cannot be read")
            continue
        data.balance.describe(path)
        lines = [line.strip() for line in lines if line.strip()]
        if split is None and any(map(_FLAG.search, lines)):
            continue  # `car_train.txt`: whether each image shows a car.
        data.balance.split(stem, split)
        for line in lines:
            key = _listed(_FLAG.sub("", line))
            before = splits.get(key)
            splits[key] = before or split
            if before and split and before != split and not unites(stem):
                detail = f"it is in {before}, where another list has it"
                data.problems.add("image listed twice", f"{name}: {line}", detail, "kept")
    return splits


def _listed(line: str) -> str:
    """Return what the picture that a line of a list names is told by, see `key_of`.

    Lists made by hand have its path in the set, of which the folder that holds all goes.
    """
    key = key_of(line)
    parts = key.split("/")
    known = [place for place, part in enumerate(parts[:-1]) if part in (*_ANNOTATIONS, *_IMAGES)]
    return "/".join(parts[known[-1] + 1 :]) if known else key


def key_of(name: str) -> str:
    """Return what a picture is told by in lists: its path's letters, without a file's ending.

    The kit's lists have no endings; lists made by hand name the picture or its XML file.
    """
    name = name.replace("\\", "/").removeprefix("./")
    ended = is_image(name) or name.lower().endswith(".xml")
    return letters(os.path.splitext(name)[0] if ended else name)  # noqa: PTH122
