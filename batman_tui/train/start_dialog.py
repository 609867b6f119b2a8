"""Preparing the data set and starting the trainer, with a bar, before the run can be watched."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import ProgressBar, Static
from textual.worker import Worker, get_current_worker

from batman_tui.keys import bindings
from batman_tui.widgets.frame.base import BatmanDialog, Newest
from batman_tui.widgets.frame.keybar import KeyBar
from core.common.errors import BatmanError, Cancelled
from core.common.text import clean

if TYPE_CHECKING:
    from core.training.config.options import TrainingConfig
    from core.training.launch.dataset import Progress


class StartDialog(BatmanDialog[Path]):
    """Starts the training that `config` describes; the result is the run's folder.

    Escape cancels while nothing is started yet. What goes wrong is shown in the dialog, which then
    waits to be closed.
    """

    DEFAULT_CSS = """
    StartDialog {
        & > .dialog { width: 64; padding: 1 2 0 2; }
        #start-stage { height: auto; width: 1fr; }
        #start-bar { width: 1fr; margin: 1 0; }
        #start-bar Bar { width: 1fr; }
        KeyBar { dock: none; background: $surface; padding: 0; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = bindings("dialog")[:1]

    @dataclass
    class Went(Newest):
        """Preparing went on."""

        progress: Progress

    @dataclass
    class Ended(Message):
        """Training was started in the folder `run`, or was not for `error`."""

        run: Path | None
        error: BatmanError | None = None

    def __init__(self, config: TrainingConfig) -> None:
        super().__init__()
        self._config = config
        self._worker: Worker[None] | None = None

    def compose(self) -> ComposeResult:
        """Lay out what is being done, the bar and the key that cancels."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = "Starting"
            yield Static("Preparing the data set", markup=False, id="start-stage")
            yield ProgressBar(id="start-bar", show_eta=False)
            yield KeyBar()

    def on_mount(self) -> None:
        """Begin."""
        self._worker = self._start()

    @work(thread=True, exit_on_error=False, group="start")
    def _start(self) -> None:
        from core.training.launch.local import start_local

        worker = get_current_worker()
        workspace = self.batman.workspace
        try:
            run = start_local(workspace, self._config, self._report, lambda: worker.is_cancelled)
        except Cancelled:
            self.post_message(self.Ended(None))
        except BatmanError as error:
            self.post_message(self.Ended(None, error))
        else:
            self.post_message(self.Ended(run.path))

    def _report(self, progress: Progress) -> None:
        self.post_message(self.Went(progress))

    @on(Went)
    def _went(self, message: Went) -> None:
        stage, done, total = (
            message.progress.stage,
            message.progress.done,
            message.progress.total,
        )
        count = f", {done:,} of {total:,}" if total else ""
        self.query_one("#start-stage", Static).update(
            clean(f"Preparing the data set: {stage}{count}")
        )
        self.query_one(ProgressBar).update(total=total, progress=done)

    @on(Ended)
    def _ended(self, message: Ended) -> None:
        self._worker = None
        if message.error is None:
            self.dismiss(message.run)
            return
        text = f"{message.error.message}\n{message.error.hint}".strip()
        stage = self.query_one("#start-stage", Static)
        stage.update("\n".join(clean(line) for line in text.splitlines()))
        stage.add_class("dialog--error")
        self.query_one(ProgressBar).display = False
        self.query_one(".dialog").border_title = "Not started"

    def action_cancel(self) -> None:
        """Cancel what is being prepared, or close."""
        if self._worker is None:
            self.dismiss(None)
        else:
            self._worker.cancel()
            self.query_one("#start-stage", Static).update("Cancelling")
