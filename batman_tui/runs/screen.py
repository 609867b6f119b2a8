"""The runs of the workspace: how far and how good they are; open, compare, note, stop, go on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.binding import BindingType
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.worker import get_current_worker

from batman_tui.keys import bindings
from batman_tui.run.run_actions import (
    delete_question,
    note_prompt,
    resume,
    set_tags,
    stop_question,
    tags_prompt,
)
from batman_tui.runs.columns import column_names, columns
from batman_tui.runs.preview import RunsPreview
from batman_tui.settings import save_runs_columns
from batman_tui.widgets.frame.base import BatmanScreen
from batman_tui.widgets.panel.list_layout import ListLayout
from batman_tui.widgets.panel.panel import Panel
from batman_tui.widgets.table.filter import FilterInput
from batman_tui.widgets.table.table import Column, VirtualTable
from core.common.errors import RunError
from core.common.text import clean
from core.training.run.notes import MEND, NOTES_FILE, said_of, write_note
from core.training.run.run import Run
from core.training.run.summary import RunSummary
from core.training.run.wait import wait_words
from core.training.run.worker_process import AT_REST
from core.training.run_list.columns import occasional
from core.training.run_list.filter import read_filter

LOOK_SECONDS = 2.0
# New run folders, and ended runs that somebody resumed, are looked for every so many looks.
ALL_EVERY = 5
NOTHING_YET = "No runs here yet. Choose a project (1) and press t to train a model on it."

_OF_A_RUN = {
    "open", "stop", "resume", "mark", "evaluate", "look", "export", "note", "tags", "delete",
}  # fmt: skip


class RunsScreen(BatmanScreen):
    """A table of all runs, newest first. Those that go on are read again every two seconds."""

    HELP = (
        "Every run of the workspace, also those started from the command line or on another "
        "machine. Enter opens one; o sorts by the next column, O turns the order round, v chooses "
        "the columns. A filter holds words and terms such as model=base lr=1e-4 map50>0.5 took<2h "
        "tag:x, with - in front for the opposite. Space marks runs: where there is room the "
        "marked ones are drawn together below, and c puts them side by side. S shows the sweep "
        "that a run belongs to."
    )
    CSS_PATH = Path(__file__).with_name("screen.tcss")
    BINDINGS: ClassVar[list[BindingType]] = bindings("runs")

    @dataclass
    class Read(Message):
        """Runs were read; `whole` when these are all that there are."""

        rows: Sequence[RunSummary]
        whole: bool

    @dataclass
    class Measured(Message):
        """How many bytes the runs take that are to go; `kept` marked ones are still going on."""

        paths: Sequence[Path]
        room: int
        kept: int

    def __init__(self) -> None:
        super().__init__()
        self._looks = 0
        self._looking = False
        self._there: frozenset[str] = frozenset()
        self._wanted: tuple[str, ...] = ()
        self._problem = ""

    def body(self) -> Iterable[Widget]:
        """Lay out the filter and the table."""
        self._wanted = self.batman.settings.runs_columns
        listed = Panel(
            FilterInput("Words, model=base, lr=1e-4, map50>0.5, tag:x, -tag:x"),
            VirtualTable[RunSummary](
                self._columns(), lambda row: row.path, markable=True, id="runs"
            ),
            title="Runs",
            id="runs-panel",
            classes="-list",
        )
        yield ListLayout(
            listed, RunsPreview(id="preview", classes="-spare"), id="runs-body", beside=False
        )

    def _columns(self) -> list[Column[RunSummary]]:
        return columns(self.batman.now, self._wanted, self._there)

    @property
    def table(self) -> VirtualTable[RunSummary]:
        """The table."""
        return self.query_one("#runs", VirtualTable)

    @property
    def chosen(self) -> RunSummary | None:
        """The run with the cursor."""
        return self.table.cursor_row

    @property
    def taken(self) -> list[RunSummary]:
        """The marked runs, or without marks the one with the cursor."""
        marked = [row for row in self.table.rows() if row.path in self.table.marks]
        return marked or ([self.chosen] if self.chosen is not None else [])

    # -- looking ---------------------------------------------------------------------------------

    def on_mount(self) -> None:
        """Read all runs, and then again and again what may change."""
        self.table.focus()
        self._look(None, fresh=True)
        self.while_in_front(LOOK_SECONDS, self._tick, self._back)

    def _back(self) -> None:
        self._looks = 0
        self._tick(fresh=True)

    def _tick(self, fresh: bool = False) -> None:
        if self._looking:
            return
        self.query_one(RunsPreview).look()
        everything = self._looks % ALL_EVERY == 0
        self._looks += 1
        if everything:
            self._look(None, fresh=fresh)
            return
        wanted = {row.path for row in self.table.rows() if row.state not in AT_REST}
        wanted.update(self.table.keys_in_sight)
        if wanted:
            self._look(tuple(wanted))

    def _look(self, paths: Sequence[Path] | None, *, fresh: bool = False) -> None:
        self._looking = True
        self._read(paths, fresh)

    @work(thread=True, exit_on_error=False, group="look")
    def _read(self, paths: Sequence[Path] | None, fresh: bool) -> None:
        worker = get_current_worker()
        index = self.batman.run_index
        first = self.table.row_count == 0

        def part(rows: Sequence[RunSummary]) -> None:
            self.post_message(self.Read(rows, whole=True))

        try:
            if paths is not None:
                rows = index.read(paths)
            else:
                rows = index.list(
                    fresh=fresh,
                    part=part if first else None,
                    cancelled=lambda: worker.is_cancelled,
                )
        finally:
            self._looking = False
        if not worker.is_cancelled:
            self.post_message(self.Read(rows, paths is None))

    @on(Read)
    def _show(self, message: Read) -> None:
        table = self.table
        if not message.whole:
            changed = [row for row in message.rows if table.has(row.path)]
            changed = [row for row in changed if table.row(row.path) != row]
            if changed:
                table.update_rows(changed)
        elif list(message.rows) != table.rows():
            table.set_rows(message.rows)
        there = occasional(table.rows())
        if there != self._there:
            self._there = there
            table.set_columns(self._columns())
        self.query_one("#runs-panel", Panel).empty = "" if table.row_count else NOTHING_YET
        self._count()

    @on(VirtualTable.Shown)
    def _count(self) -> None:
        shown, there = len(self.table.visible_keys), self.table.row_count
        active = sum(row.state not in AT_REST for row in self.table.rows())
        counts = f"{shown:,} of {there:,}" if shown != there else f"{there:,}"
        going = f" · {active:,} going on" if active else ""
        marked = f" · {len(self.table.marks):,} marked" if self.table.marks else ""
        self.query_one("#runs-panel", Panel).badge = counts + going + marked
        self._moved()

    @on(VirtualTable.Highlighted)
    def _moved(self) -> None:
        row, said = self.chosen, ""
        if row is not None:
            said = row.error if row.state == "unreadable" else said_of(row.tags, row.note)
            said = wait_words(row.wait, time.time()) if row.wait else said
            problem = row.problem.replace(f"{clean(str(row.path))}/", "")
            said = f"! {problem} {said}".strip() if problem else said
        below = Content.styled(clean(self._problem), "$text-warning")
        self.query_one("#runs-panel").border_subtitle = (
            below if self._problem else Content(clean(said))
        )
        self._preview()
        self.refresh_bindings()

    def _preview(self) -> None:
        """Draw the marked runs, in the order of the list, or the one with the cursor."""
        marks = self.table.marks
        marked = [path for path in self.table.visible_keys if path in marks] if marks else []
        chosen = [self.chosen.path] if self.chosen is not None else []
        self.query_one(RunsPreview).show(marked or chosen)

    @on(VirtualTable.Opened)
    def _clicked(self) -> None:
        self.action_open()

    @on(FilterInput.Filter)
    def _filter(self, message: FilterInput.Filter) -> None:
        wanted = read_filter(message.text)
        self._problem = wanted.problems[0] if wanted.problems else ""
        self.table.filter("", wanted.keeps if wanted.tests else None)
        if message.done:
            self.table.focus()

    # -- keys ------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what makes sense for the run with the cursor."""
        if action == "compare":
            return True if len(self.table.marks) > 1 else None
        if action == "sweep":
            return True if self.chosen is not None and self.chosen.sweep else None
        if action not in _OF_A_RUN:
            return super().check_action(action, parameters)
        row = self.chosen
        if row is None:
            return None
        if action == "stop":
            return row.state in ("preparing", "running")
        if action == "resume":
            return row.state in ("prepared", "stopped", "failed", "lost")
        if action == "delete":
            return True if any(r.state in AT_REST for r in self.taken) else None
        return True

    def why_not(self, action: str, parameters: tuple[object, ...]) -> str:
        """Say what the run is not ready for."""
        row = self.chosen
        if action == "compare" and row is not None:
            return "Mark two runs or more with space; c puts them side by side."
        if action == "sweep" and row is not None:
            return f"'{clean(row.name)}' belongs to no sweep: F10 in the training form begins one."
        if row is None or action not in ("stop", "resume", "delete"):
            return ""
        if row.state == "waiting" and action == "resume":
            return f"'{clean(row.name)}' waits for its turn in a sweep: S shows it."
        if action == "stop":
            job = " Cancel its job on the jobs screen." if row.wait else ""
            return f"'{clean(row.name)}' is {row.state}: there is nothing to stop.{job}"
        if action == "resume":
            open_it = " Open it and press r for more epochs." if row.state == "finished" else ""
            return f"'{clean(row.name)}' is {row.state}: there is nothing to resume.{open_it}"
        return "A run that goes on cannot be deleted; s stops it first."

    def action_columns(self) -> None:
        """Choose the columns of the list, and keep the choice."""
        from batman_tui.widgets.dialogs.columns_dialog import ColumnsDialog

        shown = [column.key for column in self.table.columns]
        dialog = ColumnsDialog(column_names(self.batman.now), shown)
        self.app.push_screen(dialog, self._columns_chosen)

    def _columns_chosen(self, names: list[str] | None) -> None:
        if names is None:
            return
        if names == [column.key for column in columns(self.batman.now, (), self._there)]:
            names = []  # the usual ones: as many as fit
        self._wanted = tuple(names)
        self.table.set_columns(self._columns())
        save_runs_columns(names)

    def action_open(self) -> None:
        """Watch the run."""
        if self.chosen is not None:
            self.batman.open_run(self.chosen.path)

    def action_filter(self) -> None:
        """Type a filter."""
        self.query_one(FilterInput).open()

    def action_mark(self) -> None:
        """Mark the run, or unmark it."""
        self.table.toggle_mark()

    def action_compare(self) -> None:
        """Put the marked runs side by side, in the order of the list; hidden ones come last."""
        from batman_tui.runs.compare import CompareScreen

        shown = [path for path in self.table.visible_keys if path in self.table.marks]
        self.app.push_screen(CompareScreen([*shown, *(self.table.marks - {*shown})]))

    def action_sweep(self) -> None:
        """Show the sweep that the run belongs to; one on a cluster is the list's, filtered."""
        from batman_tui.sweep.screen import open_sweep
        from core.training.sweep.sweep import sweeps_dir

        name = self.chosen.sweep if self.chosen is not None else ""
        if not name:
            return
        path = sweeps_dir(self.batman.workspace) / name
        if path.is_dir():
            open_sweep(self.app, path)
        else:
            line = self.query_one(FilterInput)
            line.value = f"sweep={name}"
            line.open()

    def action_evaluate(self) -> None:
        """Show how good the run's model is."""
        from batman_tui.evaluate.screen import EvaluationScreen

        if self.chosen is not None:
            self.app.push_screen(EvaluationScreen(self.chosen.path))

    def action_look(self) -> None:
        """Look at pictures and videos with the run's model."""
        from batman_tui.run.model_actions import look_with

        if self.chosen is not None:
            look_with(self, self.chosen.path)

    def action_export(self) -> None:
        """Export the run's model."""
        from batman_tui.run.model_actions import export_model

        if self.chosen is not None:
            export_model(self, self.chosen.path)

    def _to_note(self) -> RunSummary | None:
        """Return the run with the cursor; one whose notes are damaged is not asked about first."""
        row = self.chosen
        if row is None or NOTES_FILE not in row.problem:
            return row
        self.batman.show_error(RunError(row.problem, MEND))
        return None

    def action_note(self) -> None:
        """Write a note on the run."""
        row = self._to_note()
        if row is None:
            return
        path = row.path

        def answered(text: str | None) -> None:
            if text is not None:
                self._change(path, partial(write_note, path, text))

        self.app.push_screen(note_prompt(row), answered)

    def action_tags(self) -> None:
        """Change the run's tags."""
        row = self._to_note()
        if row is None:
            return
        path, before = row.path, row.tags

        def answered(text: str | None) -> None:
            if text is not None:
                self._change(path, partial(set_tags, path, before, text))

        self.app.push_screen(tags_prompt(row), answered)

    def action_stop(self) -> None:
        """Ask, and stop the run."""
        row = self.chosen
        if row is None:
            return
        path = row.path

        def answered(agreed: bool | None) -> None:
            if agreed:
                self._change(path, Run(path).stop)

        self.app.push_screen(stop_question(row.name), answered)

    def action_resume(self) -> None:
        """Go on with the run from its last checkpoint."""
        if self.chosen is not None:
            self._change(self.chosen.path, partial(resume, self.chosen.path))

    @work(thread=True, exit_on_error=False, group="control")
    def _change(self, path: Path, change: Callable[[], object]) -> None:
        change()
        self.post_message(self.Read(self.batman.run_index.read([path]), whole=False))

    def action_delete(self) -> None:
        """Ask, and delete the marked runs that have ended, or the one with the cursor."""
        gone = [row for row in self.taken if row.state in AT_REST]
        if gone:
            self._measure([row.path for row in gone], len(self.taken) - len(gone))

    @work(thread=True, exclusive=True, exit_on_error=False, group="measure")
    def _measure(self, paths: Sequence[Path], kept: int) -> None:
        from core.training.run.delete import room

        total = sum(room(path).total for path in paths)
        self.post_message(self.Measured(paths, total, kept))

    @on(Measured)
    def _ask(self, message: Measured) -> None:
        def answered(agreed: bool | None) -> None:
            if agreed:
                self._delete(message.paths)

        question = delete_question(message.paths, message.room, message.kept)
        self.app.push_screen(question, answered)

    @work(thread=True, exit_on_error=False, group="control")
    def _delete(self, paths: Sequence[Path]) -> None:
        from core.training.run.delete import delete_run

        try:
            for path in paths:
                delete_run(Run(path))
        finally:
            rows = self.batman.run_index.list(fresh=True)
            self.post_message(self.Read(rows, whole=True))
