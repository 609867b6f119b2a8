"""What describes a YOLO data set: `data.yaml`, Darknet's `obj.data`, or its folders alone.

The rules are those of Ultralytics' loader, which most sets are made for (`check_det_dataset` of
ultralytics at 00bfe34, `data/utils.py`): `path` is the root, each split is a path or a list of
them, to folders or to text files that list images. A key of the file is a split when its name is
one in any case (CVAT writes `Train`, `Validation`, `Test`); any other that leads to a folder or
list that is there is a split without a name of ours, whose images are in no split. A list may also
hold the images themselves (datumaro's `yolov8_detection_with_list_of_imgs`). Roboflow writes
`../train/images` beside `train/`; a path that is not there is tried again without its leading
`../`, by its letters, and then the end of it, for the file may have been written on another
machine.

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
from core.data.importers.dataset import DataSet, ends
from core.data.importers.formats.reading.text_files import decoded
from core.data.importers.formats.yolo_folders import (
    Group,
    darknet_file,
    described_by_darknet,
    undescribed,
    ways,
)
from core.data.importers.formats.yolo_labels import Labels
from core.data.importers.formats.yolo_names import (
    LOOKED_FOR,
    checked,
    listed,
    names_file,
    read_text,
)
from core.data.importers.image_files import Folders, is_image, walk, walk_images
from core.data.importers.split_names import split_named, unites

# What `data.yaml` says beside its splits; what leads nowhere is no split either.
_RESERVED = frozenset({"path", "names", "nc", "download", "roboflow", "kpt_shape", "flip_idx",
                       "kpt_names", "yaml_file", "channels"})  # fmt: skip


class Layout(NamedTuple):
    """What a data set's description says: names by class number, and where the images lie."""

    root: Path
    names: dict[int, str]
    groups: list[Group]
    unnamed: bool = False
    """No file names the classes: they are called `class_0`, `class_1` as they are met."""
    keypoints: int = 0
    """How many numbers for key points follow each box, as Ultralytics' pose sets have them."""
    file: Path | None = None
    """The description, None when the folders alone say where the images are."""


def find(source: Path, folders: Folders, data: DataSet) -> Layout:
    """Return the layout of the data set at `source`: a folder, its `data.yaml` or its `obj.data`.

    Raises `ImportFailed` that says what was looked for and what is there instead.
    """
    if source.is_file():
        if source.suffix.lower() == ".data":
            return _darknet(source, folders, data)
        if source.suffix.lower() not in (".yaml", ".yml"):
            raise ImportFailed(
                f"'{clean(source.name)}' does not describe a YOLO data set.", LOOKED_FOR
            )
        return _described(source, folders, data)
    if not source.is_dir():
        raise ImportFailed(f"There is no '{clean(str(source))}'.", "Check the path.")
    description = _description(source, folders)
    if description is not None:
        return _described(description, folders, data)
    darknet = darknet_file(source, folders)
    if darknet is not None:
        return _darknet(darknet, folders, data)
    names = names_file(source, folders, data)
    if names is not None:
        return Layout(source, listed(names, data), undescribed(source, folders))
    if (below := _below(source, folders, data) or _deeper(source, folders, data)) is not None:
        return below
    labels = Labels(source, folders)
    if "labels" in map(str.lower, folders.folders(str(source))) or any(
        labels.find(f"{source}/{image}") for image in walk_images(source)
    ):
        named = _names_above(source, folders, data)
        unnamed = named is None and _told(source.name, data)
        return Layout(source, named or {}, undescribed(source, folders), unnamed=unnamed)
    there = what_is_there(source, folders)
    raise ImportFailed(f"There is no data.yaml in '{clean(str(source))}': {there}", LOOKED_FOR)


def _names_above(source: Path, folders: Folders, data: DataSet) -> dict[int, str] | None:
    """Return the names that the description of a whole set has, of which one split was named."""
    if not split_named(source.name):
        return None
    try:
        above = _description(source.parent, folders)
        if above is None or not _describes(above, names_only=True):
            return None
        names = _names(_loaded(above), above.name, source.parent, data)
    except ImportFailed:
        return None
    if names is not None:
        detail = f"the classes are named as in '{above.name}' of the folder above"
        data.problems.add("names of the whole set", source.name, detail, "kept")
    return names


def _description(source: Path, folders: Folders) -> Path | None:
    """Return the YAML file in a folder that describes the set, None without one."""
    found = folders.with_ending(source, ".yaml", ".yml")
    exact = [file for file in found if file.stem.lower() in ("data", "dataset")]
    # Settings of trainings (`hyp.yaml`, `args.yaml`) lie beside descriptions.
    describing = exact or [file for file in found if _describes(file)]
    if len(describing) > 1:
        # `data.yaml` before `data.yml`, unless only the other one describes anything.
        describing = [file for file in describing if _describes(file)] or describing
        # A model's file (`yolov8n.yaml`) has a number of classes, and no names.
        describing = [
            file for file in describing if _describes(file, names_only=True)
        ] or describing
        if len(describing) > 1 and not exact:
            names = ", ".join(clean(file.name) for file in describing[:5])
            raise ImportFailed(
                f"There are several YAML files in '{clean(str(source))}': {names}.",
                "Name the one to import.",
            )
    if describing:
        return describing[0]
    return found[0] if len(found) == 1 else None


def _below(source: Path, folders: Folders, data: DataSet) -> Layout | None:
    """Return the layout that descriptions one folder down tell, None when there are none.

    A split's folder may have a copy of its own, which names the classes; the only set that is
    wrapped in a folder is that set. Raises `ImportFailed` for several sets beside each other.
    """
    inner = [source / name for name in sorted(folders.folders(str(source)))]
    found = [file for folder in inner if (file := _description(folder, folders)) is not None]
    found = [file for file in found if _describes(file)]
    if not found or "labels" in (folder.name.lower() for folder in inner):
        return None
    told = ", ".join(f"{clean(f'{file.parent.name}/{file.name}')}" for file in found[:5])
    if all(split_named(file.parent.name) for file in found):
        each = [_names(_loaded(file), file.name, file.parent, data) for file in found]
        if any(names != each[0] for names in each):
            raise ImportFailed(
                f"The classes of the splits in '{clean(str(source))}' differ: {told}.",
                "Give them one list of classes, or import each split's folder by itself.",
            )
        for file in found:
            data.balance.describe(file)
        if each[0] is not None:
            return Layout(source, each[0], undescribed(source, folders))
        return None
    if len(found) == 1:
        return _described(found[0], folders, data)
    raise ImportFailed(
        f"There are {len(found)} data sets in '{clean(str(source))}': {told}.",
        "Name the one to import; import the others after it, each by its own path.",
    )


def _deeper(source: Path, folders: Folders, data: DataSet) -> Layout | None:
    """Return the layout that the only description far below tells, None without one.

    Downloads lie in folders within folders. Raises `ImportFailed` for several sets.
    """
    found = [
        source / name
        for name in walk(source, lambda name: name.lower().endswith((".yaml", ".yml")))
        if _describes(source / name, names_only=True)
    ]
    if len(found) > 1:
        told = ", ".join(clean(file.relative_to(source).as_posix()) for file in found[:5])
        raise ImportFailed(
            f"There are {len(found)} data sets in '{clean(str(source))}': {told}.",
            "Name the one to import; import the others after it, each by its own path.",
        )
    return _described(found[0], folders, data) if found else None


def _describes(file: Path, *, names_only: bool = False) -> bool:
    """Whether a YAML file has a key of a description at its top level, or that of names."""
    try:
        with file.open("rb") as reading:
            text = decoded(reading.read(1_000_000), "replace")
    except OSError:
        return False
    keys = re.findall(r"^([A-Za-z_][\w-]*)\s*:", text, re.MULTILINE)
    if names_only:
        return "names" in keys
    return "names" in keys or "nc" in keys or any(map(split_named, keys))


def _darknet(file: Path, folders: Folders, data: DataSet) -> Layout:
    names, groups = described_by_darknet(file, folders, data)
    if names is None:
        return Layout(file.parent, {}, groups, unnamed=_told(file.name, data), file=file)
    return Layout(file.parent, listed(names, data), groups, file=file)


def _described(file: Path, folders: Folders, data: DataSet) -> Layout:
    value = _loaded(file)
    data.balance.describe(file)
    root = file.parent
    if isinstance(value.get("path"), str) and value["path"].strip():
        wanted = root / Path(value["path"].strip())
        root = wanted if _is_dir(wanted) else root
    names = _names(value, file.name, root, data)
    listing = None
    if names is None:
        listing = names_file(root, folders, data) or names_file(file.parent, folders, data)
    if listing is not None:
        names = listed(listing, data)
    groups: list[Group] = []
    missing: list[str] = []
    # Those of known names first: what another key leads to may be one of theirs.
    for key in sorted(value, key=lambda key: (split_named(key) is None, unites(key))):
        if key.lower() not in _RESERVED:
            groups += _split(key, value[key], root, file, folders, data, missing)
    if not groups:
        if missing:
            raise ImportFailed(
                f"No folder that '{clean(file.name)}' names is there: {clean(', '.join(missing))}.",
                f"Looked below '{clean(str(root))}'. Correct `path` in the file.",
            )
        groups = undescribed(root, folders)
    for entry in missing:
        data.problems.add("missing folder", f"{file.name}: {entry}", "it is not there")
    points = _keypoints(value.get("kpt_shape"))
    if names is None:
        return Layout(root, {}, groups, _told(file.name, data), points, file)
    return Layout(root, names, groups, keypoints=points, file=file)


def _split(
    key: str,
    value: Any,
    root: Path,
    file: Path,
    folders: Folders,
    data: DataSet,
    missing: list[str],
) -> list[Group]:
    """Return the groups of one key of `data.yaml`; what is not there is added to `missing`."""
    split = split_named(key)
    entries = value if isinstance(value, list) else [value]
    texts = [entry.strip() for entry in entries if isinstance(entry, str)]
    texts = [entry for entry in texts if entry and entry != "null"]
    if split is None:
        # `task: train` is no split, `holdout: images/holdout` is one.
        texts = [entry for entry in texts if "/" in entry or entry.lower().endswith(".txt")]
    groups: list[Group] = []
    images = [entry for entry in texts if isinstance(value, list) and is_image(entry)]
    if images and (split is not None or len(images) == len(texts)):
        groups.append(Group(file, split, key, tuple(images)))
        texts = [entry for entry in texts if not is_image(entry)]
    for entry in texts:
        path = _resolve(entry, root, file.parent, folders)
        if path is None and split and (path := _come_along(entry, root)) is not None:
            detail = f"'{entry}' is taken to be '{path.relative_to(root).as_posix()}'"
            data.problems.add("missing folder", f"{file.name}: {key}", detail, "kept")
        if path is not None and (split is not None or path.is_dir() or _is_text(path)):
            groups.append(Group(path, split, key))
        elif split is not None:
            missing.append(f"{key}: {entry}")
    if split is not None and texts and not groups:
        data.balance.split(key, split)
    return groups


def _is_text(path: Path) -> bool:
    return path.suffix.lower() == ".txt" and path.is_file()


def _loaded(file: Path) -> dict[str, Any]:
    """Return what a YAML file says, every value as text. Raises `ImportFailed`."""
    text = read_text(file)
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
        raise ImportFailed(f"'{clean(file.name)}' does not describe a YOLO data set.", LOOKED_FOR)
    return {key: content for key, content in value.items() if isinstance(key, str)}


def _keypoints(shape: Any) -> int:
    """Return how many numbers `kpt_shape` (points, and 2 or 3 numbers for each) stands for."""
    texts = shape if isinstance(shape, list) else []
    if len(texts) != 2 or not all(
        isinstance(t, str) and re.fullmatch(r"\d{1,4}", t) for t in texts
    ):
        return 0
    return int(texts[0]) * int(texts[1])


def _told(where: str, data: DataSet) -> bool:
    detail = "the classes are named class_0, class_1, … as they are met"
    data.problems.add("no names", where, detail, "kept")
    return True


def _names(value: dict[str, Any], file: str, root: Path, data: DataSet) -> dict[int, str] | None:
    """Return the names by number, None when the file does not speak of classes at all."""
    names = value.get("names")
    if isinstance(names, dict):
        numbered = {}
        for key, name in names.items():
            if isinstance(key, str) and re.fullmatch(r"\d{1,6}", key.strip()):
                numbered[int(key)] = name
            else:
                data.problems.add("bad category", f"{file}: {key}", "its number is no number")
        return checked(numbered, file, data)
    count = value.get("nc")
    counted = isinstance(count, str) and bool(re.fullmatch(r"\d{1,5}", count.strip()))
    if isinstance(names, list):
        if counted and int(count or 0) != len(names):
            # Ultralytics refuses such a file (`check_det_dataset`).
            detail = f"nc says {count}, and names has {len(names)}: the names count"
            data.problems.add("number of classes", file, detail, "kept")
        return checked(dict(enumerate(names)), file, data)
    if isinstance(count, str) and counted:
        data.problems.add("no names", file, "the classes are named class_0, class_1, …", "kept")
        return {number: f"class_{number}" for number in range(int(count))}
    if isinstance(names, str) and names.strip() and _is_text(root / names.strip()):
        return listed(root / names.strip(), data)
    if names or not any(split_named(key) and content for key, content in value.items()):
        raise ImportFailed(
            f"'{clean(file)}' does not name the classes.",
            "It needs `names:`, a list or numbers with names.",
        )
    return None


def _resolve(entry: str, root: Path, beside: Path, folders: Folders) -> Path | None:
    """Return the folder or file that an entry of `data.yaml` names, by its letters at last."""
    if "\0" in entry:
        return None
    found = [place / way for way in ways(entry) for place in (root, beside)]
    for path in found:
        try:
            if path.exists():
                return Path(os.path.normpath(path))
        except OSError:
            continue
    for way in ways(entry):
        for place in dict.fromkeys((root, beside)):
            if not way.startswith("/") and ".." not in way.split("/"):
                alike = folders.alike(str(place), way)
                if len(alike) == 1:
                    return Path(alike[0])
                if (file := folders.find(str(place), way)) is not None:
                    return Path(file.path)
    return None


def _is_dir(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _come_along(entry: str, root: Path) -> Path | None:
    """Return where below `root` the end of a path of another machine is, such as
    `/content/datasets/cells/train/images` or `C:\\cells\\train\\images`; None if nowhere.
    """
    for end in ends(entry):
        # A folder of this name alone may be that of any split.
        if end.lower() not in ("images", "labels") and (root / end).exists():
            return root / end
    return None
