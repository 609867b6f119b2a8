"""Progress of something that takes a while: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING

from cli.answers.printing import say_event, streaming
from cli.output import console, is_terminal, say
from core.common.text import clean

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

# In a log, a stage that takes long is heard of this often.
_EVERY_S = 10.0
# A program that reads events gets one of a stage at most this often.
_EVENT_S = 0.5


class Stages:
    """Shows the stages of one job, `with Stages() as show: show("images", 3, 100)`.

    On a terminal each stage has a bar with the time left; elsewhere a stage is one line when it is
    complete, and one every ten seconds until then. Where a program reads events, they are
    `progress`. `quiet` shows nothing.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._bars: RichProgress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._told: dict[str, tuple[int, float]] = {}
        if is_terminal() and not quiet and not streaming():
            from rich.progress import (
                BarColumn,
                MofNCompleteColumn,
                Progress,
                TextColumn,
                TimeRemainingColumn,
            )

            self._bars = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=console(),
            )

    def __enter__(self) -> Stages:
        if self._bars:
            self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bars:
            self._bars.stop()

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """Show that `done` of `total` (None: not known yet) of the stage are behind us."""
        if self._quiet:
            return
        stage = clean(stage)
        now = time.monotonic()
        if streaming():
            self._event(now, stage, done, total)
            return
        if self._bars:
            if stage not in self._tasks:
                self._tasks[stage] = self._bars.add_task(stage, total=total)
            self._bars.update(self._tasks[stage], completed=done, total=total)
            return
        last, at = self._told.setdefault(stage, (-1, now))
        complete = total is not None and done >= total and last != done
        if complete or now - at >= _EVERY_S:
            self._told[stage] = (done, now)
            say(f"{stage}: {done:,}" + (f" of {total:,}" if total is not None else ""))

    def _event(self, now: float, stage: str, done: int, total: int | None) -> None:
        last, at = self._told.get(stage, (-1, now - _EVENT_S))
        complete = total is not None and done >= total and last != done
        if complete or now - at >= _EVENT_S:
            self._told[stage] = (done, now)
            say_event("progress", stage=stage, done=done, total=total)
