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


def crops(project: Path, class_id: int, size: Pixels) -> Image | None:
    """Return square crops of a class side by side for `size` pixels; runs in a thread."""
    from core.data.images.thumbnails import class_strip
    from core.data.store import Project

    with Project.open(project) as opened:
        return class_strip(opened, class_id, (size[1], size[1]), max(2, size[1] // 8), size[0])


class ClassCrops(Panel):
    """Crops of one class, from images all over the project, read when it is shown."""

    DEFAULT_CSS = "ClassCrops { height: 10; display: none; &.-shown { display: block; } }"

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
