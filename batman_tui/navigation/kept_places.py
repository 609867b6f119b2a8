"""Where somebody was in a workspace, and what they typed to go somewhere, kept in a file."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import msgspec

from core.common.files import write_atomic
from core.common.folders import cache_dir

Row = int | str | list[str]
"""The key of a row: a number, a text, or a path as `["path", TEXT]`."""

# More than that nobody goes back; every one is a screen to open at the start.
DEEPEST = 6
REMEMBERED = 50


class Place(msgspec.Struct, frozen=True, omit_defaults=True):
    """A screen that was open: its kind, the folder it was of, its filter, the row of the cursor.

    `subject` is relative to the workspace where it lies inside. `of` says which one of several the
    screen showed: the cluster of the jobs.
    """

    kind: str
    subject: str = ""
    filter: str = ""
    row: Row | None = None
    of: str = ""


class Kept(msgspec.Struct, omit_defaults=True):
    """What the file holds: the open screens, the first a view, and lines typed, oldest first."""

    places: list[Place] = []
    typed: list[str] = []


class PlaceFile:
    """The file of a workspace, one for each person: several may share a workspace.

    It lies in the cache folder, for opening the app in a folder must not put anything into it, and
    what is lost with it is no more than where one was.
    """

    def __init__(self, root: Path) -> None:
        mark = hashlib.blake2b(os.fsencode(root.absolute()), digest_size=8).hexdigest()
        self.file = cache_dir() / "places" / f"{mark}.json"

    def load(self) -> Kept:
        """Return what is kept; nothing where the file is not there, damaged or of another kind."""
        try:
            kept = msgspec.json.decode(self.file.read_bytes(), type=Kept)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            return Kept()
        return Kept(kept.places[:DEEPEST], kept.typed[-REMEMBERED:])

    def save(self, kept: Kept) -> None:
        """Write it as a whole. Raises `OSError` where that cannot be done."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(self.file, msgspec.json.encode(kept).decode())


def to_row(key: object, root: Path) -> Row | None:
    """Return a row's key as the file has it; None for one of a kind that is not kept."""
    if isinstance(key, Path):
        return ["path", to_subject(key, root)]
    return key if isinstance(key, (int, str)) and not isinstance(key, bool) else None


def from_row(row: Row | None, root: Path) -> int | str | Path | None:
    """Return the key that `to_row` was given."""
    if isinstance(row, list):
        return from_subject(row[1], root) if len(row) == 2 and row[0] == "path" else None
    return row


def to_subject(path: Path, root: Path) -> str:
    """Return a folder as the file has it."""
    return str(path.relative_to(root) if path.is_relative_to(root) else path)


def from_subject(subject: str, root: Path) -> Path:
    """Return the folder that `to_subject` was given."""
    return root / subject
