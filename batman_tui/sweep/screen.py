"""A sweep of this machine: its runs, the best first; stop it, go on with it, cancel the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from textual import on, work
from textual.app import App
from textual.binding import BindingType
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from batman_tui.keys import bindings
from batman_tui.runs.preview import RunsPreview
from batman_tui.widgets.dialogs.dialogs import ConfirmDialog
from batman_tui.widgets.frame.base import BatmanScreen, Newest
from batman_tui.widgets.panel.list_layout import ListLayout
from batman_tui.widgets.panel.panel import Panel
from batman_tui.widgets.table.table import VirtualTable
from core.common.text import clean, plural
from core.training.sweep.control import cancel_rest, resume_sweep, stop_sweep
from core.training.sweep.sweep import Sweep, SweepState
from core.training.sweep.table import (
    SweepRow,
    best_words,
    sweep_columns,
    sweep_rows,
    sweep_sentence,
)

LOOK_SECONDS = 2.0


def open_sweep(app: App[Any], path: Path) -> None:
    """Open the sweep in the folder `path`, over the list of runs."""
    app.switch_mode("runs")
    app.push_screen(SweepScreen(path))


class SweepScreen(BatmanScreen):
    """The sweep in the folder `path`, looked at again every two seconds."""

    HELP = (
        "Every combination of the sweep, the best mAP50-95 first; below, its curves. One run is "
        "trained after the other by a process of its own, which outlives the app. s stops the run "
        "that trains, with a checkpoint, and begins no other; r goes on from there, also after the "
        "machine went down; d gives up what has not begun."
    )
    DEFAULT_CSS = """
    SweepScreen #sweep-body > #sweep-panel { max-height: 60%; padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = bindings("sweep")

    @dataclass
    class Read(Newest):
        """The sweep was looked at."""

        rows: Sequence[SweepRow]
        state: SweepState

    @dataclass
    class Did(Message):
        """Something was done with it."""

        text: str

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.sweep = Sweep(path)
        self.state: SweepState | None = None
        self.rows: Sequence[SweepRow] = ()
        self._looking = False

    def trail(self) -> str:
        """Name it."""
        return f"Sweep › {self.path.name}"

    def body(self) -> Iterable[Widget]:
        """Lay out the table above the curves."""
        listed = Panel(
            VirtualTable[SweepRow]([], lambda row: row.name, id="sweep-runs"),
            title="Runs",
            id="sweep-panel",
            classes="-list",
            empty="Reading the sweep …",
        )
        yield ListLayout(
            listed, RunsPreview(id="preview", classes="-spare"), id="sweep-body", beside=False
        )

    @property
    def table(self) -> VirtualTable[SweepRow]:
        """The table."""
        return self.query_one("#sweep-runs", VirtualTable)

    @property
    def chosen(self) -> SweepRow | None:
        """The run with the cursor."""
        return self.table.cursor_row

    # -- looking ---------------------------------------------------------------------------------

    def on_mount(self) -> None:
        """Look at once, and then again and again."""
        self.table.focus()
        self._look()
        self.while_in_front(LOOK_SECONDS, self._tick)

    def _tick(self) -> None:
        self.query_one(RunsPreview).look()
        if not self._looking:
            self._look()

    def _look(self) -> None:
        self._looking = True
        self._read()

    @work(thread=True, exit_on_error=False, group="look")
    def _read(self) -> None:
        try:
            self.post_message(self.Read(sweep_rows(self.sweep), self.sweep.state()))
        finally:
            self._looking = False

    @on(Read)
    def _show(self, message: Read) -> None:
        first = self.state is None
        if not first and (list(message.rows), message.state) == (list(self.rows), self.state):
            return
        self.rows, self.state = message.rows, message.state
        if first:
            columns = sweep_columns(self.sweep.plan())
            self.table.set_columns([column.on_screen(self.batman.now) for column in columns])
        self.table.set_rows(self.rows)
        panel = self.query_one("#sweep-panel", Panel)
        panel.empty = ""
        panel.badge = f"{self.state} · {sweep_sentence(self.rows).rstrip('.')}"
        self._moved()

    @on(VirtualTable.Highlighted)
    def _moved(self) -> None:
        row = self.chosen
        said = clean(row.said) if row is not None else ""
        below = Content.styled(said, "$text-warning") if said else Content(best_words(self.rows))
        self.query_one("#sweep-panel").border_subtitle = below
        begun = [one.run.path for one in self.rows if one.summary and one.summary.started_at]
        self.query_one(RunsPreview).show(begun)
        self.refresh_bindings()

    @on(VirtualTable.Opened)
    def _clicked(self) -> None:
        self.action_open()

    # -- keys ------------------------------------------------------------------------------------

    @property
    def _waiting(self) -> list[SweepRow]:
        return [row for row in self.rows if row.state == "waiting"]

    @property
    def _begun(self) -> list[Path]:
        return [row.run.path for row in self.rows if row.best is not None]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what makes sense now."""
        if action == "open":
            return True if self.chosen is not None and self.chosen.summary is not None else None
        if action == "compare":
            return True if len(self._begun) > 1 else None
        if action == "stop":
            return self.state == "running"
        if action == "resume":
            return self.state == "stopped"
        if action == "cancel_rest":
            return True if self._waiting else None
        return super().check_action(action, parameters)

    def why_not(self, action: str, parameters: tuple[object, ...]) -> str:
        """Say what it is not ready for."""
        if action == "open" and self.chosen is not None:
            return f"'{clean(self.chosen.name)}' is {self.chosen.state}: there is nothing to open."
        if action == "compare":
            return "Fewer than two of its runs have been validated yet."
        if action == "cancel_rest":
            return "No run of it waits."
        if action == "resume" and self.state == "finished":
            return "Nothing of it is left to train."
        if action in ("stop", "resume"):
            return f"The sweep is {self.state}: there is nothing to {action}."
        return ""

    def action_open(self) -> None:
        """Watch the run."""
        row = self.chosen
        if row is not None and row.summary is not None:
            self.batman.open_run(row.run.path)

    def action_compare(self) -> None:
        """Put the runs side by side, the best first."""
        from batman_tui.runs.compare import CompareScreen

        self.app.push_screen(CompareScreen(self._begun))

    def action_stop(self) -> None:
        """Ask, and stop it."""
        question = ConfirmDialog(
            f"Stop {clean(self.path.name)}?",
            [
                "The run that trains stops after its current step, with a checkpoint, and no other "
                "begins. r goes on from there."
            ],
            yes="Stop",
            no="Go on",
        )

        def answered(agreed: bool | None) -> None:
            if agreed:
                self._do(partial(stop_sweep, self.sweep), "Stopping after this step.")

        self.app.push_screen(question, answered)

    def action_resume(self) -> None:
        """Go on with it."""
        self._do(partial(resume_sweep, self.sweep), f"{self.path.name} goes on.")

    def action_cancel_rest(self) -> None:
        """Ask, and give up the runs that have not begun."""
        waiting = self._waiting
        question = ConfirmDialog(
            f"Cancel {plural(len(waiting), 'run')}?",
            [
                f"{', '.join(clean(row.name) for row in waiting[:4])}"
                f"{' and more' if len(waiting) > 4 else ''} will not be trained, and their folders "
                "are removed. What trains goes on."
            ],
            yes="Cancel them",
            no="Keep them",
        )

        def answered(agreed: bool | None) -> None:
            if agreed:
                self._do(partial(cancel_rest, self.sweep), "What had not begun is cancelled.")

        self.app.push_screen(question, answered)

    @work(thread=True, exit_on_error=False, group="control")
    def _do(self, change: Callable[[], object], done: str) -> None:
        change()
        self.post_message(self.Did(done))

    @on(Did)
    def _done(self, message: Did) -> None:
        self.batman.tell(message.text)
        self._look()
