"""What image files were when they were last read, so that only changed ones are read again.

A file is taken for unchanged while its size and its time of change in nanoseconds are. What is
kept can be had again: it lies in the cache folder, a file a project, and whatever goes wrong with
it only means that images are read.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
from pathlib import Path

from core.common.folders import cache_dir
from core.data.health.scan import ScannedImage

# Goes up when what is kept, or how it is worked out, changes.
_VERSION = 2
_BUSY_S = 2.0
# Kept as SQLite's integers, which have a sign; a difference hash fills all 64 bits.
_SIGN = 1 << 63


class KnownImages:
    """The images of the project in `folder` that were read before. Threads may share it."""

    def __init__(self, folder: Path) -> None:
        place = str(folder.absolute())
        mark = hashlib.blake2b(os.fsencode(place), digest_size=8).hexdigest()
        self._file = cache_dir() / "images" / f"{mark}.db"
        self._known: dict[str, tuple[int, int, ScannedImage]] = {}
        self._new: list[tuple[str, int, int, ScannedImage]] = []
        self._seen: set[str] = set()
        with contextlib.suppress(OSError, sqlite3.Error, TypeError):
            self._load()

    def __len__(self) -> int:
        return len(self._known)

    def get(self, image_id: int, path: Path, stat: os.stat_result) -> ScannedImage | None:
        """Return what the file is, None if it was never read or has changed since."""
        key = str(path)
        self._seen.add(key)
        size, changed, image = self._known.get(key, (-1, -1, None))
        if image is None or (size, changed) != (stat.st_size, stat.st_mtime_ns):
            return None
        return image.of(image_id)

    def add(self, path: Path, stat: os.stat_result, image: ScannedImage) -> None:
        """Note what a file is that was read whole; `stat` is from before it was read."""
        self._new.append((str(path), stat.st_size, stat.st_mtime_ns, image))

    def save(self, *, whole: bool) -> None:
        """Keep what was added; after a look at the `whole` project, forget what is not in it."""
        gone = [path for path in self._known if path not in self._seen] if whole else []
        if not self._new and not gone:
            return
        with contextlib.suppress(OSError, sqlite3.Error):
            try:
                self._store(gone)
            except sqlite3.OperationalError:  # busy, or the disk is full
                pass
            except sqlite3.DatabaseError:
                self._file.unlink()
                self._store([])
        self._new = []

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._file, timeout=_BUSY_S, isolation_level=None)
        # A cache: a crash may take it.
        db.execute("PRAGMA synchronous = OFF")
        return db

    def _load(self) -> None:
        if not self._file.is_file():
            return
        with contextlib.closing(self._connect()) as db:
            if db.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
                return
            for path, size, changed, width, height, mode, turn, digest, dhash, thumb in db.execute(
                "SELECT path, size, changed, width, height, mode, orientation, digest, dhash,"
                " thumb FROM images"
            ):
                image = ScannedImage(
                    0, "good", "", width, height, mode, turn, digest, dhash + _SIGN, thumb
                )
                self._known[path] = (size, changed, image)

    def _store(self, gone: list[str]) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.closing(self._connect()) as db:
            db.execute("BEGIN IMMEDIATE")
            if db.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
                db.execute("DROP TABLE IF EXISTS images")
                db.execute(
                    "CREATE TABLE images(path TEXT PRIMARY KEY, size, changed, width, height,"
                    " mode, orientation, digest, dhash, thumb) WITHOUT ROWID"
                )
                db.execute(f"PRAGMA user_version = {_VERSION}")
            db.executemany("DELETE FROM images WHERE path = ?", ((path,) for path in gone))
            db.executemany(
                "INSERT OR REPLACE INTO images VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    (path, size, changed, image.width, image.height, image.mode,
                     image.orientation, image.digest, image.dhash - _SIGN, image.thumb)
                    for path, size, changed, image in self._new
                ),
            )  # fmt: skip
            db.execute("COMMIT")
