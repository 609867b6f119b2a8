"""The SHA-256 sums of files that were read before, so that a data set is not read for each sending.

A file is taken for unchanged while it is the same inode with the same size and time of change, and
the inode itself changed only by a link more or less, as each run that trains on it makes one. A
file that changed within seconds before it was read is read again. What is kept can be had again.
"""

from __future__ import annotations

import hashlib
import os
import struct
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from core.common.folders import KeptFile
from core.common.hardware import usable_cores

# Inode, size, both times in nanoseconds, links, SHA-256.
_ENTRY = struct.Struct("<QQqqI32s")
_VERSION = b"batman sums 1\n"
# Of one file system, the last used of so many are kept: 14 MB.
_MOST = 200_000
# As coarse as the times of a file system may be.
_SETTLED_NS = 2_000_000_000
# Less than this is read sooner than what is kept.
_WORTH = 4 * 1024 * 1024
# What a thread reads in one go.
_AT_ONCE = 32
_PIECE = 1 << 20

_Entry = tuple[int, int, int, int, int, bytes]


class Sums:
    """The sums of files on one file system, by what `os.stat` says of each."""

    def __init__(self, device: int) -> None:
        self._file = KeptFile("sums", str(device), _VERSION)
        body = self._file.load() or b""
        self._known: dict[int, _Entry] = {entry[0]: entry for entry in _ENTRY.iter_unpack(body)}
        self._used: dict[int, _Entry] = {}
        self._new = False

    def get(self, facts: os.stat_result) -> str | None:
        """Return the sum of a file in hexadecimal; None where it has to be read."""
        entry = self._known.get(facts.st_ino)
        if entry is None:
            return None
        _, size, changed, inode_changed, links, digest = entry
        if (size, changed) != (facts.st_size, facts.st_mtime_ns):
            return None
        if inode_changed != facts.st_ctime_ns:
            if links == facts.st_nlink:
                return None
            self._new = True
            entry = _entry(facts, digest)
        self._used[facts.st_ino] = entry
        return digest.hex()

    def add(self, facts: os.stat_result, digest: str) -> None:
        """Note the sum of a file; `facts` are from before it was read."""
        if time.time_ns() - facts.st_mtime_ns > _SETTLED_NS:
            self._used[facts.st_ino] = _entry(facts, bytes.fromhex(digest))
            self._new = True

    def forget(self) -> None:
        """Keep nothing of this file system: a sum was wrong."""
        self._file.save(b"")

    def save(self) -> None:
        """Keep what was added, and the last used of the others."""
        if self._new:
            others = [entry for inode, entry in self._known.items() if inode not in self._used]
            kept = [*others[max(0, len(others) + len(self._used) - _MOST) :], *self._used.values()]
            self._file.save(b"".join(_ENTRY.pack(*entry) for entry in kept))


def _entry(facts: os.stat_result, digest: bytes) -> _Entry:
    return (
        facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_nlink, digest
    )  # fmt: skip


def sum_files(
    paths: Iterable[str], told: Callable[[int], object], *, afresh: bool = False
) -> list[tuple[int, str]]:
    """Return the size in bytes and the SHA-256 sum of each file, those read before unread.

    `told` hears how many are done, and may raise to end it. With `afresh` all are read. Raises
    OSError with the file's name.
    """
    files = list(paths)
    facts = [os.stat(path) for path in files]  # noqa: PTH116
    worth = sum(one.st_size for one in facts) > _WORTH
    kept = {device: Sums(device) for device in {one.st_dev for one in facts} if worth}
    found: list[str | None] = [None] * len(files)
    if not afresh and worth:
        found = [kept[one.st_dev].get(one) for one in facts]
    unread = [at for at, digest in enumerate(found) if digest is None]
    sizes = [one.st_size for one in facts]
    done = len(files) - len(unread)
    # hashlib lets go of Python's lock, so that threads read and reckon side by side.
    groups = [unread[at : at + _AT_ONCE] for at in range(0, len(unread), _AT_ONCE)]
    with ThreadPoolExecutor(min(4, usable_cores())) as threads:
        try:
            told(done)
            read = threads.map(_read_some, [[files[at] for at in group] for group in groups])
            for group, sums in zip(groups, read, strict=True):
                for at, (size, digest) in zip(group, sums, strict=True):
                    sizes[at], found[at] = size, digest
                    if worth:
                        kept[facts[at].st_dev].add(facts[at], digest)
                done += len(group)
                told(done)
        finally:
            threads.shutdown(cancel_futures=True)
    for known in kept.values():
        known.save()
    return [(size, digest or "") for size, digest in zip(sizes, found, strict=True)]


def _read(path: str) -> tuple[int, str]:
    """Return the length and the sum of a file."""
    handle = os.open(path, os.O_RDONLY)
    try:
        expected = os.fstat(handle).st_size
        digest, size = hashlib.sha256(), 0
        # At once as a rule, and a byte more to see the end: less than that is the last of it.
        data, wanted = b"", 0
        while len(data) == wanted or size < expected:
            wanted = min(max(0, expected - size) + 1, _PIECE)
            data = os.read(handle, wanted)
            if not data:
                break
            digest.update(data)
            size += len(data)
    finally:
        os.close(handle)
    return size, digest.hexdigest()


def _read_some(paths: list[str]) -> list[tuple[int, str]]:
    return [_read(path) for path in paths]
