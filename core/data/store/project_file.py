"""The file of a project: finding it, making it, and what is set on each connection."""

from __future__ import annotations

import contextlib
import getpass
import os
import sqlite3
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from core.common.errors import ProjectError
from core.common.files import leads_nowhere, open_plain
from core.common.text import clean
from core.data.store.lock import hostname
from core.data.store.schema import APPLICATION_ID, migrate


def require_project(path: Path) -> Path:
    """Return the file of the project at `path`. Raises `ProjectError` when there is none."""
    file = path / "project.db"
    odd = leads_nowhere(file) or leads_nowhere(path)
    try:
        there = stat.S_ISREG(file.stat().st_mode)
        odd = not there
    except (FileNotFoundError, NotADirectoryError):
        there = False
    except OSError as error:
        raise ProjectError(
            f"The project at '{clean(str(path))}' cannot be read: {error.strerror}.",
            "Ask its owner, or check the permissions of the folder.",
        ) from error
    if odd and not there:
        raise ProjectError(
            f"'{clean(str(file))}' is no file, or behind a link that leads nowhere.",
            "Put a copy from a backup in its place, or remove the project.",
        )
    if not there:
        raise ProjectError(
            f"There is no project at '{clean(str(path))}'.",
            "Create it with `batman project create`, or import with --create.",
        )
    return file


def require_ours(file: Path) -> None:
    """Raise `ProjectError` unless the header of `file` is that of a `project.db`.

    Read without SQLite, which reads more, and damaged files not at all: the application id is the
    four bytes at 68 (https://www.sqlite.org/fileformat.html).
    """
    try:
        with open_plain(file) as opened:
            head = opened.read(72)
    except OSError as error:
        raise ProjectError(
            f"'{clean(str(file))}' cannot be read: {error.strerror}.",
            "Ask its owner, or check the permissions.",
        ) from error
    if head[:16] != b"SQLite format 3\0" or head[68:] != APPLICATION_ID.to_bytes(4, "big"):
        raise ProjectError(
            f"'{clean(str(file))}' is not a Batman project.", "Choose another folder."
        )


def peek_classes(path: Path) -> list[str]:
    """Return the names of a project's classes, sorted, and change nothing, not even an older file.

    For what only looks while somebody types. Raises `ProjectError` when it cannot be read.
    """
    file = require_project(path)
    require_ours(file)
    try:
        with contextlib.closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as db:
            return [name for (name,) in db.execute("SELECT name FROM classes ORDER BY name")]
    except sqlite3.Error as error:
        raise ProjectError(f"'{clean(str(file))}' cannot be read: {error}.") from error


def create_store(file: Path, description: str) -> None:
    """Make the empty `project.db` of a new project."""
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as db:
        prepare(db)
        migrate(db)
        with db:
            db.executemany(
                "INSERT INTO project VALUES (?, ?)",
                [("description", description), ("created_at", now())],
            )


def prepare(db: sqlite3.Connection) -> None:
    """Set on a new connection what all of them have."""
    db.row_factory = sqlite3.Row
    # A rollback journal, which unlike a write-ahead log works on network file systems. Not
    # spilling the cache keeps the file readable to others until the moment of the commit.
    db.execute("PRAGMA journal_mode = DELETE")
    db.execute("PRAGMA cache_spill = OFF")
    db.execute("PRAGMA synchronous = FULL")


@contextlib.contextmanager
def memory_copy(folder: Path) -> Iterator[sqlite3.Connection]:
    """Give what is committed of the project in `folder`, in memory; nothing is left of it.

    Read by a connection of its own: SQLite makes no backup of one that is writing
    (https://www.sqlite.org/c3ref/backup_finish.html), and Python waits for it without an end.
    """
    copy = sqlite3.connect(":memory:", isolation_level=None)
    with contextlib.closing(copy):
        source = sqlite3.connect(f"{(folder / 'project.db').as_uri()}?mode=ro", uri=True)
        with contextlib.closing(source):
            source.backup(copy)
        copy.row_factory = sqlite3.Row
        yield copy


def now() -> str:
    """Return the time as the store keeps it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def who() -> str:
    """Return user and machine, as history, passes and reviews name who did something."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        # A container may run under a number that has no name.
        user = str(os.getuid())
    return f"{user}@{hostname()}"
