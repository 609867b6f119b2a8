"""The list of jobs: filtered, marked, folded, with the columns that a person chose."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from textual import on
from textual.content import Content

from batman_tui.jobs.job_actions import NO_CLUSTER
from batman_tui.jobs.lines import column_names, columns
from batman_tui.settings import save_jobs_columns
from batman_tui.widgets.dialogs.columns_dialog import ColumnsDialog
from batman_tui.widgets.dialogs.dialogs import PromptDialog
from batman_tui.widgets.frame.base import Guarded
from batman_tui.widgets.panel.panel import Panel
from batman_tui.widgets.table.filter import FilterInput
from batman_tui.widgets.table.table import VirtualTable
from core.common.errors import BatmanError
from core.common.text import clean, plural
from slurm.queue.arrays import JobLine
from slurm.queue.job_filter import keep_filter, read_job_filter, searched_text
from slurm.watch.cluster_jobs import Watched
from slurm.watch.pins import is_pinned, pin_lines

NO_JOBS = "You have no jobs here. e shows everyone's; F7 in the training form submits a run."


class JobList(Guarded, Panel):
    """A table of jobs under a line that filters it. Arrays are folded into one line at first."""

    def __init__(self, now: Callable[[], datetime], wanted: Sequence[str], id: str) -> None:
        """Make it with the columns `wanted`; times are counted from `now()`."""
        self.table: VirtualTable[JobLine] = VirtualTable(
            columns(now, wanted), lambda line: line.id, search=searched_text, markable=True,
            id="jobs",
        )  # fmt: skip
        self.fold = True
        """Whether an array is one line."""
        self._now = now
        self._problem = ""
        self._pins: Collection[str] = ()
        self._line = FilterInput(
            "Words, state=pending, partition, qos, account, node, user=…, -not, @kept", id="filter"
        )
        super().__init__(self._line, self.table, title="Jobs", id=id, empty="Asking the cluster …")

    @property
    def meant(self) -> list[JobLine]:
        """The marked lines, or the one with the cursor."""
        table, line = self.table, self.table.cursor_row
        if table.marks:
            return [table.row(key) for key in table.visible_keys if key in table.marks]
        return [line] if line is not None else []

    @property
    def listed(self) -> list[JobLine]:
        """The marked lines, or all that are shown."""
        table = self.table
        marked = [key for key in table.visible_keys if key in table.marks]
        return [table.row(key) for key in marked or table.visible_keys]

    def begin(self, cluster: str) -> None:
        """Show no job until the cluster answers."""
        self.table.set_rows([])
        self.empty = f"Asking {cluster} …"

    def end(self) -> None:
        """Show that there is no cluster."""
        self.table.set_rows([])
        self.empty = NO_CLUSTER

    def show(
        self, watched: Watched, lines: Sequence[JobLine], pins: Collection[str] | None = None
    ) -> None:
        """Show the lines of what a look found; `pins` are the pinned ids, None for no others."""
        self._pins = self._pins if pins is None else pins
        if list(lines) != self.table.rows():
            self.table.set_rows(lines)
        pinned = {line.id for line in lines if is_pinned(line, self._pins)}
        if pinned != self.table.model.pins:
            self.table.pin(pinned)
        known = watched.view.snapshot is not None
        self.empty = "" if self.table.row_count else NO_JOBS if known else "No answer yet."

    def flip_fold(self, watched: Watched | None) -> None:
        """Show every task of an array by itself, or arrays in one line."""
        self.fold = not self.fold
        if watched is not None:
            self.show(watched, watched.lines(fold=self.fold))

    def flip_pins(self, watched: Watched, cluster: str) -> str:
        """Pin what is meant on top, or unpin it if all of it is; return what to tell."""
        lines = self.meant
        pinned = not all(is_pinned(line, self._pins) for line in lines)
        self.show(watched, self.table.rows(), pin_lines(cluster, lines, pinned))
        self.table.clear_marks()
        return f"{'Pinned' if pinned else 'Unpinned'} {plural(len(lines), 'job')}."

    def filter(self) -> None:
        """Type a filter."""
        self._line.open()

    def choose_columns(self) -> None:
        """Have the columns chosen, and keep the choice."""
        shown = [column.key for column in self.table.columns]
        self.app.push_screen(ColumnsDialog(column_names(self._now), shown), self._columns_chosen)

    def _columns_chosen(self, names: list[str] | None) -> None:
        if names is not None:
            self.table.set_columns(columns(self._now, names))
            save_jobs_columns(names)

    @on(FilterInput.Filter)
    def _filter(self, message: FilterInput.Filter) -> None:
        wanted = read_job_filter(message.text)
        self._problem = wanted.problems[0] if wanted.problems else ""
        self.table.filter("", wanted.keeps if wanted.tests else None)
        self.border_subtitle = Content.styled(clean(self._problem), "$text-warning")
        if message.done:
            self.table.focus()

    def keep(self) -> None:
        """Have the filter kept by a name. Raises BatmanError where nothing is filtered."""
        text = self._line.text.strip()
        if not text:
            raise BatmanError("There is no filter to keep.", "/ filters the list.")

        def named(name: str | None) -> None:
            if name:
                keep_filter(name, text)
                self.batman.tell(f"Kept: @{name} in the filter means {text}.")

        dialog = PromptDialog("Keep the filter", label=clean(text), placeholder="name")
        self.app.push_screen(dialog, named)

    @on(VirtualTable.Shown)
    def _count(self) -> None:
        table = self.table
        shown, there = len(table.visible_keys), table.row_count
        counts = f"{shown:,} of {there:,}" if shown != there else f"{there:,}"
        marked = f" · {len(table.marks):,} marked" if table.marks else ""
        folded = "" if self.fold else " · arrays unfolded"
        self.badge = counts + marked + folded
