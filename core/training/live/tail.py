"""Where a run's files are read from: this machine here, a cluster over SSH in `slurm.hosts`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Protocol, runtime_checkable

from core.common.files import open_plain
from core.common.text import clean

# What is read at once: large enough to be fast, small enough to hold a few of.
CHUNK = 4 * 1024 * 1024

# CSI and OSC sequences and two-character escapes (ECMA-48).
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_=>])")


@runtime_checkable
class FileSource(Protocol):
    """Reads files from an offset. A file that is not there, or not yet, has no size."""

    def read(self, path: str, offset: int, limit: int) -> bytes:
        """Return up to `limit` bytes of `path` from `offset`, none at its end or without a file."""

    def size(self, path: str) -> int | None:
        """Return the size of `path` in bytes, None if it is not there."""


class LocalFiles:
    """Files of this machine."""

    def read(self, path: str, offset: int, limit: int) -> bytes:
        """Return up to `limit` bytes of `path` from `offset`, none at its end or without a file."""
        try:
            with open_plain(Path(path)) as file:
                file.seek(offset)
                return file.read(limit)
        except (FileNotFoundError, NotADirectoryError):
            return b""

    def size(self, path: str) -> int | None:
        """Return the size of `path` in bytes, None if it is not there."""
        try:
            return Path(path).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None


class LineReader:
    """The whole lines that were appended to a file since the last look.

    A line that is still being written is left until its newline comes. A file that shrank or was
    replaced by another is read from its start; `restarted` is then true until the next look.
    """

    # As much of the first line as tells one file from the next that took its name.
    _HEAD = 256

    def __init__(self, path: str, source: FileSource) -> None:
        self.path = path
        self.source = source
        self.offset = 0
        self.restarted = False
        self._rest = b""
        self._head = b""

    @property
    def whole(self) -> int:
        """How many bytes the lines that were given out take."""
        return self.offset - len(self._rest)

    @property
    def head(self) -> bytes:
        """The first bytes of the file, as far as they were read."""
        return self._head

    def go_on(self, offset: int, head: bytes) -> None:
        """Go on at `offset`, where a line begins, of the file that begins with `head`."""
        self.offset, self._rest, self._head = offset, b"", head

    def start_at(self, offset: int) -> None:
        """Go on reading at `offset`; a line cut by it is dropped by the caller."""
        self.offset = offset
        self._rest = b""

    def read(self, limit: int | None = None) -> bytes:
        """Return the new whole lines, newlines included, from at most about `limit` new bytes.

        Without a limit all that is there. Empty when there is nothing new.
        """
        self.restarted = False
        size = self.source.size(self.path)
        if size is None:
            if self.offset:
                self._restart()
            return b""
        if size < self.offset or (size > self.offset and self._replaced()):
            self._restart()
        if size <= self.offset:
            return b""
        # A torn last line is waiting: its beginning need not be read again.
        wanted = size - self.offset if limit is None else min(limit, size - self.offset)
        data = self.source.read(self.path, self.offset, wanted)
        if self.offset < self._HEAD:
            self._head = (self._head[: self.offset] + data)[: self._HEAD]
        self.offset += len(data)
        end = data.rfind(b"\n") + 1
        if not end:
            self._rest += data
            return b""
        lines = self._rest + data[:end]
        self._rest = data[end:]
        return lines

    def behind(self) -> int:
        """Return how many bytes of the file have not been read yet."""
        return max(0, (self.source.size(self.path) or 0) - self.offset)

    def _replaced(self) -> bool:
        head = self._head
        return bool(head) and self.source.read(self.path, 0, len(head)) != head

    def _restart(self) -> None:
        self.offset = 0
        self._rest = b""
        self._head = b""
        self.restarted = True


class LogTail:
    """The lines of a log as they come, cleaned for a terminal.

    Starts at most `start_bytes` before the end of a log that is long already, and passes over what
    is more than four times that between two looks. A line that is rewritten by carriage returns, as
    progress bars do, counts with what it showed last.
    """

    def __init__(
        self,
        path: str | Path,
        source: FileSource | None = None,
        *,
        start_bytes: int = 256 * 1024,
        max_lines: int = 2000,
        max_width: int = 2000,
    ) -> None:
        self._reader = LineReader(str(path), source or LocalFiles())
        self._start_bytes = start_bytes
        self._max_lines = max_lines
        self._max_width = max_width
        self._first = True

    def poll(self) -> list[str]:
        """Return the new whole lines, oldest first, at most the newest `max_lines` of them."""
        size = self._reader.source.size(self._reader.path)
        if size is None and self._first:
            return []
        # What nobody could read is passed over: a long log at first, a flood of lines later.
        limit = self._start_bytes if self._first else 4 * self._start_bytes
        cut = size is not None and size - self._reader.offset > limit
        if cut and size is not None:
            self._reader.start_at(size - self._start_bytes)
        self._first = False
        lines = self._reader.read().split(b"\n")[:-1]
        if cut:
            lines = lines[1:]
        return [self._clean(line) for line in lines[-self._max_lines :]]

    def _clean(self, line: bytes) -> str:
        shown = line.rstrip(b"\r").rsplit(b"\r", 1)[-1]
        text = strip_ansi(shown[: self._max_width].decode("utf-8", "replace"))
        return clean(text.expandtabs())


def strip_ansi(text: str) -> str:
    """Return `text` without terminal escape sequences such as colours and cursor moves."""
    return _ANSI.sub("", text) if "\x1b" in text else text
