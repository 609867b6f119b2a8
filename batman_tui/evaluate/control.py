"""Evaluating in a child process from the evaluation screen: start, progress, stop, leave."""

from __future__ import annotations

from pathlib import Path

from textual import on, work
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widgets import Static

from batman_tui.widgets.frame.base import BatmanScreen
from batman_tui.widgets.table.cells import bar
from core.common.errors import Cancelled
from core.common.progress import Progress
from core.common.text import clean
from core.evaluation.process import EvaluationProcess

PROGRESS_CELLS = 24


class EvaluationControl(BatmanScreen):
    """The part of `EvaluationScreen` that evaluates the run in the folder `path`.

    `evaluator` makes the child process; its screen has a widget `#evaluate-progress`.
    """

    split: reactive[str] = reactive("valid", init=False, repaint=False)

    class Progressed(Message):
        """The child process came further."""

        def __init__(self, progress: Progress) -> None:
            super().__init__()
            self.progress = progress

        def can_replace(self, message: Message) -> bool:
            """Only the newest counts."""
            return isinstance(message, EvaluationControl.Progressed)

    class Ended(Message):
        """The child process has ended, well or not."""

    def __init__(self, path: Path, evaluator: type[EvaluationProcess]) -> None:
        super().__init__()
        self.path = path
        self.process: EvaluationProcess | None = None
        """The evaluation that is going on."""
        self._evaluator = evaluator

    def evaluated(self) -> None:
        """Called when an evaluation has ended, well or not."""

    def on_unmount(self) -> None:
        """Stop what is going on: nobody would see it."""
        self.batman.busy.pop(self, None)
        if self.process is not None:
            self.process.cancel()

    def action_start(self) -> None:
        """Evaluate the model on the split."""
        if self.process is not None:
            return
        self.process = self._evaluator(self.path, self.split)
        self.batman.busy[self] = f"The evaluation of '{self.path.name}' is not finished."
        self._progress("starting")
        self._evaluate(self.process)
        self.refresh_bindings()

    def action_stop(self) -> None:
        """Stop the evaluation."""
        if self.process is not None:
            self.process.cancel()
            self._progress("stopping")

    @work(thread=True, exit_on_error=False, group="evaluate")
    def _evaluate(self, process: EvaluationProcess) -> None:
        def tell(progress: Progress) -> None:
            self.post_message(self.Progressed(progress))

        try:
            process.run(tell)
        except Cancelled:
            return
        finally:
            self.post_message(self.Ended())

    @on(Progressed)
    def _progressed(self, message: Progressed) -> None:
        step = message.progress
        self._progress(step.stage, step.done, step.total)

    def _progress(self, stage: str, done: int = 0, total: int | None = None) -> None:
        if self.process is None:
            return
        share = done / total if total else 0.0
        counts = f" {done:,} of {total:,}" if total else f" {done:,}" if done else ""
        shown = self.query_one("#evaluate-progress", Static)
        shown.display = True
        shown.update(
            Content.assemble(
                (bar(share, PROGRESS_CELLS), "$secondary"),
                f"  {clean(stage)} ({self.split})",
                (counts, "$foreground-muted"),
            )
        )

    @on(Ended)
    def _ended(self) -> None:
        self.process = None
        self.batman.busy.pop(self, None)
        self.query_one("#evaluate-progress").display = False
        self.refresh_bindings()
        self.evaluated()

    def action_back(self) -> None:
        """Go back; asks first when that would stop an evaluation."""
        if self.process is None:
            super().action_back()
            return
        from batman_tui.widgets.dialogs.dialogs import ConfirmDialog

        def answered(agreed: bool | None) -> None:
            if agreed:
                self.dismiss()

        lines = ["The evaluation is not finished. Leaving stops it; what it did so far is lost."]
        self.app.push_screen(
            ConfirmDialog("Stop the evaluation?", lines, yes="Stop", no="Stay"), answered
        )
