"""Hidden siblings that work is done in: made beside their place, renamed into it, or renamed aside.

Whatever is written whole is written under such a name first, and what is deleted gets one before
it goes. Killed work leaves them. Their names say who made them, and as long as that process lives
it holds a lock on them (`flock`, which the kernel lets go whatever kills a process), so that the
next command that works in the folder removes the dead ones and never a living one:

- of this machine: when nobody holds the lock and the process is gone, or its number is another's;
- of another machine: when nobody holds the lock and nothing was written to it for a week, since
  not every network file system carries locks to the others.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import os
import re
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from core.common.full_disk import naming_full_disk
from core.common.hardware import process_lives
from core.late import late, late_pattern

if TYPE_CHECKING:
    import shutil
else:
    shutil = late("shutil")

_NAME = late_pattern(
    r"\.(?P<of>.+)\.batman-(?P<host>.+)-(?P<pid>\d+)-(?P<start>\d+)-[0-9a-f]{8}(?P<was>\.was)?\.tmp"
)
# So many bytes of a name go into the hidden one, which may have 255.
_HEAD = 100
_OTHER_HOST_S = 7 * 86400.0

# What Batman up to 0.1 left, whose names tell less: who made it is asked of this machine only, and
# what may be at work elsewhere must be old.
_OLD_REMOVED = late_pattern(r"\..+\.removed-(?P<pid>\d+)")
_OLD_PID = late_pattern(r"\..+\.(?P<pid>\d+)\.(tmp|part)")
_OLD_INCOMING = late_pattern(r"\.incoming-(?P<host>.+)-(?P<pid>\d+)-[a-z0-9_]{8}")
# `tempfile` made the others: eight of these characters, for the owner only.
_OLD_FILE = late_pattern(r"\..+\.[a-z0-9_]{8}\.tmp")
_OLD_ROBOFLOW = late_pattern(r"\.roboflow-[a-z0-9_]{8}")
_OLD_FOLDER = late_pattern(r"\.(making-|.+\.)[a-z0-9_]{8}")
_OLD_S = 3600.0
_OLD_FOLDER_S = 86400.0
# What lies at the top of a project, a prepared data set and an export in each format; a hidden
# folder of a person's own that happens to have such a name holds something else.
_OLD_INSIDE = frozenset({
    "project.db", "project.db-journal", "images", "train", "valid", "test", "val", "labels",
    "annotations", "data.yaml", "classes.txt", "_annotations.coco.json", "Annotations",
    "ImageSets", "JPEGImages",
})  # fmt: skip

Verdict = Literal["free", "held", "unknown"]


def name_beside(target: Path, *, was: bool = False) -> Path:
    """Return a hidden name beside `target` that nothing has, and that says whose it is.

    With `was` it is for what `target` was so far: `sweep` puts that back where there is no other.
    """
    host = re.sub(r"[^\w.]+", "-", os.uname().nodename)[:64] or "host"
    head = target.name.encode()[:_HEAD].decode(errors="ignore")
    owner = f"batman-{host}-{os.getpid()}-{_started(os.getpid())}-{os.urandom(4).hex()}"
    return target.with_name(f".{head}.{owner}{'.was' if was else ''}.tmp")


@contextlib.contextmanager
def folder_beside(target: Path) -> Iterator[Path]:
    """Make a folder beside `target` for the block; what is left of it goes when the block ends.

    The block renames it into place (`put_in_place`) when it is complete. It has the permissions
    that folders usually have. What dead processes left beside it goes first. Raises OSError, and
    `DiskFull` for a full disk.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    sweep(target.parent)
    made = name_beside(target)
    made.mkdir()
    with _held(made):
        try:
            with naming_full_disk(target):
                yield made
        finally:
            shutil.rmtree(made, ignore_errors=True)


@contextlib.contextmanager
def file_beside(target: Path) -> Iterator[Path]:
    """Make an empty file beside `target` for the block, and give it that name when the block ends.

    The block writes it by its name, without removing it; when it raises, the file goes and
    `target` is as it was. Nothing is swept: whoever writes many files asks for that once a folder.
    Raises OSError, with `target` for its name where the system tells none (a full disk).
    """
    made = name_beside(target)
    os.close(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
    try:
        with _held(made):
            yield made
            made.replace(target)
    except BaseException as error:
        made.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(target)
        raise


def put_in_place(made: Path, target: Path) -> None:
    """Rename the folder `made` to `target`, and remove what is there.

    At any moment `target` is the old folder or the new one, where the system can exchange two
    names at once (Linux: renameat2(2), RENAME_EXCHANGE; not every network file system). Elsewhere
    the old one goes aside first under a name from which `sweep` puts it back.
    """
    if not os.path.lexists(target):
        made.rename(target)
        return
    if _exchange(made, target):
        _remove_held(made)
        return
    aside = name_beside(target, was=True)
    target.rename(aside)
    try:
        made.rename(target)
    except BaseException:
        aside.rename(target)
        raise
    _remove_held(aside)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two names of a folder at once; False where the system or file system cannot."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        import ctypes

        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    at, exchange = -100, 2  # AT_FDCWD and RENAME_EXCHANGE, of linux/fcntl.h and linux/fs.h
    return bool(rename(at, os.fsencode(one), at, os.fsencode(other), exchange) == 0)


def remove_tree(path: Path) -> None:
    """Remove a file, or a folder and what is in it, if it is there.

    A folder is renamed first, so that it goes at once; what a kill leaves of it, the next command
    that works beside it removes. It needs no room on the disk. Raises OSError.
    """
    sweep(path.parent)
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    with contextlib.suppress(OSError):
        path = path.rename(name_beside(path))
    _remove_held(path)


def sweep(folder: Path) -> None:
    """Remove what dead processes of Batman left in `folder`, and nothing else.

    Looks at the names in the folder only. What cannot be removed stays, without a word: it is
    somebody else's, or the next one gets it.
    """
    try:
        with os.scandir(folder) as entries:
            hidden = [entry.name for entry in entries if entry.name.startswith(".")]
    except OSError:
        return
    for name in hidden:
        with contextlib.suppress(OSError):
            _sweep_one(folder / name)


def _sweep_one(path: Path) -> None:
    found = _NAME.fullmatch(path.name)
    if found is None and not _is_old(path):
        return
    with _asked(path) as lock:
        if lock == "held" or (found is not None and _may_live(path, found, lock)):
            return
        if found is not None and found["was"] and not os.path.lexists(path.with_name(found["of"])):
            if len(found["of"].encode()) < _HEAD:  # else the name was cut, and it stays
                path.rename(path.with_name(found["of"]))
        elif path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _may_live(path: Path, found: re.Match[str], lock: Verdict) -> bool:
    """Tell whether the maker of `path`, whose lock is not held, may still be at it."""
    host = re.sub(r"[^\w.]+", "-", os.uname().nodename)[:64] or "host"
    if found["host"] == host:
        return process_lives(int(found["pid"]), int(found["start"]))
    return time.time() - _last_written(path) < _OTHER_HOST_S


def _is_old(path: Path) -> bool:
    """Tell whether an earlier Batman left `path`, and is no longer at it."""
    name = path.name
    if found := _OLD_REMOVED.fullmatch(name):
        return not process_lives(int(found["pid"]))
    if found := _OLD_INCOMING.fullmatch(name):
        return found["host"] == os.uname().nodename and not process_lives(int(found["pid"]))
    if found := _OLD_PID.fullmatch(name):
        old = time.time() - _last_written(path) > _OLD_S
        return old and not process_lives(int(found["pid"]))
    if _OLD_ROBOFLOW.fullmatch(name):
        return time.time() - _last_written(path) > _OLD_FOLDER_S
    is_file, is_folder = _OLD_FILE.fullmatch(name), _OLD_FOLDER.fullmatch(name)
    if not (is_file or is_folder):
        return False
    seen = path.lstat()
    if seen.st_uid != os.geteuid():
        return False
    age = time.time() - _last_written(path)
    if is_file and stat.S_ISREG(seen.st_mode):
        return stat.S_IMODE(seen.st_mode) == 0o600 and age > _OLD_S
    if not is_folder or not stat.S_ISDIR(seen.st_mode) or stat.S_IMODE(seen.st_mode) != 0o700:
        return False
    inside = {entry.name for entry in path.iterdir()}
    return bool(inside) and inside <= _OLD_INSIDE and age > _OLD_FOLDER_S


def _last_written(path: Path) -> float:
    """Return when something was last written at `path` or directly in it (Unix seconds)."""
    times = [path.lstat().st_mtime]
    if path.is_dir() and not path.is_symlink():
        with os.scandir(path) as entries:
            times += [entry.stat(follow_symlinks=False).st_mtime for entry in entries]
    return max(times)


@contextlib.contextmanager
def _held(path: Path) -> Iterator[None]:
    """Hold the lock on `path`, wherever it is renamed to, while the block runs."""
    # For reading and shared: a folder cannot be opened otherwise, and NFS wants to write for more.
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):  # a file system without locks: the name has to do
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        yield
    finally:
        os.close(fd)


@contextlib.contextmanager
def _asked(path: Path) -> Iterator[Verdict]:
    """Take the lock on `path` for the block, and tell whether somebody has it."""
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        fd = os.open(path, flags)
    except PermissionError:
        yield "unknown"
        return
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            held = error.errno in (errno.EWOULDBLOCK, errno.EACCES)
            yield "held" if held else "unknown"
        else:
            yield "free"
    finally:
        os.close(fd)


def _remove_held(path: Path) -> None:
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            stack.enter_context(_held(path))
        if path.is_symlink() or not path.is_dir():
            path.unlink(missing_ok=True)
        else:
            shutil.rmtree(path)


@functools.lru_cache(maxsize=8)
def _started(pid: int) -> int:
    """Return when this process started (Unix seconds), which with its number is its own."""
    import psutil

    return int(psutil.Process(pid).create_time())
