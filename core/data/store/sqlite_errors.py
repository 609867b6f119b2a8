"""What SQLite's errors mean for a project, in words: each cause has its own way out."""

from __future__ import annotations

import json
import os
import sqlite3
from datetime import datetime
from pathlib import Path
from typing import Any

from core.common.errors import BatmanError, ProjectError, ProjectLocked
from core.common.full_disk import full_at, is_full
from core.common.text import clean

# https://www.sqlite.org/rescode.html
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT})
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL})
_REFUSED = frozenset({
    sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH,
})  # fmt: skip


class BadValue(sqlite3.DatabaseError):
    """A row holds what Batman never writes: the file is damaged, or somebody else changed it."""


def stored_json(text: object) -> Any:
    """Return JSON that a row holds. Raises `BadValue`, which `store_error` tells as damage."""
    try:
        return json.loads(text)  # type: ignore[arg-type]
    except (TypeError, ValueError, RecursionError) as error:
        raise BadValue(f"a row holds no JSON ({error})") from None


def stored_time(text: object) -> datetime:
    """Return the time that a row holds, in ISO 8601. Raises `BadValue`."""
    try:
        return datetime.fromisoformat(text)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise BadValue("a row holds no time where there should be one") from None


def store_error(error: sqlite3.Error, path: Path) -> BatmanError | None:
    """Return what to tell of `error` in the project at `path`; None for a defect of ours."""
    code = getattr(error, "sqlite_errorcode", None)
    primary = None if code is None else code & 0xFF
    file = path / "project.db"
    name, shown, said = clean(path.name), clean(str(file)), clean(str(error))
    if is_full(error, path):
        return full_at(file)
    if primary in _BUSY:
        return ProjectLocked(
            f"The project '{name}' is in use: another process reads or writes it and does not let"
            " go, or was stopped while it did.",
            f"Nothing was changed. End that process, or let it go on; fuser '{shown}' names it.",
        )
    if _needs_rolling_back(path) and primary in {*_REFUSED, sqlite3.SQLITE_IOERR}:
        return ProjectError(
            f"A change of the project '{name}' broke off, and taking it back needs permission to"
            f" write to '{clean(str(path))}'.",
            "Nothing is lost: somebody who may write there mends it by opening it, such as with"
            " batman project show.",
        )
    if primary in _REFUSED:
        may = os.access(file, os.R_OK)
        return ProjectError(
            f"You may not {'write to' if may else 'read'} '{shown}': {said}.",
            f"Check the permissions of '{clean(str(path))}'.",
        )
    if primary == sqlite3.SQLITE_IOERR:
        return ProjectError(
            f"The disk of '{shown}' does not answer as it should: {said} ({error_name(error)}).",
            "Nothing was changed. Check the disk or the connection to it.",
        )
    # Python finds text that is no UTF-8 itself, without a code; our own queries are fixed, so that
    # a table they do not find is missing from the file.
    missing = primary == sqlite3.SQLITE_ERROR and ("no such " in said or "malformed" in said)
    if isinstance(error, BadValue) or primary in _DAMAGED or missing or "decode to UTF-8" in said:
        return damaged(path, said)
    return None


def damaged(path: Path, said: str) -> ProjectError:
    """Return the error for a project whose `project.db` holds what it never should."""
    return ProjectError(
        f"'{clean(str(path / 'project.db'))}' cannot be read, it is damaged: {clean(said)}.",
        "Put a copy from a backup in its place. The images in the project's folder are not touched:"
        " without a copy they can be imported into a new project.",
    )


def error_name(error: sqlite3.Error) -> str:
    """Return SQLite's own name for `error`, such as SQLITE_IOERR_READ."""
    return str(getattr(error, "sqlite_errorname", "SQLITE_ERROR"))


def _needs_rolling_back(path: Path) -> bool:
    journal = path / "project.db-journal"
    if not journal.exists():
        return False
    return not all(os.access(place, os.W_OK) for place in (path, path / "project.db", journal))
