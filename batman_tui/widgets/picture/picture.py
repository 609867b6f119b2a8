"""A picture on the terminal, made in a thread, kept by size.

In cells of two colours (`mosaic`), or in the terminal's own pixels where it has them (`graphics`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from rich.segment import Segment
from rich.style import Style
from textual import on, work
from textual.filter import ANSIToTruecolor, LineFilter
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.timer import Timer
from textual.widget import Widget
from textual.worker import get_current_worker

from batman_tui.widgets.picture.graphics import (
    Cell,
    Frame,
    browser_address,
    cell_pixels,
    in_tmux,
    kitty_frame,
    sixel_frame,
)
from batman_tui.widgets.picture.modes import PARTS, Glyphs, Mode
from batman_tui.widgets.picture.mosaic import fitted_to, mosaic, strips
from batman_tui.widgets.table.cells import fit
from core.common.errors import BatmanError

if TYPE_CHECKING:
    from PIL.Image import Image

WAIT_S = 0.06
"""A cursor that is held down passes by pictures without having them made."""

SLOW_S = 0.4
"""After this long the picture before is taken away, though the new one is not there yet."""

KEPT = 48

Pixels = tuple[int, int]
Make = Callable[[Pixels], "Image | None"]


class Picture(Widget):
    """Shows one picture, in the middle. `show` says which, and how to make it for a size.

    The picture is made in a thread, in the pixels that the widget has (by half blocks, a cell is
    one wide and two high, by finer ones two and four); the last ones are kept. What goes wrong is
    said in its place.
    """

    ALLOW_SELECT = False
    fine = True
    """Whether all shades of colours are kept; a picture that changes with keys has fewer."""
    DEFAULT_CSS = "Picture { width: 1fr; height: 1fr; color: $foreground-muted; }"

    @dataclass
    class Made(Message):
        """A picture was made for `size` pixels; `error` says why not."""

        key: Hashable
        size: Pixels
        frame: Frame | None
        error: str

    def __init__(self, nothing: str = "", id: str | None = None) -> None:
        """Make it; `nothing` is said when there is no picture to show."""
        super().__init__(id=id)
        self.nothing = nothing
        self.kept = KEPT
        """How many pictures are kept, in case one comes back to them."""
        self.wait_s = WAIT_S
        """How long a picture must be asked for until it is made."""
        self.shown: Hashable = None
        """The key of the picture that is on the screen, None while there is none."""
        self._key: Hashable = None
        self._make: Make | None = None
        self._settled = True
        self._frame: Frame | None = None
        self._said = nothing
        self._ground = Style.null()
        self._kept: OrderedDict[tuple[Hashable, Pixels], Frame] = OrderedDict()
        self._soon: Timer | None = None
        self._slow: Timer | None = None

    def show(self, key: Hashable, make: Make | None) -> None:
        """Show the picture known by `key`, which `make` returns (in a thread) for a size in pixels.

        With None, nothing is shown. `make` may raise `BatmanError`, or return None for nothing.
        """
        if key == self._key and make is not None:
            return
        self._key, self._make = key, make
        self._ask()

    def forget(self) -> None:
        """Make every picture anew: what is on them has changed."""
        self._drop(len(self._kept))
        self._key = None

    def on_unmount(self) -> None:
        """Have the terminal forget the pictures."""
        self._drop(len(self._kept))

    def on_resize(self) -> None:
        """Have the picture made for the new size."""
        self._ask()

    @property
    def settled(self) -> bool:
        """Whether what was asked for last is what is shown, or was found not to be there."""
        return self._settled

    @property
    def pixels(self) -> Pixels:
        """The room there is, in pixels."""
        across, down = self.cell
        return self.size.width * across, self.size.height * down

    @property
    def mode(self) -> Mode:
        """How pictures are shown on this terminal."""
        return getattr(self.app, "graphics", "blocks")

    @property
    def true_colour(self) -> bool:
        """Whether the terminal has true colour."""
        return self.app.console.color_system == "truecolor"

    @property
    def cell(self) -> Pixels:
        """The pixels of a cell, width and height; they are as wide as high.

        Quadrants and sextants have fewer, higher parts, which are made of these.
        """
        if self.mode in PARTS:
            return (1, 2) if self.mode == "blocks" else (2, 4)
        return cell_pixels()

    @property
    def glyphs(self) -> Glyphs:
        """How a picture in cells is shown here; half blocks, where it is in pixels."""
        mode = self.mode
        return "blocks" if mode == "kitty" or mode == "sixel" or mode == "browser" else mode

    def _ask(self) -> None:
        for timer in (self._soon, self._slow):
            if timer is not None:
                timer.stop()
        if self._make is None:
            self._put(None, None, self.nothing)
            return
        kept = self._kept.get((self._key, self.pixels))
        if kept is not None:
            # What is on the screen is the last to be dropped.
            self._kept.move_to_end((self._key, self.pixels))
            self._put(self._key, kept, "")
        elif min(self.pixels) > 0:
            self._settled = False
            if self.wait_s:
                self._soon = self.set_timer(self.wait_s, self._start)
            else:
                self._start()
            self._slow = self.set_timer(SLOW_S, self._say_slow)

    def _say_slow(self) -> None:
        self._put(None, None, "Reading …")
        self._settled = False

    def _start(self) -> None:
        if self._make is not None:
            self._work(self._key, self._make, self.pixels, self.cell)

    @work(thread=True, exclusive=True, exit_on_error=False, group="picture")
    def _work(self, key: Hashable, make: Make, size: Pixels, cell: Pixels) -> None:
        frame, error = None, ""
        try:
            image = make(self._asked(size))
            frame = None if image is None else self._framed(image, cell)
        except BatmanError as problem:
            error = problem.message
        if not get_current_worker().is_cancelled:
            self.post_message(self.Made(key, size, frame, error))

    def _asked(self, size: Pixels) -> Pixels:
        """Return for how many pixels a picture that is to fill `size` is made at first."""
        return size

    def _framed(self, image: Image, cell: Cell) -> Frame:
        """Return the picture for the terminal; runs in a thread.

        `cell` is the size of a cell in the picture's pixels.
        """
        frame = None
        if self.mode == "kitty":
            frame = kitty_frame(image, cell, true_colour=self.true_colour, in_tmux=in_tmux())
        elif self.mode == "sixel":
            frame = sixel_frame(image, cell)
        if frame is None:
            frame = self._in_cells(image, cell)
            assert frame.cells is not None
            frame.lines = strips(frame.cells, frame.styles, true_colour=self.true_colour)
            if self.mode == "browser":
                frame.over = browser_address(image)
        return frame

    def _in_cells(self, image: Image, cell: Cell) -> Frame:
        """Return the picture in cells, its lines still to be made; runs in a thread."""
        cells = mosaic(fitted_to(image, cell, self.glyphs), self.glyphs, fine=self.fine)
        return Frame([], cells=cells)

    @on(Made)
    def _made(self, message: Made) -> None:
        message.stop()
        if message.frame is not None:
            self._write(message.frame.send)
            self._kept[message.key, message.size] = message.frame
            self._drop(len(self._kept) - self.kept)
        if (message.key, message.size) != (self._key, self.pixels) or self._make is None:
            return
        if self._slow is not None:
            self._slow.stop()
        self._put(message.key, message.frame, message.error or self.nothing)

    def _put(self, key: Hashable, frame: Frame | None, said: str) -> None:
        self.shown, self._settled = key, True
        self._frame, self._said = frame, "" if frame else said
        self.refresh()

    def _drop(self, count: int) -> None:
        """Forget the `count` pictures that were made first."""
        for _ in range(count):
            _, frame = self._kept.popitem(last=False)
            self._write(frame.free)

    def _write(self, text: str) -> None:
        driver = self.app._driver
        if text and driver is not None:
            driver.write(text)

    def over(self) -> tuple[int, int, str] | None:
        """Return column, line and text of what is to be drawn over the screen, if anything is.

        Both count from 0. None when the picture is made of cells, is not all in sight, or there is
        a notification on it.
        """
        frame = self._frame
        if frame is None or not frame.over or not self.is_on_screen:
            return None
        region = self.content_region
        if any(toast.region.overlaps(region) for toast in self.screen.query("Toast")):
            return None
        width, height = frame.lines[0].cell_length, len(frame.lines)
        left, top = self._corner(width, height)
        area = Region(region.x + left, region.y + top, width, height)
        if not self.screen.region.contains_region(area):
            return None
        return area.x, area.y, frame.over

    @property
    def cells(self) -> Pixels:
        """How many columns and lines of cells the picture that is shown has."""
        lines = self._frame.lines if self._frame is not None else []
        return (lines[0].cell_length, len(lines)) if lines else (0, 0)

    def _corner(self, width: int, height: int) -> tuple[int, int]:
        """Return where a picture of that many cells begins, so that it is in the middle."""
        return max(0, (self.size.width - width) // 2), (self.size.height - height) // 2

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Return what the app does to colours, but for what leaves a picture's as they are.

        They are true colours, each cell has a style of its own, and to look at all of them took a
        third of the time of a repaint.
        """
        filters = super().get_line_filters()
        if self._frame is None:
            return filters
        return [each for each in filters if not isinstance(each, ANSIToTruecolor)]

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return the lines in a part of the widget; its own style is worked out once for all."""
        self._ground = self.rich_style
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        """Return one line of the picture, or of what is said in its place."""
        width = self.size.width
        style = self._ground
        if self._frame is None:
            said = wrap(self._said, max(8, width)) if self._said else []
            return Strip([Segment(fit(said[y] if y < len(said) else "", width), style)], width)
        lines = self._frame.lines
        left, top = self._corner(lines[0].cell_length if lines else 0, len(lines))
        if not 0 <= y - top < len(lines):
            return Strip([Segment(" " * width, style)], width)
        line = lines[y - top]
        cells: list[Any] = [Segment(" " * left, style), *line]
        return Strip(cells).apply_style(style).adjust_cell_length(width, style)
