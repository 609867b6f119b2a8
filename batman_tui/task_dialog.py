"""What imports, exports and looking with a model share: a form, then a bar while a thread works."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.message import Message
from textual.reactive import reactive
from textual.widgets import Button, ContentSwitcher, Input, ProgressBar, Static
from textual.worker import Worker, get_current_worker

from batman_tui.widgets.frame.base import BatmanDialog, Newest, Result
from core.common.errors import BatmanError, Cancelled
from core.common.text import clean, duration
from core.data.store import Project

if TYPE_CHECKING:
    from core.data.importers import Progress

Phase = Literal["form", "running", "report"]
# Runs in a thread with the project, a call for how far it is, and one that asks whether to stop.
Task = Callable[[Project, "Callable[[Progress], None]", Callable[[], bool]], Any]
# The same for work that needs no project.
Job = Callable[["Callable[[Progress], None]", Callable[[], bool]], Any]
REPORT_EVERY = 0.05


class TaskDialog(BatmanDialog[Result]):
    """A dialog on the project (or run) in the folder `project`; the result is a report, or None.

    A subclass yields a `ContentSwitcher` `#phases` with a part `#form`, `running_part()` and, if it
    stays open at the end, `#report`; its buttons `#ok` and `#cancel` are heard here. It calls
    `begin` and overrides `action_start`, `form_again` and `ended_well`. One that looks in a thread
    at what is typed overrides `asked` and calls `looked_at`, so that no earlier look is answered
    with.
    """

    STOPPED: ClassVar[str] = ""
    """What is said when the work was stopped."""
    ESCAPE: ClassVar[str] = ""
    """What Escape does to the running work, in a sentence."""

    phase: reactive[Phase] = reactive("form", bindings=True)

    @dataclass
    class Moved(Newest):
        """The work got further."""

        progress: Progress

    @dataclass
    class Ended(Message):
        """The work ended: with a report, or with an error that was to be expected."""

        report: Any
        error: BatmanError | None

    def __init__(self, project: Path) -> None:
        super().__init__()
        self.project = project
        self.report: Result | None = None
        self.began = 0.0
        self._working: Worker[None] | None = None
        self._seen: object = None
        """What the form said when a thread last looked at it."""
        self._waits = False
        """Whether to start as soon as what the form says has been looked at."""

    def form_again(self) -> None:
        """Put the focus where it belongs in the form; nothing was done."""

    def ended_well(self, report: Result) -> None:
        """Show the report, or close with it."""
        self.dismiss(report)

    def ended_badly(self, error: BatmanError) -> None:
        """Tell the error, which was to be expected; the form is shown again."""
        self.batman.show_error(error)

    def why_not(self, action: str, parameters: tuple[object, ...]) -> str:
        """Say that it is at work."""
        return f"It is at work. {self.ESCAPE}".rstrip() if self.phase == "running" else ""

    def action_start(self) -> None:
        """Do what the form says."""
        raise NotImplementedError

    def missing(self) -> str:
        """Return what the form lacks while its button is off: what stands in it for that."""
        said = (line.visual for line in self.query("#wrong, #said").results(Static))
        return next((str(line).strip() for line in said if str(line).strip()), "")

    def asked(self) -> object:
        """Return what of the form a thread looks at, as it is now; None where none does."""
        return None

    @property
    def looking(self) -> bool:
        """Whether what the form says now is still being looked at."""
        return self.asked() != self._seen

    def looked_at(self, asked: object) -> None:
        """Take it that a thread has looked at `asked`, and start if that was waited for."""
        self._seen = asked
        self.start_if_waiting()

    def start_if_waiting(self) -> None:
        """Start if it was to start as soon as nothing is being looked at any more."""
        if self._waits and not self.looking:
            self.action_start()

    def may_start(self) -> bool:
        """Whether the form can be sent off; where it lacks something, that is said.

        What is still being looked at is waited for: it may be just what was typed last.
        """
        self._waits = self.phase == "form" and self.looking
        if self.phase != "form" or self._waits:
            return False
        if self.query_one("#ok", Button).disabled:
            self.batman.tell(self.missing() or "Not all fields are filled in yet.")
            return False
        return True

    def key_label(self, binding: Binding) -> str:
        """Call Escape what it does while something runs."""
        running = self.phase == "running" and binding.id == "dialog.cancel"
        return "Stop" if running else super().key_label(binding)

    @on(Input.Submitted)
    @on(Button.Pressed, "#ok")
    def _submitted(self) -> None:
        self.action_start()

    @on(Button.Pressed, "#cancel")
    def _cancelled(self) -> None:
        self.action_cancel()

    def running_part(self) -> ComposeResult:
        """Lay out the bar, which stands in the form's place while it works."""
        with Vertical(id="running"):
            yield Static("", markup=False, id="stage", classes="dialog--text")
            yield ProgressBar(id="bar", show_eta=False)
            yield Static("", markup=False, id="left", classes="dialog--hint")

    def watch_phase(self, phase: Phase) -> None:
        """Show the part of the phase."""
        self.query_one("#phases", ContentSwitcher).current = phase

    def begin(self, task: Task, lost: str) -> None:
        """Run `task`; `lost` says what leaving the app before its end means."""

        def on_project(progress: Callable[[Progress], None], stopped: Callable[[], bool]) -> Any:
            with Project.open(self.project) as project:
                return task(project, progress, stopped)

        self.begin_job(on_project, lost)

    def begin_job(self, job: Job, lost: str) -> None:
        """Run `job`, which opens what it needs; `lost` as for `begin`."""
        self.began = monotonic()
        self.batman.busy[self] = lost
        self.query_one("#stage", Static).update("Starting")
        self.query_one("#left", Static).update(self.ESCAPE)
        self.query_one("#bar", ProgressBar).update(total=None, progress=0)
        self.phase = "running"
        self.set_focus(None)
        self._working = self._work(job)

    @work(thread=True, exclusive=True, exit_on_error=False, group="task")
    def _work(self, job: Job) -> None:
        worker = get_current_worker()
        said = 0.0
        stage = ""

        def progress(now: Progress) -> None:
            nonlocal said, stage
            if monotonic() - said >= REPORT_EVERY or now.stage != stage:
                said, stage = monotonic(), now.stage
                self.post_message(self.Moved(now))

        try:
            report = job(progress, lambda: worker.is_cancelled)
        except BatmanError as error:
            self.post_message(self.Ended(None, error))
        else:
            self.post_message(self.Ended(report, None))

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """After a defect in the work, show it and go back to the form."""
        super().on_worker_state_changed(event)
        if event.worker.group == "task" and isinstance(event.worker.error, Exception):
            self._ended(self.Ended(None, None))

    @on(Moved)
    def _moved(self, message: Moved) -> None:
        now = message.progress
        self.query_one("#bar", ProgressBar).update(total=now.total, progress=now.done)
        # Nothing done of nobody knows how much is no number to tell.
        whole = f" of {now.total:,}" if now.total else ""
        count = f"  {now.done:,}{whole}" if now.done or whole else ""
        self.query_one("#stage", Static).update(clean(f"{now.stage.capitalize()}{count}"))
        self._say_spent()

    def _say_spent(self) -> None:
        spent = duration(monotonic() - self.began)
        self.query_one("#left", Static).update(f"{spent} so far. {self.ESCAPE}")

    def action_cancel(self) -> None:
        """Stop the running work; else close."""
        if self.phase == "running" and self._working is not None:
            self.query_one("#stage", Static).update("Stopping")
            self._working.cancel()
        else:
            self.dismiss(self.report)

    @on(Ended)
    def _ended(self, message: Ended) -> None:
        self.batman.busy.pop(self, None)
        self._working = None
        if message.report is not None:
            self.ended_well(message.report)
            return
        self.phase = "form"
        self.form_again()
        if isinstance(message.error, Cancelled):
            self.batman.tell(self.STOPPED)
        elif message.error is not None:
            self.ended_badly(message.error)
