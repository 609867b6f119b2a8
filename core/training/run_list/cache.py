"""What was read of runs at rest, kept in the cache folder so that it need not be read again.

One file a workspace and machine (whether a lost run's process lives is known only to its own).
Whatever is wrong with it only means that runs are read.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

import msgspec

from core.common.folders import KeptFile
from core.data.store.lock import hostname
from core.training.run.summary import RunSummary

Stamp = tuple[int, int, int]
"""Of a file: its time of change in nanoseconds, its size in bytes and its inode."""
Files = tuple[Stamp | None, ...]
"""Stamps of the files of a run, None for those that are not there."""

# Goes up when what is kept, or how it is worked out, changes.
_VERSION = b"batman runs 7\n"


class Kept(msgspec.Struct, array_like=True, gc=False):
    """A run: the stamps of its folder and of its files, and what was read of them."""

    folder: Stamp
    files: Files
    row: RunSummary


class RunCache:
    """The file that keeps what is known of the runs below `folder`."""

    def __init__(self, folder: Path) -> None:
        self._kept = KeptFile("runs", f"{folder.absolute()}\n{hostname()}", _VERSION)
        # A path is kept as its last part: the folder of all runs may be reached by another way.
        self._decoder = msgspec.msgpack.Decoder(
            list[Kept], dec_hook=lambda _, name: folder / str(name)
        )

    @property
    def file(self) -> Path:
        """Where it is kept."""
        return self._kept.file

    def load(self) -> list[Kept]:
        """Return what is kept, nothing where the file is not there, damaged or of another kind."""
        body = self._kept.load()
        try:
            return [] if body is None else self._decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return []

    def save(self, runs: Iterable[Kept]) -> None:
        """Keep these runs and no others; where that cannot be written, nothing is kept."""
        with contextlib.suppress(UnicodeEncodeError):
            self._kept.save(msgspec.msgpack.encode(list(runs), enc_hook=lambda path: path.name))
