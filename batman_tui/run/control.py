"""What the run screen does to a run: stop it, go on with it, evaluate it, show why it failed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from textual import work
from textual.reactive import reactive

from batman_tui.widgets.frame.base import BatmanScreen
from core.common.errors import BatmanError
from core.common.text import whole_number
from core.training.live.follow import RunSnapshot


class RunControl(BatmanScreen):
    """The part of `RunScreen` that acts on the run in the folder `path`, on this machine."""

    path: Path
    run: reactive[RunSnapshot | None] = reactive(None, init=False, repaint=False)

    def action_problem(self) -> None:
        """Show the whole error, to read, copy or save."""
        from batman_tui.widgets.dialogs.text_dialog import TextDialog

        error = self.run.error if self.run is not None else None
        if error is None:
            return
        text = "\n\n".join(filter(None, (error.message, error.hint, error.traceback)))
        file = self.batman.workspace.logs_dir / f"{self.path.name}-error.txt"
        self.app.push_screen(TextDialog("Why the run failed", text, file=file, error=True))

    def action_evaluate(self) -> None:
        """Show how good the model is, and evaluate it."""
        from batman_tui.evaluate.screen import EvaluationScreen

        self.app.push_screen(EvaluationScreen(self.path))

    def action_stop(self) -> None:
        """Ask, and stop the run."""
        from batman_tui.widgets.dialogs.dialogs import ConfirmDialog

        lines = [
            f"'{self.path.name}' stops after its current step and writes a checkpoint.",
            "You can go on from there with r.",
        ]
        self.app.push_screen(
            ConfirmDialog("Stop the run?", lines, yes="Stop", no="Go on"),
            self._stop_agreed,
        )

    def _stop_agreed(self, agreed: bool | None) -> None:
        if agreed:
            self._stop()

    def action_resume(self) -> None:
        """Go on from the last checkpoint; a finished run is asked for more epochs."""
        run = self.run
        if run is None:
            return
        if run.state != "finished" or run.config is None:
            self._resume(None)
            return
        from batman_tui.widgets.dialogs.dialogs import PromptDialog

        done = run.epoch

        def check(text: str) -> str:
            if (whole_number(text) or 0) <= done:
                raise BatmanError(f"Give a whole number above the {done} epochs that are done.")
            return f"{int(text) - done} more"

        self.app.push_screen(
            PromptDialog(
                "Train for more epochs",
                label="Epochs in all",
                value=str(2 * run.config.epochs),
                button="Go on",
                check=check,
            ),
            self._more_epochs,
        )

    def _more_epochs(self, text: str | None) -> None:
        if text:
            self._resume(int(text))

    @work(thread=True, exit_on_error=False, group="control")
    def _stop(self) -> None:
        from core.training.run.run import Run

        Run(self.path).stop()

    @work(thread=True, exit_on_error=False, group="control")
    def _resume(self, epochs: int | None) -> None:
        from core.training.launch.local import launch_local
        from core.training.launch.plan import resume_run
        from core.training.run.run import Run

        run = Run(self.path)
        changes: dict[str, Any] = {} if epochs is None else {"epochs": epochs}
        launch_local(resume_run(run, **changes))
