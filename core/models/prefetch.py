"""What goes on beside the network: images read ahead of it, and what follows it done behind it.

Decoders, scalers, encoders and networks all let go of Python's lock while they work, so that
threads with short queues between them keep all cores busy and hold few pictures at once.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, TypeVar

from core.common.hardware import usable_cores

Item = TypeVar("Item")
Loaded = TypeVar("Loaded")
Done = TypeVar("Done")

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
    threads = min(_THREADS, usable_cores())
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


def side_by_side(
    items: Iterable[Item], work: Callable[[Item], Done], threads: int
) -> Iterator[tuple[Item, Done]]:
    """Yield each item with what `work` makes of it, in their order, `threads` of them at one time.

    One more waits for its turn. What `work` raises is raised here, when its item's turn comes; what
    was begun is done before that reaches the caller. With one thread, that is the caller's.
    """
    if threads < 2:
        for item in items:
            yield item, work(item)
        return
    begun: deque[tuple[Item, Future[Done]]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="streams") as pool:
        try:
            for item in items:
                begun.append((item, pool.submit(work, item)))
                if len(begun) > threads:
                    first, future = begun.popleft()
                    yield first, future.result()
            while begun:
                first, future = begun.popleft()
                yield first, future.result()
        finally:
            for _, future in begun:
                future.cancel()


class Ahead(Generic[Item]):
    """The items of a source, which a thread draws up to `most` ahead, within a `with` block.

    What the source raises is raised where its item would have come. When the block ends, nothing
    more is drawn, and the source is no longer in use.
    """

    def __init__(self, source: Iterable[Item], most: int) -> None:
        self._source = source
        self._queue: queue.Queue[tuple[list[Item], BaseException | None]] = queue.Queue(most)
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._draw, name="ahead", daemon=True)

    def __enter__(self) -> Iterator[Item]:
        self._thread.start()
        return self._items()

    def _draw(self) -> None:
        try:
            for item in self._source:
                self._queue.put(([item], None))
                if self._left.is_set():
                    return
        except BaseException as error:
            self._queue.put(([], error))
        else:
            self._queue.put(([], None))

    def _items(self) -> Iterator[Item]:
        while True:
            items, error = self._queue.get()
            if error is not None:
                raise error
            if not items:
                return
            yield items[0]

    def __exit__(self, *_: object) -> None:
        self._left.set()
        # One that it waits to hand over finds room now, and it is asked nothing after that.
        while self._thread.is_alive():
            try:
                self._queue.get_nowait()
            except queue.Empty:
                self._thread.join(0.01)


class InTurn:
    """Does in a thread what it is told to, in that order, within a `with` block.

    Up to `most` wait, then `do` does too. The block ends when all is done; one that is left by an
    error drops what waits. What a piece of work raises is raised by the next `do`, or by the end of
    the block, and nothing is done after it.
    """

    def __init__(self, name: str, most: int) -> None:
        self._queue: queue.Queue[Callable[[], object] | None] = queue.Queue(most)
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._error: BaseException | None = None
        self._dropped = False

    def __enter__(self) -> InTurn:
        self._thread.start()
        return self

    def do(self, work: Callable[[], object]) -> None:
        """Have `work` done after what was given before. Raises what one of those raised."""
        if self._error is not None:
            raise self._error
        self._queue.put(work)

    def _work(self) -> None:
        while (work := self._queue.get()) is not None:
            if self._error is None and not self._dropped:
                try:
                    work()
                except BaseException as error:
                    self._error = error

    def __exit__(
        self,
        kind: type[BaseException] | None,
        _error: BaseException | None,
        _where: TracebackType | None,
    ) -> None:
        self._dropped = kind is not None
        self._queue.put(None)
        self._thread.join()
        if kind is None and self._error is not None:
            raise self._error
