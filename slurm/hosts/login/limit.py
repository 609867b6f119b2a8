"""How often a host is logged in to: never more than four times a minute, whatever fails.

fail2ban and firewalls lock out addresses that connect too often, and a login may cost its server a
shell's start and an entry in its accounting. So all that reaches a host, in whichever of a
person's processes, counts its logins in one small file in the person's cache folder.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from core.common.folders import cache_dir

MOST_A_MINUTE = 4
_WINDOW_S = 60.0
# When the last logins were tried and when one last succeeded, as `time.time()` counts.
_FORM = struct.Struct(f"<{MOST_A_MINUTE}dd")

# Where no file can be written: for this process at least.
_HERE: dict[str, bytes] = {}
_LOCK = Lock()


class Logins:
    """The logins of one host: `place` is its name and port, as they are connected to.

    A login is taken before it is tried and settled when it is over. `clock` counts seconds for all
    processes alike.
    """

    def __init__(self, place: str, clock: Callable[[], float] = time.time) -> None:
        mark = hashlib.blake2b(place.encode(errors="surrogateescape"), digest_size=8).hexdigest()
        self._file = cache_dir() / "logins" / mark
        self._clock = clock

    def take(self) -> float:
        """Take one of the minute's logins and return 0.0; where none is left, seconds until then.

        Each one that was taken is followed by `settle` or `give_back`.
        """
        with self._kept() as times:
            now = self._clock()
            # A clock that was set back must not keep anybody out for hours.
            tried = sorted(min(at, now) for at in times[:-1])
            if tried[0] > now - _WINDOW_S:
                return max(0.01, tried[0] + _WINDOW_S - now)
            times[:-1] = [*tried[1:], now]
        return 0.0

    def settle(self, succeeded: bool) -> None:
        """Note that a login that was taken is over now; its minute begins here."""
        with self._kept() as times:
            now = self._clock()
            times[:-1] = [*sorted(times[:-1])[:-1], now]
            if succeeded:
                times[-1] = now

    def give_back(self) -> None:
        """Note that a login that was taken never reached the server."""
        with self._kept() as times:
            times[:-1] = [0.0, *sorted(times[:-1])[:-1]]

    @property
    def succeeded_at(self) -> float:
        """When one of a person's processes was last let in; 0.0 if never."""
        try:
            data = self._file.read_bytes()
        except OSError:
            data = _HERE.get(str(self._file), b"")
        return _read(data)[-1]

    @contextmanager
    def _kept(self) -> Iterator[list[float]]:
        """Hold the file and yield its times, which are written back."""
        with _LOCK, contextlib.ExitStack() as stack:
            handle = self._open(self._file, stack)
            if handle is None:
                times = _read(_HERE.get(str(self._file), b""))
                yield times
                _HERE[str(self._file)] = _FORM.pack(*times)
                return
            times = _read(os.pread(handle, _FORM.size, 0))
            yield times
            with contextlib.suppress(OSError):
                # Few enough bytes to be there as a whole, or not at all, after a kill.
                os.pwrite(handle, _FORM.pack(*times), 0)

    @staticmethod
    def _open(file: Path, stack: contextlib.ExitStack) -> int | None:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return None
        stack.callback(os.close, handle)
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        return handle


def _read(data: bytes) -> list[float]:
    return list(_FORM.unpack(data)) if len(data) == _FORM.size else [0.0] * (MOST_A_MINUTE + 1)
