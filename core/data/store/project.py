"""A project: a folder with `project.db` and `images/`, and everything that is known about them."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from core.common.errors import ProjectError
from core.common.files import expand_user, safe_name
from core.common.temporary import folder_beside, remove_tree
from core.common.text import clean
from core.data.store.changes import Change, replay
from core.data.store.kept import keep_undone
from core.data.store.leftovers import sweep_project
from core.data.store.lock import write_lock
from core.data.store.project_file import (
    create_store,
    now,
    prepare,
    require_ours,
    require_project,
    who,
)
from core.data.store.schema import APPLICATION_ID, MIGRATIONS, migrate, version
from core.data.store.sqlite_errors import damaged, store_error, stored_json, stored_time
from core.data.store.summary import ProjectSummary, read_summary

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


class ChangedSince(ProjectError):
    """A change that cannot be taken back: another one stands in its way, `entry` if it is known."""

    def __init__(self, message: str, hint: str, entry: HistoryEntry | None = None) -> None:
        super().__init__(message, hint)
        self.entry = entry


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
                create_store(making / "project.db", description)
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
        file = require_project(path)
        db: sqlite3.Connection | None = None
        try:
            db = sqlite3.connect(file, timeout=BUSY_S, isolation_level=None)
            prepare(db)
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
        require_ours(require_project(path))
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
        created = self.setting("created_at", now())
        return read_summary(self.db, self.path, self.setting("description"), created)

    # Changing it

    @contextlib.contextmanager
    def change(
        self,
        kind: str,
        summary: str,
        detail: Mapping[str, Any] | None = None,
        *,
        keep: int | None = None,
    ) -> Iterator[Change]:
        """Change the project in the block: all of it, with its history entry, or nothing.

        `kind` is a short name such as `classes.merge`, `summary` one line for people, `detail` for
        programs. What was undone before can no longer be redone, but stays where a version needs
        it or `keep` is one of its numbers. A block that changes nothing leaves no entry. Raises
        `ProjectLocked` when another process is at it.
        """
        with self.writing(summary):
            self._forget_undone(keep)
            cursor = self.db.execute(
                "INSERT INTO history(at, who, kind, summary, detail) VALUES (?, ?, ?, ?, ?)",
                (now(), who(), kind, summary, json.dumps(detail or {})),
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

    def undo(self, expect: int | None = None) -> HistoryEntry | None:
        """Take back the newest change that stands and return it, or None when there is none.

        `expect` is the number it should have: raises `ChangedSince` when the newest is another,
        so that nobody takes back what somebody else did meanwhile.
        """
        return self._step("undone = 0 ORDER BY id DESC", expect, undo=True)

    def redo(self, expect: int | None = None) -> HistoryEntry | None:
        """Do the change again that was undone last and return it, or None when there is none.

        `expect` as for `undo`.
        """
        return self._step("undone = 1 ORDER BY id ASC", expect, undo=False)

    def take_back(self, history_id: int) -> HistoryEntry:
        """Take back one edit of labels, whatever others did to other boxes since.

        The newest change is undone. An older one is answered with a change of its own, kind
        `labels.undo`, if all its rows are as it left them. Returns the entry that says so; asked a
        second time, the same. Raises `ChangedSince` where a row was changed since, or the change
        is no edit of labels or no longer known.
        """
        try:
            entry = self.entry(history_id)
        except KeyError:
            raise ChangedSince(
                "This change is no longer in the history.", "It was undone, and others followed."
            ) from None
        if entry.undone:
            return entry
        answered = self.db.execute(
            "SELECT * FROM history WHERE id > ? AND kind = 'labels.undo' AND undone = 0"
            " AND json_extract(detail, '$.of') = ?",
            (history_id, history_id),
        ).fetchone()
        if answered is not None:
            return _entry(answered)
        with contextlib.suppress(ChangedSince):
            if (undone := self.undo(history_id)) is not None:
                return undone
        if not entry.kind.startswith("labels."):
            raise self._in_the_way(entry, self.newest())
        detail = {"of": history_id, "image": entry.detail.get("image")}
        newest = self.newest()
        with self.change("labels.undo", f"Took back: {entry.summary}", detail) as change:
            if not change.invert(history_id):
                raise self._in_the_way(entry, newest)
            if change.empty:
                return entry  # what it drew was deleted since
        return self.entry(change.history_id)

    def newest(self) -> HistoryEntry | None:
        """Return the newest change that stands, or None."""
        row = self.db.execute(
            "SELECT * FROM history WHERE undone = 0 ORDER BY id DESC LIMIT 1"
        ).fetchone()
        return None if row is None else _entry(row)

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

    def _in_the_way(self, wanted: HistoryEntry, newest: HistoryEntry | None) -> ChangedSince:
        by = f": {newest.who} did '{clean(newest.summary)}'" if newest is not None else ""
        return ChangedSince(
            f"'{clean(wanted.summary)}' cannot be taken back alone, for its picture, boxes or class"
            f" were changed since{by}.",
            "Take back what came after it first, or mend it by hand.",
            newest,
        )

    def _step(self, which: str, expect: int | None, *, undo: bool) -> HistoryEntry | None:
        with self.writing("undo" if undo else "redo"):
            row = self.db.execute(f"SELECT * FROM history WHERE {which} LIMIT 1").fetchone()
            if row is None:
                return None
            if expect is not None and row["id"] != expect:
                entry = _entry(row)
                raise ChangedSince(
                    f"The {'newest' if undo else 'next'} change is another one by now:"
                    f" '{clean(entry.summary)}', by {entry.who}.",
                    "Look at the history, and ask again.",
                    entry,
                )
            replay(self.db, row["id"], undo=undo)
            self.db.execute("UPDATE history SET undone = ? WHERE id = ?", (int(undo), row["id"]))
        return self.entry(row["id"])

    @contextlib.contextmanager
    def writing(self, what: str) -> Iterator[None]:
        """Write in the block what is no change of the data, in one transaction: all or nothing.

        It has no entry in the history. Raises `ProjectLocked` when another process is at it.
        """
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

    def _forget_undone(self, keep: int | None) -> None:
        """Drop what was undone, and the rows of imports and passes that cannot come back.

        What a version needs is kept as changes that stand and were answered.
        """
        if self.db.execute("SELECT 1 FROM history WHERE undone = 1 LIMIT 1").fetchone() is None:
            return
        if keep_undone(self.db, self.path, keep):
            return
        for pass_id in self._undone("passes"):
            for table in ("suggestions", "pass_images"):
                self.db.execute(f"DELETE FROM {table} WHERE pass_id = ?", (pass_id,))
        for import_id in self._undone("imports"):
            self.db.execute(
                "DELETE FROM annotations WHERE image_id IN"
                " (SELECT id FROM images WHERE import_id = ?)",
                (import_id,),
            )
            for table in ("suggestions", "pass_images"):
                self.db.execute(
                    f"DELETE FROM {table} WHERE image_id IN"
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

    def _undone(self, table: str) -> list[int]:
        """Return the rows of `table` that an undone change made, and none that stands.

        A row that was taken back by a change, and came again by another, was made twice.
        """
        made = (
            "SELECT ids FROM history_changes JOIN history ON history.id = history_id"
            " WHERE undone = ? AND tbl = ? AND before IS NULL"
        )
        return [
            stored_json(row[0])[0]
            for row in self.db.execute(f"{made} EXCEPT {made}", (1, table, 0, table))
        ]


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
