"""How much memory pictures may take while they are decoded, by all threads of a process together.

A picture's file says little of it: one PNG of a megabyte may unfold to a gigabyte. What its header
says is reserved before its pixels are read, so that several at once wait for one another.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

TOTAL = 900 * 10**6
"""Bytes of pictures that may be decoded at one time in one process."""

# As Pillow keeps a pixel (Storage.c): what has several channels takes four bytes.
_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16L": 2, "I;16B": 2, "I;16N": 2}
# Coefficients of a progressive JPEG, all of which libjpeg holds: two bytes for each of three
# channels at the most.
_PROGRESSIVE = 6


class Budget:
    """Bytes that threads share; whoever wants more than is left waits.

    One that wants more than all of it gets it when nobody else has any.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._used = 0
        self._changed = threading.Condition()

    @contextmanager
    def take(self, amount: int) -> Iterator[None]:
        """Have `amount` bytes reserved meanwhile."""
        with self._changed:
            self._changed.wait_for(lambda: not self._used or self._used + amount <= self._total)
            self._used += amount
        try:
            yield
        finally:
            with self._changed:
                self._used -= amount
                self._changed.notify_all()


_budget = Budget(TOTAL)


def weight(image: Image, size: tuple[int, int] | None = None, extra: int = 0) -> int:
    """Return the bytes that decoding an open picture takes.

    `size` is its width and height before a `draft`, `extra` what each pixel takes beside it, such
    as a grey copy.
    """
    width, height = image.size
    bytes_ = width * height * (_BYTES.get(image.mode, 4) + extra)
    if image.info.get("progressive"):
        whole = size or image.size
        bytes_ += whole[0] * whole[1] * _PROGRESSIVE
    return bytes_


@contextmanager
def decoding(image: Image, size: tuple[int, int] | None = None, extra: int = 0) -> Iterator[None]:
    """Wait until there is room to decode an open picture, and keep it meanwhile; see `weight`."""
    with _budget.take(weight(image, size, extra)):
        yield


def too_many() -> str:
    """Return what to say of a picture for which Pillow raises `DecompressionBombError`.

    It does so at twice `MAX_IMAGE_PIXELS`, so that none takes more than `TOTAL` by much.
    """
    from PIL import Image

    most = 2 * (Image.MAX_IMAGE_PIXELS or 0) / 1e6
    return (
        f"it has more than {most:,.6g} million pixels, the most that are read: scale it down or"
        " cut it into tiles"
    )
