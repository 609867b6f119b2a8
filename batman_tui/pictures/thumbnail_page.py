"""A page of thumbnails on the terminal: the pictures, their names, what is wrong, the cursor."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual import events
from textual.message import Message

from batman_tui.pictures.scene import Scene
from batman_tui.widgets.picture.marks import Letters, Mark
from batman_tui.widgets.picture.tiled_canvas import Grid, TiledCanvas
from batman_tui.widgets.table.cells import fit
from core.common.text import clean
from core.data.images.class_colours import Colour

if TYPE_CHECKING:
    from PIL.Image import Image

CHOSEN: Colour = (245, 185, 60)
MARKED: Colour = (60, 140, 90)
PLAIN: Colour = (28, 31, 40)
_WRONG: Colour = (255, 120, 110)
_UNREAD: Colour = (90, 30, 30)


@dataclass(frozen=True)
class Tile:
    """A picture of a page; what could not be read has no image."""

    key: Hashable
    scene: Scene | None
    image: Image | None


def badge(scene: Scene | None) -> str:
    """Return what stands at a thumbnail: objects missed and predictions too many, or boxes."""
    if scene is None:
        return "gone"
    missed, wrong = scene.count_wrong
    said = [f"−{missed}"] if missed else []
    said += [f"+{wrong}"] if wrong else []
    return " ".join(said) or f"{sum(box.kind != 'found' for box in scene.boxes):,}"


def caption(tile: Tile, wide: int, marked: bool) -> str:
    """Return the line under a thumbnail, `wide` cells: its mark, its name, its badge."""
    said = badge(tile.scene)
    name = clean(tile.scene.title) if tile.scene is not None else str(tile.key)
    name = name.rpartition("/")[2]
    room = max(1, wide - len(said) - 1 - (2 if marked else 0))
    if cell_len(name) > room:
        # Names of a set begin alike: what tells them apart stands at their end.
        name = name.rpartition(".")[0] or name
        while cell_len(name) > room - 1 and name:
            name = name[1:]
        name = f"…{name}" if room > 1 else "…"
    head = "● " if marked else ""
    return f"{head}{fit(name, room)} {said}"[:wide]


class ThumbnailPage(TiledCanvas):
    """Shows the tiles of a page; the cursor is a number on it."""

    @dataclass
    class Clicked(Message):
        """A picture was clicked."""

        number: int

    def __init__(self, id: str = "thumbnails") -> None:
        super().__init__(id)
        self.can_focus = False
        self._tiles: Sequence[Tile] = ()
        self._cursor = 0
        self._marks_of: set[Hashable] = set()
        self._shown_page: Hashable = None

    @property
    def room(self) -> tuple[int, int]:
        """The pixels that a thumbnail has: its place but a column and the line of its name."""
        layout = self.grid
        if layout is None:
            return 1, 1
        return max(1, (layout.wide - 1) * self.cell[0]), max(1, (layout.high - 1) * self.cell[1])

    def take(
        self, page: Hashable, tiles: Sequence[Tile], cursor: int, marked: set[Hashable]
    ) -> None:
        """Show these pictures, the page known by `page`."""
        self._tiles, self._shown_page = tiles, page
        self.point(cursor, marked)

    def point(self, cursor: int, marked: set[Hashable]) -> None:
        """Put the cursor on a picture of the page, and show which are marked."""
        self._cursor, self._marks_of = cursor, marked
        layout, tiles = self.grid, self._tiles
        if layout is None or not tiles:
            self.mark(None, ())
            self.show(None, None)
            return
        key = (self._shown_page, layout)
        self.mark(key, self._frame_of_cursor(layout), self._captions(layout))
        cell, room = self.cell, self.room
        self.show(key, lambda size: _sheet(tiles, layout, cell, room, size))

    def _frame_of_cursor(self, layout: Grid) -> list[Mark]:
        column, line = layout.corner(self._cursor)
        left, top = column * self.cell[0], line * self.cell[1]
        return [Mark((left, top, left + self.room[0], top + self.room[1]), CHOSEN, "heavy")]

    def _captions(self, layout: Grid) -> list[Letters]:
        found = []
        for number, tile in enumerate(self._tiles):
            column, line = layout.corner(number)
            marked = tile.key in self._marks_of
            text = caption(tile, layout.wide - 1, marked)
            ground = CHOSEN if number == self._cursor else MARKED if marked else PLAIN
            wrong = tile.scene is None or any(tile.scene.count_wrong)
            said = len(badge(tile.scene))
            at = line + layout.high - 1
            found.append(Letters(at, column, text[:-said], ground))
            ink = _WRONG if wrong and ground == PLAIN else None
            found.append(Letters(at, column + len(text) - said, text[-said:], ground, ink))
        return found

    def on_click(self, event: events.Click) -> None:
        """Tell which picture was clicked."""
        left, top = self.origin
        if self.grid is not None:
            number = self.grid.at(event.x - left, event.y - top, len(self._tiles))
            if number is not None:
                self.post_message(self.Clicked(number))


def _sheet(
    tiles: Sequence[Tile],
    layout: Grid,
    cell: tuple[int, int],
    room: tuple[int, int],
    size: tuple[int, int],
) -> Image:
    """Return the page for `size` pixels; what cannot be read is a dark red field."""
    import PIL.Image

    sheet = PIL.Image.new("RGBA", size, (0, 0, 0, 0))
    for number, tile in enumerate(tiles):
        image = tile.image or PIL.Image.new("RGB", room, _UNREAD)
        column, line = layout.corner(number)
        left = column * cell[0] + (room[0] - image.width) // 2
        # On whole cells, so that a picture and its name do not share one.
        top = line * cell[1] + (room[1] - image.height) // 2 // cell[1] * cell[1]
        sheet.paste(image, (left, top))
    return sheet
