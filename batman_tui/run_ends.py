"""The app notices that runs end, whichever screen is shown, and tells the person as they set it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from textual import on, work
from textual.app import App
from textual.message import Message

from core.common.notify import notify
from core.common.text import clean

if TYPE_CHECKING:
    from batman_tui.settings import Settings
    from core.common.workspace import Workspace
    from core.training.run_list.ended import EndWatch, RunEnd
    from core.training.run_list.index import RunIndex

FOLLOW_SECONDS = 5.0
# How much of a core it may take to look at all runs, however many and however slow their disk is.
LOOK_SHARE = 0.01


class Following(App[Any]):
    """The part of the app that follows all runs of the workspace.

    Runs on a cluster are among them as far as they are mirrored here, which the jobs screen does.
    """

    workspace: Workspace
    settings: Settings

    class RunsEnded(Message):
        """Runs ended since the last look."""

        def __init__(self, ends: Sequence[RunEnd]) -> None:
            super().__init__()
            self.ends = ends

    _ends: EndWatch | None = None
    _ends_looking = False

    @cached_property
    def run_index(self) -> RunIndex:
        """The runs of the workspace, which everything that follows them looks at together."""
        from core.training.run_list.index import RunIndex

        return RunIndex(self.workspace, share=LOOK_SHARE, trust=True)

    def follow_runs(self) -> None:
        """Begin to follow, when the first screen is long up; what has ended by then is no news."""
        self.set_interval(FOLLOW_SECONDS, self._ends_due)

    def _ends_due(self) -> None:
        if not self._ends_looking:
            self._ends_looking = True
            self._look_for_ends()

    @work(thread=True, exit_on_error=False, group="ends")
    def _look_for_ends(self) -> None:
        try:
            if self._ends is None:
                from core.training.run_list.ended import EndWatch

                self._ends = EndWatch(self.workspace, self.run_index)
            ends = self._ends.look()
        finally:
            self._ends_looking = False
        if ends:
            self.post_message(self.RunsEnded(ends))

    @on(RunsEnded)
    def _tell_ends(self, message: RunsEnded) -> None:
        for end in message.ends:
            bad = end.state in ("failed", "lost")
            self.notify(
                clean(f"{end.title}. {end.body}".strip()),
                severity="error" if bad else "information",
                timeout=15,
                markup=False,
            )
            notify(
                self.settings.notify,
                end.title,
                end.body,
                end.variables(),
                self.write_to_terminal,
                lambda text: self.call_from_thread(self._notifying_failed, text),
            )

    def _notifying_failed(self, text: str) -> None:
        self.notify(clean(text), severity="warning", timeout=10, markup=False)

    def write_to_terminal(self, text: str) -> None:
        """Write escape sequences that paint nothing, such as the bell."""
        if self._driver is not None:
            self._driver.write(text)
            self._driver.flush()
