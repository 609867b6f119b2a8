"""A folder as one stream of bytes that is the same each time, so that it can be sent in parts.

The stream is a tar archive with sorted names and no times or owners. Its first file is a manifest
of SHA-256 sums in the form of sha256sum(1); the manifest's own sum names the content.
"""

from __future__ import annotations

import bisect
import hashlib
import os
import tarfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from core.common.errors import BatmanError
from core.common.progress import Cancelled, Report, never, nothing
from core.common.progress import Progress as ProgressOf
from core.common.text import clean

MANIFEST = ".manifest"
_BLOCK = 512


@dataclass(frozen=True)
class _Part:
    """One file of the stream: where its header begins, the header, and its content's place."""

    start: int
    header: bytes
    size: int
    source: Path | bytes

    @property
    def end(self) -> int:
        return self.start + len(self.header) + -(-self.size // _BLOCK) * _BLOCK

    def read(self, offset: int, limit: int) -> bytes:
        """Return up to `limit` bytes from `offset` on, counted from the part's start."""
        if offset < len(self.header):
            return self.header[offset : offset + limit]
        at = offset - len(self.header)
        if at >= self.size:
            return bytes(min(limit, self.end - self.start - offset))
        wanted = min(limit, self.size - at)
        if isinstance(self.source, bytes):
            return self.source[at : at + wanted]
        with self.source.open("rb") as file:
            file.seek(at)
            data = file.read(wanted)
        if len(data) < wanted:
            raise BatmanError(
                f"'{clean(str(self.source))}' changed while it was sent.", "Send it again."
            )
        return data


class Pack:
    """The stream of a folder's files: its length in bytes, its content's name, any part of it."""

    def __init__(self, digest: str, parts: list[_Part], files: int) -> None:
        self.digest = digest
        self.files = files
        self._parts = parts
        self._starts = [part.start for part in parts]
        # A tar archive ends with two empty blocks.
        self.size = parts[-1].end + 2 * _BLOCK

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


def pack_folder(
    folder: Path,
    wanted: Callable[[str], bool] | None = None,
    report: Report = nothing,
    cancelled: Cancelled = never,
    *,
    top_only: bool = False,
) -> Pack:
    """Return the stream of the files in `folder`; `wanted` chooses by relative path.

    `top_only` leaves out the folders in it.

    Reads every file once, to know its sum. Raises BatmanError for a name with a line end in it or
    a file that cannot be read, and `core.common.errors.Cancelled`.
    """
    from core.common.errors import Cancelled as WasCancelled

    names = sorted(name for name in _walk(folder, top_only) if wanted is None or wanted(name))
    sums: list[tuple[str, int, str]] = []
    for number, name in enumerate(names):
        if cancelled():
            raise WasCancelled("Sending was cancelled.")
        if any(ord(char) < 32 for char in name) or "\\" in name:
            raise BatmanError(f"The file name '{clean(name)}' cannot be sent.", "Rename the file.")
        if number % 200 == 0:
            report(ProgressOf("hashing", number, len(names)))
        try:
            with (folder / name).open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                sums.append((name, file.tell(), digest))
        except OSError as error:
            raise BatmanError(
                f"'{clean(str(folder / name))}' cannot be read: {error.strerror}."
            ) from None
    report(ProgressOf("hashing", len(names), len(names)))
    manifest = "".join(f"{digest}  {name}\n" for name, _, digest in sums).encode(
        errors="surrogateescape"
    )
    parts: list[_Part] = []
    at = 0
    contents: list[tuple[str, int, Path | bytes]] = [(MANIFEST, len(manifest), manifest)]
    contents += [(name, size, folder / name) for name, size, _ in sums]
    for name, size, source in contents:
        part = _Part(at, _header(name, size), size, source)
        parts.append(part)
        at = part.end
    return Pack(hashlib.sha256(manifest).hexdigest(), parts, len(sums))


def _walk(folder: Path, top_only: bool) -> Iterable[str]:
    for place, folders, files in os.walk(folder):
        if top_only:
            folders.clear()
        below = Path(place).relative_to(folder)
        yield from ((below / name).as_posix() for name in files)


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o644
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")
