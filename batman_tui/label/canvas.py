"""The picture in hand: the part looked at, its boxes, keys typed in a row, the mouse."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.message import Message

from batman_tui.keys import bindings
from batman_tui.label.drag import Grip, grip, under
from batman_tui.label.grammar import EdgeAt, NewBox, Typing
from batman_tui.label.hints import tags, typing_letters
from batman_tui.label.ruler import drawn_out
from batman_tui.label.session import Key, PictureSession, Thing
from batman_tui.label.words import missing
from batman_tui.pictures.decoded_pictures import DecodedPictures
from batman_tui.pictures.window import Box, Point, Window, loupe, moved, whole, zoomed
from batman_tui.widgets.frame.explains import Explains
from batman_tui.widgets.picture.canvas import Canvas
from batman_tui.widgets.picture.marks import Letters, Mark, Pen
from core.data.images.class_colours import class_colour

REACH = 1.5
"""How near to an edge a press takes it, in pixels of half blocks."""

STILL = 0.75
"""A press that moves less than this (in pixels of half blocks) is a click."""


class LabelCanvas(Explains, Canvas):
    """Shows a `PictureSession`; what keys and mouse mean for it comes as messages."""

    BINDINGS: ClassVar[list[BindingType]] = bindings("view")

    @dataclass
    class Typed(Message):
        """Keys typed one after the other are complete: an edge's new place, or a new box."""

        wish: EdgeAt | NewBox
        window: Window

    class TypingChanged(Message):
        """More is to be typed, or typing ended."""

    @dataclass
    class Clicked(Message):
        """A box was clicked, or (None) where there is none."""

        key: Key | None

    @dataclass
    class Drew(Message):
        """A new box was drawn with the mouse."""

        box: Box

    class Mended(Message):
        """The chosen box was dragged to where it is now."""

    def __init__(self, pictures: DecodedPictures) -> None:
        super().__init__("", id="label-canvas")
        self.session: PictureSession | None = None
        self.typing = Typing()
        self.tag_of: dict[int, str] = {}
        """What stands at a box of each class: its key, or its name."""
        self._pictures = pictures
        self._file = Path()
        self._window: Window | None = None
        self._on_box = False
        self._grip: Grip | None = None
        self._dragged = False

    # What is looked at

    @property
    def window(self) -> Window:
        """The part of the picture that is looked at."""
        assert self.session is not None
        if self._window is None:
            self._window = whole(self.session.size, self._room)
        return self._window

    @property
    def shown_window(self) -> Window:
        """What is on the screen: the window, or the stretch that a ruler draws out."""
        if self.typing.mode == "ruler" and self.typing.typed:
            return drawn_out(self.window, self.typing.edge, self.typing.typed[0], self._room)
        return self.window

    @property
    def on_box(self) -> bool:
        """Whether the loupe is on the chosen box."""
        return self._on_box

    @property
    def _room(self) -> tuple[int, int]:
        width, height = self.pixels
        return max(1, width), max(1, height)

    @property
    def file(self) -> Path:
        """The file of the picture in hand."""
        return self._file

    def take(self, session: PictureSession | None, file: Path) -> None:
        """Show another picture, all of it; None for none."""
        self.session, self._file = session, file
        self.typing, self._grip = Typing(), None
        self.look(None)

    def look(self, window: Window | None, *, on_box: bool = False) -> None:
        """Look at a part of the picture, None for all of it."""
        self._window, self._on_box = window, on_box
        self.redraw()

    def look_at_box(self) -> None:
        """Put the loupe on the chosen box; without one, look at the whole."""
        session = self.session
        thing = session.thing if session is not None else None
        if session is None or thing is None:
            self.look(None)
        else:
            self.look(loupe(thing.box, session.size, self._room), on_box=True)

    def on_resize(self) -> None:
        """Fit what is looked at to the new size."""
        if self._on_box:
            self.look_at_box()
        else:
            self.look(None)

    def redraw(self) -> None:
        """Draw boxes and letters as they are now, on the part that is looked at."""
        session = self.session
        if session is None or min(self.pixels) < 1:
            self.mark(None, ())
            self.show(None, None)
            return
        window, file, size = self.shown_window, self._file, session.size
        key = (file, window)
        # Before the picture is asked for: one that is kept is put with its boxes at once.
        self.mark(key, *self._drawn(session, window))
        self.show(key, lambda _room: self._pictures.view(file, size, window))

    def _drawn(self, session: PictureSession, window: Window) -> tuple[list[Mark], list[Letters]]:
        chosen = session.thing
        things = session.things()
        if session.hidden:
            things = [each for each in things if chosen is not None and each.key == chosen.key]
        marks = [self._mark(each, chosen, window) for each in things]
        if session.drawing is not None:
            colour = class_colour(max(1, session.class_id))
            marks.append(Mark(window.view_corners(session.drawing), colour, "chosen"))
        if self.typing.active:
            cells = (-(-window.shown[0] // self.cell[0]), -(-window.shown[1] // self.cell[1]))
            return marks, typing_letters(self.typing, cells)
        if session.hidden:
            return marks, []
        return marks, tags(things, chosen, window, self.cell, self._tag)

    def _tag(self, class_id: int) -> str:
        return self.tag_of.get(class_id, "?")

    def _mark(self, thing: Thing, chosen: Thing | None, window: Window) -> Mark:
        pen: Pen = "dotted" if thing.open else "solid"
        if chosen is not None and thing.key == chosen.key:
            pen = "chosen"
        elif self._on_box:
            # What else is there must not hide what the loupe is on.
            pen = "faint"
        return Mark(window.view_corners(thing.box), class_colour(thing.class_id), pen)

    # Keys that look

    def why_not(self, action: str, parameters: tuple[object, ...]) -> str:
        """Say that there is no picture, or no box, to look at."""
        return missing(self.session, "box" if action == "loupe" and not self._on_box else "")

    def action_hide(self) -> None:
        """Hide the boxes but the chosen one, or show them again."""
        if self.session is not None:
            self.session.hidden = not self.session.hidden
            self._changed()

    def action_loupe(self) -> None:
        """Look at the chosen box closely, or at the whole."""
        if self._on_box:
            self.look(None)
        else:
            self.look_at_box()

    def action_fit(self) -> None:
        """Look at the whole picture."""
        self.look(None)

    def action_zoom(self, by: float) -> None:
        """Look closer, or less close: at the chosen box, or at the middle."""
        if self.session is None:
            return
        thing, window = self.session.thing, self.window
        box = thing.box if thing is not None else (window.x, window.y, window.w, window.h)
        at = (box[0] + box[2] / 2, box[1] + box[3] / 2)
        self.look(zoomed(window, self.session.size, self._room, by, at))

    def action_pan(self, across: int, down: int) -> None:
        """Move what is looked at by a quarter of it."""
        if self.session is not None:
            self.look(moved(self.window, self.session.size, (across / 4, down / 4)))

    # Keys typed in a row

    def begin(self, typing: Typing) -> None:
        """Begin to type an edge or a new box."""
        self.typing = typing
        self._changed()

    def _changed(self) -> None:
        self.redraw()
        self.post_message(self.TypingChanged())

    def on_key(self, event: events.Key) -> None:
        """Take keys while something is typed; F1 and the like still work."""
        if not self.typing.active:
            return
        if event.key == "escape":
            self.typing = Typing()
        elif event.key == "backspace":
            self.typing = self.typing.back()
        elif event.is_printable and event.character:
            window = self.window
            self.typing, wish = self.typing.key(event.character)
            if wish is not None:
                self.post_message(self.Typed(wish, window))
        else:
            return
        event.stop()
        event.prevent_default()
        self._changed()

    # The mouse, in parts of a cell where the terminal tells them

    def _at(self, event: events.MouseEvent) -> Point:
        return self.shown_window.picture_point(self.view_point(event.pointer_x, event.pointer_y))

    def _half_block(self) -> Point:
        """Return how many pixels of the picture a pixel of half blocks is, across and down."""
        pixel, cell = self.shown_window.pixel, self.cell
        return pixel[0] * cell[0], pixel[1] * cell[1] / 2

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Take an edge, a corner or the whole of the chosen box, or begin a new one."""
        if self.session is None or event.button != 1 or self.typing.active:
            return
        thing, block = self.session.thing, self._half_block()
        reach = (REACH * block[0], REACH * block[1])
        self._grip = grip(thing.box if thing is not None else None, self._at(event), reach)
        self._dragged = False
        self.capture_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Move what was taken."""
        taken, session = self._grip, self.session
        if taken is None or session is None:
            return
        to, block = self._at(event), self._half_block()
        far = max(abs(to[0] - taken.start[0]) / block[0], abs(to[1] - taken.start[1]) / block[1])
        if not self._dragged and far < STILL:
            return
        self._dragged = True
        box = taken.moved(to, session.size)
        if taken.box is None:
            session.drawing = box
        else:
            session.mend(box)
        self.redraw()

    def on_mouse_up(self, event: events.MouseUp) -> None:
        """End the drag; a press without one chooses what is there."""
        taken, session = self._grip, self.session
        if taken is None or session is None:
            return
        self.on_mouse_move(event)  # type: ignore[arg-type]
        self._grip = None
        self.release_mouse()
        if not self._dragged:
            boxes = [(each.key, each.box) for each in session.things()]
            self.post_message(self.Clicked(under(boxes, taken.start, session.chosen)))
        elif session.drawing is not None:
            box, session.drawing = session.drawing, None
            self.post_message(self.Drew(box))
        else:
            self.post_message(self.Mended())
