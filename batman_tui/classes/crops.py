"""The strip of pictures that shows what is called by a class's name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from batman_tui.widgets.panel.panel import Panel
from batman_tui.widgets.picture.picture import Picture, Pixels

if TYPE_CHECKING:
    from PIL.Image import Image

    from core.data.classes import ClassRow

NO_PICTURE = "No picture of it can be read; c looks for what is wrong with the data."


ENOUGH = 6
"""So many crops show what a class is: in fewer rows they would be larger, and fewer than that."""

LEAST_SIDE = 14
"""A crop in fewer pixels than this shows nothing."""


def tiles(size: Pixels) -> tuple[int, int, int]:
    """Return in how many rows crops lie in `size` pixels, their side and the gap between two."""
    width, height = size
    rows, side, gap = 1, height, max(2, height // 8)
    while (width + gap) // (side + gap) * rows < ENOUGH:
        more = rows + 1
        next_gap = max(2, height // more // 8)
        smaller = (height - rows * next_gap) // more
        if smaller < LEAST_SIDE:
            break
        rows, side, gap = more, smaller, next_gap
    return rows, side, gap


def crops(project: Path, class_id: int, size: Pixels) -> Image | None:
    """Return square crops of a class in rows for `size` pixels; runs in a thread."""
    from core.data.images.thumbnails import class_strip
    from core.data.store import Project

    rows, side, gap = tiles(size)
    with Project.open(project) as opened:
        return class_strip(opened, class_id, (side, side), gap, size[0], rows)


class ClassCrops(Panel):
    """Crops of one class, from images all over the project, read when it is shown."""

    DEFAULT_CSS = "ClassCrops { min-height: 8; display: none; &.-shown { display: block; } }"

    def __init__(self, project: Path) -> None:
        self.picture = Picture(NO_PICTURE)
        self._project = project
        super().__init__(self.picture, title="Pictures")

    def show(self, row: ClassRow | None) -> None:
        """Show what the class looks like; nothing is read while the panel is hidden."""
        if not self.has_class("-shown"):
            return
        if row is None or not row.annotations:
            self.heading, self.picture.nothing = "Pictures", ""
            self.picture.show(None, None)
            return
        self.heading, self.picture.nothing = row.name, NO_PICTURE
        key = (row.id, row.annotations)
        self.picture.show(key, lambda size: crops(self._project, row.id, size))
