"""A project: a folder with `project.db` and `images/`, and everything that is known about them."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import sqlite3
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from core.common.errors import ProjectError
from core.common.files import expand_user, leads_nowhere, open_plain, safe_name
from core.common.temporary import folder_beside, remove_tree
from core.common.text import clean
from core.data.store.changes import Change, replay
from core.data.store.leftovers import sweep_project
from core.data.store.lock import hostname, write_lock
from core.data.store.schema import APPLICATION_ID, MIGRATIONS, migrate, version
from core.data.store.sqlite_errors import damaged, store_error, stored_json, stored_time

BUSY_S = 30.0


@dataclass(frozen=True)
class HistoryEntry:
    """One change: when, by whom, what, and whether it is undone at present."""

    id: int
    at: datetime
    who: str
    kind: str
    summary: str
    detail: dict[str, Any]
    undone: bool


@dataclass(frozen=True)
class ProjectSummary:
    """What a list of projects shows; only what is visible is counted."""

    name: str
    path: Path
    description: str
    images: int
    annotations: int
    classes: int
    imports: int
    updated_at: datetime


class Project:
    """An open project. Cheap to open; use one for each thread, as SQLite wants.

    Reading needs no lock. Every change goes through `change`, which holds the writer's lock and is
    one transaction with one entry in the history.
    """

    def __init__(self, path: Path, db: sqlite3.Connection) -> None:
        self.path = path
        self.db = db

    # Opening and closing

    @classmethod
    def create(cls, path: Path, description: str = "") -> Project:
        """Make an empty project in the folder `path` and open it.

        Raises `ProjectError` when something is there already and `BadName` for a bad folder name.
        """
        path = expand_user(path).absolute()
        safe_name(path.name)
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise ProjectError(
                f"There is something at '{clean(str(path))}' already.",
                "Choose another name, or import into the project that is there.",
            )
        try:
            with folder_beside(path) as making:
                _create_store(making / "project.db", description)
                (making / "images").mkdir()
                making.rename(path)
        except OSError as error:
            raise ProjectError(
                f"The project cannot be made in '{clean(str(path.parent))}': {error.strerror}.",
                "Choose a folder that you may write to.",
            ) from error
        except sqlite3.Error as error:
            raise store_error(error, path) or error from error
        return cls.open(path)

    @classmethod
    def open(cls, path: Path) -> Project:
        """Open the project in the folder `path`, bringing an older file up to date.

        Raises `ProjectError` when there is none, it is damaged, or a newer Batman made it.
        """
        path = expand_user(path).absolute()
        file = _require(path)
        db: sqlite3.Connection | None = None
        try:
            db = sqlite3.connect(file, timeout=BUSY_S, isolation_level=None)
            _prepare(db)
            if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
                raise ProjectError(
                    f"'{clean(str(file))}' is not a Batman project.", "Choose another folder."
                )
            if version(db) != len(MIGRATIONS):
                with write_lock(path / "project.lock", "updating the project's format"):
                    migrate(db)
        except BaseException as error:
            if db is not None:
                db.close()
            told = store_error(error, path) if isinstance(error, sqlite3.Error) else None
            if isinstance(error, UnicodeDecodeError):
                # sqlite3 itself, at a message of SQLite's that quotes what the file holds.
                told = damaged(path, "it holds text that is none")
            raise told or error from error
        return cls(path, db)

    @staticmethod
    def delete(path: Path) -> None:
        """Remove the project at `path` with its images; it needs no room on the disk.

        Images that other folders share by hard link stay there. A damaged project can go as well.
        Raises `ProjectError` when there is none or it cannot be removed, and `ProjectLocked`.
        """
        path = path.expanduser().absolute()
        _require_ours(_require(path))
        with write_lock(path / "project.lock", "deleting the project"):
            try:
                remove_tree(path)
            except OSError as error:
                raise ProjectError(
                    f"The project '{clean(path.name)}' cannot be removed: {error.strerror}.",
                    f"Check the permissions of '{clean(str(error.filename or path))}'.",
                ) from error

    def close(self) -> None:
        """Close the database; the object is of no use afterwards."""
        self.db.close()

    def __enter__(self) -> Project:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
        # What a query finds wrong with the file, wherever it is made, is told here.
        told = store_error(error, self.path) if isinstance(error, sqlite3.Error) else None
        if told is not None:
            raise told from error

    # What it is

    @property
    def name(self) -> str:
        """The project's name: that of its folder."""
        return self.path.name

    @property
    def images_dir(self) -> Path:
        """The folder of the images, one sub-folder an import."""
        return self.path / "images"

    def image_file(self, path: str) -> Path:
        """Return where the image with the given `path` column lies."""
        return self.images_dir / path

    def setting(self, key: str, default: str = "") -> str:
        """Return a value of the project's own, such as `description`."""
        row = self.db.execute("SELECT value FROM project WHERE key = ?", (key,)).fetchone()
        return default if row is None else str(row[0])

    def summary(self) -> ProjectSummary:
        """Return the counts that a list of projects shows."""
        images, annotations, classes, imports, changed = self.db.execute(
            """SELECT
            (SELECT count(*) FROM v_images),
            (SELECT coalesce(sum(labels.annotations), 0) FROM labels
                JOIN imports ON imports.id = labels.import_id
                WHERE imports.active = 1 AND labels.class_id IS NOT NULL),
            (SELECT count(*) FROM classes),
            (SELECT count(*) FROM imports WHERE active = 1),
            (SELECT max(at) FROM history)"""
        ).fetchone()
        return ProjectSummary(
            name=self.name,
            path=self.path,
            description=self.setting("description"),
            images=images,
            annotations=annotations,
            classes=classes,
            imports=imports,
            updated_at=stored_time(changed or self.setting("created_at", _now())),
        )

    # Changing it

    @contextlib.contextmanager
    def change(
        self, kind: str, summary: str, detail: Mapping[str, Any] | None = None
    ) -> Iterator[Change]:
        """Change the project in the block: all of it, with its history entry, or nothing.

        `kind` is a short name such as `classes.merge`, `summary` one line for people, `detail` for
        programs. What was undone before can no longer be redone. A block that changes nothing
        leaves no entry. Raises `ProjectLocked` when another process is at it.
        """
        with self._writing(summary):
            self._forget_undone()
            cursor = self.db.execute(
                "INSERT INTO history(at, who, kind, summary, detail) VALUES (?, ?, ?, ?, ?)",
                (_now(), _who(), kind, summary, json.dumps(detail or {})),
            )
            change = Change(self.db, int(cursor.lastrowid or 0))
            yield change
            change.finish()
            if change.empty:
                self.db.execute("DELETE FROM history WHERE id = ?", (change.history_id,))

    def describe(self, change: Change, summary: str, detail: Mapping[str, Any]) -> None:
        """Set the words of a change that is still open, once they are known."""
        self.db.execute(
            "UPDATE history SET summary = ?, detail = ? WHERE id = ?",
            (summary, json.dumps(detail), change.history_id),
        )

    def undo(self) -> HistoryEntry | None:
        """Take back the newest change that stands and return it, or None when there is none."""
        return self._step("undone = 0 ORDER BY id DESC", undo=True)

    def redo(self) -> HistoryEntry | None:
        """Do the change again that was undone last and return it, or None when there is none."""
        return self._step("undone = 1 ORDER BY id ASC", undo=False)

    def history(self, limit: int | None = None) -> list[HistoryEntry]:
        """Return the changes, newest first, undone ones among them; at most `limit`."""
        rows = self.db.execute(
            "SELECT * FROM history ORDER BY id DESC LIMIT ?", (-1 if limit is None else limit,)
        )
        return [_entry(row) for row in rows]

    def entry(self, history_id: int) -> HistoryEntry:
        """Return one change. Raises `KeyError` when there is no such number."""
        row = self.db.execute("SELECT * FROM history WHERE id = ?", (history_id,)).fetchone()
        if row is None:
            raise KeyError(history_id)
        return _entry(row)

    def _step(self, which: str, *, undo: bool) -> HistoryEntry | None:
        with self._writing("undo" if undo else "redo"):
            row = self.db.execute(f"SELECT * FROM history WHERE {which} LIMIT 1").fetchone()
            if row is None:
                return None
            replay(self.db, row["id"], undo=undo)
            self.db.execute("UPDATE history SET undone = ? WHERE id = ?", (int(undo), row["id"]))
        return self.entry(row["id"])

    @contextlib.contextmanager
    def _writing(self, what: str) -> Iterator[None]:
        with write_lock(self.path / "project.lock", what):
            try:
                sweep_project(self.path, self.db)
                self.db.execute("BEGIN IMMEDIATE")
                yield
                self.db.execute("COMMIT")
            except sqlite3.Error as error:
                self._roll_back()
                raise store_error(error, self.path) or error from error
            except BaseException:
                self._roll_back()
                raise

    def _roll_back(self) -> None:
        # A full disk makes SQLite roll back by itself.
        if self.db.in_transaction:
            self.db.execute("ROLLBACK")

    def _forget_undone(self) -> None:
        """Drop what was undone, and with it the rows of imports that cannot come back."""
        gone = [
            stored_json(row[0])[0]
            for row in self.db.execute(
                "SELECT ids FROM history_changes JOIN history ON history.id = history_id"
                " WHERE undone = 1 AND tbl = 'imports' AND before IS NULL"
            )
        ]
        for import_id in gone:
            self.db.execute(
                "DELETE FROM annotations WHERE image_id IN"
                " (SELECT id FROM images WHERE import_id = ?)",
                (import_id,),
            )
            self.db.execute("DELETE FROM images WHERE import_id = ?", (import_id,))
            self.db.execute("DELETE FROM labels WHERE import_id = ?", (import_id,))
        self.db.execute(
            "DELETE FROM history_changes WHERE history_id IN"
            " (SELECT id FROM history WHERE undone = 1)"
        )
        self.db.execute("DELETE FROM history WHERE undone = 1")


def _require(path: Path) -> Path:
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


def _require_ours(file: Path) -> None:
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


def _create_store(file: Path, description: str) -> None:
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as db:
        _prepare(db)
        migrate(db)
        with db:
            db.executemany(
                "INSERT INTO project VALUES (?, ?)",
                [("description", description), ("created_at", _now())],
            )


def _prepare(db: sqlite3.Connection) -> None:
    db.row_factory = sqlite3.Row
    # A rollback journal, which unlike a write-ahead log works on network file systems. Not
    # spilling the cache keeps the file readable to others until the moment of the commit.
    db.execute("PRAGMA journal_mode = DELETE")
    db.execute("PRAGMA cache_spill = OFF")
    db.execute("PRAGMA synchronous = FULL")


def _entry(row: sqlite3.Row) -> HistoryEntry:
    return HistoryEntry(
        id=row["id"],
        at=stored_time(row["at"]),
        who=row["who"],
        kind=row["kind"],
        summary=row["summary"],
        detail=stored_json(row["detail"]),
        undone=bool(row["undone"]),
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _who() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        # A container may run under a number that has no name.
        user = str(os.getuid())
    return f"{user}@{hostname()}"
