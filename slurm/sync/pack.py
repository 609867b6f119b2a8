"""What of a folder is sent: its files with their sums, and the name of all of it together.

A manifest has the SHA-256 sums in the form of sha256sum(1); its own sum names the content.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from core.common.errors import BatmanError
from core.common.errors import Cancelled as WasCancelled
from core.common.progress import Cancelled, Progress, Report, never, nothing
from core.common.text import clean
from slurm.sync.sums import Sums, sum_files

MANIFEST = ".manifest"

# What the manifest's form has no place for.
_UNSENT = re.compile(r"[\x00-\x1f\\]")


@dataclass(frozen=True, slots=True)
class PackedFile:
    """One file: its name from the folder on, its length in bytes, its SHA-256, and where it is."""

    name: str
    size: int
    digest: str
    source: str | bytes

    def read(self, offset: int, limit: int) -> bytes:
        """Return `limit` bytes from `offset` on, fewer at the end. Raises BatmanError."""
        wanted = max(0, min(limit, self.size - offset))
        if isinstance(self.source, bytes):
            return self.source[offset : offset + wanted]
        try:
            handle = os.open(self.source, os.O_RDONLY)
            try:
                data = os.pread(handle, wanted, offset)
                while len(data) < wanted and (
                    more := os.pread(handle, wanted - len(data), offset + len(data))
                ):
                    data += more
            finally:
                os.close(handle)
        except OSError as error:
            raise _unreadable(self.source, error) from None
        if len(data) < wanted:
            raise BatmanError(
                f"'{clean(self.source)}' changed while it was sent.", "Send it again."
            )
        return data


class Pack:
    """The files of a folder, the manifest first, and the name of their content."""

    def __init__(self, folder: str, sums: list[tuple[str, int, str]]) -> None:
        manifest = "".join(f"{digest}  {name}\n" for name, _, digest in sums).encode(
            errors="surrogateescape"
        )
        self.digest = hashlib.sha256(manifest).hexdigest()
        first = PackedFile(MANIFEST, len(manifest), self.digest, manifest)
        files = [PackedFile(name, size, digest, f"{folder}/{name}") for name, size, digest in sums]
        self.contents = [first, *files]
        self.folder = folder
        self.size = sum(file.size for file in self.contents)

    def forget(self) -> None:
        """Let every file be read again the next time: what was known of one was wrong."""
        for device in {os.stat(file.source).st_dev for file in self.contents[1:]}:  # noqa: PTH116
            Sums(device).forget()


def pack_folder(
    folder: Path,
    wanted: Callable[[str], bool] | None = None,
    report: Report = nothing,
    cancelled: Cancelled = never,
    *,
    top_only: bool = False,
    afresh: bool = False,
) -> Pack:
    """Return what is sent of the files in `folder`; `wanted` chooses by relative path.

    `top_only` leaves out the folders in it. Files whose sums are known from before are not read
    again, but `afresh`. Raises BatmanError for a name with a line end in it or a file that cannot
    be read, and `core.common.errors.Cancelled`.
    """
    top = str(folder)
    try:
        names = sorted(name for name in _walk(top, top_only) if wanted is None or wanted(name))
    except OSError as error:
        raise _unreadable(os.fsdecode(error.filename or top), error) from None
    if _UNSENT.search("/".join(names)):
        unsent = next(name for name in names if _UNSENT.search(name))
        raise BatmanError(f"The file name '{clean(unsent)}' cannot be sent.", "Rename the file.")

    def told(done: int) -> None:
        if cancelled():
            raise WasCancelled("Sending was cancelled.")
        report(Progress("hashing", done, len(names)))

    try:
        found = sum_files((f"{top}/{name}" for name in names), told, afresh=afresh)
    except OSError as error:
        raise _unreadable(os.fsdecode(error.filename or top), error) from None
    return Pack(top, [(name, *one) for name, one in zip(names, found, strict=True)])


def _walk(top: str, top_only: bool) -> Iterator[str]:
    """Yield the names of the files, from the folder on, with `/` between."""
    waiting = [""]
    while waiting:
        below = waiting.pop()
        with os.scandir(f"{top}/{below}") as entries:
            for entry in entries:
                name = f"{below}/{entry.name}" if below else entry.name
                if not entry.is_dir(follow_symlinks=False):
                    if not entry.is_dir():
                        yield name
                elif not top_only:
                    waiting.append(name)


def _unreadable(path: str, error: OSError) -> BatmanError:
    return BatmanError(f"'{clean(path)}' cannot be read: {error.strerror}.")
