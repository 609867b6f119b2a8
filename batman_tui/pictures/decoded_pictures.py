"""The pictures in hand, decoded once, and the part of one that is looked at, scaled."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from batman_tui.pictures.window import Size, Window
from core.common.errors import BatmanError

if TYPE_CHECKING:
    from PIL.Image import Image

KEPT = 3
"""The picture in hand, the one before and the one that comes next."""

MOST_PIXELS = 24_000_000
"""A larger picture is kept smaller: 72 MB a picture, and the loupe shows a camera's pixels."""

QUARTER = 4
"""What is shown at less than a quarter of its size is scaled from a quarter."""

SEEN = 0.2
"""From five view pixels a pixel of the picture on its pixels are shown as they are."""

Read = Callable[[], "Image"]


class DecodedPictures:
    """Reads pictures and keeps the last ones; to be used from several threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Path, Image] = OrderedDict()
        self._quarters: dict[Path, tuple[Image, Image]] = {}
        self._lock = Lock()
        self._reading: dict[Path, Lock] = {}

    def read_ahead(
        self, wanted: Sequence[tuple[Path, Size]], cancelled: Callable[[], bool]
    ) -> None:
        """Read pictures (see `get`) that are asked for next, as long as they are still wanted.

        One that cannot be read is passed over: that is said when it is shown.
        """
        for file, size in wanted:
            if cancelled():
                return
            with suppress(BatmanError):
                self.get(file, size)

    def get(self, file: Path, size: Size, read: Read | None = None) -> Image:
        """Return the picture in `file` as RGB, upright as its boxes are, at most 24 megapixels.

        `size` is the width and height that the project has of it; `read` reads it where it is no
        file of its own. Raises ProjectError when it
        cannot be read.
        """
        with self._lock:
            if file in self._kept:
                self._kept.move_to_end(file)
                return self._kept[file]
            turn = self._reading.setdefault(file, Lock())
        with turn:
            with self._lock:
                if file in self._kept:
                    return self._kept[file]
            from core.data.images.thumbnails import picture

            shrink = min(1.0, (MOST_PIXELS / max(1, size[0] * size[1])) ** 0.5)
            room = (max(1, int(size[0] * shrink)), max(1, int(size[1] * shrink)))
            image = picture(file, room, size) if read is None else read()
            with self._lock:
                self._kept[file] = image
                while len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
                self._reading.pop(file, None)
            return image

    def _quarter(self, file: Path, image: Image) -> Image:
        """Return the picture a quarter as large, made once: most of the time of scaling it."""
        with self._lock:
            kept = self._quarters.get(file)
        if kept is None or kept[0] is not image:
            kept = image, image.reduce(QUARTER)
            with self._lock:
                self._quarters[file] = kept
                for gone in [each for each in self._quarters if each not in self._kept]:
                    del self._quarters[gone]
        return kept[1]

    def view(
        self,
        file: Path,
        size: Size,
        window: Window,
        *,
        quick: bool = False,
        read: Read | None = None,
    ) -> Image:
        """Return the part of the picture in a window, in the window's view pixels.

        With `quick` the whole of one that is not kept is read no finer than it is shown, which for
        a photograph is most of the time; it is kept once one looks closer. Raises as `get` does.
        """
        import PIL.Image

        whole = (window.w, window.h) == size
        if quick and whole and read is None and file not in self._kept:
            from core.data.images.thumbnails import picture

            image = picture(file, window.shown, size)
            return image if image.size == window.shown else image.resize(window.shown)
        image = self.get(file, size, read)
        across, down = image.width / max(1, size[0]), image.height / max(1, size[1])
        left, top, right, bottom = window.corners
        # What a ruler draws out may reach past the picture, where there is nothing.
        inner = (
            max(0.0, left * across),
            max(0.0, top * down),
            min(float(image.width), right * across),
            min(float(image.height), bottom * down),
        )
        pixel = window.pixel
        place = (
            round((inner[0] / across - left) / pixel[0]),
            round((inner[1] / down - top) / pixel[1]),
        )
        shown = (
            max(1, min(window.shown[0], round((inner[2] - inner[0]) / across / pixel[0]))),
            max(1, min(window.shown[1], round((inner[3] - inner[1]) / down / pixel[1]))),
        )
        if inner[2] - inner[0] >= QUARTER * shown[0] and inner[3] - inner[1] >= QUARTER * shown[1]:
            image = self._quarter(file, image)
            by = image.width / (across * size[0]), image.height / (down * size[1])
            inner = (inner[0] * by[0], inner[1] * by[1], inner[2] * by[0], inner[3] * by[1])
        shrinks = inner[2] - inner[0] >= shown[0] and inner[3] - inner[1] >= shown[1]
        how = PIL.Image.Resampling.BOX if shrinks else PIL.Image.Resampling.BILINEAR
        if pixel[0] < SEEN:
            how = PIL.Image.Resampling.NEAREST
        part = image.resize(shown, how, box=inner, reducing_gap=2.0 if shrinks else None)
        if shown == window.shown:
            return part
        filled = PIL.Image.new("RGB", window.shown)
        filled.paste(part, place)
        return filled
