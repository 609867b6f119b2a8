"""The dialog that writes a project as a data set for other tools."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
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
from core.data.exporters.registry import FORMATS, Format
from core.data.images.reviewed import left_out

if TYPE_CHECKING:
    from core.data.exporters import ExportReport
    from core.data.store import Project


ALL, REVIEWED = "all", "only those that are reviewed"


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
        """What the folder that was `typed` looked like; `wrong` is empty when it can be written."""

        typed: str
        wrong: str

    def __init__(self, project: Path, state: int | None = None, name: str = "") -> None:
        """Make the dialog; with `state`, for the project as it was then, called `name`."""
        super().__init__(project)
        self._state = state
        self._called = f"{project.name} as of {name}" if name else project.name
        self._format = OneOf([item.title for item in FORMATS], FORMATS[0].title)
        self._format.id = "format"
        self._images = OneOf([ALL, REVIEWED], ALL)
        self._images.id = "which-images"

    def compose(self) -> ComposeResult:
        """Lay out format, folder and buttons, and the bar in their place."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = Content(clean(f"Export {self._called}"))
            with ContentSwitcher(initial="form", id="phases"):
                with Vertical(id="form"):
                    with Horizontal(id="format-line"):
                        yield Static("Format", classes="dialog--text")
                        yield self._format
                    yield Static("", markup=False, id="about", classes="dialog--hint")
                    with Horizontal(id="images-line"):
                        yield Static("Images", classes="dialog--text")
                        yield self._images
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
        return next(item for item in FORMATS if item.title == self._format.value)

    @property
    def folder(self) -> Path:
        """The folder that is typed."""
        return Path(self.typed).expanduser()

    @property
    def typed(self) -> str:
        """The folder as it is typed."""
        return self.query_one("#folder", LineInput).text.strip()

    def asked(self) -> str:
        """Return the folder as it is typed."""
        return self.typed

    def _proposed(self, item: Format) -> str:
        folder = self.batman.workspace.root / "exports" / f"{self.project.name}-{item.name}"
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
            self.post_message(self.Looked(typed, wrong))

    @on(Looked)
    def _looked(self, message: Looked) -> None:
        if message.typed != self.typed:
            return
        self.query_one("#wrong", Static).update(message.wrong)
        self.query_one("#ok", Button).disabled = bool(message.wrong)
        self.looked_at(message.typed)

    def action_next_format(self) -> None:
        """Take the next format."""
        self._format.action_turn(1)

    # Running

    def action_start(self) -> None:
        """Write what the form says."""
        if not self.may_start():
            return
        chosen, folder, state = self.format.write, self.folder, self._state
        only_reviewed = self._images.value == REVIEWED

        def write(project: Project, progress: Any, cancelled: Callable[[], bool]) -> ExportReport:
            from core.data.versions.past import at_state

            with nullcontext(project) if state is None else at_state(project, state) as then:
                return chosen(
                    then,
                    folder,
                    only_reviewed=only_reviewed,
                    progress=progress,
                    cancelled=cancelled,
                )

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
        text += f" {plural(len(report.missing), 'image')} left out, for the file is gone."
    for what, count in report.left_out.items():
        text += f" Left out: {count:,} × {what}."
    if report.unreviewed:
        text += f" {left_out(report.unreviewed)}"
    if report.turned:
        text += f" {plural(report.turned, 'picture')} written upright, as the boxes are."
    return text
