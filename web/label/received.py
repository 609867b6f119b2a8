"""Files on their way in, as they lie on the disk: `PROJECT/uploads/KEY/SIZE/NAME`.

The size that a file will have is part of its path, so that what is there of it is known to be whole
or not, also after a server that was killed.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from core.common.errors import DiskFull
from core.common.temporary import remove_tree
from core.common.text import clean
from web.label.answers import Refused

FOLDER = "uploads"
_ABANDONED_S = 86_400.0
# Room that is left for the project itself.
_SPARE = 64 << 20


@dataclass(frozen=True)
class Received:
    """An upload: its file, how many bytes of it are there, and how many it will have."""

    file: Path
    have: int
    total: int

    @property
    def whole(self) -> bool:
        """Whether all of the file is there."""
        return self.have == self.total


def find_upload(project: Path, key: str) -> Received | None:
    """Return what is there of an upload, None when there is none."""
    try:
        for file in (project / FOLDER / key).glob("*/*"):
            return Received(file, file.stat().st_size, int(file.parent.name))
    except (FileNotFoundError, ValueError):
        pass  # being removed at this moment, or none of ours
    return None


def begin_upload(project: Path, key: str, name: str, total: int) -> Received:
    """Return what is there of a file of `total` bytes, which is begun where it is not.

    Removes uploads that nobody went on with for a day. Raises `Refused` when the upload was begun
    as another file, and DiskFull.
    """
    uploads = project / FOLDER
    uploads.mkdir(exist_ok=True)
    _remove_abandoned(uploads, key)
    found = find_upload(project, key)
    if found is not None and (found.file.name, found.total) != (name, total):
        raise Refused(
            409,
            f"This upload was begun as '{clean(found.file.name)}' of {found.total:,} bytes.",
            "Send that file, or choose another key for this one.",
            received=found.have,
        )
    have = 0 if found is None else found.have
    if shutil.disk_usage(uploads).free < total - have + _SPARE:
        raise DiskFull(
            f"The disk of the project has no room for a file of {total:,} bytes.",
            "Make room there, and choose the file again: it goes on where it stopped.",
        )
    file = uploads / key / str(total) / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    return Received(file, have, total)


def remove_upload(project: Path, key: str) -> None:
    """Remove an upload, if it is there."""
    remove_tree(project / FOLDER / key)


def _remove_abandoned(uploads: Path, key: str) -> None:
    for old in uploads.iterdir():
        newest = 0.0
        for each in (old, *old.rglob("*")):
            try:
                newest = max(newest, each.stat().st_mtime)
            except FileNotFoundError:
                continue  # its upload is done at this moment
        if old.name != key and time.time() - newest > _ABANDONED_S:
            remove_tree(old)
