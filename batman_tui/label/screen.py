"""Labelling picture by picture: accept, reject, mend and draw boxes, by keys or with the mouse."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widget import Widget
from textual.worker import get_current_worker

from batman_tui.keys import bindings
from batman_tui.label import words
from batman_tui.label.editor import PictureEditor
from batman_tui.label.side import LabelFacts
from batman_tui.label.walks import WALKS, Stop, first_walk, pictures, walk_of
from batman_tui.pictures.decoded_pictures import DecodedPictures
from batman_tui.project_screen import Job, ProjectScreen
from batman_tui.snap.line import Rough, SnapLine
from batman_tui.widgets.panel.panel import Panel
from batman_tui.widgets.table.filter import FilterInput
from core.data.classes import ClassRow, list_classes
from core.data.classes.edit import add
from core.data.images.rows import image_path
from core.data.labels.bulk import accept_all
from core.data.labels.open_suggestions import OpenClass, open_classes
from core.data.labels.passes import withdraw_pass
from core.data.labels.view import LabelError, PictureLabels, Progress, picture_labels, progress
from core.data.store import HistoryEntry, Project

PLACEHOLDER = "a name, class:crane, split:valid, is:unlabelled"


class LabelScreen(ProjectScreen):
    """One picture with its labels and suggestions, from a list that is walked through."""

    HELP = (
        "Enter accepts what is shown and goes on. Tab looks at the next box: a accepts, r rejects,"
        " e mends an edge (edge, two letters), hjkl push an edge out and HJKL pull it in. n draws"
        " a box: column, row and ninth of each corner. A suggestion that you mend is accepted."
        " s snaps a box to its object by a model. Every edit is saved at once, and u takes it back."
        " batman label has the same labels on a page in the browser."
    )
    AUTO_FOCUS = "#label-canvas"
    CSS_PATH = Path(__file__).with_name("screen.tcss")
    BINDINGS: ClassVar[list[BindingType]] = bindings("label")

    @dataclass
    class Listed(Message):
        """The pictures to walk through were found."""

        stops: Sequence[Stop]
        walk: str
        classes: Sequence[ClassRow]
        images: int

    @dataclass
    class Opened(Message):
        """A picture's labels were read; None when it is gone."""

        picture: PictureLabels | None
        file: Path
        image_id: int

    @dataclass
    class Progressed(Message):
        """How far the project is was counted."""

        progress: Progress

    @dataclass
    class Asked(Message):
        """What is open of a class that is to be accepted as a whole was counted."""

        of: OpenClass | None

    def __init__(
        self, project: Path, narrow: str = "", image_id: int | None = None, walk: str = ""
    ) -> None:
        """Make the screen for a project; `narrow` is a filter, `image_id` the picture to begin.

        `walk` is the name of one of `walks.WALKS`; by itself it is what there is to review.
        """
        super().__init__(project)
        self.ids: list[int] = []
        self.walk = walk
        self._stops: dict[int, Stop] = {}
        self._narrow = narrow
        self._image_id = image_id
        self._pictures = DecodedPictures()
        self.editor = PictureEditor(project, self._pictures)
        self._facts = LabelFacts()
        self._snap = SnapLine()
        self._side_wanted: bool | None = None

    def trail(self) -> str:
        """Say whose pictures these are."""
        return f"{self.project.name} › Label"

    def body(self) -> Iterable[Widget]:
        """Lay the picture beside classes and boxes, two lines of words under it."""
        yield Horizontal(
            Panel(
                FilterInput(PLACEHOLDER),
                self.editor,
                self._snap,
                title="Label",
                id="label-panel",
            ),
            Panel(self._facts, title="Classes and boxes", id="label-side"),
            id="label-body",
        )

    # Reading, in threads

    def on_mount(self) -> None:
        """Begin with the filter that was asked for."""
        line = self.query_one(FilterInput)
        line.value = self._narrow
        line.set_class(bool(self._narrow), "-shown")
        self.on_resize()

    def on_resize(self) -> None:
        """Show the side panel by itself where there is room, or as was decided."""
        shown = self.app.size.width >= 100 if self._side_wanted is None else self._side_wanted
        self.query_one("#label-side").set_class(shown, "-shown")

    def on_screen_resume(self) -> None:
        """Read the project, again when one comes back."""
        super().on_screen_resume()
        self.editor.canvas.uncover()
        self.reload()

    def on_screen_suspend(self) -> None:
        """Save what was mended, and make room for what comes in front."""
        super().on_screen_suspend()
        self.editor.canvas.cover()
        self.editor.settle()

    def reload(self) -> None:
        """Read the list of pictures and the one in hand again."""
        self._list(self.query_one(FilterInput).value, self.walk)

    @work(thread=True, exclusive=True, exit_on_error=False, group="list")
    def _list(self, text: str, walk: str) -> None:
        with Project.open(self.project) as project:
            walk = walk or first_walk(project)
            findings = self.batman.findings.get(self.project)
            stops = pictures(project, walk, text, findings)
            classes = sorted(list_classes(project), key=lambda row: row.id)
            images = project.summary().images
        if not get_current_worker().is_cancelled:
            self.post_message(self.Listed(stops, walk, classes, images))

    @work(thread=True, exclusive=True, exit_on_error=False, group="open")
    def _open(self, image_id: int, after: int | None) -> None:
        with Project.open(self.project) as project:
            try:
                picture, file = picture_labels(project, image_id), image_path(project, image_id)
            except LabelError:
                picture, file = None, None
            following = image_path(project, after) if after is not None else None
            size = picture_labels(project, after) if following is not None and after else None
        worker = get_current_worker()
        if worker.is_cancelled:
            return
        self.post_message(self.Opened(picture, file or Path(), image_id))
        if following is not None and size is not None:
            # So that the next one is there when it is asked for.
            ahead = [(following, (size.width, size.height))]
            if picture is not None and file is not None:
                ahead.insert(0, (file, (picture.width, picture.height)))
            self._pictures.read_ahead(ahead, lambda: worker.is_cancelled)

    @work(thread=True, exclusive=True, exit_on_error=False, group="progress")
    def _count(self) -> None:
        with Project.open(self.project) as project:
            found = progress(project)
        if not get_current_worker().is_cancelled:
            self.post_message(self.Progressed(found))

    @on(Listed)
    def _listed(self, message: Listed) -> None:
        self.ids, self.walk = [stop.image_id for stop in message.stops], message.walk
        self._stops = {stop.image_id: stop for stop in message.stops}
        self.editor.use_classes(message.classes)
        self._count()
        wanted, editor = self._image_id, self.editor
        if wanted is not None and editor.session is None and wanted not in self.ids:
            self.ids.insert(0, wanted)
        if wanted is None and self.ids:
            wanted = self.ids[0]
        panel = self.query_one("#label-panel", Panel)
        panel.heading = walk_of(self.walk).title
        panel.empty = "" if message.images else words.NOTHING_YET
        narrowed = bool(self.query_one(FilterInput).value)
        editor.canvas.nothing = words.NO_MATCH if narrowed else words.ALL_DONE
        if wanted is None:
            editor.take(None, Path())
        else:
            self.go_to(wanted)

    @on(Opened)
    def _opened(self, message: Opened) -> None:
        if message.image_id != self._image_id:
            return
        if message.picture is None:
            self._image_id = None
            self.batman.tell("The picture is no longer in the project.")
            self.reload()
        else:
            self.editor.take(message.picture, message.file, self._stop(message.image_id).first)

    @on(Progressed)
    def _progressed(self, message: Progressed) -> None:
        self.query_one("#label-panel", Panel).badge = words.progress_line(message.progress)

    @property
    def row_here(self) -> object:
        """The picture that is shown."""
        return self._image_id

    def _change_here(self, job: Job, nothing: str) -> None:
        """Change the project, so that `u` takes it back."""

        def noted(project: Project) -> HistoryEntry | None:
            entry = job(project)
            self.editor.own.did(None if entry is None else entry.id)
            return entry

        self.change(noted, nothing)

    # Walking

    def go_to(self, image_id: int) -> None:
        """Show a picture, whether it is in the list or not."""
        self._image_id = image_id
        at = self._at
        self.editor.place = words.Place(at, len(self.ids), self._stop(image_id).why)
        self._open(image_id, self.ids[at] if 0 < at < len(self.ids) else None)

    def _stop(self, image_id: int) -> Stop:
        return self._stops.get(image_id, Stop(image_id))

    @property
    def _at(self) -> int:
        """Where in the list the picture is, from 1; 0 when it is not in it."""
        return self.ids.index(self._image_id) + 1 if self._image_id in self.ids else 0

    def action_move(self, by: int) -> None:
        """Go to another picture; what was mended on this one is saved."""
        self.editor.settle()
        at = self._at - 1 + by
        if 0 <= at < len(self.ids):
            self.go_to(self.ids[at])
        else:
            self.editor.redraw()
            self.batman.tell("That was the last one." if by > 0 else "This is the first one.")

    @on(PictureEditor.GoOn)
    def _go_on(self, message: PictureEditor.GoOn) -> None:
        self.action_move(message.by)

    @on(PictureEditor.GoTo)
    def _taken_back(self, message: PictureEditor.GoTo) -> None:
        self.go_to(message.image_id)

    @on(PictureEditor.Changed)
    def _changed_by_us(self) -> None:
        self._count()

    @on(PictureEditor.Shown)
    def _say(self) -> None:
        self._facts.show(self.editor.session, self.editor.class_rows)

    # The filter

    @on(FilterInput.Filter)
    def _filter(self, message: FilterInput.Filter) -> None:
        self._begin_again()
        if message.done:
            self.editor.canvas.focus()

    def _begin_again(self) -> None:
        """Read the list and begin with its first picture."""
        self.editor.settle()
        self._image_id = None
        self.reload()

    # Keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Dim what needs a picture while there is none."""
        if action == "accept_class":
            return True if self.editor.session is not None else None
        return super().check_action(action, parameters)

    def action_back(self) -> None:
        """Look at the whole again, with nothing chosen; or close the screen."""
        session, canvas = self.editor.session, self.editor.canvas
        if self._snap.busy:
            self._snap.stop()
        elif session is not None and session.chosen is not None:
            self.editor.run(lambda of: of.choose(None), lambda: canvas.look(None))
        else:
            self.editor.settle()
            super().action_back()

    def action_filter(self) -> None:
        """Type a filter."""
        self.query_one(FilterInput).open()

    def action_panel(self) -> None:
        """Show classes and boxes beside the picture, or hide them."""
        self._side_wanted = not self.query_one("#label-side").has_class("-shown")
        self.on_resize()

    def action_walk(self) -> None:
        """Choose which pictures to walk through."""
        self.app.push_screen(words.walk_question(WALKS), self._walk)

    def _walk(self, walk: str | None) -> None:
        if walk is not None:
            self.walk = walk
            self._begin_again()

    @on(PictureEditor.ChooseClass)
    def _choose_class(self) -> None:
        rows = self.editor.class_rows
        if not rows:
            self.app.push_screen(words.first_class_question(), self._named)
            return
        self.app.push_screen(
            words.class_question(rows),
            lambda chosen: self.editor.classify(int(chosen)) if chosen else None,
        )

    def _named(self, name: str | None) -> None:
        if name:
            self.change(lambda project: add(project, name)[1], "")

    def action_crops(self) -> None:
        """Review pages of crops of one class."""
        self.editor.settle()
        self.batman.open_crops(self.project)

    def action_autolabel(self) -> None:
        """Let a model propose boxes."""
        from batman_tui.autolabel.dialog import AutolabelDialog

        self.editor.settle()
        self.app.push_screen(AutolabelDialog(self.project))

    def action_passes(self) -> None:
        """See what models did here, and take one of their passes back."""
        from batman_tui.autolabel.passes import ask_pass

        def take_back(number: int) -> None:
            self._change_here(lambda project: withdraw_pass(project, number), "")

        self.editor.settle()
        ask_pass(self.app.push_screen, self.project, take_back)

    # A box put right by a model

    def action_snap(self) -> None:
        """Put the chosen box right."""
        session = self.editor.session
        thing = None if session is None else session.thing
        if session is None or thing is None:
            self.batman.tell("Choose a box first: Tab, or a click.")
        elif not self._snap.busy:
            self._snap.ask(
                Rough(session.picture.image_id, self.editor.canvas.file, session.size, thing.box)
            )

    @on(SnapLine.Found)
    def _snapped(self, message: SnapLine.Found) -> None:
        rough, session = message.rough, self.editor.session
        thing = None if session is None else session.thing
        if message.box is None:
            self.batman.tell(f"{message.model} sees no object there. Draw the box nearer to it.")
        elif session is None or thing is None or thing.box != rough.box:
            self.batman.tell("The box was changed or left meanwhile: nothing was done to it.")
        else:
            box = message.box
            self.editor.run(lambda of: of.put(box))
            name = next((r.name for r in self.editor.class_rows if r.id == thing.class_id), "")
            if message.class_name not in (None, name):
                self.batman.tell(f"{message.model} takes it for {message.class_name}.")

    @on(SnapLine.Choose)
    def _choose_snapper(self, message: SnapLine.Choose) -> None:
        error = message.error
        self._ask_snapper(f"{error.message} {error.hint}".strip(), self.action_snap)

    def action_snap_model(self) -> None:
        """Choose which model snaps boxes."""
        self._ask_snapper("", lambda: None)

    def _ask_snapper(self, why: str, done: Callable[[], None]) -> None:
        from batman_tui.snap.model_dialogs import choose_snap_model

        choose_snap_model(self.app, why, done)

    # A whole class

    def action_accept_class(self) -> None:
        """Accept all of the class, after a look at some of it."""
        session = self.editor.session
        if session is not None:
            self.editor.settle()
            thing = session.thing
            class_id = session.class_id if thing is None else thing.class_id
            self._ask(class_id, session.least)

    @work(thread=True, exclusive=True, exit_on_error=False, group="ask")
    def _ask(self, class_id: int, least: float) -> None:
        with Project.open(self.project) as project:
            found = open_classes(project, {class_id: least})
        of = next((each for each in found if each.class_id == class_id and each.shown), None)
        self.post_message(self.Asked(of))

    @on(Asked)
    def _asked(self, message: Asked) -> None:
        of = message.of
        if of is None:
            self.batman.tell("No suggestion of this class is open from this score on.")
            return
        from batman_tui.crops.accept_class import AcceptClassDialog
        from batman_tui.crops.sheet import Crops

        def agreed(yes: bool | None) -> None:
            if yes:
                self._change_here(
                    lambda project: accept_all(project, of.class_id, of.least),
                    "Nothing was left to accept.",
                )

        self.app.push_screen(AcceptClassDialog(self.project, of, Crops()), agreed)
