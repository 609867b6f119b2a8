"""How long a run has trained: the sum of its sessions, without the pauses between them."""

from __future__ import annotations

from collections.abc import Iterable

from core.training.run.events import Event, Failed, Finished, Started, Step, Stopped


class TrainedTime:
    """Adds up the seconds that a run trained, from its events in their order.

    A session goes from its start to its end, or to its last event where it was lost. A start, a
    step and an end say by themselves what has come together by then; those of runs that began
    before they did are told by their times. `since` is when the first session began (Unix seconds),
    for events that do not begin with it.
    """

    def __init__(self, since: float | None = None) -> None:
        self.seconds = 0.0
        self._before = 0.0  # of the sessions before the one that goes on, or up to its last step
        self._since = since
        self._told = False

    @property
    def state(self) -> tuple[float, float, float | None, bool]:
        """All there is to know to go on, for `restore`."""
        return self.seconds, self._before, self._since, self._told

    def restore(self, state: tuple[float, float, float | None, bool]) -> None:
        """Go on from a `state`."""
        self.seconds, self._before, self._since, self._told = state

    def see(self, event: Event) -> None:
        """Take one event into account."""
        match event:
            case Started():
                self._told = event.elapsed is not None
                self._go_on(self.seconds if event.elapsed is None else event.elapsed, event.t)
            case Step() if event.elapsed is not None:
                self._go_on(event.elapsed, event.t)
            case Stopped() | Finished() | Failed():
                if event.seconds is not None:
                    self.seconds = event.seconds
                elif not self._told:  # else somebody found out later, and wrote it then
                    self.until(event.t)
                self._since = None
            case _:
                self.until(event.t)

    def until(self, t: float) -> None:
        """Count the session that goes on up to `t` (Unix seconds)."""
        if self._since is not None:
            self.seconds = max(self.seconds, self._before + t - self._since)

    def _go_on(self, seconds: float, t: float) -> None:
        self.seconds = self._before = seconds
        self._since = t


def trained_seconds(events: Iterable[Event], since: float | None = None) -> float:
    """Return how long a run trained that told `events`; `since` as for `TrainedTime`."""
    time = TrainedTime(since)
    for event in events:
        time.see(event)
    return time.seconds
