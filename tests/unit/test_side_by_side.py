"""Work beside the network: drawn ahead, done behind, in order, bounded, and errors come through."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator

import pytest

from core.models.prefetch import Ahead, InTurn
from core.processes.garbage_collector import only_new


def test_items_come_in_their_order_and_no_more_than_asked_are_drawn_ahead() -> None:
    drawn: list[int] = []
    full = threading.Event()

    def source() -> Iterator[int]:
        for number in range(100):
            drawn.append(number)
            if number == 3:
                full.set()
            yield number

    with Ahead(source(), 3) as items:
        assert full.wait(30)
        assert len(drawn) == 4, "three wait, and one is to be handed over"
        assert list(items) == list(range(100))


def test_what_the_source_raises_comes_in_its_turn() -> None:
    def source() -> Iterator[int]:
        yield 1
        raise ValueError("damaged")

    with Ahead(source(), 3) as items:
        assert next(items) == 1
        with pytest.raises(ValueError, match="damaged"):
            next(items)


def test_a_block_that_is_left_leaves_the_source_alone() -> None:
    ended = threading.Event()

    def source() -> Iterator[int]:
        try:
            yield from range(10**9)
        finally:
            ended.set()

    endless = source()
    with Ahead(endless, 2) as items:
        assert next(items) == 0
    endless.close()  # raises where a thread still draws from it
    assert ended.is_set()


def test_work_is_done_in_turn_and_all_of_it_before_the_end() -> None:
    done: list[int] = []
    with InTurn("test", 2) as turn:
        for number in range(50):
            turn.do(lambda number=number: done.append(number))
    assert done == list(range(50))


def test_a_failure_behind_is_raised_and_nothing_follows_it() -> None:
    done: list[str] = []
    failed = threading.Event()

    def fail() -> None:
        failed.set()
        raise OSError("the disk is full")

    def tell() -> None:
        with InTurn("test", 1) as turn:
            turn.do(fail)
            assert failed.wait(30)
            while True:  # it is told soon, and no place in the queue is waited for for ever
                turn.do(lambda: done.append("after"))

    with pytest.raises(OSError, match="full"):
        tell()
    assert done == []


def test_a_failure_of_the_last_is_raised_by_the_end() -> None:
    def fail() -> None:
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"), InTurn("test", 3) as turn:
        turn.do(fail)


def test_what_waits_is_dropped_when_the_block_is_left_by_an_error() -> None:
    held, go_on = threading.Event(), threading.Event()
    done: list[int] = []

    class Dropping(InTurn):
        def __exit__(self, *error: object) -> None:
            # The first is let go once what follows it counts as dropped.
            threading.Thread(target=self._let_go).start()
            super().__exit__(*error)  # type: ignore[arg-type]

        def _let_go(self) -> None:
            while not self._dropped:
                pass
            go_on.set()

    def first() -> None:
        held.set()
        go_on.wait(30)

    def leave() -> None:
        with Dropping("test", 5) as turn:
            turn.do(first)
            assert held.wait(30)
            turn.do(lambda: done.append(1))
            raise KeyError

    with pytest.raises(KeyError):
        leave()
    assert done == []


def test_only_what_is_new_is_collected() -> None:
    class Frame:
        def __init__(self) -> None:
            self.itself = self

    old = Frame()
    was = weakref.ref(old)
    with only_new() as collect:
        frozen = gc.get_freeze_count()
        assert frozen > 1000
        new = weakref.ref(Frame())
        assert new() is not None, "a cycle, which counting references does not free"
        del old
        collect()
        assert (new(), was() is None) == (None, False)
    assert gc.get_freeze_count() < frozen
    gc.collect()
    assert was() is None
