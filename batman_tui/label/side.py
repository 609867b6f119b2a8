"""The lines under the picture and the panel beside it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import zip_longest

from textual.content import Content
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.visual import Visual
from textual.widget import Widget

from batman_tui.label.grammar import Typing
from batman_tui.label.session import PictureSession
from batman_tui.label.words import (
    Line,
    Place,
    chosen_line,
    class_lines,
    picture_facts,
    picture_line,
    thing_lines,
)
from core.data.classes import ClassRow

# Lines that are kept as they are painted.
_MOST_LAID_OUT = 1000


class PictureWords(Widget):
    """Two lines that change with every key: what is chosen or to be typed, and which picture."""

    COMPONENT_CLASSES = {"words--typing", "words--state"}
    DEFAULT_CSS = """
    PictureWords {
        width: 1fr; height: 2;
        & > .words--typing { color: $accent; text-style: bold; }
        & > .words--state { color: $foreground-muted; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._content = Content("")

    def say(
        self,
        session: PictureSession | None,
        typing: Typing,
        classes: Sequence[ClassRow],
        place: Place,
    ) -> None:
        """Show what there is now, painted only where it is something else."""
        content = self._lines(session, typing, classes, place)
        if not content.is_same(self._content):
            self._content = content
            self.refresh()

    def _lines(
        self,
        session: PictureSession | None,
        typing: Typing,
        classes: Sequence[ClassRow],
        place: Place,
    ) -> Content:
        if session is None:
            return Content("")
        thing = session.thing
        wanted = session.class_id if thing is None else thing.class_id
        name = next((row.name for row in classes if row.id == wanted), "no class yet")
        width = max(1, self.size.width)
        style = self.get_visual_style("words--typing", partial=True) if typing.active else ""
        first = Content.styled(typing.prompt() or chosen_line(session, name), style)
        state = picture_line(session, place)
        second = Content.styled(state, self.get_visual_style("words--state", partial=True))
        lines = (first.truncate(width, ellipsis=True), second.truncate(width, ellipsis=True))
        return Content("\n").join(lines)

    def render(self) -> Content:
        """Return the lines."""
        return self._content


class LabelFacts(Widget):
    """The classes with their keys, and the boxes in the order of Tab.

    Its lines change with most keys, but few of them become others: each text is laid out once, and
    the lines that are others are painted.
    """

    ALLOW_SELECT = False
    DEFAULT_CSS = "LabelFacts { width: 1fr; height: 1fr; }"

    def __init__(self) -> None:
        super().__init__()
        self._session: PictureSession | None = None
        self._rows: Sequence[ClassRow] = ()
        self._lines: list[Line] = []
        self._lines_for = Size()
        self._laid_out: dict[Line, Strip] = {}
        self._laid_out_for: Hashable = None

    def show(self, session: PictureSession | None, classes: Sequence[ClassRow]) -> None:
        """Show what there is now."""
        self._session, self._rows = session, classes
        if not self.display:
            self._lines_for = Size()
            return
        before, self._lines, self._lines_for = self._lines, self._texts(), self.size
        changed = [
            y
            for y, (old, new) in enumerate(zip_longest(before, self._lines, fillvalue=()))
            if old != new
        ]
        if changed:
            self.refresh(*(Region(0, y, self.size.width, 1) for y in changed))

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return the lines in a part of the widget."""
        if self._lines_for != self.size:
            self._lines, self._lines_for = self._texts(), self.size
        wanted = self.size.width, self.visual_style, self.app.theme
        if self._laid_out_for != wanted or len(self._laid_out) > _MOST_LAID_OUT:
            self._laid_out, self._laid_out_for = {}, wanted
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        """Return one line."""
        line = self._lines[y] if y < len(self._lines) else ()
        strip = self._laid_out.get(line)
        if strip is None:
            content, width = Content.assemble(*line), self.size.width
            (strip,) = Visual.to_strips(self, content, width, 1, self.visual_style, pad=True)
            self._laid_out[line] = strip
        return strip

    def _texts(self) -> list[Line]:
        width, height = self.size
        session = self._session
        if width < 1 or height < 1:
            return []
        lines: list[Line] = []
        if session is not None:
            lines += [*picture_facts(session.picture, width), ()]
        # Boxes have at least a third.
        most = max(3, min(len(self._rows), (height - len(lines)) * 2 // 3 - 2))
        lines += class_lines(self._rows, session, width, most)
        if session is not None:
            lines.append(())
            names = {row.id: row.name for row in self._rows}
            lines += thing_lines(session, names, width, max(0, height - len(lines)))
        return lines[:height]
