"""The picture in hand with the lines under it: every edit of its boxes, one after the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.timer import Timer

from batman_tui.keys import bindings
from batman_tui.label.canvas import LabelCanvas
from batman_tui.label.grammar import NewBox, start_corners, start_edge
from batman_tui.label.session import Key, PictureSession
from batman_tui.label.side import PictureWords
from batman_tui.label.walks import picture_before
from batman_tui.label.words import NO_BOX, Place, missing
from batman_tui.own_history import OwnHistory, Step
from batman_tui.pictures.decoded_pictures import DecodedPictures
from batman_tui.pictures.window import Box
from batman_tui.widgets.frame.base import Guarded
from batman_tui.widgets.frame.explains import Explains
from core.common.errors import BatmanError
from core.common.text import clean
from core.data.classes import ClassRow
from core.data.labels.edit import EditConflict, Edited, edit
from core.data.labels.least_score import SHOWN
from core.data.labels.ops import Op
from core.data.labels.view import PictureLabels
from core.data.store import HistoryEntry, Project

REST_S = 0.4
"""A nudged edge is saved when no key came for this long: a held key is one edit."""

Command = Callable[[PictureSession], Sequence[Op]]


class PictureEditor(Guarded, Explains, Vertical):
    """Shows a picture and edits its boxes.

    Keys wait while an edit is being saved, so that each meets what the one before left. `session`
    is None while there is no picture; `least` and `class_id` go with one from picture to picture.
    """

    BINDINGS: ClassVar[list[BindingType]] = bindings("boxes")
    DEFAULT_CSS = "PictureEditor { width: 1fr; height: 1fr; }"

    class Shown(Message):
        """What is in hand is shown differently."""

    class Changed(Message):
        """The project was changed."""

    @dataclass
    class GoOn(Message):
        """The picture is through; the next one, please."""

        by: int = 1

    @dataclass
    class GoTo(Message):
        """Something was taken back on another picture."""

        image_id: int

    class ChooseClass(Message):
        """A class is wanted: one of the list, or the project's first."""

    @dataclass
    class Saved(Message):
        """An edit was done."""

        edited: Edited
        ops: Sequence[Op]

    @dataclass
    class Refused(Message):
        """An edit was not done; `picture` is how it is now, where that is known."""

        error: BatmanError
        picture: PictureLabels | None

    @dataclass
    class TookBack(Message):
        """A step was undone or done again; without one there was none."""

        found: tuple[Step, HistoryEntry] | None
        again: bool

    def __init__(self, project: Path, pictures: DecodedPictures) -> None:
        super().__init__()
        self.canvas = LabelCanvas(pictures)
        self.session: PictureSession | None = None
        self.class_rows: Sequence[ClassRow] = ()
        self.own = OwnHistory()
        self.place = Place()
        self._project = project
        self._words = PictureWords()
        self._busy = False
        self._waiting: deque[Callable[[], None]] = deque()
        self._before: tuple[Key | None, Box | None] = (None, None)
        self._then: Callable[[], None] | None = None
        self._resting: Timer | None = None
        self._least, self._class_id = SHOWN, 0

    def compose(self) -> ComposeResult:
        """Lay the picture over two lines of words."""
        yield self.canvas
        yield self._words

    # What is in hand

    @property
    def settled(self) -> bool:
        """Whether every edit is saved."""
        return not self._busy and (self.session is None or self.session.draft is None)

    def take(self, picture: PictureLabels | None, file: Path, first: Sequence[Key] = ()) -> None:
        """Take a picture in hand, or the one in hand as it is now; None for none.

        `first` are the boxes that Tab comes to before all others.
        """
        session = self.session
        if picture is None:
            self.session = None
        elif session is not None and session.picture.image_id == picture.image_id:
            if self.settled:
                session.take(picture)
                self.redraw()
            return
        else:
            self.session = PictureSession(picture, self._least, self._class_id, first)
        self.canvas.take(self.session, file)
        self.say()

    def use_classes(self, classes: Sequence[ClassRow]) -> None:
        """Take these classes, in the order of their keys."""
        self.class_rows = classes
        if self._class_id not in {row.id for row in classes}:
            self.set_class_id(classes[0].id if classes else 0)
        self.canvas.tag_of = {
            row.id: f"{number}" if number < 10 else clean(row.name)[:8]
            for number, row in enumerate(classes, 1)
        }

    def set_class_id(self, class_id: int) -> None:
        """Make this the class of the next new box."""
        self._class_id = class_id
        if self.session is not None:
            self.session.class_id = class_id

    def redraw(self) -> None:
        """Draw the boxes, and say what is in hand."""
        self.canvas.redraw()
        self.say()

    def say(self) -> None:
        """Say in words what is in hand."""
        self._words.say(self.session, self.canvas.typing, self.class_rows, self.place)
        self.post_message(self.Shown())

    # One edit after the other

    def run(self, command: Command, then: Callable[[], None] | None = None) -> None:
        """Do what `command` gives for the picture in hand, and after that `then`."""
        if self._busy:
            self._waiting.append(lambda: self.run(command, then))
            return
        session = self.session
        if session is None:
            return
        self._before = session.chosen, session.draft
        ops = command(session)
        self._class_id, self._least = session.class_id, session.least
        if ops:
            self._busy, self._then = True, then
            self._edit(session.picture.image_id, ops)
            return
        self._show(then)

    def _show(self, then: Callable[[], None] | None) -> None:
        """Show what came of a key, by `then` where the view changes: it is painted once."""
        (then or self.canvas.redraw)()
        self.say()

    @work(thread=True, exit_on_error=False, group="editing")
    def _edit(self, image_id: int, ops: Sequence[Op]) -> None:
        try:
            with Project.open(self._project) as project:
                edited = edit(project, image_id, ops)
        except EditConflict as error:
            self.post_message(self.Refused(error, error.picture))
        except BatmanError as error:
            self.post_message(self.Refused(error, None))
        else:
            self.post_message(self.Saved(edited, ops))

    @on(Saved)
    def _saved(self, message: Saved) -> None:
        message.stop()
        edited, session = message.edited, self.session
        self.own.did(edited.history_id, edited.picture.image_id)
        if session is not None:
            session.took(message.ops, edited)
        self._ended(self._then)
        self.post_message(self.Changed())

    @on(Refused)
    def _refused(self, message: Refused) -> None:
        message.stop()
        session = self.session
        if session is not None:
            if message.picture is not None:
                session.take(message.picture)
            else:
                # What was mended is still in hand: the same key tries again.
                session.chosen, session.draft = self._before
        self._waiting.clear()
        self.batman.show_error(message.error)
        self._ended(None)

    def _ended(self, then: Callable[[], None] | None) -> None:
        self._busy, self._then = False, None
        self._show(then)
        while self._waiting and not self._busy:
            self._waiting.popleft()()

    def settle(self) -> None:
        """Save what was mended."""
        if self._resting is not None:
            self._resting.stop()
            self._resting = None
        if self.session is not None and self.session.draft is not None:
            self.run(PictureSession.settle)

    def _settle_later(self) -> None:
        if self._resting is not None:
            self._resting.stop()
        self._resting = self.set_timer(REST_S, self.settle)

    def why_not(self, action: str, parameters: tuple[object, ...]) -> str:
        """Say what is missing; while an edit is being saved nobody knows what the key will meet."""
        busy = self.session is not None and (self._waiting or not self.settled)
        return "" if busy else missing(self.session, action, parameters, len(self.class_rows))

    # Keys: choosing and saying yes or no

    def action_step(self, by: int) -> None:
        """Choose the next box, or the one before, and look at it closely."""
        self.run(lambda session: session.step(by), self.canvas.look_at_box)

    def _decide(self, command: Command) -> None:
        """Do what is said about the chosen box, and look at the next one, or at the whole."""
        self.run(command, self.canvas.look_at_box)

    def action_accept(self) -> None:
        """Say yes to the chosen suggestion."""
        self._decide(PictureSession.accept)

    def action_reject(self) -> None:
        """Say no to the chosen suggestion."""
        self._decide(PictureSession.reject)

    def action_delete(self) -> None:
        """Delete the chosen box."""
        self._decide(PictureSession.delete)

    def action_reject_all(self) -> None:
        """Say no to all that is shown."""
        self._decide(PictureSession.reject_all)

    def action_accept_all(self) -> None:
        """Say yes to all that is shown, and go on."""
        self.run(PictureSession.accept_all, self._go_on)

    def action_as_it_is(self) -> None:
        """Say that the picture is done as it is, and go on."""
        self.run(PictureSession.as_it_is, self._go_on)

    def _go_on(self) -> None:
        self.post_message(self.GoOn())

    def action_later(self) -> None:
        """Put the picture off, or take that back."""
        self.run(PictureSession.later)

    def action_copy(self) -> None:
        """Draw the boxes of the picture before in the same video."""
        if self.session is not None:
            self._find_before(self.session.picture.image_id)

    @work(thread=True, exclusive=True, exit_on_error=False, group="before")
    def _find_before(self, image_id: int) -> None:
        with Project.open(self._project) as project:
            before = picture_before(project, image_id)
        self.app.call_from_thread(self._copy, image_id, before)

    def _copy(self, image_id: int, before: int | None) -> None:
        if self.session is None or self.session.picture.image_id != image_id:
            return
        if before is None:
            self.batman.tell("There is no picture before this one in its video.")
        else:
            self.run(lambda session: session.copy_from(before))

    def action_class_at(self, number: int) -> None:
        """Give the chosen box, or the next new one, the class with this key."""
        if number <= len(self.class_rows):
            self.classify(self.class_rows[number - 1].id)

    def classify(self, class_id: int) -> None:
        """Give the chosen box, or the next new one, a class."""
        self.set_class_id(class_id)
        self.run(lambda session: session.classify(class_id))

    def action_choose_class(self) -> None:
        """Choose the class from a list."""
        self.post_message(self.ChooseClass())

    def action_threshold(self, steps: int) -> None:
        """Show suggestions from a higher or lower score on."""
        self.run(lambda session: (session.move_threshold(steps), [])[1])

    # Keys: mending and drawing

    def action_nudge(self, edge: str, by: int) -> None:
        """Push an edge out by one pixel of the view, or pull it in."""

        def nudge(session: PictureSession) -> Sequence[Op]:
            pixel = self.canvas.window.pixel
            if session.nudge(edge, (by * pixel[0], by * pixel[1])):
                self._settle_later()
            return []

        self.run(nudge)

    def action_edge(self) -> None:
        """Begin to put an edge right by the ruler."""
        self.run(self._begin_edge)

    def _begin_edge(self, session: PictureSession) -> Sequence[Op]:
        if session.thing is None:
            self.batman.tell(NO_BOX)
        else:
            self.canvas.begin(start_edge())
        return []

    def action_new_box(self) -> None:
        """Begin to draw a box by its corners."""
        if not self.class_rows:
            self.post_message(self.ChooseClass())
        else:
            self.run(self._begin_corners)

    def _begin_corners(self, _session: PictureSession) -> Sequence[Op]:
        self.canvas.begin(start_corners())
        return []

    @on(LabelCanvas.TypingChanged)
    def _typing(self, message: LabelCanvas.TypingChanged) -> None:
        message.stop()
        self.say()

    @on(LabelCanvas.Typed)
    def _typed(self, message: LabelCanvas.Typed) -> None:
        message.stop()
        wish, window = message.wish, message.window
        if isinstance(wish, NewBox):
            (x, y), (to_x, to_y) = window.at_share(wish.first), window.at_share(wish.second)
            self._add((x, y, to_x - x, to_y - y))
            return
        at = window.at_share((wish.share, wish.share))
        self.run(lambda session: (session.put_edge(wish.edge, at), session.settle())[1])

    def _add(self, box: Box) -> None:
        self.run(lambda session: session.add(box))

    @on(LabelCanvas.Clicked)
    def _clicked(self, message: LabelCanvas.Clicked) -> None:
        message.stop()
        self.run(lambda session: session.choose(message.key))

    @on(LabelCanvas.Drew)
    def _drew(self, message: LabelCanvas.Drew) -> None:
        message.stop()
        if self.class_rows:
            self._add(message.box)
        else:
            self.post_message(self.ChooseClass())
            self.redraw()

    @on(LabelCanvas.Mended)
    def _mended(self, message: LabelCanvas.Mended) -> None:
        message.stop()
        self.settle()

    # Taking back

    def action_undo(self) -> None:
        """Take back what was mended and is not saved yet, or else one's own last edit."""
        self.run(self._undo)

    def _undo(self, session: PictureSession) -> Sequence[Op]:
        if session.draft is not None:
            session.draft = None
        else:
            self._busy = True
            self._history(again=False)
        return []

    def action_redo(self) -> None:
        """Do again what was taken back."""

        def redo(_session: PictureSession) -> Sequence[Op]:
            self._busy = True
            self._history(again=True)
            return []

        self.run(redo)

    @work(thread=True, exit_on_error=False, group="editing")
    def _history(self, *, again: bool) -> None:
        try:
            with Project.open(self._project) as project:
                found = self.own.redo(project) if again else self.own.undo(project)
        except BatmanError as error:
            self.post_message(self.Refused(error, None))
        else:
            self.post_message(self.TookBack(found, again))

    @on(TookBack)
    def _took_back(self, message: TookBack) -> None:
        message.stop()
        if message.found is None:
            what = "do again" if message.again else "take back that you did here"
            self.batman.tell(f"There is nothing to {what}.")
        else:
            step, entry = message.found
            self.batman.tell(f"{'Done again' if message.again else 'Undone'}: {entry.summary}")
            if step.image_id is not None:
                self.post_message(self.GoTo(step.image_id))
            self.post_message(self.Changed())
        self._ended(None)
