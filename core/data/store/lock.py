"""One writer at a time, with the name of the other one.

The lock is a file beside `project.db`. `flock` decides between processes of one machine and is
let go by the kernel whatever kills a process. What the file says decides between machines, since
not every network file system carries `flock` to the others: a note left by another host that was
not cleared is taken at its word.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from core.common.errors import ProjectError, ProjectLocked
from core.common.files import read_plain
from core.common.full_disk import is_full
from core.common.text import clean

WAIT_S = 2.0
_POLL_S = 0.02


def hostname() -> str:
    """Return this machine's name, as locks and runs record it."""
    return os.uname().nodename


def read_note(path: Path) -> dict[str, Any]:
    """Return what the holder of the lock wrote: host, pid, what, at; empty when nobody does."""
    try:
        note = json.loads(read_plain(path) or b"{}")
    except (OSError, ValueError, RecursionError):
        return {}
    return note if isinstance(note, dict) else {}


@contextlib.contextmanager
def write_lock(path: Path, what: str, wait_s: float = WAIT_S) -> Iterator[None]:
    """Hold the lock at `path` while the block runs; `what` is told to whoever comes second.

    Waits up to `wait_s` seconds. Raises `ProjectLocked` that names the holder, and `ProjectError`
    where the folder cannot be written.
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        if is_full(error) and not path.exists():
            # No room to make it for us, nor for anybody else: there is nobody to keep out.
            yield
            return
        raise ProjectError(
            f"The project '{clean(path.parent.name)}' cannot be changed: {error.strerror}.",
            f"Check the permissions of '{clean(str(path.parent))}'.",
        ) from error
    try:
        _take(fd, path, wait_s)
        note = {"host": hostname(), "pid": os.getpid(), "what": what, "at": int(time.time())}
        os.ftruncate(fd, 0)
        try:
            os.pwrite(fd, json.dumps(note).encode(), 0)
        except OSError as error:
            # What makes room must go on a full disk, and what needs some ends soon enough.
            if not is_full(error):
                raise
        try:
            yield
        finally:
            os.ftruncate(fd, 0)
    finally:
        os.close(fd)


def _take(fd: int, path: Path, wait_s: float) -> None:
    deadline = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS):
                # No locks on this file system: the note is all there is.
                note = read_note(path)
                free = not note or (note.get("host") == hostname() and not _alive(note.get("pid")))
            elif error.errno in (errno.EWOULDBLOCK, errno.EACCES, errno.EINTR):
                free = False
            else:
                raise
        else:
            free = read_note(path).get("host") in (None, hostname())
        if free:
            return
        if time.monotonic() >= deadline:
            raise _locked(path)
        time.sleep(_POLL_S)


def _locked(path: Path) -> ProjectLocked:
    note = read_note(path)
    name = clean(path.parent.name)
    host, what = clean(str(note.get("host", "?"))), clean(str(note.get("what", "a change")))
    if not note:
        return ProjectLocked(
            f"Another process is changing the project '{name}'.", "Try again when it is done."
        )
    holder = f"process {note.get('pid')} on {host} ({what}, since {_clock(note.get('at'))})"
    message = f"The project '{name}' is being changed by {holder}."
    if host == hostname():
        return ProjectLocked(message, "Try again when it is done.", holder)
    return ProjectLocked(
        message,
        f"Try again when it is done; if {host} is gone for good, delete '{clean(str(path))}'.",
        holder,
    )


def _clock(at: Any) -> str:
    try:
        return time.strftime("%H:%M:%S", time.localtime(float(at)))
    except (TypeError, ValueError, OverflowError, OSError):
        return "?"


def _alive(pid: Any) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, TypeError, ValueError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
