"""How good a run's model is: by class, its confusions, and a walk through the worst images."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.binding import BindingType
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Static
from textual.worker import get_current_worker

from batman_tui.evaluate.background import BackgroundEvaluation
from batman_tui.evaluate.details import (
    by_size,
    header,
    matrix_columns,
    matrix_rows,
    matrix_width,
    nothing_yet,
    progress_line,
)
from batman_tui.evaluate.in_project import find_in_project, named_result, named_showing
from batman_tui.evaluate.panes import panes
from batman_tui.keys import bindings
from batman_tui.pictures.gallery import EvaluationGallery, Gallery
from batman_tui.pictures.legend import legend
from batman_tui.pictures.picture_keys import PictureKeys
from batman_tui.pictures.viewer import Viewer
from batman_tui.widgets.panel.panel import Panel
from batman_tui.widgets.plot.plot import Plot
from batman_tui.widgets.table.table import VirtualTable
from core.common.progress import Progress
from core.common.text import ago, clean
from core.evaluation.display import Mixup, curve_chart, mixups
from core.evaluation.process import EvaluationProcess
from core.evaluation.result import (
    RESULT,
    ClassResult,
    EvaluationResult,
    WorstImage,
    evaluation_folder,
)

TABS = {"classes": "Classes", "confusion": "Confusions", "images": "Worst images"}
SPLITS = ("valid", "test", "train")


class EvaluationScreen(PictureKeys):
    """Shows the evaluations of the run in the folder `run_path`, and makes new ones.

    They are made in a child process; `evaluator` stands in for it in tests. Leaving the screen
    stops one that is going on.
    """

    HELP = (
        "E evaluates the best checkpoint on the split that s chooses, in a process of its own. "
        "Each class has the threshold at which its F1 is best; the curve is that of the class "
        "with the cursor. On an image, boxes have their class's colour: heavy lines (+) are "
        "predictions where there is no such object, heavy dashes (−) are missed objects, thin "
        "lines are right, and faint ones the objects that were found. w leaves only what is "
        "wrong, . shows one class alone, z gives the picture the whole screen, t is thumbnails. "
        "Enter on a confusion lists the pictures that show it; l labels a picture in its project, "
        "v goes to it among all images. Escape comes back, and from those pictures to confusions."
    )
    CSS_PATH = Path(__file__).with_name("screen.tcss")
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("evaluate"), *bindings("picture")]

    tab: reactive[str] = reactive("classes", init=False, repaint=False)
    split: reactive[str] = reactive("valid", init=False, repaint=False)

    @dataclass
    class Loaded(Message):
        """The evaluation of `split` was looked for; `result` is None where there is none."""

        split: str
        result: EvaluationResult | None

    @dataclass
    class Showing(Message):
        """The images that show a mistake were found; `whole` says if these are all there are."""

        of: Mixup
        images: list[WorstImage]
        whole: bool

    @dataclass
    class InProject(Message):
        """The picture was found in a project, to be labelled or shown among all."""

        project: Path
        image_id: int
        label: bool

    def __init__(
        self, run_path: Path, evaluator: type[EvaluationProcess] = EvaluationProcess
    ) -> None:
        super().__init__()
        self.path = run_path
        self.result: EvaluationResult | None = None
        self.evaluation: BackgroundEvaluation | None = None
        """The evaluation that is going on."""
        self._evaluator = evaluator
        self._only: Mixup | None = None

    def trail(self) -> str:
        """Name the run."""
        return f"{self.path.name} › Evaluation"

    def body(self) -> Iterable[Widget]:
        """Lay out the header, how far an evaluation is, and a pane for each tab."""
        yield Static("", markup=False, id="evaluate-header")
        yield Static("", markup=False, id="evaluate-progress")
        yield panes()

    # -- loading ---------------------------------------------------------------------------------

    def on_mount(self) -> None:
        """Show the first evaluation there is."""
        self._arrange()
        self._show()
        self.query_one("#classes").focus()
        self._load(None)

    def on_resize(self) -> None:
        """Arrange the panels for the new width, and write what is cut to it."""
        self.call_after_refresh(self._arrange)
        self._caption_when_laid_out()

    @work(thread=True, exclusive=True, exit_on_error=False, group="load")
    def _load(self, split: str | None) -> None:
        """Read the evaluation on `split`, or the first there is of any split."""
        found = [s for s in SPLITS if (evaluation_folder(self.path, s) / RESULT).is_file()]
        chosen = split or next(iter(found), SPLITS[0])
        result = None
        if chosen in found:
            result = named_result(self.path, chosen)
        if not get_current_worker().is_cancelled:
            self.post_message(self.Loaded(chosen, result))

    @on(Loaded)
    def _loaded(self, message: Loaded) -> None:
        self.set_reactive(EvaluationScreen.split, message.split)
        self.result = message.result
        self._show()

    def watch_split(self) -> None:
        """Show the evaluation on another split."""
        self.result = None
        self._show()
        self._load(self.split)

    # -- evaluating ------------------------------------------------------------------------------

    @on(BackgroundEvaluation.Progressed)
    def _progressed(self, message: BackgroundEvaluation.Progressed) -> None:
        self._say(message.progress)

    @on(BackgroundEvaluation.Ended)
    def _ended(self) -> None:
        self._forget()
        self.query_one("#evaluate-progress").display = False
        self.refresh_bindings()
        self._load(self.split)

    def on_unmount(self) -> None:
        """Stop what is going on: nobody would see it."""
        if self.evaluation is not None:
            self.evaluation.cancel()
            self._forget()

    def _forget(self) -> None:
        self.batman.busy.pop(self, None)
        self.evaluation = None

    def _say(self, progress: Progress) -> None:
        if self.evaluation is not None:
            line = self.query_one("#evaluate-progress", Static)
            line.display = True
            line.update(progress_line(progress, self.evaluation.split))

    # -- showing ---------------------------------------------------------------------------------

    def _show(self) -> None:
        """Show the result, or how to get one."""
        result = self.result
        head = self.query_one("#evaluate-header", Static)
        others = ", ".join(split for split in SPLITS if split != self.split)
        nothing, how = nothing_yet(self.split, others, self.evaluation is not None)
        # A plot or a picture of nothing would only say the same again.
        empty = "" if result else nothing
        for name in ("classes", "confusion", "images"):
            self.query_one(f"#{name}-panel", Panel).empty = empty
        if result is None:
            head.update(how)
            for table in self.query(VirtualTable):
                table.set_rows([])
            self._curve()
            self._picture()
        else:
            made = datetime.fromtimestamp(result.finished_at, UTC)
            head.update(header(result, ago(made, self.batman.now()), self.size.width >= 100))
            self.query_one("#classes", VirtualTable).set_rows(result.per_class)
            matrix = self.query_one("#matrix", VirtualTable)
            matrix.set_columns(matrix_columns(result.confusion.labels))
            matrix.set_rows(matrix_rows(result.confusion))
            self.query_one("#confusion", VirtualTable).set_rows(mixups(result.confusion))
            self._list_images(result)
            self._curve()
            self._picture()
        self._arrange()
        self.refresh_bindings()

    def _list_images(self, result: EvaluationResult) -> None:
        """List the images with mistakes, or those with one kind of it."""
        if self._only is not None:
            self._look_for(result, self._only)
            return
        wrong = [image for image in result.worst if image.missed or image.false_positives]
        self.query_one("#images-panel", Panel).empty = "" if wrong else "No image has a mistake."
        self.query_one("#images", VirtualTable).set_rows(wrong)

    @work(thread=True, exclusive=True, exit_on_error=False, group="showing")
    def _look_for(self, result: EvaluationResult, only: Mixup) -> None:
        found, whole = named_showing(self.path, result, only)
        if not get_current_worker().is_cancelled:
            self.post_message(self.Showing(only, found, whole))

    @on(Showing)
    def _list_those(self, message: Showing) -> None:
        if message.of != self._only or self.result is None:
            return
        some = f"None of the {len(self.result.worst):,} worst images"
        among = "No image" if message.whole else some
        panel = self.query_one("#images-panel", Panel)
        said = clean(message.of.said)
        panel.empty = "" if message.images else f"{among} shows it: {said}. Enter lists all."
        panel.badge = "" if message.whole else "among the worst; E finds all"
        self.query_one("#images", VirtualTable).set_rows(message.images)
        self._picture()
        self.refresh_bindings()

    def watch_tab(self) -> None:
        """Show another pane and take the keyboard there."""
        self.remove_class("-only")
        self._arrange()
        self.query_one(f"#{self.tab}").focus()
        self._picture()

    def _arrange(self) -> None:
        """Show the pane of the tab; the matrix only where all of it fits."""
        for name in TABS:
            self.query_one(f"#pane-{name}").display = name == self.tab
        names = [
            Content.styled(title, "bold" if name == self.tab else "$foreground-muted")
            for name, title in TABS.items()
        ]
        panel = self.query_one(f"#{self.tab}-panel")
        panel.border_title = Content("  ").join(names)
        panel.border_subtitle = Content.styled("] next", "$foreground-muted")
        labels = self.result.confusion.labels if self.result is not None else []
        fits = bool(labels) and matrix_width(labels) <= self.size.width - 4
        self.query_one("#matrix-panel").display = fits

    @on(VirtualTable.Highlighted, "#classes")
    def _curve(self) -> None:
        plot, panel = self.query_one("#curve", Plot), self.query_one("#curve-panel", Panel)
        row: ClassResult | None = self.query_one("#classes", VirtualTable).cursor_row
        panel.display = self.result is not None
        if row is None:
            return
        plot.message = "The split has no object of this class"
        plot.chart = curve_chart(row, self.result.per_class if self.result is not None else ())
        panel.heading = f"{row.name}: precision over recall"
        panel.badge = "IoU 0.5"
        panel.border_subtitle = Content(f"AP50-95 {by_size(row)}" if row.by_size else "")

    @on(VirtualTable.Highlighted, "#images")
    def _picture(self) -> None:
        row: WorstImage | None = self.query_one("#images", VirtualTable).cursor_row
        panel, result = self.query_one("#picture-panel", Panel), self.result
        panel.display = row is not None
        if row is None or result is None:
            self.viewer.show_scene(None, None)
            return
        if self.tab != "images":
            return
        table = self.query_one("#images", VirtualTable)
        panel.heading = row.shown
        of = f", {self._only.said}" if self._only is not None else ""
        panel.badge = f"{table.cursor + 1} of {len(table.visible_keys)}{of}"
        gallery, key = self.gallery(), row.image_id
        self.viewer.show_scene(
            (result.split, result.finished_at, key), lambda: gallery.scenes([key]).get(key)
        )

    @on(Viewer.Looked)
    def _caption_when_laid_out(self) -> None:
        # A picture that was read quickly is there before its panel has a size.
        self.call_after_refresh(self._caption)

    def _caption(self) -> None:
        line, scene = self.query_one("#caption", Static), self.viewer.scene
        width = max(20, 3 * self.viewer.size.width)
        line.update("" if scene is None else legend(scene, self.viewer.look, width))

    # -- the pictures, for the keys of pictures ---------------------------------------------------

    def gallery(self) -> Gallery:
        """Return the images of the table, in its order."""
        assert self.result is not None
        table = self.query_one("#images", VirtualTable)
        folder = evaluation_folder(self.path, self.result.split)
        images = [table.row(key) for key in table.visible_keys]
        return EvaluationGallery(self.result, folder, images)

    def here(self) -> int | None:
        """Return the image with the cursor, where images are shown."""
        if self.tab != "images" or self.result is None:
            return None
        row: WorstImage | None = self.query_one("#images", VirtualTable).cursor_row
        return None if row is None else row.image_id

    def go_to(self, key: Hashable) -> None:
        """Put the cursor on an image."""
        self.query_one("#images", VirtualTable).move_to(key)

    # -- keys ------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to start or to stop, whichever can be done."""
        if action in ("start", "stop"):
            return (self.evaluation is None) == (action == "start")
        if action == "split":
            return None if self.evaluation is not None else True
        if action in ("label", "project"):
            row = self.query_one("#images", VirtualTable).cursor_row
            return self.tab == "images" and (True if row is not None else None)
        if action == "goto":
            return self.tab == "confusion" or (self.tab == "images" and self._only is not None)
        if action == "zoom":
            return self.result is not None and self.tab != "confusion"
        return super().check_action(action, parameters)

    def action_start(self) -> None:
        """Evaluate the model on the split."""
        if self.evaluation is not None:
            return
        self.evaluation = BackgroundEvaluation(self, self.path, self.split, self._evaluator)
        self.batman.busy[self] = f"The evaluation of '{self.path.name}' is not finished."
        self._say(Progress("starting", 0))
        self.evaluation.start()
        if self.result is None:
            self._show()
        self.refresh_bindings()

    def action_stop(self) -> None:
        """Stop the evaluation."""
        if self.evaluation is not None:
            self.evaluation.cancel()
            self._say(Progress("stopping", 0))

    def action_split(self) -> None:
        """Take the next split."""
        self.split = SPLITS[(SPLITS.index(self.split) + 1) % len(SPLITS)]

    def action_tab(self, by: int) -> None:
        """Show the next pane, or the one before."""
        names = list(TABS)
        self.tab = names[(names.index(self.tab) + by) % len(names)]

    def action_zoom(self) -> None:
        """Give the plot or the picture the whole screen, or go back."""
        if self.tab == "images":
            self.action_whole()
            return
        self.toggle_class("-only")
        if not self.has_class("-only"):
            self.query_one(f"#{self.tab}").focus()

    @on(VirtualTable.Opened, "#confusion")
    def action_goto(self) -> None:
        """List the images that show the mistake with the cursor, or all again."""
        if self.result is None:
            return
        row: Mixup | None = self.query_one("#confusion", VirtualTable).cursor_row
        self._only = row if self.tab == "confusion" else None
        self._list_images(self.result)
        self.tab = "images"
        self._picture()
        self.refresh_bindings()

    def action_label(self) -> None:
        """Label the picture with the cursor, in the project that the run was trained on."""
        self._open(label=True)

    def action_project(self) -> None:
        """Go to the picture with the cursor among the images of its project."""
        self._open(label=False)

    def _open(self, *, label: bool) -> None:
        row: WorstImage | None = self.query_one("#images", VirtualTable).cursor_row
        if row is not None:
            self.batman.keys_wait_for(self._find(row.file, label))

    @work(thread=True, exclusive=True, exit_on_error=False, group="find")
    def _find(self, file: str, label: bool) -> None:
        project, image = find_in_project(self.path, file)
        self.post_message(self.InProject(project, image, label))

    @on(InProject)
    def _found_in_project(self, message: InProject) -> None:
        if message.label:
            self.batman.open_label(message.project, image_id=message.image_id)
        else:
            self.batman.open_images(message.project, image_id=message.image_id)

    def action_move(self, by: int) -> None:
        """Go to the next row of the table, or the one before, though it may be hidden."""
        self.query_one(f"#{self.tab}", VirtualTable).cursor += by

    def action_back(self) -> None:
        """Go back, from pictures of one mistake to the mistakes; asks before it stops anything."""
        if self.tab == "images" and self._only is not None:
            self.action_goto()
            self.tab = "confusion"
            return
        if self.evaluation is None:
            super().action_back()
            return
        from batman_tui.widgets.dialogs.dialogs import ConfirmDialog

        def answered(agreed: bool | None) -> None:
            if agreed:
                self.dismiss()

        lines = ["The evaluation is not finished. Leaving stops it; what it did so far is lost."]
        self.app.push_screen(
            ConfirmDialog("Stop the evaluation?", lines, yes="Stop", no="Stay"), answered
        )
