"""What runs on clusters have cost: GPU hours by project and month, or of each run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Static

from batman_tui.jobs.taking import file_for, write_file
from batman_tui.keys import bindings
from batman_tui.widgets.dialogs.text_dialog import TextDialog
from batman_tui.widgets.frame.base import BatmanDialog
from batman_tui.widgets.frame.keybar import KeyBar
from batman_tui.widgets.table.table import Column, VirtualTable
from core.common.lists.export import as_csv, as_markdown
from core.common.text import plural
from slurm.job.gpu_hours import (
    COST_COLUMNS,
    SUM_COLUMNS,
    CostSum,
    RunCost,
    by_project_and_month,
    cost_rows,
    run_costs,
    unknown_words,
)

_NONE = "No run of this workspace has trained on a cluster."


class HoursDialog(BatmanDialog[None]):
    """A table of sums, or of runs, and what all of them have cost."""

    BINDINGS: ClassVar[list[BindingType]] = bindings("hours")
    DEFAULT_CSS = """
    HoursDialog {
        & > .dialog { width: 84; height: auto; padding: 1 1 0 1; }
        VirtualTable { background: $surface; height: auto; max-height: 15; min-height: 3; }
        KeyBar { dock: none; background: $surface; margin: 1 0 0 0; }
        Static { padding: 0 1 1 1; }
    }
    """

    @dataclass
    class Read(Message):
        """What each run has cost was read."""

        costs: Sequence[RunCost]

    def __init__(self) -> None:
        super().__init__()
        self.each = False
        """Whether each run has a line, else each project and month."""
        self.costs: Sequence[RunCost] = ()
        first: list[Column[CostSum | RunCost]] = []
        self.table: VirtualTable[CostSum | RunCost] = VirtualTable(
            first, lambda row: row, id="hours"
        )

    @property
    def _columns(self) -> list[Column[Any]]:
        columns: Iterable[Column[Any]] = (COST_COLUMNS if self.each else SUM_COLUMNS).values()
        return [column.on_screen(self.batman.now) for column in columns]

    def compose(self) -> ComposeResult:
        """Lay out the sentence, the table and the keys."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = "GPU hours"
            yield Static("Reading the runs …", markup=False, id="told", classes="dialog--hint")
            yield self.table
            yield KeyBar()

    def on_mount(self) -> None:
        """Read the runs."""
        self.table.focus()
        self._read()

    @work(thread=True, exit_on_error=False, group="hours")
    def _read(self) -> None:
        self.post_message(self.Read(run_costs(self.batman.workspace)))

    def on_hours_dialog_read(self, message: Read) -> None:
        """Show what each run has cost."""
        self.costs = message.costs
        self._show()

    def _show(self) -> None:
        costs = self.costs
        total = sum(cost.hours or 0 for cost in costs)
        words = f"{plural(len(costs), 'run')}, {total:,.2f} GPU hours: hours of training × GPUs."
        if missing := unknown_words(costs):
            words += f"\n{missing}"
        self.query_one("#told", Static).update(words if costs else _NONE)
        self.table.set_columns(self._columns)
        self.table.set_rows(costs if self.each else by_project_and_month(costs))

    def action_each(self) -> None:
        """Show each run, or each project and month."""
        self.each = not self.each
        self._show()

    def action_copy(self) -> None:
        """Show the table as Markdown, to copy or to write to a file."""
        file = file_for(self.batman.workspace, "exports", "gpu-hours.md")
        text = as_markdown(*cost_rows(self.costs, each=self.each))
        self.app.push_screen(TextDialog("GPU hours", text, file=file))

    def action_export(self) -> None:
        """Write the table as CSV."""
        file = file_for(self.batman.workspace, "exports", "gpu-hours.csv")
        self.batman.tell(write_file(file, as_csv(*cost_rows(self.costs, each=self.each))))
