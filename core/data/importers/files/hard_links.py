"""Hard links made by a second process while this one writes to the store.

Making a link takes some microseconds of the file system's time, a second for 120,000 images, in
which a processor would wait for the other. Whatever goes wrong only means that the import is done
again without this help: the plain way knows what to do with each file, and tells.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

from core.data.importers.dataset import Picture

# Below this a second process takes longer to start than it saves.
LEAST = 5_000
_WAIT_S = 0.05
# Large, so that this process is seldom woken for it.
_BLOCK = 2_000
_CHILD = Path(__file__).with_name("hard_link_child.py")


class NotLinked(Exception):
    """Some of the links were not made; which ones, the plain way finds out."""


class Links:
    """Links of pictures to their places below `base`, being made. `stop` before leaving them."""

    def __init__(self, pictures: Sequence[Picture], first: int, base: str) -> None:
        """Begin with the picture number `first`. Raises `NotLinked` where it cannot be."""
        self.done = first
        self.total = len(pictures)
        self._pictures = pictures
        self._base = base
        try:
            self._child = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_CHILD)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        except OSError:
            raise NotLinked from None
        self._thread = threading.Thread(target=self._feed, name="links", daemon=True)
        self._thread.start()

    def _feed(self) -> None:
        assert self._child.stdin is not None
        base = self._base
        rest = islice(self._pictures, self.done, None)
        # A child that has ended is seen by its status.
        with contextlib.suppress(OSError, ValueError), self._child.stdin as pipe:
            while some := list(islice(rest, _BLOCK)):
                names = [
                    name
                    for picture in some
                    for name in (
                        os.path.realpath(picture.source) if picture.link else picture.source,
                        base + picture.target,
                    )
                ]
                block = os.fsencode("\0".join(names))
                pipe.write(b"%08d" % len(block) + block)
                self.done += len(some)

    def wait(self, tick: Callable[[], None]) -> None:
        """Return when all links are made; `tick` is called now and then, and may raise.

        Raises `NotLinked` when some are not.
        """
        while self._thread.is_alive():
            tick()
            self._thread.join(_WAIT_S)
        while True:
            try:
                status = self._child.wait(_WAIT_S)
            except subprocess.TimeoutExpired:
                tick()
            else:
                break
        if status or self.done != self.total:
            raise NotLinked

    def stop(self) -> None:
        """End the process, whatever it has done; nothing is linked after this."""
        self._child.kill()
        self._child.wait()
        self._thread.join()
