"""Files as one stream of bytes that is the same each time, so that it can be sent in parts.

The stream is a tar archive with sorted names and no times or owners, its manifest first.
"""

from __future__ import annotations

import bisect
import tarfile
from dataclasses import dataclass

from slurm.sync.pack import Pack, PackedFile

_BLOCK = 512


@dataclass(frozen=True)
class _Part:
    """One file of the stream: where its header begins, the header, and its content."""

    start: int
    header: bytes
    file: PackedFile

    @property
    def end(self) -> int:
        return self.start + len(self.header) + -(-self.file.size // _BLOCK) * _BLOCK

    def read(self, offset: int, limit: int) -> bytes:
        """Return up to `limit` bytes from `offset` on, counted from the part's start."""
        if offset < len(self.header):
            return self.header[offset : offset + limit]
        at = offset - len(self.header)
        if at >= self.file.size:
            return bytes(min(limit, self.end - self.start - offset))
        return self.file.read(at, limit)


class TarStream:
    """The stream of a pack: its length in bytes, any part of it."""

    def __init__(self, pack: Pack) -> None:
        self._parts: list[_Part] = []
        at = 0
        for file in pack.contents:
            self._parts.append(_Part(at, _header(file.name, file.size), file))
            at = self._parts[-1].end
        self._starts = [part.start for part in self._parts]
        # A tar archive ends with two empty blocks.
        self.size = at + 2 * _BLOCK

    def read(self, offset: int, limit: int) -> bytes:
        """Return up to `limit` bytes of the stream from `offset` on. Raises BatmanError."""
        data = bytearray()
        while len(data) < limit and offset < self.size:
            at = bisect.bisect_right(self._starts, offset) - 1
            part = self._parts[at]
            if offset >= part.end:  # behind the last file
                piece = bytes(min(limit - len(data), self.size - offset))
            else:
                piece = part.read(offset - part.start, limit - len(data))
            data += piece
            offset += len(piece)
        return bytes(data)


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o644
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")
