"""A cheap look at what lies at a path, by which a format is recognised: names, and first bytes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from functools import cached_property
from itertools import islice
from pathlib import Path

# Some data sets hold a million files; the first ones tell what they are.
_FILES = 5_000
_DEEPEST = 5
_HEAD = 8_192


class Look:
    """The files at a path, which is a folder or one file, and the beginnings of some of them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._heads: dict[str, str] = {}

    @cached_property
    def names(self) -> list[str]:
        """The relative paths with slashes of the first 5,000 files, five folders deep at most.

        Of a path that is a file, its name. Hidden files are left out.
        """
        if self.path.is_file():
            return [self.path.name]
        return list(islice(self._walk(), _FILES))

    def ending(self, *endings: str) -> list[str]:
        """Return the names that end so, in any case."""
        return [name for name in self.names if name.lower().endswith(endings)]

    def head(self, name: str) -> str:
        """Return the first 8 KiB of a file as text, without a byte order mark; "" if unreadable."""
        if name not in self._heads:
            file = self.path if self.path.is_file() else self.path / name
            raw = b""
            # A pipe would wait for a writer.
            with contextlib.suppress(OSError):
                if file.is_file():
                    with file.open("rb") as reading:
                        raw = reading.read(_HEAD)
            self._heads[name] = raw.decode("utf-8-sig", errors="replace")
        return self._heads[name]

    def _walk(self) -> Iterator[str]:
        for parent, folders, files in os.walk(self.path):
            below = Path(parent).relative_to(self.path)
            deep = len(below.parts) >= _DEEPEST
            folders[:] = [] if deep else sorted(n for n in folders if not n.startswith("."))
            prefix = "" if not below.parts else below.as_posix() + "/"
            yield from (prefix + name for name in sorted(files) if not name.startswith("."))
