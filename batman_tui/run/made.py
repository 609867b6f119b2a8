"""What a run has beside its curves: validation pictures by epoch, and what was made of it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from textual import on
from textual.containers import Horizontal

from batman_tui.widgets.panel.panel import Panel
from batman_tui.widgets.table.table import Column, VirtualTable
from core.common.text import ago
from core.training.live.val_pictures import ValPicture
from core.training.run_list.outputs import Output

if TYPE_CHECKING:
    from pathlib import Path

    from batman_tui.pictures.scene import Scene
    from batman_tui.pictures.viewer import Viewer

NO_PICTURES = "Pictures of the validation split are drawn at each best epoch."
FETCHING = "Fetching the pictures from the cluster …"
PICTURES = "val-pictures"
"""The id of their list."""

NOTHING_MADE = "Nothing yet: i looks at pictures and videos with the model, x exports it."


def drawing(picture: ValPicture) -> Scene:
    """Return a picture as training drew it, its boxes in it; reads its size: for a thread."""
    from batman_tui.pictures.gallery import picture_size
    from batman_tui.pictures.scene import Scene

    size = picture_size(picture.file)
    return Scene(picture.file, size, (), picture.shown, f"epoch {picture.epoch}")


class ProjectNames:
    """What the project of the run in the folder `run` calls its pictures; asked once for each."""

    def __init__(self, run: Path | None) -> None:
        self._run = run
        self._known: dict[str, str] = {}

    def of(self, pictures: Sequence[ValPicture]) -> list[ValPicture]:
        """Return the pictures with the project's names; reads the project: for a thread."""
        new = {one.name for one in pictures}.difference(self._known)
        if new and self._run is not None:
            from core.training.launch.dataset_files import names_in_project

            self._known |= dict.fromkeys(new, "") | names_in_project(self._run, new)
        return [replace(one, called=self._known.get(one.name, "")) for one in pictures]


class PictureGallery:
    """The validation pictures, to walk through."""

    def __init__(self, pictures: Sequence[ValPicture]) -> None:
        self.title = "validation pictures"
        self._pictures = {(one.epoch, one.name): one for one in pictures}
        self.keys: Sequence[Hashable] = list(self._pictures)

    def scenes(self, keys: Sequence[Hashable]) -> dict[Hashable, Scene]:
        """Return the pictures that are still there."""
        found: dict[Hashable, Scene] = {}
        for key, one in self._pictures.items():
            if key in keys and one.file.is_file():
                found[key] = drawing(one)
        return found


class PicturesPanel(Panel):
    """The validation pictures, the last epoch first, beside the one with the cursor."""

    DEFAULT_CSS = """
    PicturesPanel {
        & > Horizontal { width: 1fr; height: 1fr; }
        #val-pictures { width: 26; }
    }
    """

    def __init__(self, id: str) -> None:
        self.table: VirtualTable[ValPicture] = VirtualTable(
            [
                Column("epoch", "Epoch", lambda row: row.epoch, "number", width=5),
                Column("name", "Picture", lambda row: row.shown, least=8),
            ],
            lambda row: (row.epoch, row.name),
            search=lambda row: row.shown,
            id=PICTURES,
        )
        self._viewer: Viewer | None = None
        super().__init__(Horizontal(self.table), title="Pictures", id=id, empty=NO_PICTURES)

    def show(self, pictures: Sequence[ValPicture], why_none: str) -> None:
        """Show the pictures there are; `why_none` is said where there are none."""
        self.empty = "" if pictures else why_none
        at_top = self.table.cursor == 0
        self.table.set_rows(pictures)
        if at_top:
            self.table.action_first()
        if pictures and self._viewer is None:
            self.call_next(self._add_viewer)
        self._draw()

    async def _add_viewer(self) -> None:
        """Add what shows a picture: with all that it loads, it would hold up the run's curves."""
        from batman_tui.pictures.viewer import Viewer

        if self._viewer is None:
            viewer = Viewer("Choose a picture.", id="val-picture")
            await self.query_one(Horizontal).mount(viewer)
            self._viewer = viewer
            self._draw()

    @on(VirtualTable.Highlighted, f"#{PICTURES}")
    def _draw(self) -> None:
        row = self.table.cursor_row
        if self._viewer is None:
            return
        if row is None:
            self._viewer.show_scene(None, None)
        else:
            self._viewer.show_scene(row.file, functools.partial(drawing, row))

    @property
    def here(self) -> Hashable:
        """The key in the gallery of the picture with the cursor, None where there is none."""
        key: Hashable = self.table.cursor_key
        return key

    @property
    def gallery(self) -> PictureGallery:
        """The pictures, in the order of the list."""
        return PictureGallery([self.table.row(key) for key in self.table.visible_keys])


def made_columns(now: Callable[[], datetime]) -> list[Column[Output]]:
    """The columns of the list of what was made of a run's model."""
    return [
        Column("kind", "", lambda row: row.kind, width=9, muted=True),
        Column("when", "When", lambda row: ago(datetime.fromtimestamp(row.t, UTC), now()),
               width=12, sort=lambda row: row.t),
        Column("what", "What", lambda row: row.said, least=16),
        Column("folder", "Folder",
               lambda row: row.folder if row.there else f"(gone) {row.folder}", from_width=60),
    ]  # fmt: skip
