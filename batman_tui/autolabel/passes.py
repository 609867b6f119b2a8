"""The passes of labellers over a project, and one of them taken back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Static
from textual.worker import get_current_worker

from batman_tui.keys import bindings
from batman_tui.widgets.dialogs.dialogs import ConfirmDialog
from batman_tui.widgets.frame.base import BatmanDialog
from batman_tui.widgets.frame.keybar import KeyBar
from batman_tui.widgets.table.table import Column, VirtualTable
from core.common.text import ago, clean, plural
from core.data.labels.passes import PassLine, list_passes
from core.data.store import Project

NOTHING = "No model looked at this project yet. Press Escape, then m to let one propose boxes."


class PassesDialog(BatmanDialog[int]):
    """Lists what models did in the project; the result is the pass to take back, once agreed to."""

    HELP = (
        "A pass is one run of a model over pictures. Taking it back takes away its suggestions that"
        " are open; those that it had replaced are open again, and labels that were made of it"
        " stay. It is a step like any other: u takes it back."
    )
    BINDINGS: ClassVar[list[BindingType]] = bindings("passes")
    DEFAULT_CSS = """
    PassesDialog {
        & > .dialog { width: 90; max-width: 96%; height: auto; padding: 1 1 0 1; }
        VirtualTable { background: $surface; height: auto; max-height: 18; min-height: 3; }
        KeyBar { dock: none; background: $surface; }
        Static { padding: 0 1 1 1; }
    }
    """

    @dataclass
    class Listed(Message):
        """The passes were read."""

        rows: Sequence[PassLine]

    def __init__(self, project: Path) -> None:
        """Make it for the project in a folder."""
        super().__init__()
        self._project = project
        columns: list[Column[PassLine]] = [
            Column("model", "Model", lambda row: row.model, least=14),
            Column("at", "When", lambda row: ago(_at(row), self.batman.now()), width=12, muted=True,
                   sort=lambda row: row.at),
            Column("images", "Pictures", lambda row: row.images, "number", 9),
            Column("found", "Found", lambda row: sum(row.states.values()), "number", 9),
            Column("open", "Open", lambda row: row.states.get("open", 0), "number", 9),
            Column("who", "By", lambda row: row.who, width=14, muted=True, from_width=76),
        ]  # fmt: skip
        self.table: VirtualTable[PassLine] = VirtualTable(columns, lambda row: str(row.id))
        self.table.nothing = NOTHING

    def compose(self) -> ComposeResult:
        """Lay out what it is about, the list and the keys."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = "What models did here"
            yield Static(
                "What they found are suggestions. A pass can be taken back as a whole.",
                markup=False,
                classes="dialog--hint",
            )
            yield self.table
            yield KeyBar()

    def on_mount(self) -> None:
        """Read the passes."""
        self.table.focus()
        self._read()

    @work(thread=True, exclusive=True, exit_on_error=False, group="passes")
    def _read(self) -> None:
        with Project.open(self._project) as project:
            rows = list_passes(project)
        if not get_current_worker().is_cancelled:
            self.post_message(self.Listed(rows))

    @on(Listed)
    def _listed(self, message: Listed) -> None:
        message.stop()
        self.table.set_rows(message.rows)
        self.table.styles.height = min(18, max(3, len(message.rows) + 2))

    @on(VirtualTable.Opened)
    def _clicked(self) -> None:
        self.action_withdraw()

    def action_withdraw(self) -> None:
        """Take back the pass with the cursor, after a question."""
        row = self.table.cursor_row
        if row is None:
            return

        def agreed(yes: bool | None) -> None:
            if yes:
                self.dismiss(row.id)

        self.app.push_screen(_question(row), agreed)


def _at(row: PassLine) -> datetime:
    return datetime.fromisoformat(row.at)


def _question(row: PassLine) -> ConfirmDialog:
    left = row.states.get("open", 0)
    made = row.states.get("accepted", 0)
    lines = [
        f"{plural(left, 'open suggestion')} of {clean(row.model)} on"
        f" {plural(row.images, 'picture')} {'goes' if left == 1 else 'go'}; what it had replaced is"
        " open again.",
    ]
    if made:
        lines.append(f"{plural(made, 'label')} that {'was' if made == 1 else 'were'} made of it"
                     f" {'stays' if made == 1 else 'stay'}.")  # fmt: skip
    lines.append("u takes that back.")
    return ConfirmDialog(f"Take back the pass of {clean(row.model)}?", lines, yes="Take back")


def ask_pass(push: Callable[..., object], project: Path, take_back: Callable[[int], None]) -> None:
    """Show the passes; `take_back` is called with the number of the one that is to go."""

    def chosen(number: int | None) -> None:
        if number is not None:
            take_back(number)

    push(PassesDialog(project), chosen)
