"""Memory that a process and those it forks read and write together, and that no file stands for.

It is mapped before they are forked and ends with the last of them, however they end.
"""

from __future__ import annotations

import mmap
import threading
from mmap import PAGESIZE
from typing import Any

import numpy as np


class SharedCache:
    """Bytes by number, written once, in memory that this process and those it forks share.

    Each of `loaders` processes, numbered from 0, fills a part of its own of the `budget` (bytes),
    so that none waits for another and one that is killed leaves nothing half written: an entry is
    found only when all of it is there. With no loaders this process fills it, as None. Raises
    OSError where the system gives no such memory.
    """

    def __init__(self, entries: int, budget: int, loaders: int = 0) -> None:
        self._loaders, writers = loaders, max(1, loaders)
        self._part = max(budget, PAGESIZE * writers) // writers
        self._memory = mmap.mmap(-1, self._part * writers)
        # Where each entry begins and how long it is; 0 bytes is none. Then how full each part is.
        self._table = np.frombuffer(mmap.mmap(-1, max(1, entries) * 16), np.int64).reshape(-1, 2)
        self._used = np.frombuffer(mmap.mmap(-1, writers * 8), np.int64)
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        # A process that is not forked cannot have this memory: it keeps nothing.
        return (SharedCache, (len(self._table), 0))

    def get(self, entry: int) -> memoryview | None:
        """Return an entry's bytes as they lie in the shared memory, None where there are none."""
        with self._lock:
            start, length = self._table[entry].tolist()
        return memoryview(self._memory)[start : start + length] if length else None

    def put(self, entry: int, *parts: bytes, loader: int | None = None) -> bool:
        """Keep the joined `parts` as an entry; return whether there was room for this process's."""
        if loader is None and self._loaders:
            return False
        writer = loader or 0
        length, used = sum(map(len, parts)), int(self._used[writer])
        if used + length > self._part:
            return False
        start = place = writer * self._part + used
        for part in parts:
            self._memory[place : place + len(part)] = part
            place += len(part)
        # Whoever reads the length must find the rest: a lock keeps processors that write in
        # another order, such as ARM's, from telling of it first.
        with self._lock:
            self._table[entry, 0] = start
            self._used[writer] += length
        with self._lock:
            self._table[entry, 1] = length
        return True
