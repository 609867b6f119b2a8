"""A run told to a program: the events of its `events.jsonl`, as they come, and how it ended."""

from __future__ import annotations

from typing import Any

import msgspec

from cli.answers.printing import iso, say_event
from cli.output import say
from cli.runs.run_lines import Line, failure
from core.training.live.follow import RunSnapshot
from core.training.live.tail import CHUNK, LineReader, LocalFiles
from core.training.run.events import Validation, decode_event
from core.training.run.run import EVENTS_FILE, Run


class Events:
    """Shows a run as events, each once; lines for people go to standard error."""

    def __init__(self, run: Run) -> None:
        self._lines = LineReader(str(run.path / EVENTS_FILE), LocalFiles())
        self._waited: tuple[str, int | None, int, float | None] | None = None

    def line(self, line: Line) -> None:
        """Print a line for people."""
        say(line.text, line.style)

    def update(self, run: RunSnapshot) -> None:
        """Print the events that are new, and how a run that waits for its node does."""
        wait = run.wait
        now = None if wait is None else (wait.why, wait.place, wait.restarts, wait.start)
        if wait is not None and now != self._waited:
            say_event("queued", **msgspec.to_builtins(wait))
        self._waited = now
        while found := self._lines.read(CHUNK):
            for line in found.splitlines():
                event = decode_event(line)
                if event is not None:
                    told = msgspec.to_builtins(event)
                    say_event(told.pop("event"), **{"at": iso(told.pop("t")), **told})

    def close(self) -> None:
        """Nothing is open."""


def say_ended(run: Run, snapshot: RunSnapshot, code: int) -> None:
    """Print the event that ends the stream: how the run ended, and its best validation."""
    wrong = failure(snapshot)
    error = None if wrong is None else {"message": wrong[0], "hint": wrong[1]}
    say_event(
        "ended",
        last=True,
        run=run.name,
        path=str(run.path),
        state=snapshot.state,
        trained_s=snapshot.seconds,
        best=best_of(snapshot.best),
        error=error,
        exit_code=int(code),
    )


def best_of(best: Validation | None) -> dict[str, Any] | None:
    """Return the figures of a validation for programs, None for none."""
    if best is None:
        return None
    told: dict[str, Any] = msgspec.to_builtins(best)
    return {name: value for name, value in told.items() if name not in ("event", "t")}
