"""What lies at a path that was typed: a kind of data set, told from its files' names, or videos."""

from __future__ import annotations

import shlex
import zipfile
from itertools import islice
from pathlib import Path
from typing import Literal

from core.common.files import expand_user

Kind = Literal["coco", "yolo", "voc"]
KINDS: tuple[Kind, ...] = ("coco", "yolo", "voc")

# A listing is cut here: some data sets hold a million files in one folder.
_LOOK_AT = 200
_LOOK_AT_PACKED = 200_000
_SPLITS = ("", "train", "valid", "val", "test", "annotations")


def guess_kind(path: Path) -> Kind | None:
    """Return what the data set at `path` (a folder or file) seems to be, or None.

    COCO: a `.json` file, or a folder that has one in itself, a split or `annotations`. YOLO: a
    `.yaml` file, or a folder with one, or with `labels`. VOC: a folder with `Annotations`, or
    `.xml` files; of a ZIP archive, the names in it tell. Folders are looked into, files are not
    read.
    """
    if path.is_file():
        suffix = path.suffix.lower()
        if suffix == ".zip":
            return _packed_kind(path)
        if suffix == ".json":
            return "coco"
        return "yolo" if suffix in (".yaml", ".yml") else None
    if not path.is_dir():
        return None
    if _has(path, (".yaml", ".yml")):
        return "yolo"
    if any(_has(path / split, (".json",)) for split in _SPLITS):
        return "coco"
    if (path / "Annotations").is_dir() or any(_has(path / split, (".xml",)) for split in _SPLITS):
        return "voc"
    return "yolo" if (path / "labels").is_dir() else None


def _packed_kind(archive: Path) -> Kind | None:
    try:
        with zipfile.ZipFile(archive) as file:
            names = [name.lower() for name in islice(file.namelist(), _LOOK_AT_PACKED)]
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError):
        return None
    names = [name for name in names if not name.startswith("__macosx/")]
    endings: tuple[tuple[Kind, tuple[str, ...]], ...] = (
        ("yolo", (".yaml", ".yml", "classes.txt")),
        ("coco", (".json",)),
        ("voc", (".xml",)),
    )
    for kind, wanted in endings:
        if any(name.endswith(wanted) for name in names):
            return kind
    return "yolo" if any("labels/" in name for name in names) else None


def typed_paths(text: str) -> list[Path]:
    """Return the paths that a person typed, as to a shell: several, with quotes, `~`, `*` and `?`.

    What is there by the name as it stands is meant by it, spaces and all. A pattern gives what it
    finds, in order, and itself when that is nothing. Terminals paste dropped files like this.
    """
    text = text.strip()
    whole = expand_user(text)
    if text and whole.exists():
        return [whole]
    try:
        words = shlex.split(text)
    except ValueError:
        words = [text]  # A quote that is still open.
    found: list[Path] = []
    for word in words:
        path = expand_user(word)
        matching: list[Path] = []
        if not path.exists() and set(word) & set("*?["):
            matching = sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
        found += matching or [path]
    return list(dict.fromkeys(found))


def _has(folder: Path, suffixes: tuple[str, ...]) -> bool:
    """Return whether one of the first files of a folder ends in one of `suffixes`."""
    try:
        names = [entry.name.lower() for entry in islice(folder.iterdir(), _LOOK_AT)]
    except OSError:
        return False
    return any(name.endswith(suffixes) and not name.startswith(".") for name in names)
