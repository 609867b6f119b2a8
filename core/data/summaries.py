"""The summaries of a workspace's projects, read again only of those whose file has changed.

A list of hundreds of projects would else open as many databases each time it is shown. What was
read is kept in the cache folder, held against the time, size and inode of `project.db`: projects
keep no journal beside it (`project_file.prepare`), so each change of one shows in it.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec

from core.common.folders import KeptFile
from core.data.store import Project, ProjectSummary

# Goes up when what is kept, or how it is worked out, changes.
_VERSION = b"batman projects 1\n"

# A file may be written again within the same tick of a coarse clock (FAT's is two seconds), and
# would look the same: what is that young is read again.
_TICK_NS = 2 * 10**9

Stamp = tuple[int, int, int]


class _Kept(msgspec.Struct, array_like=True, gc=False):
    stamp: Stamp
    summary: ProjectSummary


class Summaries:
    """What is known of the projects below `folder`; for one thread at a time."""

    def __init__(self, folder: Path) -> None:
        self._kept_file = KeptFile("projects", str(folder.absolute()), _VERSION)
        self._decoder = msgspec.msgpack.Decoder(
            list[_Kept], dec_hook=lambda _, name: folder / str(name)
        )
        self._kept: dict[str, _Kept] | None = None
        self._changed = False

    def kept(self, path: Path) -> ProjectSummary | None:
        """Return what is known of the project in the folder `path` without opening it.

        None where nothing is, or its file has changed since.
        """
        found = self._known.get(path.name)
        return None if found is None or found.stamp != _stamp(path) else found.summary

    def read(self, path: Path) -> ProjectSummary:
        """Open the project in the folder `path` and return its summary. Raises `BatmanError`."""
        stamp = _stamp(path)  # what is written meanwhile is seen next
        with Project.open(path) as project:
            summary = project.summary()
        if stamp is not None and time.time_ns() - stamp[0] > _TICK_NS:
            self._known[path.name] = _Kept(stamp, summary)
            self._changed = True
        return summary

    def save(self, there: Iterable[Path]) -> None:
        """Keep what is known of the projects that are `there`, where something has changed."""
        names = {path.name for path in there}
        gone = self._known.keys() - names
        if self._changed or gone:
            self._kept = {name: kept for name, kept in self._known.items() if name in names}
            self._changed = False
            # Bytes that are no UTF-8 fit into no cache: all of them are read again.
            with contextlib.suppress(UnicodeEncodeError):
                kept = list(self._kept.values())
                self._kept_file.save(msgspec.msgpack.encode(kept, enc_hook=_name_of))

    @property
    def _known(self) -> dict[str, _Kept]:
        if self._kept is None:
            body = self._kept_file.load()
            found: list[_Kept] = []
            with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
                found = [] if body is None else self._decoder.decode(body)
            self._kept = {kept.summary.name: kept for kept in found}
        return self._kept


def _name_of(value: object) -> str:
    if isinstance(value, Path):
        return value.name
    raise NotImplementedError


def _stamp(path: Path) -> Stamp | None:
    try:
        stat = os.stat(path / "project.db")  # noqa: PTH116 - hundreds of them
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
