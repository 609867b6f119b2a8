"""The lines of a log as they come, with search."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.binding import BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from batman_tui.keys import bindings
from batman_tui.widgets.frame.explains import Explains
from core.common.text import clean

KEEP = 20_000


class LogView(Explains, ScrollView, can_focus=True):
    """A log that renders only the lines that are seen, and stays at its end unless scrolled away.

    Lines are data: no markup, and control characters are made visible. The oldest lines go when
    there are more than `KEEP`. A search marks every match, whatever its case.
    """

    HELP = "Search with /, go from match to match with n and N; G goes to the end and stays there."
    BINDINGS: ClassVar[list[BindingType]] = bindings("log")
    COMPONENT_CLASSES = {"log--line", "log--match", "log--here", "log--loud"}
    DEFAULT_CSS = """
    LogView {
        height: 1fr; width: 1fr; background: $background; scrollbar-size-vertical: 1;
        scrollbar-size-horizontal: 0; overflow-x: auto; overflow-y: auto;
        & > .log--line { color: $foreground; }
        & > .log--match { background: $warning 40%; color: $foreground; }
        & > .log--here { background: $warning; color: $background; text-style: bold; }
        & > .log--loud { color: $text-error; }
    }
    """

    search: reactive[str] = reactive("", repaint=False)
    """What is searched for; empty for nothing."""

    @dataclass
    class Searched(Message):
        """The matches changed, or another one was gone to: `at` of `count`, counted from 1."""

        view: LogView
        at: int
        count: int

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines: list[str] = []
        self._matches: list[int] = []
        self._match = 0
        self._width = 0
        self._at_end = True

    @property
    def lines(self) -> Sequence[str]:
        """What is held, oldest first."""
        return self._lines

    def append(self, lines: Iterable[str]) -> None:
        """Add lines at the end."""
        new = [clean(line) for line in lines]
        if not new:
            return
        first = len(self._lines)
        self._lines += new
        dropped = max(0, len(self._lines) - KEEP)
        if dropped:
            del self._lines[:dropped]
            self._matches = [line - dropped for line in self._matches if line >= dropped]
            self._match = min(self._match, max(0, len(self._matches) - 1))
        self._width = max(self._width, max(cell_len(line) for line in new))
        if self.search:
            word = self.search.casefold()
            start = max(0, first - dropped)
            self._matches += [
                number
                for number, line in enumerate(self._lines[start:], start)
                if word in line.casefold()
            ]
            self._tell()
        self._resize()

    def clear(self) -> None:
        """Forget all lines."""
        self._lines, self._matches, self._match, self._width = [], [], 0, 0
        self._resize()

    def watch_search(self, search: str) -> None:
        """Find the matches and go to the last one, which is the newest."""
        word = search.casefold()
        self._matches = [
            number for number, line in enumerate(self._lines) if word and word in line.casefold()
        ]
        self._match = max(0, len(self._matches) - 1)
        if self._matches:
            self._go()
        self._tell()
        self.refresh()

    def why_not(self, action: str, parameters: tuple[object, ...]) -> str:
        """Say that there is no match to go to."""
        if action not in ("next_match", "previous_match") or self._matches:
            return ""
        if not self.search:
            return "Nothing is searched for: / searches the log."
        return f"'{clean(self.search)}' is nowhere in the log."

    def action_next_match(self) -> None:
        """Go to the next match; after the last comes the first."""
        self._move(1)

    def action_previous_match(self) -> None:
        """Go to the match before; before the first comes the last."""
        self._move(-1)

    def action_top(self) -> None:
        """Go to the first line."""
        self._at_end = False
        self.scroll_to(y=0, animate=False, immediate=True)

    def action_end(self) -> None:
        """Go to the last line, and stay with the newest."""
        self._at_end = True
        self.scroll_end(animate=False, immediate=True)

    def watch_scroll_y(self, old: float, new: float) -> None:
        """Stay at the end only while the end is in sight."""
        super().watch_scroll_y(old, new)
        self._at_end = new >= self.max_scroll_y - 0.5
        self.refresh()

    def on_resize(self) -> None:
        """Keep the end in sight when the height changes."""
        self._resize()

    def _move(self, by: int) -> None:
        if self._matches:
            self._match = (self._match + by) % len(self._matches)
            self._go()
            self._tell()

    def _go(self) -> None:
        self._at_end = False
        # As with the end: lines that have just come are laid out first.
        self.call_after_refresh(self._to_match)
        self.refresh()

    def _to_match(self) -> None:
        if self._matches:
            line = Region(0, self._matches[self._match], 1, 1)
            self.scroll_to_region(line, animate=False, immediate=True, x_axis=False, center=True)

    def _tell(self) -> None:
        at = self._match + 1 if self._matches else 0
        self.post_message(self.Searched(self, at, len(self._matches)))

    def _resize(self) -> None:
        at_end = self._at_end
        self.virtual_size = Size(self._width, len(self._lines))
        if at_end:
            self._at_end = True
            # Not at once: a view that could not scroll so far has to be laid out first.
            self.call_after_refresh(self._to_end)
        self.refresh()

    def _to_end(self) -> None:
        if self._at_end:
            self.scroll_end(animate=False, immediate=True)

    def render_line(self, y: int) -> Strip:
        """Return one line of what is in sight."""
        number = self.scroll_offset.y + y
        width = self.size.width
        if number >= len(self._lines):
            return Strip.blank(width, self.rich_style)
        line = self._lines[number]
        loud = "error" in line.casefold() or line.startswith("Traceback")
        style = self.get_component_rich_style("log--loud" if loud else "log--line")
        strip = Strip(self._pieces(number, line, style))
        return strip.crop_extend(
            self.scroll_offset.x, self.scroll_offset.x + width, self.rich_style
        )

    def _pieces(self, number: int, line: str, style: Style) -> list[Segment]:
        word = self.search.casefold()
        folded = line.casefold()
        # Case folding can change the length of a line; then the place of a match is not known.
        if not word or word not in folded or len(folded) != len(line):
            return [Segment(line, style)]
        here = bool(self._matches) and self._matches[self._match] == number
        marked = self.get_component_rich_style("log--here" if here else "log--match")
        pieces: list[Segment] = []
        at = 0
        while (found := folded.find(word, at)) >= 0:
            pieces.append(Segment(line[at:found], style))
            pieces.append(Segment(line[found : found + len(word)], marked))
            at = found + len(word)
        pieces.append(Segment(line[at:], style))
        return [piece for piece in pieces if piece.text]
