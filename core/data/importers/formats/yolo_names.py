"""The class names of a YOLO set that stand in a file of their own, a name a line.

labelImg writes `classes.txt` beside the labels, Darknet and CVAT `obj.names`, Roboflow's Darknet
export `_darknet.labels` into each split's folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.common.errors import ImportFailed
from core.common.text import clean
from core.data.importers.dataset import DataSet, storable
from core.data.importers.formats.reading.text_files import decoded
from core.data.importers.image_files import Folders
from core.data.importers.split_names import split_named

NAMES_FILES = (
    "classes.txt", "obj.names", "classes.names", "_darknet.labels", "names.txt", "labels.txt",
)  # fmt: skip
# No description and no list of names is longer; a file of this size is something else.
_MOST_BYTES = 16_000_000
LOOKED_FOR = (
    "A YOLO data set is a folder with data.yaml (names, and train, val or test), or a folder with"
    " classes.txt, images and labels."
)


def names_file(folder: Path, folders: Folders, data: DataSet) -> Path | None:
    """Return the list of class names in a folder, in its `labels`, or in those of its splits.

    Raises `ImportFailed` when two of the splits' lists name other classes: their numbers would
    mean different things.
    """
    splits = [sub for sub in folders.subfolders(folder) if split_named(sub.name)]
    for places in ([folder], [folder / "labels", folder / "Labels"], splits):
        found = [path for place in places if (path := _in(place, folders)) is not None]
        texts = {tuple(lines(path)) for path in found}
        if len(texts) > 1:
            shown = " and ".join(f"'{clean(str(path.relative_to(folder)))}'" for path in found[:3])
            raise ImportFailed(
                f"{shown} name different classes.",
                "Import each folder by itself, or write one classes.txt beside them.",
            )
        if found:
            for path in found:
                data.balance.describe(path)
            return found[0]
    return None


def _in(folder: Path, folders: Folders) -> Path | None:
    """Return the list of names in this very folder."""
    for name in NAMES_FILES:
        if found := folders.find(str(folder), name):
            return Path(found.path)
    others = [name for name in folders.files(str(folder)) if name.lower().endswith(".names")]
    return folder / others[0] if len(others) == 1 else None


def is_names_file(name: str) -> bool:
    """Whether a file of this name is a list of class names."""
    return name.lower() in NAMES_FILES or name.lower().endswith(".names")


def lines(file: Path) -> list[str]:
    """Return the lines of a list of names, without the empty ones at its end."""
    found = [line.strip() for line in read_text(file).splitlines()]
    while found and not found[-1]:
        found.pop()
    return found


def listed(file: Path, data: DataSet) -> dict[int, str]:
    """Return the names by number that a file lists; bad ones are noted.

    A line that begins with `#` is a class as any other, which is said: Darknet (`get_labels`,
    `src/data.c`) and labelImg (`libs/yolo_io.py`, `YoloReader`) count it too, so that leaving it
    out would give every class after it another name.
    """
    found = dict(enumerate(lines(file)))
    for number, name in found.items():
        if name.startswith("#"):
            detail = f"'{name[:40]}' is class {number}, for Darknet and labelImg know no comments"
            data.problems.add("comment as a class", f"{file.name}: {number}", detail, "kept")
    return checked(found, file.name, data)


def checked(names: dict[int, Any], file: str, data: DataSet) -> dict[int, str]:
    """Return the names that can be names; the others are noted, and a name of two numbers too."""
    good: dict[int, str] = {}
    first: dict[str, int] = {}
    for number, name in names.items():
        if isinstance(name, str) and name.strip() and storable(name):
            good[number] = name
            if first.setdefault(name, number) != number:
                detail = f"'{name}' is the name of class {first[name]} too: they are one class"
                data.problems.add("duplicate category name", f"{file}: {number}", detail, "kept")
        else:
            data.problems.add("bad category", f"{file}: {number}", "it has no name")
    return good


def read_text(file: Path) -> str:
    """Return a description's text. Raises `ImportFailed` when it is none."""
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise ImportFailed(f"'{clean(file.name)}' is too large for a description.", LOOKED_FOR)
        return decoded(file.read_bytes())
    except OSError as error:
        raise ImportFailed(
            f"'{clean(str(file))}' cannot be read: {error.strerror}.", "Check its permissions."
        ) from None
    except UnicodeDecodeError as error:
        raise ImportFailed(
            f"'{clean(file.name)}' is not UTF-8 text (byte {error.start:,}).", "Save it as UTF-8."
        ) from None
