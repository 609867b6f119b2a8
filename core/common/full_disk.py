"""A disk or quota that is full, whoever meets it: which one it is, and what makes room on it."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from core.common.errors import DiskFull
from core.common.text import clean, size
from core.late import late

if TYPE_CHECKING:
    import shutil
    import sqlite3
else:
    shutil = late("shutil")
    sqlite3 = late("sqlite3")

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
# With less than this free, not even a small file can be counted on.
_NOTHING = 64 * 1024

HINT = (
    "Nothing was changed. These make room and need none: batman runs delete RUN --checkpoints, "
    "batman runs delete RUN, batman project delete PROJECT."
)


def is_full(error: BaseException, near: Path | None = None) -> bool:
    """Tell whether `error` says that a disk or a quota is full; `near` is where it was written."""
    if isinstance(error, OSError):
        return error.errno in _FULL
    # Nobody has an error of a library that was not loaded.
    if "sqlite3" in sys.modules and isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", 0)
        if code & 0xFF == sqlite3.SQLITE_FULL:
            return True
        # What SQLite says where it could not write (https://www.sqlite.org/rescode.html): a quota,
        # and network file systems that find out late, come so and not as SQLITE_FULL.
        not_written = code in (
            sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC,
            sqlite3.SQLITE_IOERR_TRUNCATE, sqlite3.SQLITE_IOERR_SHMSIZE,
        )  # fmt: skip
        return not_written and near is not None and free_bytes(near) < _NOTHING
    return False


def disk_full(error: BaseException, near: Iterable[Path] = ()) -> DiskFull | None:
    """Return what to tell a person when a full disk or quota is behind `error`, None if not.

    Errors that it was raised from, or while handling, are looked at too: what a module makes of a
    failed write names the thing, this names the cause. The file system is that of the file which
    the system names, else the fullest of `near` and the usual places, if that is full.
    """
    told = next((cause for cause in _causes(error) if isinstance(cause, DiskFull)), None)
    place, quota = _where(error, near)
    return told or (None if place is None else full_at(place, quota=quota))


@contextlib.contextmanager
def naming_full_disk(target: Path) -> Iterator[None]:
    """Let the block, which makes `target` under other names, end with `DiskFull` that names it.

    To be left before what was made is removed: with that, what says which disk is full is gone.
    """
    try:
        yield
    except DiskFull:
        raise
    except Exception as error:
        place, quota = _where(error, [target])
        if place is None:
            raise
        own = mount_of(place) == mount_of(target)
        raise full_at(target if own else place, quota=quota) from error


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and those that it was raised from, or while handling."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__


def _where(error: BaseException, near: Iterable[Path]) -> tuple[Path | None, bool]:
    """Return what could not be written for want of room, None without such, and if by quota."""
    name: str | None = None
    for cause in _causes(error):
        if is_full(cause):
            if isinstance(cause, OSError) and isinstance(cause.filename, str):
                name = name or cause.filename
            quota = isinstance(cause, OSError) and cause.errno == errno.EDQUOT
            place = Path(name) if name else _fullest(near)
            # Without a name it may be the output that has no room: a pipe, a device, another disk.
            unnamed = isinstance(cause, OSError) and not name and not quota
            if not unnamed or free_bytes(place) < _NOTHING:
                return place, quota
    return None, False


def full_at(path: Path, *, quota: bool = False) -> DiskFull:
    """Return the error for a file system that is full; `path` lies on it."""
    place = f"'{clean(str(mount_of(path)))}'"
    if quota:
        return DiskFull(
            f"The quota on {place} is used up: '{clean(str(path))}' cannot be written.", HINT
        )
    return DiskFull(
        f"The disk is full: {size(free_bytes(path))} free on {place}, where"
        f" '{clean(str(path))}' would be written.",
        HINT,
    )


def no_room_for(what: str, needed: int, path: Path) -> DiskFull:
    """Return the error for `what`, which would take `needed` bytes where `path` lies."""
    return DiskFull(
        f"The disk is too full: {what} needs {size(needed)}, and {size(free_bytes(path))} are free"
        f" on '{clean(str(mount_of(path)))}'.",
        HINT,
    )


def free_bytes(path: Path) -> int:
    """Return how many bytes the file system of `path` has free for this user, 0 if unknown."""
    for place in [path, *path.parents]:
        try:
            return shutil.disk_usage(place).free
        except OSError:
            continue
    return 0


def mount_of(path: Path) -> Path:
    """Return where the file system of `path`, which need not be there, is mounted."""
    path = path.expanduser().absolute()
    return next((place for place in [path, *path.parents] if place.is_mount()), Path("/"))


def _fullest(near: Iterable[Path]) -> Path:
    import tempfile

    usual = [Path(os.environ.get("BATMAN_WORKSPACE") or "."), Path(tempfile.gettempdir())]
    places = [place.absolute() for place in [*near, *usual, Path.home()]]
    return min(places, key=free_bytes)
