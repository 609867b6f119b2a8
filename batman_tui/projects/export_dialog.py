"""The dialog that writes a project as a data set for other tools."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Button, ContentSwitcher, Input, Select, Static
from textual.worker import get_current_worker

from batman_tui.keys import bindings
from batman_tui.task_dialog import TaskDialog
from batman_tui.widgets.form.field import Choice as OneOf
from batman_tui.widgets.form.line_input import LineInput
from batman_tui.widgets.form.path_suggester import PathSuggester
from batman_tui.widgets.frame.keybar import KeyBar
from core.common.text import clean, plural

if TYPE_CHECKING:
    from core.data.exporters import ExportReport
    from core.data.store import Project


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
    Format("csv", "CSV", "TensorFlow's table of boxes for each split. Crowd regions are left out."),
    Format("kitti", "KITTI", "image_2 and label_2 for each split. Crowd regions are left out."),
    Format("original", "Original", "A project that the original Batman opens."),
    Format("cvat", "CVAT", "For images 1.1, with subsets. Crowd regions are left out."),
    Format("label-studio", "Label Studio", "Tasks for its local storage, and the interface."),
    Format("labelme", "labelme", "A JSON file beside each picture. No crowd regions."),
    Format("createml", "CreateML", "Boxes only, a JSON file a split. No outlines, no crowds."),
)


class ExportDialog(TaskDialog["ExportReport"]):
    """Writes the project in the folder `project`. The result is the report, or None."""

    HELP = (
        "Writes the project as it is now: its classes, its splits. Images are hard-linked where "
        "the disk allows, so that an export takes little room."
    )
    BINDINGS: ClassVar[list[BindingType]] = bindings("export")
    CSS_PATH = Path(__file__).with_name("export_dialog.tcss")

    STOPPED = "The export was stopped; nothing was written."
    ESCAPE = "Escape stops it; nothing of it is left then."

    @dataclass
    class Looked(Message):
        """What the folder looked like; empty when it can be written."""

        wrong: str

    def __init__(self, project: Path) -> None:
        super().__init__(project)
        self._format = OneOf([item.name for item in FORMATS], FORMATS[0].name)
        self._format.id = "format"

    def compose(self) -> ComposeResult:
        """Lay out format, folder and buttons, and the bar in their place."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = Content(clean(f"Export {self.project.name}"))
            with ContentSwitcher(initial="form", id="phases"):
                with Vertical(id="form"):
                    with Horizontal(id="format-line"):
                        yield Static("Format", classes="dialog--text")
                        yield self._format
                    yield Static("", markup=False, id="about", classes="dialog--hint")
                    yield Static("Folder, new or empty", classes="dialog--text")
                    yield LineInput(suggester=PathSuggester(), id="folder")
                    yield Static("", markup=False, id="wrong", classes="dialog--error")
                    with Horizontal(classes="dialog--buttons"):
                        yield Button("Cancel", id="cancel", compact=True)
                        yield Button("Export", id="ok", variant="primary", compact=True)
                yield from self.running_part()
            yield KeyBar()

    def on_mount(self) -> None:
        """Propose a folder for the first format."""
        self._format_chosen()
        self.query_one("#folder").focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what can be done now."""
        if action in ("start", "next_format"):
            return self.phase == "form"
        return super().check_action(action, parameters)

    # The form

    @property
    def format(self) -> Format:
        """The format that is chosen."""
        return next(item for item in FORMATS if item.name == self._format.value)

    @property
    def folder(self) -> Path:
        """The folder that is typed."""
        return Path(self.typed).expanduser()

    @property
    def typed(self) -> str:
        """The folder as it is typed."""
        return self.query_one("#folder", LineInput).text.strip()

    def _proposed(self, item: Format) -> str:
        folder = self.batman.workspace.root / "exports" / f"{self.project.name}-{item.key}"
        return str(folder)

    @on(Select.Changed, "#format")
    def _format_chosen(self) -> None:
        line = self.query_one("#folder", LineInput)
        # A folder that was typed is kept.
        if line.text in ("", *map(self._proposed, FORMATS)):
            line.value = self._proposed(self.format)
        self.query_one("#about", Static).update(self.format.about)

    @on(Input.Changed, "#folder")
    def _typing(self) -> None:
        self._look(self.typed)

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
        self._format.action_turn(1)

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
        if self.phase != "form" or self.query_one("#ok", Button).disabled:
            return
        key, folder = self.format.key, self.folder

        def write(project: Project, progress: Any, cancelled: Callable[[], bool]) -> ExportReport:
            from core.data import exporters

            ways: dict[str, Callable[..., ExportReport]] = {
                "coco": exporters.export_coco,
                "yolo": exporters.export_yolo,
                "voc": exporters.export_voc,
                "csv": exporters.export_csv,
                "kitti": exporters.export_kitti,
                "original": exporters.export_original,
                "cvat": exporters.export_cvat,
                "label-studio": exporters.export_label_studio,
                "labelme": exporters.export_labelme,
                "createml": exporters.export_createml,
            }
            return ways[key](project, folder, progress=progress, cancelled=cancelled)

        self.begin(write, f"The export of '{self.project.name}' is not done.")

    def form_again(self) -> None:
        """Back to the folder."""
        self.query_one("#folder").focus()

    def ended_well(self, report: ExportReport) -> None:
        """Say what was written, and close."""
        self.batman.tell(told(report))
        self.dismiss(report)


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
    if report.turned:
        text += f" {plural(report.turned, 'picture')} written upright, as the boxes are."
    return text
