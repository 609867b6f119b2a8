"""What was read of runs at rest, kept in the cache folder so that it need not be read again.

One file a workspace and machine (whether a lost run's process lives is known only to its own),
replaced as a whole: of two that write, one is kept, and a kill leaves the old one. Whatever is
wrong with it only means that runs are read.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from core.common.files import write_atomic
from core.common.folders import cache_dir
from core.data.store.lock import hostname
from core.training.run.summary import RunSummary

Stamp = tuple[int, int, int]
"""Of a file: its time of change in nanoseconds, its size in bytes and its inode."""
Files = tuple[Stamp | None, ...]
"""Stamps of the files of a run, None for those that are not there."""

# Goes up when what is kept, or how it is worked out, changes.
_VERSION = b"batman runs 4\n"
_DIGEST = 16


class Kept(msgspec.Struct, array_like=True, gc=False):
    """A run: the stamps of its folder and of its files, and what was read of them."""

    folder: Stamp
    files: Files
    row: RunSummary


class RunCache:
    """The file that keeps what is known of the runs below `folder`."""

    def __init__(self, folder: Path) -> None:
        place = os.fsencode(f"{folder.absolute()}\n{hostname()}")
        mark = hashlib.blake2b(place, digest_size=8).hexdigest()
        self.file = cache_dir() / "runs" / f"{mark}.bin"
        # A path is kept as its last part: the folder of all runs may be reached by another way.
        self._decoder = msgspec.msgpack.Decoder(
            list[Kept], dec_hook=lambda _, name: folder / str(name)
        )

    def load(self) -> list[Kept]:
        """Return what is kept, nothing where the file is not there, damaged or of another kind."""
        try:
            data = self.file.read_bytes()
        except OSError:
            return []
        start = len(_VERSION) + _DIGEST
        body = memoryview(data)[start:]
        if data[:start] != _VERSION + _sum(body):
            return []
        try:
            return self._decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return []

    def save(self, runs: Iterable[Kept]) -> None:
        """Keep these runs and no others; where that cannot be written, nothing is kept."""
        with contextlib.suppress(OSError, UnicodeEncodeError):
            body = msgspec.msgpack.encode(list(runs), enc_hook=lambda path: path.name)
            write_atomic(self.file, _VERSION + _sum(body) + body)


def _sum(body: bytes | memoryview) -> bytes:
    return hashlib.blake2b(body, digest_size=_DIGEST).digest()
