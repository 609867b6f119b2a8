"""The dialog that exports a run's model: formats, progress, how far each agrees, the card."""

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
from textual.widgets import Button, ContentSwitcher, Static

from batman_tui.keys import bindings
from batman_tui.task_dialog import TaskDialog
from batman_tui.widgets.dialogs.text_dialog import TextDialog
from batman_tui.widgets.form.line_input import LineInput
from batman_tui.widgets.form.path_suggester import PathSuggester
from batman_tui.widgets.frame.keybar import KeyBar
from batman_tui.widgets.table.table import Column, VirtualTable
from core.common.errors import BatmanError
from core.common.files import expand_user
from core.common.text import clean, size
from core.export import ExportOptions
from core.export.export import CARD
from core.export.formats import DEFAULT, FORMATS, lack_of
from core.export.naming import split_names
from core.processes.job import run_job

if TYPE_CHECKING:
    from core.common.progress import Progress

MODULE = "core.export"


@dataclass(frozen=True)
class FormatRow:
    """A format in the list: what it is called, its file, if it is chosen, and what it lacks."""

    name: str
    title: str
    file: str
    chosen: bool
    lack: str


@dataclass(frozen=True)
class ResultRow:
    """What became of a format: its file and how far it agrees, or why it was not written."""

    name: str
    room: str
    scores: str
    boxes: str
    allowed: str


class ModelExportDialog(TaskDialog[Path]):
    """Exports the best model of the run in the folder `run`. The result is the export's folder."""

    HELP = (
        "Every file is loaded again in its own runtime and shown the same pictures as the "
        "original; one that differs by more than is allowed is not written, the others are. "
        "Class names given here rename the model's, in their order."
    )
    BINDINGS: ClassVar[list[BindingType]] = bindings("model_export")
    CSS_PATH = Path(__file__).with_name("export_dialog.tcss")

    STOPPED = "The export was stopped; nothing was written."
    ESCAPE = "Escape stops it; nothing of it is left then."

    @dataclass
    class Checked(Message):
        """What the formats lack here was looked up."""

        lacks: dict[str, str]

    def __init__(self, run: Path) -> None:
        super().__init__(run)
        self._chosen = set(DEFAULT)
        self._lacks: dict[str, str] = {}
        self.table: VirtualTable[FormatRow] = VirtualTable(
            [
                Column("chosen", "", lambda row: "■" if row.chosen else "□", width=1),
                Column("title", "Format", lambda row: row.title, width=15),
                Column("file", "File", lambda row: row.file, width=18, muted=True),
                Column("needs", "Here", lambda row: row.lack or "ready"),
            ],
            lambda row: row.name,
            id="formats",
        )
        self.results: VirtualTable[ResultRow] = VirtualTable(
            [
                Column("name", "File", lambda row: row.name, least=12),
                Column("room", "Size", lambda row: row.room, width=9),
                Column("scores", "Scores differ", lambda row: row.scores, width=13),
                Column("boxes", "Boxes differ", lambda row: row.boxes, width=12),
                Column("allowed", "Allowed", lambda row: row.allowed, width=7),
            ],
            lambda row: row.name,
            id="results",
        )

    def compose(self) -> ComposeResult:
        """Lay out formats and folder, the bar in their place, and the table of what came out."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = Content(clean(f"Export the model of {self.project.name}"))
            with ContentSwitcher(initial="form", id="phases"):
                with Vertical(id="form"):
                    yield self.table
                    yield Static("", markup=False, id="lack", classes="dialog--hint")
                    with Horizontal(classes="line"):
                        yield Static("Folder", classes="dialog--text")
                        yield LineInput(suggester=PathSuggester(), id="folder", compact=True)
                    with Horizontal(classes="line"):
                        yield Static("Class names", classes="dialog--text")
                        yield LineInput(id="names", compact=True, placeholder="the model's own")
                    with Horizontal(classes="dialog--buttons"):
                        yield Button("Cancel", id="cancel", compact=True)
                        yield Button("Export", id="ok", variant="primary", compact=True)
                yield from self.running_part()
                with Vertical(id="report"):
                    yield Static("", markup=False, id="told", classes="dialog--text")
                    yield self.results
                    yield Static("", markup=False, id="more", classes="dialog--hint")
            yield KeyBar()

    def on_mount(self) -> None:
        """Propose a folder, and look up what can be written here."""
        folder = self.batman.workspace.root / "exports" / self.project.name
        self.query_one("#folder", LineInput).value = str(folder)
        self._list()
        self.table.styles.height = len(FORMATS) + 1
        self.table.focus()
        self._check()

    @work(thread=True, exit_on_error=False, group="check")
    def _check(self) -> None:
        lacks = {kind.name: lack_of(kind) for kind in FORMATS.values()}
        self.post_message(
            self.Checked({n: f"{e.message} {e.hint}" for n, e in lacks.items() if e is not None})
        )

    @on(Checked)
    def _checked(self, message: Checked) -> None:
        self._lacks = message.lacks
        self._chosen -= message.lacks.keys()
        self._list()

    def _list(self) -> None:
        self.table.set_rows(
            FormatRow(
                kind.name, kind.title, kind.file, kind.name in self._chosen,
                "" if kind.name not in self._lacks else "not installed"
                if kind.install and "not installed" in self._lacks[kind.name] else "not here",
            )
            for kind in FORMATS.values()
        )  # fmt: skip
        self.query_one("#ok", Button).disabled = not self._chosen
        self._say_lack()

    @on(VirtualTable.Highlighted, "#formats")
    def _say_lack(self) -> None:
        key = self.table.cursor_key
        self.query_one("#lack", Static).update(clean(self._lacks.get(key or "", "")))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what can be done now."""
        if action == "start":
            return self.phase == "form"
        if action == "choose":
            return self.phase == "form" and self.focused is self.table
        if action == "card":
            return self.phase == "report"
        return super().check_action(action, parameters)

    @on(VirtualTable.Opened, "#formats")
    def action_choose(self) -> None:
        """Choose the format with the cursor, or not; one that cannot be written says why."""
        key = self.table.cursor_key
        if key is None:
            return
        if key in self._lacks:
            self._say_lack()
            return
        self._chosen ^= {key}
        self._list()

    def missing(self) -> str:
        """Say how a format is chosen."""
        return "Choose a format: space marks the one with the cursor."

    def action_start(self) -> None:
        """Write the chosen formats."""
        if not self.may_start():
            return
        folder = self.query_one("#folder", LineInput).text.strip()
        names = self.query_one("#names", LineInput).text.strip()
        try:
            if not folder:
                raise BatmanError("Name a folder to write to.")
            options = ExportOptions(
                target=self.project,
                output=expand_user(folder).absolute(),
                classes=split_names(names) if names else None,
                formats=[name for name in FORMATS if name in self._chosen],
            )
        except BatmanError as error:
            self.ended_badly(error)
            return

        def write(progress: Callable[[Progress], None], cancelled: Callable[[], bool]) -> Any:
            from core.training.launch.local import require_trainer

            require_trainer()
            return run_job(MODULE, options, progress, cancelled, name="The export")

        self.begin_job(write, f"The export of '{self.project.name}' is not done.")

    def form_again(self) -> None:
        """Back to the formats."""
        self.table.focus()

    def ended_well(self, report: Any) -> None:
        """Show how far each file agrees; the result is the folder."""
        self.report = Path(report["output"])
        rows = [
            ResultRow(
                file["name"], size(file["bytes"]), f"{file['scores']:.1e}",
                f"{file['pixels']:.1e} px", f"{file['tolerance']:g}",
            )
            for file in report["files"]
        ]  # fmt: skip
        failed = [
            ResultRow(FORMATS[one["format"]].file, "–", "not written", "", "")
            for one in report["failed"]
        ]
        self.results.set_rows([*rows, *failed])
        self.results.styles.height = len(rows) + len(failed) + 1
        self.query_one("#told", Static).update(
            clean(f"Exported to {report['output']}; checked on {report['checked_on']}.")
        )
        why = [f"{one['message']} {one['hint']}".strip() for one in report["failed"]]
        self.query_one("#more", Static).update(clean("\n".join([*why, *report["warnings"]])))
        self.phase = "report"
        self.results.focus()

    def action_card(self) -> None:
        """Read the model card."""
        if self.report is not None:
            self.app.push_screen(card_dialog(self.report, self.batman.workspace.logs_dir))


def card_dialog(folder: Path, logs: Path) -> TextDialog:
    """Return the model card in an export's folder, to read, copy or write elsewhere."""
    try:
        text = (folder / CARD).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        text = f"The card cannot be read: {error.strerror}."
    return TextDialog(f"Model card of {folder.name}", text, file=logs / f"{folder.name}-card.md")
