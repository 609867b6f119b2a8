"""What dialogs about a cluster share: a line that says how it stands, and work to cancel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.widgets import Static
from textual.worker import Worker

from batman_tui.widgets.frame.base import BatmanDialog, Newest, Result
from core.common.progress import Progress
from core.common.text import clean


class SayingDialog(BatmanDialog[Result]):
    """A dialog with a line, `SAYS`, for what follows, what goes on and what is wrong."""

    SAYS: ClassVar[str] = ""
    """The selector of the line's `Static`."""

    def say(self, text: str, *, wrong: bool = False, good: bool = False) -> None:
        """Show `text`, which may be anybody's, in the line."""
        says = self.query_one(self.SAYS, Static)
        says.update(clean(" ".join(text.split())))
        says.set_class(wrong, "dialog--error")
        says.set_class(good, "dialog--good")


class ClusterWork(SayingDialog[Result]):
    """A dialog that has a thread, `working`, do something on a cluster; Escape cancels it."""

    @dataclass
    class Went(Newest):
        """The work went on."""

        progress: Progress

    working: Worker[None] | None = None

    @on(Went)
    def _went(self, message: Went) -> None:
        if self.working is None or self.working.is_cancelled:
            return
        at = message.progress
        share = f" {at.done / at.total:.0%}" if at.total else ""
        self.say(f"{at.stage[:1].upper()}{at.stage[1:]}{share} … Escape cancels.")

    def outcome(self) -> Result | None:
        """Return what the dialog closes with when nothing is under way."""
        return None

    def action_cancel(self) -> None:
        """Cancel what is under way, or close."""
        if self.working is None:
            self.dismiss(self.outcome())
        else:
            self.working.cancel()
            self.say("Cancelling …")
