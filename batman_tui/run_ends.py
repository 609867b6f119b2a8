"""The app notices that runs and sweeps end, on whichever screen, and tells it as it is set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

from textual.app import App
from textual.message import Message

from batman_tui.services import services_of
from core.common.notify import notify
from core.common.text import clean

if TYPE_CHECKING:
    from core.training.run_list.run_ends import EndWatch, RunEnd
    from core.training.sweep.ends import SweepEnd, SweepWatch

FOLLOW_SECONDS = 5.0


@dataclass
class RunsEnded(Message):
    """Runs, and sweeps of them, ended since the last look."""

    ends: Sequence[RunEnd | SweepEnd]


class RunEnds:
    """Follows all runs of the workspace, for the app that owns it.

    Runs on a cluster are among them as far as they are mirrored here, which `QueueWatcher` does.
    """

    def __init__(self, app: App[Any]) -> None:
        self._app = app
        self._watch: EndWatch | None = None
        self._sweeps: SweepWatch | None = None
        self._looking = Lock()

    def start(self) -> None:
        """Begin to follow, when the first screen is long up; what has ended by then is no news."""
        self._app.set_interval(FOLLOW_SECONDS, self.look)

    def look(self) -> None:
        """Look in a thread, unless one looks; what has ended comes to the app as `RunsEnded`."""
        if self._looking.acquire(blocking=False):
            self._app.run_worker(self._look, group="ends", thread=True, exit_on_error=False)

    def _look(self) -> None:
        try:
            workspace = services_of(self._app).workspace
            if self._watch is None or self._sweeps is None:
                from core.training.run_list.run_ends import EndWatch
                from core.training.sweep.ends import SweepWatch

                self._watch = EndWatch(workspace, services_of(self._app).run_index)
                self._sweeps = SweepWatch(workspace)
            runs = self._watch.look()
            ends: list[RunEnd | SweepEnd] = [*runs, *self._sweeps.look()]
            if runs:
                from slurm.watch.array_ends import ended_arrays

                ends += ended_arrays(workspace, runs)
        finally:
            self._looking.release()
        if ends:
            self._app.post_message(RunsEnded(ends))

    def tell(self, ends: Sequence[RunEnd | SweepEnd]) -> None:
        """Tell in the app, and in the ways of the settings: the bell, the desktop, a command."""
        for end in ends:
            bad = end.state in ("failed", "lost")
            text = f"{end.title}. {end.body}".strip()
            self._say(text, "error" if bad else "information", 15)
            notify(
                services_of(self._app).settings.notify,
                end.title,
                end.body,
                end.variables(),
                self.write_to_terminal,
                lambda text: self._app.call_from_thread(self._say, text, "warning", 10),
            )

    def _say(self, text: str, severity: Any, seconds: float) -> None:
        self._app.notify(clean(text), severity=severity, timeout=seconds, markup=False)

    def write_to_terminal(self, text: str) -> None:
        """Write escape sequences that paint nothing, such as the bell."""
        driver = self._app._driver
        if driver is not None:
            driver.write(text)
            driver.flush()
