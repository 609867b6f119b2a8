"""The splits of a YOLO set that no `data.yaml` describes, told from its folders and lists.

Lists (`train.txt`, `Validation.txt`, `ImageSets/val.txt`) come first, then folders with a split's
name: `train/images` (Roboflow), `images/train` (Ultralytics), `train` with the pictures and their
labels in it (Roboflow's Darknet export), `obj_train_data` (CVAT), at most three folders deep. What
is labelled and lies elsewhere is in no split. Without any of these, all pictures are in no split.

Darknet's `obj.data` (`key = value` lines, `read_data_cfg` of AlexeyAB/darknet, `src/option_list.c`)
names the lists of the splits and the file of the names; CVAT writes its subsets' names as keys and
`data/` before every path (datumaro, `plugins/data_formats/yolo/exporter.py` at 005bd29).
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

from core.data.importers.dataset import DataSet, ends, inside
from core.data.importers.formats.reading.text_files import decoded
from core.data.importers.formats.yolo_names import is_names_file, names_file
from core.data.importers.image_files import Folders, is_image
from core.data.importers.split_names import split_named, unites

_DEEPEST = 3
_MOST_BYTES = 100_000
# So many texts at the top that are no labels may be lists.
_MOST_LISTS = 200
_NO_PICTURES = frozenset(
    {"labels", "label", "annotations", "weights", "runs", "backup", "imagesets"}
)
_LISTS = ("imagesets", "dataset", "datasets", "lists")
# What `obj.data` says beside its splits.
_RESERVED = frozenset({"classes", "names", "backup", "eval", "results", "labels", "map", "top"})
_SETTING = re.compile(r"^\s*([\w.-]{1,200})\s*[=:]\s*(\S.*?)\s*$")


class Group(NamedTuple):
    """Pictures of one split, called `name`: those in a folder and below it, those that a file
    lists, or those that `data.yaml` (then the path) lists itself.
    """

    path: Path
    split: str | None
    name: str = ""
    entries: tuple[str, ...] = ()
    labelled: bool = False
    """Only those that have a label file and are in no other group."""


def undescribed(root: Path, folders: Folders) -> list[Group]:
    """Return the groups of a set without a description."""
    lists = _lists(root, folders)
    groups = [group for group in lists if group.split is not None]
    taken = {group.split for group in groups}
    groups += [group for group in _split_folders(root, folders) if group.split not in taken]
    # What another list names may be in one of these, too.
    groups += [group for group in lists if group.split is None]
    if not groups:
        return [Group(root, None)]
    return [*groups, Group(root, None, labelled=True)]


def _lists(root: Path, folders: Folders) -> list[Group]:
    """Return the lists of pictures with a split's name, and those at the top with another name."""
    found = []
    inner = [root / name for name in folders.folders(str(root)) if name.lower() in _LISTS]
    places = [root, *inner]
    places += [place / "Main" for place in places[1:]]
    for place in places:
        files = folders.files(str(place))
        pictures = {os.path.splitext(name)[0] for name in files if is_image(name)}  # noqa: PTH122
        texts = [place / name for name in sorted(files) if name.lower().endswith(".txt")
                 and not name.startswith(".") and not is_names_file(name)
                 and os.path.splitext(name)[0] not in pictures]  # noqa: PTH122  # fmt: skip
        for path in texts[:_MOST_LISTS]:
            split = split_named(path.stem)
            # A class's list (`car_train.txt`) in a VOC kit lists more than pictures.
            if _is_list(path, any_name=place != root and split is not None):
                found.append(Group(path, split, path.stem))
    return sorted(found, key=lambda group: unites(group.name))


def _is_list(file: Path, *, any_name: bool) -> bool:
    """Whether the first line of a text file names a picture."""
    try:
        with file.open("rb") as reading:
            head = decoded(reading.read(4_096), "replace")
    except OSError:
        return False
    first = next((line.strip() for line in head.splitlines() if line.strip()), "")
    return is_image(first) or (any_name and bool(first) and len(first.split()) == 1)


def _split_folders(folder: Path, folders: Folders, depth: int = 0) -> list[Group]:
    found: list[Group] = []
    for name in folders.folders(str(folder)):
        if name.startswith(".") or name.lower() in _NO_PICTURES:
            continue
        split = split_named(name)
        if split is not None:
            found.append(Group(folder / name, split, name))
        elif depth + 1 < _DEEPEST:
            found += _split_folders(folder / name, folders, depth + 1)
    return found


def darknet_file(folder: Path, folders: Folders) -> Path | None:
    """Return Darknet's description in a folder (`obj.data`), None without one."""
    for name in sorted(folders.files(str(folder))):
        if name.lower().endswith(".data") and not name.startswith("."):
            settings = _settings(folder / name)
            if any(split_named(key) or key.lower() == "names" for key in settings):
                return folder / name
    return None


def described_by_darknet(
    file: Path, folders: Folders, data: DataSet
) -> tuple[Path | None, list[Group]]:
    """Return the file of names and the groups that Darknet's description names."""
    root = file.parent
    settings = _settings(file)
    data.balance.describe(file)
    groups: list[Group] = []
    for key, value in settings.items():
        if key.lower() in _RESERVED:
            continue
        path = find_file(value, root, folders)
        if path is not None or (path := find_folder(value, root, folders)) is not None:
            groups.append(Group(path, split_named(key), key))
        else:
            detail = f"'{value}' is not there"
            data.problems.add("missing folder", f"{file.name}: {key}", detail)
            data.balance.split(key, split_named(key))
    names = find_file(settings.get("names", ""), root, folders)
    if names is not None:
        data.balance.describe(names)
    return names or names_file(root, folders, data), groups or undescribed(root, folders)


def _settings(file: Path) -> dict[str, str]:
    try:
        with file.open("rb") as reading:
            text = decoded(reading.read(_MOST_BYTES), "replace")
    except OSError:
        return {}
    met = [_SETTING.match(line) for line in text.splitlines()]
    return {found[1]: found[2] for found in met if found}


def ways(entry: str) -> list[str]:
    """Return the ways to read a path in a description, as relative paths or absolute ones.

    As it stands, without `../` before it (Roboflow writes `../train/images` beside `train/`), and
    without the `data/` that Darknet's files begin with.
    """
    entry = entry.strip().replace("\\", "/")
    bare = re.sub(r"^(\.{1,2}/)+", "", entry)
    found = [entry, bare]
    if bare.lower().startswith("data/"):
        found.append(bare[5:])
    return [way for way in dict.fromkeys(found) if way]


def find_file(entry: str, root: Path, folders: Folders) -> Path | None:
    """Return the file below `root` that a description names, by its letters, or by its end."""
    for way in (*ways(entry), *ends(entry)):
        relative = inside(way)
        if relative is not None and (found := folders.find(str(root), relative)):
            return Path(found.path)
    return None


def find_folder(entry: str, root: Path, folders: Folders) -> Path | None:
    """Return the folder below `root` that a description names, by its letters."""
    for way in ways(entry):
        relative = inside(way)
        if relative is not None:
            if (root / relative).is_dir():
                return root / relative
            alike = folders.alike(str(root), relative)
            if len(alike) == 1:
                return Path(alike[0])
    return None
