"""Where YOLO data sets keep their files: `data.yaml`, its splits, and the label of an image.

The rules are those of Ultralytics' loader, which most sets are made for: `path` is the root, each
split is a folder, a list of folders, or a text file that lists images; a label file is found by
putting `labels` where the image's path says `images`. Roboflow writes `../train/images` beside
`train/`; a path that is not there is tried again without its leading `../`, and then the end of it,
for the file may have been written on another machine.

The folders that `data.yaml` names may lie anywhere, since the person who wrote it chose them. A
line of a list of images may not lead out of the data set.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from core.common.errors import ImportFailed
from core.common.text import clean
from core.data.importers.coco.layout import what_is_there
from core.data.importers.dataset import DataSet, ends, storable
from core.data.importers.image_files import Folders

_LOOKED_FOR = (
    "A YOLO data set is a folder with data.yaml (names, and train, val or test), or a folder with"
    " classes.txt, images and labels."
)
_KEYS = (("train", "train"), ("val", "valid"), ("valid", "valid"), ("validation", "valid"),
         ("test", "test"))  # fmt: skip
NAMES_FILES = ("classes.txt", "obj.names", "classes.names")
# No list of names is longer; a file of this size is something else.
_MOST_BYTES = 16_000_000


class Group(NamedTuple):
    """Images of one split: a folder with everything below it, or a file that lists images."""

    path: Path
    split: str | None


class Layout(NamedTuple):
    """What a data set's description says: names by class number, and where the images lie."""

    root: Path
    names: dict[int, str]
    groups: list[Group]
    unnamed: bool = False
    """No file names the classes: they are called `class_0`, `class_1` as they are met."""
    keypoints: int = 0
    """How many numbers for key points follow each box, as Ultralytics' pose sets have them."""


def find(source: Path, listed: Folders, data: DataSet) -> Layout:
    """Return the layout of the data set at `source`: a folder or its `data.yaml`.

    Raises `ImportFailed` that says what was looked for and what is there instead.
    """
    if source.is_file():
        return _described(source, data)
    if not source.is_dir():
        raise ImportFailed(f"There is no '{clean(str(source))}'.", "Check the path.")
    found = listed.with_ending(source, ".yaml", ".yml")
    exact = [file for file in found if file.stem.lower() in ("data", "dataset")]
    if exact or len(found) == 1:
        return _described((exact or found)[0], data)
    if found:
        names = ", ".join(clean(file.name) for file in found[:5])
        raise ImportFailed(
            f"There are several YAML files in '{clean(str(source))}': {names}.",
            "Name the one to import.",
        )
    listing = _names_file(source)
    if listing is not None:
        return _plain(source, listing, data)
    if (source / "labels").is_dir():
        return Layout(source, {}, _guess(source), unnamed=_told(source.name, data))
    there = what_is_there(source, listed)
    raise ImportFailed(f"There is no data.yaml in '{clean(str(source))}': {there}", _LOOKED_FOR)


def _described(file: Path, data: DataSet) -> Layout:
    text = _read(file)
    try:
        # Every value as text: YAML would make true of the class name `yes`.
        value = yaml.load(text, Loader=yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ImportFailed(
            f"'{clean(file.name)}' is not valid YAML{where}.", "Correct it, or export it again."
        ) from None
    if not isinstance(value, dict):
        raise ImportFailed(f"'{clean(file.name)}' does not describe a YOLO data set.", _LOOKED_FOR)
    root = file.parent
    if isinstance(value.get("path"), str) and value["path"].strip():
        wanted = root / Path(value["path"].strip())
        root = wanted if wanted.is_dir() else root
    names = _names(value, file.name, data)
    listing = _names_file(root) or _names_file(file.parent) if names is None else None
    if listing is not None:
        names = _listed(listing, data)
    groups, missing = [], []
    for key, split in _KEYS:
        entries = value.get(key)
        for entry in entries if isinstance(entries, list) else [entries]:
            if isinstance(entry, str) and entry.strip() and entry.strip() != "null":
                path = _resolve(entry.strip(), root, file.parent)
                if path is None and (path := _come_along(entry.strip(), root)) is not None:
                    there = path.relative_to(root).as_posix()
                    detail = f"'{entry}' is taken to be '{there}'"
                    data.problems.add("missing folder", f"{file.name}: {key}", detail, "kept")
                if path is None:
                    missing.append(f"{key}: {entry}")
                else:
                    groups.append(Group(path, split))
    if not groups:
        if missing:
            raise ImportFailed(
                f"No folder that '{clean(file.name)}' names is there: {clean(', '.join(missing))}.",
                f"Looked below '{clean(str(root))}'. Correct `path` in the file.",
            )
        groups = _guess(root)
    for entry in missing:
        data.problems.add("missing folder", f"{file.name}: {entry}", "it is not there")
    points = _keypoints(value.get("kpt_shape"))
    if names is None:
        return Layout(root, {}, groups, _told(file.name, data), points)
    return Layout(root, names, groups, keypoints=points)


def _keypoints(shape: Any) -> int:
    """Return how many numbers `kpt_shape` (points, and 2 or 3 numbers for each) stands for."""
    texts = shape if isinstance(shape, list) else []
    if len(texts) != 2 or not all(
        isinstance(t, str) and re.fullmatch(r"\d{1,4}", t) for t in texts
    ):
        return 0
    return int(texts[0]) * int(texts[1])


def _plain(source: Path, names: Path, data: DataSet) -> Layout:
    return Layout(source, _listed(names, data), _guess(source))


def _names_file(folder: Path) -> Path | None:
    """Return the list of names in a folder or in its `labels`, where labelImg writes it."""
    places = [where / name for where in (folder, folder / "labels") for name in NAMES_FILES]
    return next((path for path in places if path.is_file()), None)


def _listed(names: Path, data: DataSet) -> dict[int, str]:
    lines = [line.strip() for line in _read(names).splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    return _checked(dict(enumerate(lines)), names.name, data)


def _told(where: str, data: DataSet) -> bool:
    detail = "the classes are named class_0, class_1, … as they are met"
    data.problems.add("no names", where, detail, "kept")
    return True


def _guess(root: Path) -> list[Group]:
    """Return the splits of a set that does not say where they are."""
    groups = []
    for base in (root, root / "images"):
        for key, split in _KEYS:
            listing = root / f"{key}.txt"
            if (base / key).is_dir():
                groups.append(Group(base / key, split))
            elif base == root and listing.is_file():
                groups.append(Group(listing, split))
    return groups or [Group(root, None)]


def _read(file: Path) -> str:
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise ImportFailed(f"'{clean(file.name)}' is too large for a description.", _LOOKED_FOR)
        return file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ImportFailed(
            f"'{clean(str(file))}' cannot be read: {error.strerror}.", "Check its permissions."
        ) from None
    except UnicodeDecodeError as error:
        raise ImportFailed(
            f"'{clean(file.name)}' is not UTF-8 text (byte {error.start:,}).", "Save it as UTF-8."
        ) from None


def _names(value: dict[Any, Any], file: str, data: DataSet) -> dict[int, str] | None:
    """Return the names by number, None when the file does not speak of classes at all."""
    names = value.get("names")
    if isinstance(names, dict):
        numbered = {}
        for key, name in names.items():
            if isinstance(key, str) and re.fullmatch(r"\d{1,6}", key.strip()):
                numbered[int(key)] = name
            else:
                data.problems.add("bad category", f"{file}: {key}", "its number is no number")
        return _checked(numbered, file, data)
    if isinstance(names, list):
        return _checked(dict(enumerate(names)), file, data)
    count = value.get("nc")
    if isinstance(count, str) and re.fullmatch(r"\d{1,5}", count.strip()):
        data.problems.add("no names", file, "the classes are named class_0, class_1, …", "kept")
        return {number: f"class_{number}" for number in range(int(count))}
    if names or not any(value.get(key) for key, _ in _KEYS):
        raise ImportFailed(
            f"'{clean(file)}' does not name the classes.",
            "It needs `names:`, a list or numbers with names.",
        )
    return None


def _checked(names: dict[int, Any], file: str, data: DataSet) -> dict[int, str]:
    good = {}
    for number, name in names.items():
        if isinstance(name, str) and name.strip() and storable(name):
            good[number] = name
        else:
            data.problems.add("bad category", f"{file}: {number}", "it has no name")
    return good


def _resolve(entry: str, root: Path, beside: Path) -> Path | None:
    if "\0" in entry:
        return None
    entry = entry.replace("\\", "/")
    bare = re.sub(r"^(\.{1,2}/)+", "", entry)
    for path in (root / entry, beside / entry, root / bare, beside / bare):
        try:
            if path.exists():
                return Path(os.path.normpath(path))
        except OSError:
            continue
    return None


def _come_along(entry: str, root: Path) -> Path | None:
    """Return where below `root` the end of a path of another machine is, such as
    `/content/datasets/cells/train/images` or `C:\\cells\\train\\images`; None if nowhere.
    """
    for end in ends(entry):
        # A folder of this name alone may be that of any split.
        if end.lower() not in ("images", "labels") and (root / end).exists():
            return root / end
    return None


def label_paths(image: str) -> list[tuple[str, str]]:
    """Return where the label of an image may lie, the likeliest first, as (folder, name)."""
    folder, _, name = image.rpartition("/")
    label = os.path.splitext(name)[0] + ".txt"  # noqa: PTH122
    before, found, after = (folder + "/").rpartition("/images/")
    places = [(f"{before}/labels/{after}".rstrip("/"), label)] if found else []
    return [*places, (folder, label)]
