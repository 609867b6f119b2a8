"""A picture with boxes and letters on it that change with every key.

The picture is made once for what is looked at. Boxes are then drawn
- on cells, by the characters for lines, and only the lines of cells that changed are painted again;
- on kitty, as a transparent picture of its own over it: a few kilobytes a key;
- by sixel and in a browser, which take time: on half blocks while keys come, then in pixels.

Where one looks closer key by key (`coarse_first`) the picture is made in fewer pixels too while
keys come, and in all of them when they rest: on kitty a quarter of them, which it scales up.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rich.segment import Segment
from textual import on, work
from textual.geometry import Region
from textual.strip import Strip
from textual.timer import Timer
from textual.worker import get_current_worker

from batman_tui.widgets.frame.base import Newest
from batman_tui.widgets.picture.box_lines import draw_lines, lines_touched
from batman_tui.widgets.picture.graphics import (
    Cell,
    Frame,
    browser_address,
    in_tmux,
    kitty_frame,
    overlay_order,
    remove_order,
    sixel_frame,
)
from batman_tui.widgets.picture.marks import Letters, Mark, lettered, paint, paint_letters
from batman_tui.widgets.picture.mosaic import Mosaic, strips
from batman_tui.widgets.picture.picture import Make, Picture, Pixels
from core.common.errors import BatmanError

if TYPE_CHECKING:
    from PIL.Image import Image

REST_S = 0.3
"""After this long without a key a sixel is made, or a picture in all its pixels."""

PARTS = {"kitty": 2, "sixel": 4, "browser": 4}
"""By how many a picture is coarser across and down while keys come; half blocks are coarse too."""

KEPT = 8
"""A picture with pixels is megabytes, and is made anew in a moment."""


class Canvas(Picture, can_focus=True):
    """Shows a picture as `Picture` does, with `marks` and `letters` over it."""

    fine = False
    coarse_first = False
    """Whether a picture is made in fewer pixels while keys come."""

    DEFAULT_CSS = "Canvas { width: 1fr; height: 1fr; color: $foreground-muted; }"

    @dataclass
    class Rested(Newest):
        """A sixel of the picture with its boxes was made, or kitty's picture in all pixels."""

        frame: Frame
        of: tuple[Hashable, tuple[Mark, ...], tuple[Letters, ...]]

    def __init__(self, nothing: str = "", id: str | None = None) -> None:
        super().__init__(nothing, id=id)
        self.wait_s, self.kept = 0.0, KEPT
        self.marks: tuple[Mark, ...] = ()
        self.letters: tuple[Letters, ...] = ()
        self.drawn_lines = 0
        """How many lines of cells were painted for the last change of the marks."""
        # What is to be on the picture `_wanted`, and what is on the one that is shown.
        self._wanted: Hashable = None
        self._painted: tuple[Mark, ...] = ()
        self._bases: dict[Hashable, Image] = {}
        self._painted_lines: dict[int, Strip] = {}
        self._lines_by_marks: OrderedDict[tuple[Mark, ...], dict[int, Strip]] = OrderedDict()
        self._resting: Timer | None = None
        self._over_shown = False
        self._covered = False
        # While lines are rendered: the cell at which the picture begins, and whether one sees the
        # widget through it.
        self._corner_now, self._see_through = (0, 0), False

    # What is shown

    def mark(self, key: Hashable, marks: Sequence[Mark], letters: Sequence[Letters] = ()) -> None:
        """Draw `marks` and `letters` on the picture `key`, once it is shown, in place of others."""
        old = self.letters
        self._wanted, self.marks, self.letters = key, tuple(marks), tuple(letters)
        if self.shown != key or self._frame is None:
            return
        changed = set(self._painted) ^ set(self.marks)
        lines = self._lines_of(changed) if self._by_cells else set()
        lettered_anew = {each.line for each in {*old} ^ {*self.letters}}
        if changed or (lettered_anew and self._late):
            self._draw(lines)
        lines |= lettered_anew
        self.drawn_lines = len(lines)
        top = self.origin[1]
        self.refresh(*(Region(0, top + line, self.size.width, 1) for line in sorted(lines)))

    @property
    def origin(self) -> tuple[int, int]:
        """Return the cell of the widget at which the picture begins."""
        lines = self._frame.lines if self._frame is not None else []
        return self._corner(lines[0].cell_length if lines else 0, len(lines))

    def view_point(self, x: float, y: float) -> tuple[float, float]:
        """Return where in the view, in its pixels, a place of the widget in cells is."""
        left, top = self.origin
        return (x - left) * self.cell[0], (y - top) * self.cell[1]

    @property
    def line_width(self) -> int:
        """How many pixels of the view a line of a box is wide."""
        return max(1, self.cell[0] // 8)

    @property
    def _late(self) -> bool:
        """Whether the picture is in pixels only when keys rest."""
        return self.mode in ("sixel", "browser")

    @property
    def _by_cells(self) -> bool:
        return self.mode != "kitty" or self._base is None or not self._is_kitty_frame

    @property
    def _is_kitty_frame(self) -> bool:
        return self._frame is not None and bool(self._frame.send)

    @property
    def _base(self) -> Image | None:
        return self._bases.get((self.shown, self.pixels))

    @property
    def coarse(self) -> bool:
        """Whether what is shown was made in fewer pixels, until keys rest."""
        return self._frame is not None and self._frame.coarse

    @property
    def _part(self) -> int:
        """How many pixels of the view, across and down, one that is made at first stands for."""
        return PARTS.get(self.mode, 1) if self.coarse_first else 1

    def _asked(self, size: Pixels) -> Pixels:
        return max(1, size[0] // self._part), max(1, size[1] // self._part)

    def _framed(self, image: Image, cell: Cell) -> Frame:
        """Return the picture for the terminal; runs in a thread. A sixel is made when keys rest."""
        part = self._part
        fewer = (cell[0] / part, cell[1] / part)
        if self.mode == "kitty":
            frame = super()._framed(image, fewer)
        else:
            frame = self._in_cells(image, fewer)
        frame.coarse = part > 1
        if frame.cells is not None:
            # With the boxes that are on it now: most of its lines have some.
            frame.marks = self.marks if self._wanted == self._key else ()
            with_boxes = frame.cells.part(0, frame.cells.size[1])
            draw_lines(with_boxes, frame.marks, self.cell)
            frame.lines = self._strips(with_boxes, frame)
        frame.base = image
        return frame

    def _put(self, key: Hashable, frame: Frame | None, said: str) -> None:
        self._painted_lines.clear()
        self._lines_by_marks.clear()
        self._painted = frame.marks if frame is not None else ()
        super()._put(key, frame, said)
        if frame is not None and frame.base is not None:
            self._bases = {(key, self.pixels): frame.base}
        self._remove_over()
        if frame is not None and key == self._wanted:
            changed = set(frame.marks) ^ set(self.marks)
            if changed or self._late:
                self._draw(self._lines_of(changed))
        if frame is not None and frame.coarse:
            self._rest_later()

    # Drawing the marks

    def _lines_of(self, marks: Sequence[Mark] | set[Mark]) -> set[int]:
        count = len(self._frame.lines) if self._frame is not None else 0
        return lines_touched(marks, self.cell, count)

    def _draw(self, lines: set[int]) -> None:
        """Draw the marks: on cells the given lines, else all of them at once."""
        self._painted = self.marks
        if self._by_cells:
            self._draw_cells(lines)
        else:
            self._write_over()
        if self._late:
            self._rest_later()

    def _draw_cells(self, lines: set[int]) -> None:
        if self._frame is None or self._frame.cells is None:
            return
        cells = self._frame.cells
        if self._frame.over:
            under = self._frame.under or self._frame.lines
            self._frame = replace(self._frame, lines=under, over="", under=[])
            self._painted_lines.clear()
            lines = set(range(len(self._frame.lines)))
            self.refresh()
        # Boxes that are hidden and shown again, class by class, are drawn once.
        known = self._lines_by_marks.setdefault(self.marks, {})
        self._lines_by_marks.move_to_end(self.marks)
        while len(self._lines_by_marks) > KEPT:
            self._lines_by_marks.popitem(last=False)
        for first, end in _runs({line for line in lines if line not in known}):
            part = cells.part(first, end)
            draw_lines(part, self.marks, self.cell, top=first)
            known.update(enumerate(self._strips(part, self._frame), first))
        self._painted_lines.update((line, known[line]) for line in lines)

    def _strips(self, cells: Mosaic, frame: Frame) -> list[Strip]:
        return strips(cells, frame.styles, true_colour=self.true_colour)

    def _rest_later(self) -> None:
        self._keys_come()
        self._resting = self.set_timer(REST_S, self._rest)

    def _keys_come(self) -> None:
        """Stop what is made for keys that rest."""
        if self._resting is not None:
            self._resting.stop()
        self.workers.cancel_group(self, "rest")

    def _rest(self) -> None:
        base, make = self._base, self._make
        if base is None or make is None or self._frame is None or self.shown != self._key:
            return
        if not self._frame.coarse:
            self._refine(lambda _size: base.copy(), self.pixels, self.cell, self._what)
        else:
            self._refine(make, self.pixels, self.cell, self._what)

    @property
    def _what(self) -> tuple[Hashable, tuple[Mark, ...], tuple[Letters, ...]]:
        return self.shown, self.marks, self.letters

    @work(thread=True, exclusive=True, exit_on_error=False, group="rest")
    def _refine(
        self,
        make: Make,
        size: Pixels,
        cell: Pixels,
        of: tuple[Hashable, tuple[Mark, ...], tuple[Letters, ...]],
    ) -> None:
        worker = get_current_worker()
        try:
            image = make(size)
        except BatmanError:
            return  # What is there already stays.
        if image is None or worker.is_cancelled:
            return
        frame: Frame | None
        if self.mode == "kitty":
            frame = kitty_frame(image, cell, true_colour=self.true_colour, in_tmux=in_tmux())
        else:
            painted = image.copy()
            paint(painted, of[1], self.line_width)
            paint_letters(painted, of[2], cell)
            if self.mode == "browser":
                frame = Frame([], over=browser_address(painted))
            else:
                frame = sixel_frame(painted, cell, lambda: worker.is_cancelled)
        if frame is not None and not worker.is_cancelled:
            frame.base = image
            self.post_message(self.Rested(frame, of))

    @on(Rested)
    def _rested(self, message: Rested) -> None:
        message.stop()
        fine, before = message.frame, self._frame
        if before is None or message.of[0] != self.shown:
            return
        if fine.send:
            self._write(fine.send)
            self._frame = self._kept[self.shown, self.pixels] = fine
            self._bases = {(self.shown, self.pixels): fine.base} if fine.base is not None else {}
            # Not before the cells show the new one: there would be none for a moment.
            self.call_after_refresh(self._write, before.free)
        elif message.of == self._what:
            under = before.under or before.lines
            if fine.lines:
                self._frame = replace(before, lines=fine.lines, over=fine.over, under=under)
                self._painted_lines.clear()
            else:
                # The cells stay as they are, under it.
                self._frame = replace(before, over=fine.over)
        self.refresh()

    # Boxes as a picture of their own

    def _write_over(self) -> None:
        """Put the marks over a picture of kitty's, in place of those before."""
        base = self._base
        if base is None or self._covered or self._under_toast or not self.is_on_screen:
            self._remove_over()
            return
        if not self.marks:
            self._remove_over()
            return
        import PIL.Image

        part = self._part if self._frame is not None and self._frame.coarse else 1
        size = base.width * part, base.height * part
        layer = PIL.Image.new("RGBA", size, (0, 0, 0, 0))
        paint(layer, self.marks, self.line_width)
        left, top = self.origin
        region = self.content_region
        at = (region.x + left, region.y + top)
        self._write(overlay_order(layer, self.cell, at, number=self._number))
        self._over_shown = True

    def _remove_over(self) -> None:
        if self._over_shown:
            self._write(remove_order(self._number))
            self._over_shown = False

    @property
    def _number(self) -> int:
        """The number of the boxes' picture: none of `graphics`, whose have three bytes at most."""
        return 0x1000000 + id(self) % 0xFFFFFF

    @property
    def _under_toast(self) -> bool:
        region = self.content_region
        return any(toast.region.overlaps(region) for toast in self.screen.query("Toast"))

    def cover(self) -> None:
        """Take the boxes' picture away: another screen comes in front, and it would lie on it."""
        self._covered = True
        self._remove_over()

    def uncover(self) -> None:
        """Put the boxes' picture back."""
        self._covered = False
        if self.mode == "kitty" and self._frame is not None:
            self._write_over()

    def on_unmount(self) -> None:
        """Have the terminal forget the boxes' picture; `Picture` does so with the others."""
        self._remove_over()

    def over(self) -> tuple[int, int, str] | None:
        """Return what is to be drawn over the screen, as `Picture` does.

        On kitty the boxes stay by themselves; they only make room for a notification.
        """
        if self.mode == "kitty":
            if self._under_toast == self._over_shown and not self._covered:
                self._write_over()
            return None
        return super().over()

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return the lines in a part of the widget; what holds for all is worked out once."""
        base = self._base
        self._corner_now, self._see_through = self.origin, base is not None and base.mode == "RGBA"
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        """Return one line of the picture with what is on it."""
        left, top = self._corner_now
        number = y - top
        frame = self._frame
        sixel = frame is not None and frame.over and self.mode == "sixel"
        if frame is None or sixel or not 0 <= number < len(frame.lines):
            return super().render_line(y)
        inner = self._painted_lines.get(number) or frame.lines[number]
        if self.letters and self.shown == self._wanted:
            letters = [each for each in self.letters if each.line == number]
            inner = lettered(inner, letters) if letters else inner
        style, width = self._ground, self.size.width
        if self._see_through:
            inner = inner.apply_style(style)  # What is clear has the ground of the widget.
        if left:
            inner = Strip([Segment(" " * left, style), *inner], left + inner.cell_length)
        return inner.adjust_cell_length(width, style)


def _runs(lines: set[int]) -> list[tuple[int, int]]:
    """Return the runs of numbers that follow each other, as first and one past the last."""
    found: list[tuple[int, int]] = []
    for line in sorted(lines):
        if found and found[-1][1] == line:
            found[-1] = (found[-1][0], line + 1)
        else:
            found.append((line, line + 1))
    return found
