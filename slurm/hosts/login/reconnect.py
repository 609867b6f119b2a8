"""When a host is logged in to again: seldom, and together with all else that reaches it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from core.common.text import clean
from slurm.hosts.base import HostError, NeedsPerson, NotConnected, Unreachable
from slurm.hosts.login.limit import MOST_A_MINUTE, Logins

_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 60.0
# Where nothing was reached, nothing was asked of a server: soon back after an outage.
_LONGEST_UNREACHED_S = 15.0


class Waiter(Protocol):
    """Whoever may wait for a login, as a command in a terminal does and an open app does not."""

    def wait(self, why: str, seconds: float) -> bool:
        """Wait so many seconds because of `why`; return whether that was done."""
        ...


class Reconnect:
    """Whether the host `name` at `place` may be logged in to now.

    After a failure the next try comes after a wait that doubles from one second to a minute, or to
    15 s where nothing was reached; as soon as any other process of ours got in, there is no wait.
    Where a person had to answer, nothing is tried until they ask for it. `through` are the names
    and places of hosts on the way that the same login logs in to: each counts its own.
    """

    def __init__(
        self, name: str, place: str, waiter: Waiter, through: Sequence[tuple[str, str]] = ()
    ) -> None:
        self._name = name
        self._waiter = waiter
        self._logins = Logins(place)
        # In their order, so that nobody waits for a host while holding a login of one behind it.
        self._every = [*((host, Logins(at)) for host, at in through), (name, self._logins)]
        self._wait = 0.0
        self._not_before = -math.inf
        self._failed_at = math.inf
        self._last_error = ""
        self.needs_person = False

    def check(self, hint: Callable[[], str]) -> None:
        """Raise `NeedsPerson`, with `hint`, or `NotConnected` where nothing may be tried now."""
        if self.needs_person:
            raise NeedsPerson(
                self._last_error or f"The connection to {clean(self._name)} was cut.", hint()
            )
        left = self._not_before - time.monotonic()
        if left > 0 and self._logins.succeeded_at <= self._failed_at:
            raise NotConnected(
                self._last_error or f"{clean(self._name)} is out of reach.",
                f"Trying again in {math.ceil(left)} s.",
            )

    @contextmanager
    def login(self) -> Iterator[None]:
        """Hold one of the minute's logins; how the `with` ends says what became of it.

        Raises `NotConnected` where none is left and nobody waits for one.
        """
        self._take()
        try:
            yield
        except Unreachable as error:
            for _, logins in self._every:
                logins.give_back()
            self.failed(error)
            raise
        except HostError as error:
            self._settle(succeeded=False)
            self.failed(error)
            raise
        except BaseException:
            self._settle(succeeded=False)
            raise
        self._settle(succeeded=True)
        self._wait, self._not_before, self._last_error = 0.0, -math.inf, ""

    def _take(self) -> None:
        """Take a login of every host on the way, waiting for those that have none left."""
        taken: list[Logins] = []
        try:
            for name, logins in self._every:
                while wait := logins.take():
                    why = (
                        f"{clean(name)} was logged in to {MOST_A_MINUTE} times within a minute,"
                        " and is not more often"
                    )
                    if not self._waiter.wait(why, wait):
                        self._not_before = time.monotonic() + wait
                        self._failed_at, self._last_error = math.inf, f"{why}."
                        raise NotConnected(f"{why}.", f"Trying again in {math.ceil(wait)} s.")
                taken.append(logins)
        except BaseException:
            for logins in taken:
                logins.give_back()
            raise

    def _settle(self, *, succeeded: bool) -> None:
        for _, logins in self._every:
            logins.settle(succeeded)

    def failed(self, error: HostError) -> None:
        """Note that the host was tried in vain, or is out of reach."""
        longest = _LONGEST_UNREACHED_S if isinstance(error, Unreachable) else _LONGEST_WAIT_S
        self._wait = min(longest, max(_FIRST_WAIT_S, self._wait * 2))
        self._not_before = time.monotonic() + self._wait
        self._failed_at = time.time()
        self._last_error = error.message
