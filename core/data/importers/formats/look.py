"""A cheap look at what lies at a path, by which a format is recognised: names, and first bytes."""

from __future__ import annotations

import contextlib
import os
import zipfile
from collections.abc import Iterator
from functools import cached_property
from itertools import islice
from pathlib import Path

from core.data.importers.formats.reading.text_files import decoded
from core.data.importers.image_files import is_image

# Some data sets hold a million files; the first ones tell what they are.
_FILES = 5_000
_FOLDERS = 2_000
_DEEPEST = 5
_HEAD = 8_192
_PACKED = 200_000
# What a damaged or odd archive makes of zipfile.
_DAMAGED = (OSError, ValueError, RuntimeError, NotImplementedError, EOFError, zipfile.BadZipFile)


class Look:
    """The files at a path, which is a folder, a ZIP archive or one file, and some beginnings."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.packed = path.suffix.lower() == ".zip" and path.is_file()
        self._heads: dict[str, str] = {}

    @cached_property
    def names(self) -> list[str]:
        """The relative paths with slashes of the first 5,000 files, five folders deep at most.

        Of a path that is a file, its name; of an archive, what is in it. Hidden files are left out.
        """
        if self.packed:
            return self._members()
        if self.path.is_file():
            return [self.path.name]
        return list(islice(self._walk(), _FILES))

    @cached_property
    def images(self) -> int:
        """How many of the names are images'."""
        return sum(map(is_image, self.names))

    def ending(self, *endings: str) -> list[str]:
        """Return the names that end so, in any case."""
        return [name for name in self.names if name.lower().endswith(endings)]

    def heads(self, *endings: str, most: int = 5) -> list[str]:
        """Return the beginnings of the first few files whose names end so, in any case."""
        return [self.head(name) for name in self.ending(*endings)[:most]]

    def head(self, name: str) -> str:
        """Return the first 8 KiB of a file as text, without a byte order mark; "" if unreadable."""
        if name not in self._heads:
            raw = self._packed_head(name) if self.packed else self._file_head(name)
            self._heads[name] = decoded(raw, "replace")
        return self._heads[name]

    def _file_head(self, name: str) -> bytes:
        file = self.path if self.path.is_file() else self.path / name
        # A pipe would wait for a writer.
        with contextlib.suppress(OSError):
            if file.is_file():
                with file.open("rb") as reading:
                    return reading.read(_HEAD)
        return b""

    def _packed_head(self, name: str) -> bytes:
        with (
            # Whatever a packed file that is not what it says makes of the unpackers.
            contextlib.suppress(Exception),
            zipfile.ZipFile(self.path) as archive,
            archive.open(name) as reading,
        ):
            return reading.read(_HEAD)
        return b""

    def _members(self) -> list[str]:
        try:
            with zipfile.ZipFile(self.path) as archive:
                names = list(islice(archive.namelist(), _PACKED))
        except _DAMAGED:
            return []
        return sorted(
            name
            for name in names
            if not name.endswith("/")
            and not any(part.startswith((".", "__MACOSX")) for part in name.split("/"))
        )

    def _walk(self) -> Iterator[str]:
        for count, (parent, folders, files) in enumerate(os.walk(self.path)):
            below = Path(parent).relative_to(self.path)
            deep = len(below.parts) >= _DEEPEST or count > _FOLDERS
            folders[:] = [] if deep else sorted(n for n in folders if not n.startswith("."))
            prefix = "" if not below.parts else below.as_posix() + "/"
            yield from (prefix + name for name in sorted(files) if not name.startswith("."))
