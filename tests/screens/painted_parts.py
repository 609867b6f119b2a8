"""What a terminal shows after everything that was painted in parts, to hold against the whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from still_loop import PAINT
from textual._compositor import ChopsUpdate, Compositor, LayoutUpdate
from textual.app import App
from textual.strip import Strip

Lines = list[list[tuple[str, Any]]]


class Shown:
    """A terminal's lines as the updates of a compositor have left them."""

    def __init__(self) -> None:
        self.lines: list[Strip] = []

    def take(self, update: Any) -> None:
        """Paint an update, as `render_segments` of both kinds has it."""
        if isinstance(update, LayoutUpdate):
            self.lines = [Strip.join(strips) for strips in update.strips]
        elif isinstance(update, ChopsUpdate):
            for y, left, right in update.spans:
                for end, (x, strip) in zip(
                    update.chop_ends[y], update.chops[y].items(), strict=False
                ):
                    begin, stop = max(x, left), min(end, right)
                    if strip is not None and begin < stop:
                        line = self.lines[y]
                        part = strip.crop(begin - x, stop - x)
                        parts = (line.crop(0, begin), part, line.crop(stop, line.cell_length))
                        self.lines[y] = Strip.join(parts)


def cells(lines: list[Strip]) -> Lines:
    """Return each line as runs of text with one style."""
    return [[(run.text, run.style) for run in line.discard_meta().simplify()] for line in lines]


@contextmanager
def painted_in_parts(app: App[Any]) -> Iterator[Shown]:
    """Let the app paint, and return what its terminal shows: all of it, and then part by part."""
    terminal = Shown()

    def render_update(compositor: Compositor, *args: Any, **options: Any) -> Any:
        update = PAINT(compositor, *args, **options)
        terminal.take(update)
        return update

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Compositor, "render_update", render_update)
        app.screen._compositor.render_update(True, app._background_screens)
        yield terminal
