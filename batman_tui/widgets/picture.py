"""A picture on the terminal: two pixels a cell by half blocks, made in a thread, kept by size."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual import on, work
from textual.message import Message
from textual.strip import Strip
from textual.timer import Timer
from textual.widget import Widget
from textual.worker import get_current_worker

from batman_tui.widgets.cells import fit
from core.errors import BatmanError

if TYPE_CHECKING:
    from PIL.Image import Image

WAIT_S = 0.06
"""A cursor that is held down passes by pictures without having them made."""

SLOW_S = 0.4
"""After this long the picture before is taken away, though the new one is not there yet."""

KEPT = 48

Pixels = tuple[int, int]
Make = Callable[[Pixels], "Image | None"]


def half_blocks(image: Image) -> list[Strip]:
    """Return the picture as lines of cells, each its upper and lower pixel; RGB or RGBA.

    What is more than half transparent has no colour of its own.
    """
    data, (width, height) = image.convert("RGBA").tobytes(), image.size
    styles: dict[tuple[bytes, bytes], Segment] = {}

    def cell(top: bytes, bottom: bytes) -> Segment:
        found = styles.get((top, bottom))
        if found is None:
            upper = Color.from_rgb(*top[:3]) if top[3] > 127 else None
            lower = Color.from_rgb(*bottom[:3]) if bottom[3] > 127 else None
            if upper is None and lower is None:
                found = Segment(" ", Style())
            elif upper is None:
                found = Segment("▄", Style(color=lower))
            else:
                found = Segment("▀", Style(color=upper, bgcolor=lower))
            styles[top, bottom] = found
        return found

    clear = bytes(4)
    lines = []
    for y in range(0, height, 2):
        upper = range(y * width * 4, (y + 1) * width * 4, 4)
        below = width * 4 if y + 1 < height else None
        cells = [
            cell(data[at : at + 4], clear if below is None else data[at + below : at + below + 4])
            for at in upper
        ]
        lines.append(Strip(Segment.simplify(cells), width))
    return lines


class Picture(Widget):
    """Shows one picture, in the middle. `show` says which, and how to make it for a size.

    The picture is made in a thread, in the pixels that the widget has (a cell is one wide and two
    high); the last ones are kept. What goes wrong is said in its place.
    """

    ALLOW_SELECT = False
    DEFAULT_CSS = "Picture { width: 1fr; height: 1fr; color: $foreground-muted; }"

    class Made(Message):
        """A picture was made for `size` pixels; `error` says why not."""

        def __init__(
            self, key: Hashable, size: Pixels, lines: list[Strip] | None, error: str
        ) -> None:
            super().__init__()
            self.key = key
            self.size = size
            self.lines = lines
            self.error = error

    def __init__(self, nothing: str = "", id: str | None = None) -> None:
        """Make it; `nothing` is said when there is no picture to show."""
        super().__init__(id=id)
        self.nothing = nothing
        self.shown: Hashable = None
        """The key of the picture that is on the screen, None while there is none."""
        self._key: Hashable = None
        self._make: Make | None = None
        self._settled = True
        self._lines: list[Strip] = []
        self._said = nothing
        self._kept: OrderedDict[tuple[Hashable, Pixels], list[Strip]] = OrderedDict()
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
        self._kept.clear()
        self._key = None

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
        return self.size.width, self.size.height * 2

    def _ask(self) -> None:
        for timer in (self._soon, self._slow):
            if timer is not None:
                timer.stop()
        if self._make is None:
            self._put(None, [], self.nothing)
            return
        kept = self._kept.get((self._key, self.pixels))
        if kept is not None:
            self._put(self._key, kept, "")
        elif min(self.pixels) > 0:
            self._settled = False
            self._soon = self.set_timer(WAIT_S, self._start)
            self._slow = self.set_timer(SLOW_S, self._say_slow)

    def _say_slow(self) -> None:
        self._put(None, [], "Reading …")
        self._settled = False

    def _start(self) -> None:
        if self._make is not None:
            self._work(self._key, self._make, self.pixels)

    @work(thread=True, exclusive=True, exit_on_error=False, group="picture")
    def _work(self, key: Hashable, make: Make, size: Pixels) -> None:
        lines, error = None, ""
        try:
            image = make(size)
            lines = None if image is None else half_blocks(image)
        except BatmanError as problem:
            error = problem.message
        if not get_current_worker().is_cancelled:
            self.post_message(self.Made(key, size, lines, error))

    @on(Made)
    def _made(self, message: Made) -> None:
        message.stop()
        if message.lines is not None:
            self._kept[message.key, message.size] = message.lines
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        if (message.key, message.size) != (self._key, self.pixels) or self._make is None:
            return
        if self._slow is not None:
            self._slow.stop()
        self._put(message.key, message.lines or [], message.error or self.nothing)

    def _put(self, key: Hashable, lines: list[Strip], said: str) -> None:
        self.shown, self._settled = key, True
        self._lines, self._said = lines, "" if lines else said
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Return one line of the picture, or of what is said in its place."""
        width, height = self.size
        style = self.rich_style
        if not self._lines:
            said = wrap(self._said, max(8, width)) if self._said else []
            return Strip([Segment(fit(said[y] if y < len(said) else "", width), style)], width)
        at = y - (height - len(self._lines)) // 2
        if not 0 <= at < len(self._lines):
            return Strip([Segment(" " * width, style)], width)
        line = self._lines[at]
        left = max(0, (width - line.cell_length) // 2)
        cells: list[Any] = [Segment(" " * left, style), *line]
        return Strip(cells).apply_style(style).adjust_cell_length(width, style)
