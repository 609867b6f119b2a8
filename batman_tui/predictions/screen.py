"""What a model found in pictures and videos: by score, class and track."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.binding import BindingType
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Static
from textual.worker import get_current_worker

from batman_tui.keys import bindings
from batman_tui.pictures.picture_keys import PictureKeys
from batman_tui.pictures.viewer import Viewer
from batman_tui.predictions.details import (
    ClassRow,
    PredictionsGallery,
    caption,
    class_columns,
    image_columns,
    looked_at,
    slider,
    track_columns,
    where,
)
from batman_tui.widgets.panel.list_layout import ListLayout
from batman_tui.widgets.panel.panel import Panel
from batman_tui.widgets.table.table import VirtualTable
from core.common.errors import BatmanError
from core.common.text import plural
from core.data.images.class_colours import Colour, class_colours, model_class_ids
from core.data.images.video_frames import VideoFrames
from core.data.labels.passes import KEPT
from core.data.store import Project
from core.inference.found import (
    Found,
    Look,
    OnImages,
    Seen,
    Track,
    by_class,
    on_images,
    read_found,
    tracks,
)
from core.training.run.run import Run

if TYPE_CHECKING:
    from core.autolabel.predictions import Taken

TABS = {"pictures": "Pictures", "classes": "Classes", "tracks": "Tracks"}
STEPS = 100
"""The slider's steps from 0 to 1."""


class PredictionsScreen(PictureKeys):
    """Shows what lies in `folder`, which `infer` wrote with the model file `model`."""

    HELP = (
        "← and → move the confidence, with Shift by hundredths: nothing is looked at again, for "
        "everything from a low score on was kept. On the tab of classes, Space switches one off; "
        "on the tab of tracks, Enter goes to the first frame of an object and T shows it alone. "
        "Up and down go from picture to picture, and frame by frame through a video; t shows all "
        "as thumbnails, b hides the boxes."
    )
    CSS_PATH = Path(__file__).with_name("screen.tcss")
    BINDINGS: ClassVar[list[BindingType]] = bindings("predictions")

    tab: reactive[str] = reactive("pictures", init=False, repaint=False)
    look: reactive[Look] = reactive(Look(), init=False, repaint=False)

    @dataclass
    class Loaded(Message):
        """What was found was read."""

        found: Found
        colours: list[Colour]

    @dataclass
    class Suggested(Message):
        """What was found is in a project as suggestions, or `error` says why not."""

        project: Path
        taken: Taken | None
        error: BatmanError | None = None

    def __init__(self, folder: Path, model: Path | None = None, least: float = 0.5) -> None:
        super().__init__()
        self.folder = folder
        self.found: Found | None = None
        self.every = True
        """Whether pictures with nothing on them are listed too."""
        self._model = model
        self._colours: list[Colour] = []
        self._shown: OnImages | None = None
        self._frames = VideoFrames()
        self.set_reactive(PredictionsScreen.look, Look(least))

    def trail(self) -> str:
        """Name the folder."""
        return f"{self.folder.name} › Predictions"

    def body(self) -> Iterable[Widget]:
        """Lay out two lines, the lists and the picture."""
        yield Static("", markup=False, id="predictions-where")
        yield Static("", markup=False, id="predictions-slider")
        yield ListLayout(
            Panel(
                VirtualTable[Seen](
                    image_columns(lambda: self._shown), lambda row: row.place,
                    search=lambda row: row.name, id="pictures",
                ),
                VirtualTable[ClassRow](class_columns(), lambda row: row.place, id="classes"),
                VirtualTable[Track](
                    track_columns(None), lambda row: (row.source, row.number), id="tracks"
                ),
                title="",
                id="predictions-list",
                classes="-list",
                empty="Reading …",
            ),
            Panel(
                Viewer("Choose a picture."),
                Static("", markup=False, id="caption"),
                title="",
                id="predictions-picture",
            ),
            id="predictions-panes",
        )  # fmt: skip

    @property
    def _pictures(self) -> VirtualTable[Seen]:
        return self.query_one("#pictures", VirtualTable)

    # Reading

    def on_mount(self) -> None:
        """Read what was found."""
        self._arrange()
        self._pictures.focus()
        self._load()

    @work(thread=True, exit_on_error=False, group="load")
    def _load(self) -> None:
        found = read_found(self.folder)
        ids = model_class_ids(self._model) if self._model is not None else None
        colours = class_colours(found.classes, ids)
        if not get_current_worker().is_cancelled:
            self.post_message(self.Loaded(found, [colours[name] for name in found.classes]))

    @on(Loaded)
    def _loaded(self, message: Loaded) -> None:
        self.found, self._colours = message.found, message.colours
        self.query_one("#predictions-list", Panel).empty = ""
        self.query_one("#predictions-where", Static).update(
            where(message.found, self.batman.workspace.root)
        )
        self.query_one("#tracks", VirtualTable).set_columns(track_columns(message.found))
        self._show()
        self._pictures.focus()

    def on_unmount(self) -> None:
        """Close the video."""
        self._frames.close()

    # Showing

    def watch_look(self) -> None:
        """Show what is looked at now."""
        self._show()

    def watch_tab(self) -> None:
        """Show another list, and give it the keys."""
        self._arrange()
        self._show()
        self.query_one(f"#{self.tab}").focus()
        self.refresh_bindings()

    def _show(self) -> None:
        found = self.found
        if found is None:
            return
        self._shown = on_images(found, self.look.mask(found))
        self._list(found, self._shown)
        self._pictures.nothing = "Nothing from this score on: ← lowers it, e lists all pictures."
        counts = by_class(found, self.look.least)
        self.query_one("#classes", VirtualTable).set_rows(
            ClassRow(at, name, counts[at], at not in self.look.off)
            for at, name in enumerate(found.classes)
        )
        table = self.query_one("#tracks", VirtualTable)
        if self.tab == "tracks":
            # All of them are counted for nobody while another list is shown.
            table.set_rows(tracks(found, replace(self.look, track=None).mask(found)))
        table.nothing = (
            "No object was followed from this score on."
            if found.tracked
            else "Objects were not followed: look again with Follow objects."
        )
        self.query_one("#predictions-slider", Static).update(slider(found, self.look))
        self._picture()

    def _list(self, found: Found, shown: OnImages) -> None:
        """List every picture, or those with something on them; an order is by what is shown now."""
        table = self._pictures
        if not self.every:
            table.set_rows(found.seen[place] for place in shown.counts.nonzero()[0])
        elif table.row_count != len(found.seen) or table.model.order[0] not in (None, "name"):
            table.set_rows(found.seen)
        else:
            table.refresh()

    def _arrange(self) -> None:
        for name in TABS:
            self.query_one(f"#{name}").display = name == self.tab
        panel = self.query_one("#predictions-list", Panel)
        panel.border_title = Content("  ").join(
            Content.styled(title, "bold" if name == self.tab else "$foreground-muted")
            for name, title in TABS.items()
        )
        panel.border_subtitle = Content.styled("] next", "$foreground-muted")

    @on(VirtualTable.Highlighted, "#pictures")
    def _picture(self) -> None:
        row, found = self._pictures.cursor_row, self.found
        if row is None or found is None:
            self.viewer.show_scene(None, None)
            self.query_one("#caption", Static).update("")
            return
        panel = self.query_one("#predictions-picture", Panel)
        panel.heading = row.name
        time = "" if row.time is None else f"{row.time:.2f} s, "
        panel.badge = f"{time}{self._pictures.cursor + 1:,} of {self._pictures.row_count:,}"
        self.query_one("#caption", Static).update(
            caption(found, row.place, self.look, self._colours)
        )
        gallery, place = self.gallery(), row.place
        self.viewer.show_scene((place, self.look), lambda: gallery.scenes([place]).get(place))

    # The pictures, for the keys of pictures

    def gallery(self) -> PredictionsGallery:
        """Return the listed pictures with what is looked at."""
        assert self.found is not None
        places = list(self._pictures.visible_keys)
        return PredictionsGallery(self.found, self._frames, places, self.look, self._colours)

    def here(self) -> int | None:
        """Return the place of the picture with the cursor."""
        row: Seen | None = self._pictures.cursor_row if self.found is not None else None
        return None if row is None else row.place

    def go_to(self, key: Hashable) -> None:
        """Put the cursor on a picture."""
        self._pictures.move_to(key)

    # Keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what the list with the keys has."""
        if action in ("switch", "all"):
            return self.tab == "classes"
        if action in ("goto", "track"):
            return self.tab == "tracks"
        if action == "move":
            return self.has_class("-only")
        return super().check_action(action, parameters)

    def action_confidence(self, by: int) -> None:
        """Raise or lower the confidence by so many hundredths."""
        at = min(STEPS, max(0, round(self.look.least * STEPS) + by))
        self.look = replace(self.look, least=at / STEPS)

    def action_switch(self) -> None:
        """Switch the class with the cursor off, or on again."""
        row: ClassRow | None = self.query_one("#classes", VirtualTable).cursor_row
        if row is not None:
            self.look = replace(self.look, off=self.look.off ^ {row.place})

    def action_all(self) -> None:
        """Switch all classes on; when they are, all but the one with the cursor off."""
        row: ClassRow | None = self.query_one("#classes", VirtualTable).cursor_row
        if self.found is None or row is None:
            return
        others = frozenset(range(len(self.found.classes))) - {row.place}
        self.look = replace(self.look, off=frozenset() if self.look.off else others)

    def action_every(self) -> None:
        """List every picture, or only those with something on them."""
        self.every = not self.every
        self._show()

    @on(VirtualTable.Opened, "#tracks")
    def action_goto(self) -> None:
        """Go to the first frame of the object with the cursor."""
        track: Track | None = self.query_one("#tracks", VirtualTable).cursor_row
        if track is not None:
            self.tab = "pictures"
            self._pictures.move_to(track.first)

    def action_track(self) -> None:
        """Show the object with the cursor alone, or all again."""
        track: Track | None = self.query_one("#tracks", VirtualTable).cursor_row
        if track is not None:
            same = (self.look.track, self.look.video) == (track.number, track.source)
            number, video = (None, None) if same else (track.number, track.source)
            self.look = replace(self.look, track=number, video=video)

    def action_tab(self, by: int) -> None:
        """Show the next list, or the one before."""
        names = list(TABS)
        self.tab = names[(names.index(self.tab) + by) % len(names)]

    def action_zoom(self) -> None:
        """Give the picture the whole screen, or go back."""
        self.toggle_class("-only")
        if not self.has_class("-only"):
            self.query_one(f"#{self.tab}").focus()
        self.refresh_bindings()

    def action_move(self, by: int) -> None:
        """Go to the next picture or frame, or the one before, though the list is hidden."""
        self._pictures.cursor += by

    def action_suggest(self) -> None:
        """Take what was found into a project, as suggestions to look through."""
        own, projects = self._own_project(), self.batman.workspace.list_projects()
        if own is not None or len(projects) == 1:
            self._take(own or projects[0])
        elif projects:
            from batman_tui.widgets.dialogs.pick import Item, PickDialog

            text = "The project that these pictures are of; what is not in it is left out."
            items = [Item(str(path), path.name) for path in projects]
            self.app.push_screen(PickDialog("Suggestions for", items, text=text), self._picked)
        else:
            self.batman.show_error(
                BatmanError("There is no project to take them.", "Import pictures first.")
            )

    def _own_project(self) -> Path | None:
        """Return the project that the model's run learnt, None where that is not known."""
        if self._model is None:
            return None
        try:
            project = Run(self._model.parent).config().project
        except BatmanError:
            return None
        return project if project is not None and (project / "project.db").is_file() else None

    def _picked(self, value: str | None) -> None:
        if value is not None:
            self._take(Path(value))

    def _take(self, project: Path) -> None:
        """Take everything where all of it is shown; else ask whether the rest comes too."""
        found, look = self.found, self.look
        if found is None:
            return
        kept = Look(KEPT).mask(found)
        total, shown = int(kept.sum()), int((kept & look.mask(found)).sum())
        if shown == total:
            self._record(project, None)
            return
        from batman_tui.widgets.dialogs.pick import Item, PickDialog

        items = [Item("all", f"Everything from {KEPT:.2f} on", count=total)]
        if shown:
            items.append(Item("shown", "Only what is shown now", count=shown))
        text = (
            f"{total:,} found from {KEPT:.2f} on can become suggestions; {shown:,} of them "
            f"{'is' if shown == 1 else 'are'} shown now ({looked_at(found, look)})."
        )

        def answered(value: str | None) -> None:
            if value is not None:
                self._record(project, look if value == "shown" else None)

        dialog = PickDialog(f"Suggestions for {project.name}", items, text=text, noun="Found")
        self.app.push_screen(dialog, answered)

    @work(thread=True, exclusive=True, exit_on_error=False, group="suggest")
    def _record(self, project: Path, look: Look | None) -> None:
        model = self._model.parent.name if self._model is not None else ""
        from core.autolabel.predictions import import_predictions

        try:
            with Project.open(project) as opened:
                taken = import_predictions(opened, self.folder, model, look=look)
        except BatmanError as error:
            self.post_message(self.Suggested(project, None, error))
        else:
            self.post_message(self.Suggested(project, taken))

    @on(Suggested)
    def _suggested(self, message: Suggested) -> None:
        """Say what became of it, and go to the pictures with suggestions."""
        taken = message.taken
        if taken is None:
            if message.error is not None:
                self.batman.show_error(message.error)
            return
        report = taken.report
        words = f"{plural(report.open, 'suggestion')} on {plural(report.images, 'picture')}."
        left = f" Left out: {' '.join(taken.left_out)}" if taken.left_out else ""
        self.batman.tell(f"{words}{left}")
        self.batman.open_label(message.project)

    def action_files(self) -> None:
        """Say which files were written."""
        from batman_tui.widgets.dialogs.text_dialog import TextDialog

        found = self.found
        if found is None:
            return
        lines = [str(path) for path in sorted(self.folder.iterdir()) if path.name[0] != "."]
        text = "\n".join(lines)
        dialog = TextDialog(
            "What was written", text, file=self.batman.workspace.logs_dir / "files.txt"
        )
        self.app.push_screen(dialog)
