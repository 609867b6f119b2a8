"""How an error reaches the person: in a corner, in a panel, or at the end of the app."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

from textual.app import App
from textual.worker import WorkerFailed

from batman_tui.services import services_of
from core.common.errors import BatmanError
from core.common.full_disk import disk_full
from core.common.text import clean

STORM_ERRORS = 8
STORM_SECONDS = 2.0


class Storm:
    """Tells errors that come one after the other from a storm: a defect in painting."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=STORM_ERRORS)

    def one_more(self) -> bool:
        """Count an error, and return whether they come in a storm."""
        self._times.append(time.monotonic())
        return len(self._times) == STORM_ERRORS and self._times[-1] - self._times[0] < STORM_SECONDS


def show_error(app: App[Any], error: Exception, kept: list[Exception]) -> None:
    """Show `error`: an expected one as a notification, any other in a panel with details.

    An expected one whose hint has lines of its own, which are to be copied, gets a panel too.
    One that is not expected is added to `kept`.
    """
    if isinstance(error, WorkerFailed) and isinstance(error.error, Exception):
        error = error.error
    from batman_tui.widgets.dialogs.text_dialog import TextDialog, error_dialog

    workspace = services_of(app).workspace
    file = workspace.logs_dir / "error.txt"
    error = disk_full(error, [workspace.root]) or error
    if isinstance(error, BatmanError):
        if "\n" in error.hint:
            lines = "\n\n".join(error.hint.splitlines())
            title = "This cannot be done"
            app.push_screen(TextDialog(title, lines, lead=error.message, file=file, error=True))
            return
        text = _said(error)
        app.notify(text, severity="error", timeout=8, markup=False)
        return

    kept.append(error)
    if isinstance(app.screen, TextDialog) and app.screen.has_class("-error"):
        app.notify(clean(repr(error)), severity="error", markup=False)
        return
    app.push_screen(error_dialog(error, file))


def take_back(app: App[Any], error: BatmanError) -> None:
    """Take `error`, as `show_error` showed it in a corner, away: it no longer holds."""
    for shown in list(app._notifications):
        if shown.message == _said(error):
            app._unnotify(shown)


def _said(error: BatmanError) -> str:
    return clean(f"{error.message} {error.hint}".strip())
