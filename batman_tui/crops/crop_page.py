"""The page of crops on the terminal: the pictures, their letters and scores, what is struck out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual import events
from textual.message import Message

from batman_tui.crops.letters import Page
from batman_tui.crops.sheet import Crops, box_on_sheet, room_of
from batman_tui.widgets.picture.marks import Letters, Mark
from batman_tui.widgets.picture.tiled_canvas import Grid, TiledCanvas
from core.data.images.class_colours import Colour
from core.data.labels.open_suggestions import Candidate

RED: Colour = (230, 30, 30)
_PLAIN: Colour = (40, 40, 40)


class CropPage(TiledCanvas):
    """Shows the crops of some suggestions; a letter, or a click, strikes one out."""

    class Struck(Message):
        """A crop was clicked."""

    def __init__(self, crops: Crops, id: str = "crop-page", *, lettered: bool = True) -> None:
        """Make it; not `lettered`, nothing can be struck out."""
        super().__init__(id)
        self.crops = crops
        self.page = Page()
        self._lettered = lettered
        self._candidates: Sequence[Candidate] = ()

    def take(self, candidates: Sequence[Candidate]) -> None:
        """Show these, none of them struck out; what is struck stays so where they are the same."""
        ids = tuple(each.id for each in candidates)
        if ids != self.page.ids:
            self.page = Page(ids)
        self._candidates = candidates
        self.redraw()

    def redraw(self) -> None:
        """Draw the page as it is now."""
        layout, page = self.grid, self._candidates
        if layout is None or not page:
            self.mark(None, ())
            self.show(None, None)
            return
        key = (self.page.ids, layout)
        self.mark(key, self._marks(layout), self._words(layout))
        cell = self.cell
        self.show(key, lambda size: self.crops.sheet(page, layout, cell, size))

    def read_ahead(self, candidates: Sequence[Candidate], stopped: Callable[[], bool]) -> None:
        """Cut out suggestions that will be wanted soon; for a thread."""
        if self.grid is not None:
            self.crops.read(candidates, room_of(self.grid, self.cell), stopped)

    def _marks(self, layout: Grid) -> list[Mark]:
        across, down = room_of(layout, self.cell)
        found = []
        for number, each in enumerate(self._candidates):
            corners = box_on_sheet(each, number, layout, self.cell)
            if corners is not None and each.crop.outline is not None:
                found.append(Mark(corners, each.crop.outline, "solid"))
            if self.page.struck(number):
                column, line = layout.corner(number)
                left, top = column * self.cell[0], line * self.cell[1]
                found.append(Mark((left, top, left + across, top + down), RED, "struck"))
        return found

    def _words(self, layout: Grid) -> list[Letters]:
        found = []
        for number, each in enumerate(self._candidates):
            column, line = layout.corner(number)
            score = f"{each.score:.2f}".removeprefix("0")
            letter = self.page.letter(number) if self._lettered else ""
            ground = RED if self.page.struck(number) else _PLAIN
            text = f" {letter} {score} " if letter else f" {score} "
            found.append(Letters(line + layout.high - 1, column, text, ground))
        return found

    def press(self, letter: str) -> bool:
        """Strike out the crop with a letter, or take that back; False when it is none's."""
        if self.page.press(letter) is None:
            return False
        self.redraw()
        return True

    def strike_all(self) -> None:
        """Strike out all, or none."""
        self.page.strike_all()
        self.redraw()

    def on_click(self, event: events.Click) -> None:
        """Strike out the crop that was clicked."""
        left, top = self.origin
        if self.grid is None or not self._lettered:
            return
        number = self.grid.at(event.x - left, event.y - top, len(self.page.ids))
        if number is not None:
            self.press(self.page.letter(number))
            self.post_message(self.Struck())
