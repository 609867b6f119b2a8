"""Keeping Python's cycle collector out of bulk work and out of what stays for ever."""

from __future__ import annotations

import atexit
import contextlib
import gc
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def paused() -> Iterator[None]:
    """Hold the cycle collector off in the block.

    Records by the million, none of which refers to another, make it go through all of memory
    again and again for nothing (measured: a quarter of the time of reading COCO's JSON). What is
    not in a cycle is freed as ever.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@contextlib.contextmanager
def heavy_imports() -> Iterator[None]:
    """Import large libraries in the block, which the cycle collector then never looks through.

    torch and rfdetr are 4,600 modules, a million objects that stay as long as the process does:
    looking through them again and again takes a seventh of the time that importing them takes,
    and each full collection of the training after it.
    """
    with paused():
        yield
        gc.freeze()
        # At the end they are collected as ever: libraries made with nanobind write into the log
        # what is left over then.
        atexit.register(gc.unfreeze)


@contextlib.contextmanager
def only_new() -> Iterator[Callable[[], int]]:
    """Yield a collection that looks only through what was made since the block began.

    It takes well below a millisecond. For large things in cycles of a few objects, of which the
    collector sees too few to begin by itself: frames of PyAV 18.1 whose `side_data` was asked for,
    3 MB each at 1080p, all of a video's before it began. What was in a cycle before stays until the
    block ends: to look for it takes 20 to 40 ms behind the libraries of a followed film.
    """
    gc.freeze()
    try:
        yield gc.collect
    finally:
        gc.unfreeze()
