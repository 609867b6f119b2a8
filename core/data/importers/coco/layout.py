"""Where COCO data sets keep their files: which JSON holds which split, and where its images lie."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from core.common.errors import ImportFailed
from core.common.text import clean, plural
from core.data.importers.formats.look import Look
from core.data.importers.image_files import Folders
from core.data.importers.split_names import SPLITS, split_named, split_of

ROBOFLOW = "_annotations.coco.json"
# What the folder of annotation files is called whose pictures lie beside it, not in it.
ANNOTATIONS_FOLDERS = ("annotations", "annotation", "labels", "json")
_LOOKED_FOR = (
    "A COCO data set is a folder with train, valid and test folders that hold"
    f" {ROBOFLOW} (Roboflow), a folder with annotations/instances_*.json beside its image folders,"
    " a folder with one JSON file, or that JSON file itself."
)

# COCO's own kinds of files, which lie beside each other (https://cocodataset.org/#download): the
# objects are in the first. A reason begins as those that are no fault of a label file do.
_OBJECTS = "instances_"
_WITHOUT_OBJECTS = {
    "captions_": "no boxes, but captions",
    "image_info_": "no boxes, but names of images",
}
_BESIDE = {
    **_WITHOUT_OBJECTS,
    "person_keypoints_": "what instances_*.json has too, as persons with keypoints",
    "panoptic_": "what instances_*.json has too, as masks",
    "stuff_": "no objects, but regions such as sky",
}
# An annotation, where a file begins with its annotations.
_OBJECT = re.compile(r'"annotations"\s*:\s*\[\s*\{[^\]]{0,2000}"image_id"')


class CocoFile(NamedTuple):
    """One annotation file, the split it holds, and where to look for its images, in order."""

    path: Path
    name: str
    split: str | None
    folders: list[Path]


def find(source: Path, listed: Folders, leave: Callable[[str, str], None]) -> list[CocoFile]:
    """Return the annotation files of the data set at `source`, which is a folder or a JSON file.

    `leave` is told of files beside them that hold something else, with the reason. Raises
    `ImportFailed` that says what was looked for and what is there instead.
    """
    if source.is_file():
        split = split_of(source.stem)
        if split is None and source.name == ROBOFLOW:
            split = split_named(source.parent.name)
        return [_file(source, source.parent, split)]
    if not source.is_dir():
        raise ImportFailed(f"There is no '{clean(str(source))}'.", "Check the path.")
    return (
        _in_splits(source, listed)
        or _in_annotations(source, listed, leave)
        or _deeper(source, listed, leave)
        or _in_folder(source, listed, leave)
    )


def _in_splits(source: Path, listed: Folders) -> list[CocoFile]:
    found: dict[str, list[Path]] = {}
    for folder in listed.subfolders(source):
        split = split_named(folder.name)
        if split is not None:
            files = listed.with_ending(folder, ".json")
            exact = [file for file in files if file.name.lower() == ROBOFLOW]
            if exact or len(files) == 1:
                found.setdefault(split, []).append((exact or files)[0])
    doubled = next((files for files in found.values() if len(files) > 1), None)
    if doubled:
        raise ImportFailed(
            f"Two folders hold the same split: {_names(doubled, source)}.",
            "Import one of the files by its own path.",
        )
    return [
        _file(found[split][0], source, split) for split in ("train", "valid", "test")
        if split in found
    ]  # fmt: skip


def _with_objects(files: list[Path], leave: Callable[[str, str], None]) -> list[Path]:
    """Return those of the files that hold the objects, by COCO's names; all when there are none."""
    sorts = {
        file: next((k for k in _BESIDE if file.name.lower().startswith(k)), "") for file in files
    }
    instances = [file for file in files if file.name.lower().startswith(_OBJECTS)]
    chosen = instances or [file for file in files if sorts[file] not in _WITHOUT_OBJECTS]
    for file in files if chosen else ():
        if file not in chosen:
            why = _BESIDE.get(sorts[file], "what lies beside instances_*.json")
            leave(str(file), why)
    return chosen or files


def _in_annotations(
    source: Path, listed: Folders, leave: Callable[[str, str], None]
) -> list[CocoFile]:
    for folder in listed.subfolders(source):
        if folder.name.lower() in ("annotations", "annotation", "labels"):
            files = listed.with_ending(folder, ".json")
            if files:
                return _distinct(_with_objects(files, leave), source)
    return []


def is_coco(head: str) -> bool:
    """Whether a JSON file that begins so is one of COCO's beyond doubt."""
    keys = sum(f'"{key}"' in head for key in ("images", "annotations", "categories"))
    return head.lstrip().startswith("{") and (keys > 1 or bool(_OBJECT.search(head)))


def _deeper(source: Path, listed: Folders, leave: Callable[[str, str], None]) -> list[CocoFile]:
    """Return the files that lie further below where none is at hand, each of a split of its own.

    Raises `ImportFailed` for several of which it is not known.
    """
    if listed.with_ending(source, ".json"):
        return []
    look = Look(source)
    names = [name for name in look.ending(".json") if is_coco(look.head(name))]
    files = _with_objects([source / name for name in names], leave)
    splits = [_split_below(file, source) for file in files]
    if len(files) > 1 and (None in splits or len(set(splits)) < len(splits)):
        raise ImportFailed(
            f"There are {len(files)} annotation files of COCO below '{clean(str(source))}':"
            f" {_names(files, source)}.",
            "Name the one to import; import the others after it, each by its own path.",
        )
    return [_file(file, source, split) for file, split in zip(files, splits, strict=True)]


def _split_below(file: Path, source: Path) -> str | None:
    """Return the split that a file's name says, or one of the folders on the way to it."""
    ways = file.relative_to(source).parts[:-1]
    return split_of(file.stem) or next(filter(None, map(split_named, ways[::-1])), None)


def _in_folder(source: Path, listed: Folders, leave: Callable[[str, str], None]) -> list[CocoFile]:
    files = listed.with_ending(source, ".json")
    exact = [file for file in files if file.name.lower() == ROBOFLOW]
    if exact or files:
        return _distinct(exact or _with_objects(files, leave), source)
    there = what_is_there(source, listed)
    raise ImportFailed(
        f"There is no COCO annotation file in '{clean(str(source))}': {there}",
        _LOOKED_FOR,
    )


def _distinct(files: list[Path], source: Path) -> list[CocoFile]:
    """Return several files in one folder if their names say which split each is."""
    splits = [split_of(file.stem) for file in files]
    if len(files) > 1 and (None in splits or len(set(splits)) < len(splits)):
        raise ImportFailed(
            f"There are several annotation files in '{clean(str(files[0].parent))}':"
            f" {_names(files, source)}.",
            "Name the one to import.",
        )
    return [_file(file, source, split) for file, split in zip(files, splits, strict=True)]


def _file(path: Path, source: Path, split: str | None) -> CocoFile:
    here = path.parent
    aliases = [alias for alias, means in SPLITS.items() if means == split]
    # instances_train2017.json belongs to train2017/.
    word = re.sub(r"^(instances|annotations?)[_-]", "", path.stem)
    roots = [here]
    if here.name.lower() in ANNOTATIONS_FOLDERS:
        roots.append(here.parent)
    folders = []
    for root in roots:
        folders += [root / word, *(root / alias for alias in aliases)]
        images = root / "images"
        folders += [images / word, *(images / alias for alias in aliases), images, root / "data"]
        folders.append(root)
    folders += [here.parent / "images", here.parent / "images" / here.name]
    # The folder of the file itself comes first: that is Roboflow's layout, and the commonest.
    unique = list(dict.fromkeys([here, *folders]))
    name = path.relative_to(source).as_posix() if path.is_relative_to(source) else path.name
    return CocoFile(path, name, split, [folder for folder in unique if folder.is_dir()])


def _names(files: Iterable[Path], source: Path) -> str:
    names = [
        file.relative_to(source).as_posix() if file.is_relative_to(source) else file.name
        for file in files
    ]
    return ", ".join(clean(name) for name in names[:5]) + (", …" if len(names) > 5 else "")


def what_is_there(folder: Path, listed: Folders) -> str:
    """Return what a folder holds, for an error's message."""
    folders, files = listed.listing(folder)
    names = [*(entry.name + "/" for entry in folders), *(entry.name for entry in files)]
    if not names:
        return "the folder is empty."
    shown = ", ".join(clean(name) for name in names[:6])
    return (
        f"it holds {plural(len(names), 'entry', 'entries')}"
        f" ({shown}{', …' if len(names) > 6 else ''})."
    )
