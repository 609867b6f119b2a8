"""When to ask a cluster, and what is known between two answers.

Asking costs the controller a lock, for every person who does it. So: one command for everything,
every `active_s` while jobs wait or run, slower when nothing changes, nobody looks or nobody is
there, and slower still after errors. Nothing is ever asked sooner than `LEAST_GAP_S` after the
last question, whoever presses which key, and without a key never more than `MOST_A_MINUTE` times in
a minute.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from core.common.errors import BatmanError
from slurm.hosts import HostError, NeedsPerson
from slurm.queue.queue import QueueSnapshot
from slurm.site.profiles import LEAST_POLL_S

Attention = Literal["watching", "away", "hidden"]

LEAST_GAP_S = 5.0
MOST_A_MINUTE = 4
# Of these, so many may come sooner because a job may have ended: the rest keeps its even steps.
_SOONER_A_MINUTE = 3
IDLE_S = 30.0
SLOWEST_S = 60.0
# So many answers without a change, and the next comes later.
QUIET_LOOKS = 4
# Accounting is asked when a job has left the queue, and every so often anyway.
ACCOUNTING_S = 300.0
MOST_BACK_OFF_S = 300.0


class Ask(Protocol):
    """Asks the cluster: `slurm.queue.queue.ask_queue` with its host."""

    def __call__(
        self, *, all_users: bool, accounting: bool, before: QueueSnapshot | None
    ) -> QueueSnapshot:
        """Return what the cluster says now. Raises `HostError`."""
        ...


@dataclass(frozen=True)
class QueueView:
    """What is known now: the last good answer, and the error since, if there is one."""

    snapshot: QueueSnapshot | None = None
    error: BatmanError | None = None
    failures: int = 0
    needs_person: bool = False

    def age(self, now: float) -> float | None:
        """Return how many seconds old the last good answer is, None without one."""
        return None if self.snapshot is None else max(0.0, now - self.snapshot.taken_at)


class QueuePoller:
    """Asks through `ask` when it is due. Not for several threads at once.

    `clock` counts seconds monotonically. `all_users` may be set; `hurry` asks for an answer soon,
    after an action or a key, and `suspect` where it looks as if a job had ended; `attention` says
    whether anybody looks.
    """

    def __init__(
        self,
        ask: Ask,
        *,
        active_s: float = LEAST_POLL_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask = ask
        self._active_s = max(LEAST_POLL_S, active_s)
        self._clock = clock
        self._asks = deque([-math.inf] * MOST_A_MINUTE, maxlen=MOST_A_MINUTE)
        self._suspected = False
        self._accounting_at = -math.inf
        self._unchanged = 0
        self._hurried = True
        self._want_accounting = True
        self._all_users = False
        self.attention: Attention = "watching"
        self.view = QueueView()

    @property
    def all_users(self) -> bool:
        """Whether everybody's jobs are asked for."""
        return self._all_users

    @all_users.setter
    def all_users(self, wanted: bool) -> None:
        if wanted != self._all_users:
            self._all_users = wanted
            self._want_accounting = True
            self.hurry()

    @property
    def interval(self) -> float:
        """Seconds between two questions as things are; infinite when a person must log in."""
        view = self.view
        if view.needs_person:
            return math.inf
        if view.failures:
            return min(MOST_BACK_OFF_S, self._active_s * 2.0**view.failures)
        idle = view.snapshot is not None and not view.snapshot.active
        if self.attention != "watching" or idle or self._unchanged >= 2 * QUIET_LOOKS:
            return max(self._active_s, SLOWEST_S)
        if self._unchanged >= QUIET_LOOKS:
            return max(self._active_s, IDLE_S)
        return self._active_s

    @property
    def since_asked(self) -> float:
        """Seconds since the last question; infinite before the first."""
        return self._clock() - self._asks[-1]

    @property
    def due_in(self) -> float:
        """Seconds until the next question; 0 when it is time."""
        asked_at = self._asks[-1]
        if self._hurried:
            due = asked_at + LEAST_GAP_S
        else:
            due = asked_at + self.interval
            if self._suspected and not self.view.failures:
                sooner = self._asks[-_SOONER_A_MINUTE] + 60.0
                due = min(due, max(asked_at + LEAST_GAP_S, sooner))
            due = max(due, self._asks[0] + 60.0)
        return max(0.0, due - self._clock())

    def hurry(self, *, reconnect: bool = False) -> None:
        """Ask soon. A person who wants to log in again says `reconnect`."""
        if reconnect:
            self.view = replace(self.view, needs_person=False)
        if not self.view.needs_person:
            self._hurried = True

    def suspect(self) -> None:
        """Ask sooner than usual, for a job may have ended; as often as is good, and no more."""
        self._suspected = True

    def poll(self) -> QueueView:
        """Ask if it is time, and return what is known. Never raises `HostError`."""
        if self.due_in > 0:
            return self.view
        asked_at = self._clock()
        self._asks.append(asked_at)
        self._hurried = self._suspected = False
        before = self.view.snapshot
        accounting = (
            self._want_accounting or asked_at - self._accounting_at >= ACCOUNTING_S
        ) and not (before is not None and before.accounting is False)
        try:
            snapshot = self._ask(all_users=self._all_users, accounting=accounting, before=before)
        except HostError as error:
            self.view = QueueView(
                before, error, self.view.failures + 1, isinstance(error, NeedsPerson)
            )
            return self.view
        if accounting:
            self._accounting_at = asked_at
            self._want_accounting = False
        if before is not None and _states(before) == _states(snapshot):
            self._unchanged += 1
        else:
            self._unchanged = 0
            # A job that is no longer live has an end that accounting knows more of.
            if before is not None and _live(before) - _live(snapshot):
                self._want_accounting = True
        if snapshot.left:
            self._want_accounting = True
        # A queue that hangs or fails is as good as a host out of reach: it is asked less often.
        failed = "squeue" in snapshot.errors
        self.view = QueueView(snapshot, failures=self.view.failures + 1 if failed else 0)
        return self.view


def _states(snapshot: QueueSnapshot) -> dict[str, tuple[str, str]]:
    return {job.id: (job.state.name, job.reason) for job in snapshot.jobs}


def _live(snapshot: QueueSnapshot) -> set[str]:
    return {job.id for job in snapshot.jobs if not job.state.ended}
