"""Work that goes on after its request: frames of a video, its links, a labeller's pass."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from core.common.errors import BatmanError, Cancelled
from core.common.progress import Progress

_KEPT = 200

Report = Callable[[Progress], None]


@dataclass(frozen=True)
class Ended:
    """What came of some work: in words, and its step of the history, which can be taken back."""

    text: str
    history: int | None = None


@dataclass
class Job:
    """One piece of work: how far it is, and how it ended."""

    id: str
    title: str
    state: str = "running"
    at: Progress = field(default_factory=lambda: Progress("starting", 0))
    text: str = ""
    history: int | None = None
    error: BatmanError | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    _began: tuple[str, int, float] | None = None

    def report(self, at: Progress) -> None:
        """Take how far it is; each stage has a pace of its own."""
        if self._began is None or self._began[0] != at.stage:
            self._began = (at.stage, at.done, time.monotonic())
        self.at = at

    @property
    def seconds_left(self) -> float | None:
        """About how many seconds its stage takes yet, None while that cannot be told."""
        at, began = self.at, self._began
        if self.state != "running" or began is None or at.total is None or at.done <= began[1]:
            return None
        pace = (time.monotonic() - began[2]) / (at.done - began[1])
        return max(0.0, pace * (at.total - at.done))

    def json(self) -> dict[str, Any]:
        """Return it as the page gets it."""
        return {
            "id": self.id,
            "title": self.title,
            "state": self.state,
            "stage": self.at.stage,
            "done": self.at.done,
            "total": self.at.total,
            "seconds_left": self.seconds_left,
            "text": self.text,
            "history": self.history,
            "error": self.error and self.error.message,
            "hint": self.error and self.error.hint,
        }


class Jobs:
    """The work of this server, each piece in a thread of its own."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}

    def start(self, title: str, act: Callable[[Report, Callable[[], bool]], str | Ended]) -> Job:
        """Do `act` in a thread and return the job.

        `act` gets what to report to and whether to stop, and returns what came of it in words.
        """
        job = Job(secrets.token_urlsafe(9), title)
        for old in [each for each in self._jobs.values() if each.state != "running"][:-_KEPT]:
            del self._jobs[old.id]
        self._jobs[job.id] = job

        def work() -> None:
            try:
                came = act(job.report, job.stop.is_set)
                ended = Ended(came) if isinstance(came, str) else came
                job.text, job.history = ended.text, ended.history
                job.state = "done"
            except Cancelled as error:
                job.text, job.state = error.message, "stopped"
            except BatmanError as error:
                job.error, job.state = error, "failed"
            except Exception as error:
                job.error = BatmanError(f"It ended unexpectedly: {error}.", "See the terminal.")
                job.state = "failed"
                raise

        threading.Thread(target=work, name=title, daemon=True).start()
        return job

    def get(self, name: str) -> Job | None:
        """Return a job by its id, None when this server has none of it."""
        return self._jobs.get(name)

    def stop_all(self) -> None:
        """Ask all work to stop."""
        for job in self._jobs.values():
            job.stop.set()
