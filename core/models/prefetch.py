"""Read images ahead of the network: threads decode and scale while it computes."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Loaded = TypeVar("Loaded")

# Decoding is the slower half with small models only; more threads than this only take memory.
_THREADS = 4


def in_batches(
    items: Iterable[Item], load: Callable[[Item], Loaded], size: int
) -> Iterator[list[tuple[Item, Loaded]]]:
    """Yield the items with what `load` makes of them, in their order, `size` at a time.

    Two batches are loaded ahead by threads. What `load` raises is raised here, when its item's turn
    comes.
    """
    waiting: deque[tuple[Item, Future[Loaded]]] = deque()
    batch: list[tuple[Item, Loaded]] = []
    threads = max(1, min(_THREADS, os.cpu_count() or 1))
    source = iter(items)
    with ThreadPoolExecutor(threads, thread_name_prefix="images") as pool:
        try:
            while True:
                while len(waiting) < 2 * size and (item := next(source, waiting)) is not waiting:
                    waiting.append((item, pool.submit(load, item)))  # type: ignore[arg-type]
                if not waiting:
                    break
                first, future = waiting.popleft()
                batch.append((first, future.result()))
                if len(batch) == size:
                    yield batch
                    batch = []
            if batch:
                yield batch
        finally:
            for _, future in waiting:
                future.cancel()
