"""Thumbnails that were made before: in memory, and as small JPEG files in the cache folder.

A file is taken for unchanged while its size and its time of change in nanoseconds are. What is
kept can be had again: whatever goes wrong with it only means that the picture is read.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock

from PIL import Image

from core.common.errors import BatmanError
from core.common.folders import cache_dir
from core.common.temporary import name_beside
from core.data.images.thumbnails import Size, fitted, picture

SIDE = 256
"""A thumbnail on disk fills this square, pixels: more than a tile of a grid has."""

KEPT = 600
"""In memory: 25 pages of 24, of some ten kilobytes each on a terminal of cells."""

MOST_FILES = 20_000
"""On disk: some 200 MB, the oldest going first."""

_QUALITY = 88
_THREADS = 4


class ThumbnailCache:
    """Makes thumbnails and keeps them; for several threads. `folder` is for tests."""

    def __init__(self, folder: Path | None = None, most_files: int = MOST_FILES) -> None:
        self._folder = folder or cache_dir() / "thumbnails"
        self._most = most_files
        self._kept: OrderedDict[tuple[str, Size], Image.Image] = OrderedDict()
        self._lock = Lock()
        self._pruned = False
        self._unwritten: dict[Path, Image.Image] = {}

    def get(self, file: Path, room: Size, size: Size) -> Image.Image:
        """Return the picture in `file`, RGB and upright, as large as fits `room` pixels.

        `size` is what the project has of it, see `thumbnails.picture`, as whose errors are.
        """
        name = _name(file, size)
        key = (name, room)
        with self._lock:
            if name and key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        image = self._made(file, name, room, size)
        with self._lock:
            self._kept[key] = image
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return image

    def many(self, wanted: Sequence[tuple[Path, Size]], room: Size) -> list[Image.Image | None]:
        """Return a thumbnail for each file and size, None for those that cannot be read.

        They are read beside each other: Pillow lets go of the interpreter while it decodes.
        """

        def one(each: tuple[Path, Size]) -> Image.Image | None:
            try:
                return self.get(each[0], room, each[1])
            except BatmanError:
                return None

        with ThreadPoolExecutor(_THREADS) as pool:
            return list(pool.map(one, wanted))

    def _made(self, file: Path, name: str, room: Size, size: Size) -> Image.Image:
        target = fitted(size, room)
        if not name or max(target) > SIDE:
            return picture(file, room, size)
        place = self._folder / name[:2] / f"{name}.jpg"
        found = _read(place)
        if found is None:
            found = picture(file, (SIDE, SIDE), size)
            with self._lock:
                self._unwritten[place] = found
        return found.resize(fitted(found.size, room), Image.Resampling.BOX, reducing_gap=2.0)

    def keep(self) -> None:
        """Write what was made since to disk: after it is shown, for that takes as long again."""
        while True:
            with self._lock:
                if not self._unwritten:
                    break
                place, image = self._unwritten.popitem()
            with contextlib.suppress(OSError):
                _write(place, image)
        self._prune()

    def _prune(self) -> None:
        """Delete the oldest files once there are too many; looked at once a process."""
        with self._lock:
            if self._pruned:
                return
            self._pruned = True
        files = [(entry.stat().st_mtime, entry) for entry in self._folder.glob("??/*.jpg")]
        for _, entry in sorted(files)[: max(0, len(files) - self._most)]:
            with contextlib.suppress(OSError):
                entry.unlink()


def _name(file: Path, size: Size) -> str:
    """Return what a picture is known by while it is not changed, "" for one that is not there."""
    try:
        stat = os.stat(file)  # noqa: PTH116 (for each of a page, each time)
    except OSError:
        return ""
    what = f"{stat.st_size} {stat.st_mtime_ns} {size[0]} {size[1]} ".encode()
    return hashlib.blake2b(what + os.fsencode(file.absolute()), digest_size=16).hexdigest()


def _write(place: Path, image: Image.Image) -> None:
    # Not forced to the disk: one that is torn is made anew.
    place.parent.mkdir(parents=True, exist_ok=True)
    temporary = name_beside(place)
    try:
        image.save(temporary, "JPEG", quality=_QUALITY)
        temporary.replace(place)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _read(place: Path) -> Image.Image | None:
    try:
        with Image.open(place) as opened:
            return opened.convert("RGB")
    except Exception:
        # Not there, or torn: it is made anew.
        return None
