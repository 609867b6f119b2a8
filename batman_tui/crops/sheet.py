"""A page of crops as one picture: read in threads, kept by suggestion, laid out by the grid."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from batman_tui.widgets.picture.tiled_canvas import Grid
from core.common.errors import ProjectError
from core.common.progress import never
from core.data.images.thumbnails import OUTLINED_MARGIN, box_in_crop, crops_of_picture
from core.data.labels.open_suggestions import Candidate

if TYPE_CHECKING:
    from PIL.Image import Image

KEPT = 120
"""Five pages of crops: the one in hand, the next, and a few to come back to."""

_UNREAD = (90, 30, 30)


class Crops:
    """Cuts suggestions out of their pictures and keeps the last; for several threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[int, tuple[int, int]], Image | None] = OrderedDict()
        self._lock = Lock()

    def read(
        self,
        page: Sequence[Candidate],
        room: tuple[int, int],
        stopped: Callable[[], bool] = never,
    ) -> dict[int, Image | None]:
        """Return the crops as large as fits `room` pixels by suggestion.

        None where the picture cannot be read; each picture is read once, however many of its
        suggestions are on the page. Those that are left when `stopped` says so are not there.
        """
        with self._lock:
            keys = [key for each in page if (key := (each.id, room)) in self._kept]
            found = {key[0]: self._kept[key] for key in keys}
            for key in keys:
                self._kept.move_to_end(key)
        files: dict[Path, list[Candidate]] = {}
        for each in page:
            if each.id not in found:
                files.setdefault(each.crop.file, []).append(each)
        for of_picture in files.values():
            if stopped():
                break
            cut: Sequence[Image | None]
            try:
                # The box is drawn by the canvas, as thin as all others.
                plain = [replace(each.crop, outline=None) for each in of_picture]
                cut = crops_of_picture(plain, room, OUTLINED_MARGIN)
            except ProjectError:
                cut = [None] * len(of_picture)
            new = {each.id: image for each, image in zip(of_picture, cut, strict=True)}
            found.update(new)
            with self._lock:
                self._kept.update({(number, room): image for number, image in new.items()})
                while len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
        return found

    def sheet(
        self, page: Sequence[Candidate], grid: Grid, cell: tuple[int, int], size: tuple[int, int]
    ) -> Image:
        """Return the page for `size` pixels, `cell` of them a cell, lines for words left free.

        What cannot be read is a dark red field, so that it is not taken for an empty place.
        """
        import PIL.Image

        sheet = PIL.Image.new("RGBA", size, (0, 0, 0, 0))
        room = room_of(grid, cell)
        crops = self.read(page, room)
        for number, wanted in enumerate(page):
            image = crops[wanted.id]
            if image is None:
                image = PIL.Image.new("RGB", room, _UNREAD)
            sheet.paste(image, _place(grid, cell, number, image.size))
        return sheet


def box_on_sheet(
    wanted: Candidate, number: int, grid: Grid, cell: tuple[int, int]
) -> tuple[float, float, float, float] | None:
    """Return left, top, right and bottom of a suggestion's box on the sheet where it is `number`.

    In pixels of the sheet; None for a box outside of its picture.
    """
    found = box_in_crop(wanted.crop, room_of(grid, cell), OUTLINED_MARGIN)
    if found is None:
        return None
    size, (left, top, right, bottom) = found
    x, y = _place(grid, cell, number, size)
    return x + left, y + top, x + right, y + bottom


def _place(
    grid: Grid, cell: tuple[int, int], number: int, size: tuple[int, int]
) -> tuple[int, int]:
    """Return where a crop of `size` pixels lies on the sheet: in the middle of its place."""
    room = room_of(grid, cell)
    column, line = grid.corner(number)
    left = column * cell[0] + (room[0] - size[0]) // 2
    # On whole cells, so that half blocks of the crop and its words do not share one.
    return left, line * cell[1] + (room[1] - size[1]) // 2 // cell[1] * cell[1]


def room_of(grid: Grid, cell: tuple[int, int]) -> tuple[int, int]:
    """Return the pixels that a crop has: its place but a column between and the line of words."""
    return max(1, (grid.wide - 1) * cell[0]), max(1, (grid.high - 1) * cell[1])
