"""The dialog that writes a project as a data set for other tools."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, ClassVar, Literal, cast

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widgets import Button, ContentSwitcher, Input, ProgressBar, RadioSet, Static
from textual.worker import Worker, get_current_worker

from batman_tui.keys import bindings
from batman_tui.widgets.base import BatmanDialog
from batman_tui.widgets.choice import Choice
from batman_tui.widgets.keybar import KeyBar
from batman_tui.widgets.path_suggester import PathSuggester
from core.errors import BatmanError, Cancelled
from core.store import Project
from core.text import clean, plural

if TYPE_CHECKING:
    from batman_tui.app import BatmanApp
    from core.exporters import ExportReport
    from core.importers import Progress

REPORT_EVERY = 0.05


@dataclass(frozen=True)
class Format:
    """A format to write: its key, its name, and what to know of it."""

    key: str
    name: str
    about: str


FORMATS = (
    Format("coco", "COCO", "Roboflow's folders; rfdetr and supervision read them. All is kept."),
    Format("yolo", "YOLO", "data.yaml, images and labels. Crowd regions are left out."),
    Format("voc", "Pascal VOC", "XML beside images; whole pixels. Crowd regions are left out."),
    Format("original", "Original", "A project that the original Batman opens."),
)


class ExportDialog(BatmanDialog["ExportReport"]):
    """Writes the project in the folder `project`. The result is the report, or None."""

    HELP = (
        "Writes the project as it is now: its classes, its splits. Images are hard-linked where "
        "the disk allows, so that an export takes little room."
    )
    BINDINGS: ClassVar[list[BindingType]] = bindings("export")
    CSS_PATH = Path(__file__).with_name("export.tcss")

    running: reactive[bool] = reactive(False, bindings=True)

    class Moved(Message):
        """The export got further."""

        def __init__(self, progress: Progress) -> None:
            super().__init__()
            self.progress = progress

        def can_replace(self, message: Message) -> bool:
            """Let a slow terminal skip to the newest."""
            return isinstance(message, ExportDialog.Moved)

    class Ended(Message):
        """The export ended: with a report, or with an error that was to be expected."""

        def __init__(self, report: ExportReport | None, error: BatmanError | None) -> None:
            super().__init__()
            self.report = report
            self.error = error

    class Looked(Message):
        """What the folder looked like; empty when it can be written."""

        def __init__(self, wrong: str) -> None:
            super().__init__()
            self.wrong = wrong

    def __init__(self, project: Path) -> None:
        super().__init__()
        self.project = project
        self._worker: Worker[None] | None = None

    @property
    def _batman(self) -> BatmanApp:
        return cast("BatmanApp", self.app)

    def compose(self) -> ComposeResult:
        """Lay out format, folder and buttons, and the bar in their place."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = Content(clean(f"Export {self.project.name}"))
            with ContentSwitcher(initial="form"):
                with Vertical(id="form"):
                    with RadioSet(id="format", compact=True):
                        for item in FORMATS:
                            yield Choice(item.name, item is FORMATS[0], compact=True)
                    yield Static("", markup=False, id="about", classes="dialog--hint")
                    yield Static("Folder, new or empty", classes="dialog--text")
                    yield Input(suggester=PathSuggester(), id="folder")
                    yield Static("", markup=False, id="wrong", classes="dialog--error")
                    with Horizontal(classes="dialog--buttons"):
                        yield Button("Cancel", id="cancel", compact=True)
                        yield Button("Export", id="ok", variant="primary", compact=True)
                with Vertical(id="running"):
                    yield Static("", markup=False, id="stage", classes="dialog--text")
                    yield ProgressBar(id="bar", show_eta=False)
            yield KeyBar()

    def on_mount(self) -> None:
        """Propose a folder for the first format."""
        self._format_chosen()
        self.query_one("#folder").focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what can be done now."""
        if action in ("start", "next_format"):
            return not self.running
        return super().check_action(action, parameters)

    def watch_running(self, running: bool) -> None:
        """Show the form, or the bar."""
        self.query_one(ContentSwitcher).current = "running" if running else "form"

    # The form

    @property
    def format(self) -> Format:
        """The format that is chosen."""
        return FORMATS[max(0, self.query_one("#format", RadioSet).pressed_index)]

    @property
    def folder(self) -> Path:
        """The folder that is typed."""
        return Path(self.query_one("#folder", Input).value.strip()).expanduser()

    def _proposed(self, item: Format) -> str:
        folder = self._batman.workspace.root / "exports" / f"{self.project.name}-{item.key}"
        return str(folder)

    @on(RadioSet.Changed, "#format")
    def _format_chosen(self) -> None:
        line = self.query_one("#folder", Input)
        # A folder that was typed is kept.
        if line.value in ("", *map(self._proposed, FORMATS)):
            line.value = self._proposed(self.format)
        self.query_one("#about", Static).update(self.format.about)

    @on(Input.Changed, "#folder")
    def _typing(self, event: Input.Changed) -> None:
        self._look(event.value.strip())

    @work(thread=True, exclusive=True, exit_on_error=False, group="look")
    def _look(self, typed: str) -> None:
        wrong = "" if typed else "Name a folder."
        if "\0" in typed:
            wrong = "There can be no such folder."
        try:
            folder = Path(typed).expanduser()
            if folder.is_dir() and next(folder.iterdir(), None) is not None:
                wrong = wrong or "There is something in this folder: choose another."
            elif folder.exists() and not folder.is_dir():
                wrong = "This is a file: choose another name."
        except (OSError, RuntimeError):
            wrong = "There can be no such folder."
        if not get_current_worker().is_cancelled:
            self.post_message(self.Looked(wrong))

    @on(Looked)
    def _looked(self, message: Looked) -> None:
        self.query_one("#wrong", Static).update(message.wrong)
        self.query_one("#ok", Button).disabled = bool(message.wrong)

    def action_next_format(self) -> None:
        """Take the next format."""
        following = (FORMATS.index(self.format) + 1) % len(FORMATS)
        self.query_one("#format", RadioSet).query(Choice)[following].value = True

    @on(Input.Submitted)
    @on(Button.Pressed, "#ok")
    def _submitted(self) -> None:
        self.action_start()

    @on(Button.Pressed, "#cancel")
    def _cancelled(self) -> None:
        self.action_cancel()

    # Running

    def action_start(self) -> None:
        """Write what the form says."""
        if self.running or self.query_one("#ok", Button).disabled:
            return
        self._batman.busy[self] = f"The export of '{self.project.name}' is not done."
        self.query_one("#stage", Static).update("Starting")
        self.query_one("#bar", ProgressBar).update(total=None, progress=0)
        self.running = True
        self.set_focus(None)
        self._worker = self._export(self.format.key, self.folder)

    @work(thread=True, exclusive=True, exit_on_error=False, group="export")
    def _export(self, key: Literal["coco", "yolo", "voc", "original"], folder: Path) -> None:
        from core import exporters

        write = {
            "coco": exporters.export_coco,
            "yolo": exporters.export_yolo,
            "voc": exporters.export_voc,
            "original": exporters.export_original,
        }[key]
        worker = get_current_worker()
        said = 0.0

        def progress(now: Progress) -> None:
            nonlocal said
            if monotonic() - said >= REPORT_EVERY:
                said = monotonic()
                self.post_message(self.Moved(now))

        try:
            with Project.open(self.project) as project:
                report = write(
                    project, folder, progress=progress, cancelled=lambda: worker.is_cancelled
                )
        except BatmanError as error:
            self.post_message(self.Ended(None, error))
        else:
            self.post_message(self.Ended(report, None))

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """After a defect in an exporter, show it and go back to the form."""
        super().on_worker_state_changed(event)
        if event.worker.group == "export" and isinstance(event.worker.error, Exception):
            self._ended(self.Ended(None, None))

    @on(Moved)
    def _moved(self, message: Moved) -> None:
        now = message.progress
        self.query_one("#bar", ProgressBar).update(total=now.total, progress=now.done)
        count = f"{now.done:,} of {now.total:,}" if now.total else f"{now.done:,}"
        self.query_one("#stage", Static).update(clean(f"{now.stage.capitalize()}  {count}"))

    def action_cancel(self) -> None:
        """Stop a running export, of which nothing is left; else close."""
        if self.running and self._worker is not None:
            self.query_one("#stage", Static).update("Stopping")
            self._worker.cancel()
        else:
            self.dismiss(None)

    @on(Ended)
    def _ended(self, message: Ended) -> None:
        self._batman.busy.pop(self, None)
        self._worker = None
        self.running = False
        if message.report is not None:
            self._batman.tell(told(message.report))
            self.dismiss(message.report)
            return
        self.query_one("#folder").focus()
        if isinstance(message.error, Cancelled):
            self._batman.tell("The export was stopped; nothing was written.")
        elif message.error is not None:
            self._batman.show_error(message.error)


def told(report: ExportReport) -> str:
    """Return what was written and what could not be, in some sentences."""
    text = (
        f"Exported {plural(report.images, 'image')} and"
        f" {plural(report.annotations, 'annotation')} to {report.path}."
    )
    if report.missing:
        text += f" {plural(len(report.missing), 'image')} left out, for the file is gone (c)."
    for what, count in report.left_out.items():
        text += f" Left out: {count:,} × {what}."
    return text
