"""Questions that a login asks, from a worker's thread to a dialog and back."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any, TypeVar

from textual import on
from textual.app import App, ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Input, Static
from textual.worker import NoActiveWorker, get_current_worker

from batman_tui.widgets.dialogs.dialogs import ConfirmDialog
from batman_tui.widgets.form.line_input import LineInput
from batman_tui.widgets.frame.base import BatmanDialog
from core.common.text import clean

Answer = TypeVar("Answer")
# How often a waiting thread looks whether the app is still there.
_LOOK_S = 0.2


class AnswerDialog(BatmanDialog[str]):
    """Asks one question of a login; what is secret is not echoed. The result is the answer.

    An empty answer is one too: some servers want Enter only. Escape gives the login up.
    """

    DEFAULT_CSS = "AnswerDialog > .dialog { overflow-y: auto; }"

    def __init__(self, title: str, prompt: str, *, secret: bool) -> None:
        super().__init__()
        self._title = title
        self._prompt = prompt
        self._secret = secret

    def compose(self) -> ComposeResult:
        """Lay out the question and the line for the answer."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = Content("Log in")
            if self._title:
                yield Static(clean(self._title), markup=False, classes="dialog--hint")
            yield Static(clean(self._prompt.strip()), markup=False, classes="dialog--text")
            yield LineInput(password=self._secret, id="answer")
            with Horizontal(classes="dialog--buttons"):
                yield Button("Give up", id="cancel", compact=True)
                yield Button("Answer", id="ok", variant="primary", compact=True)

    def on_mount(self) -> None:
        """Put the cursor into the line."""
        self.query_one("#answer").focus()

    @on(Input.Submitted)
    @on(Button.Pressed, "#ok")
    def _send(self) -> None:
        self.dismiss(self.query_one("#answer", LineInput).text)

    @on(Button.Pressed, "#cancel")
    def _give_up(self) -> None:
        self.action_cancel()


class ScreenAsker:
    """A `slurm.hosts.ssh_login.Asker` whose person sits in front of the app.

    Its methods are called from a worker's thread, which waits for the dialog's answer. When the
    app is closed meanwhile, nothing is answered. Answers are handed on and kept nowhere.
    """

    def __init__(self, app: App[Any]) -> None:
        self._app = app

    def ask(self, title: str, prompt: str, *, secret: bool) -> str | None:
        """Return what the person typed, None when they gave up."""
        return self._show(AnswerDialog(title, prompt, secret=secret))

    def trust(self, host: str, kind: str, fingerprint: str) -> bool:
        """Show a new host's fingerprint and return whether the person trusts it."""
        dialog = ConfirmDialog(
            "A new host",
            [
                f"{host} has not been seen before. Its {kind} key is",
                fingerprint,
                "Compare it with what the cluster's administrators publish.",
            ],
            yes="It is right",
            no="Do not connect",
            danger=False,
        )
        agreed: bool | None = self._show(dialog)
        return agreed is True

    def wait(self, why: str, seconds: float) -> bool:
        """Do not wait in a thread: the app goes on, and asks again when it is time."""
        return False

    def _show(self, dialog: BatmanDialog[Answer]) -> Answer | None:
        answer: Future[Answer | None] = Future()

        def answered(result: Answer | None) -> None:
            answer.set_result(result)

        def show() -> Any:
            return self._app.push_screen(dialog, answered)

        self._app.call_from_thread(show)
        while True:
            try:
                return answer.result(timeout=_LOOK_S)
            except TimeoutError:
                if not self._app.is_running or _cancelled():
                    return None


def _cancelled() -> bool:
    try:
        return get_current_worker().is_cancelled
    except NoActiveWorker:
        return False
