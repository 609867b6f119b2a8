"""Work with a host that may be out of reach for a while, and what it cannot do."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from core.common.errors import BatmanError
from core.common.errors import Cancelled as WasCancelled
from core.common.progress import Cancelled
from core.common.text import clean, size
from slurm.hosts import Host, HostError, NeedsPerson, NotConnected

T = TypeVar("T")

# How long a host may be out of reach before sending is given up; what is there stays there.
PATIENCE_S = 600.0
_MOMENT_S = 0.25


class Patience:
    """How long a host that is out of reach is waited for: `seconds`, while no more gets there.

    The host's own back-off says how often it is really tried.
    """

    def __init__(self, seconds: float, cancelled: Cancelled) -> None:
        self._seconds, self._cancelled = seconds, cancelled
        self._furthest, self._since = -1, time.monotonic()

    def wait(self, error: NotConnected, have: int = -1) -> None:
        """Wait a moment after `error`, before which `have` bytes were there (-1: not known).

        Raises `error` when patience ends, at once where a person has to log in, and `Cancelled`.
        """
        if isinstance(error, NeedsPerson):
            raise error
        if have > self._furthest:
            self._furthest, self._since = have, time.monotonic()
        elif time.monotonic() - self._since > self._seconds:
            raise error
        if self._cancelled():
            raise WasCancelled("Cancelled while the host was out of reach.") from None
        time.sleep(_MOMENT_S)


def persist(action: Callable[[], T], cancelled: Cancelled, patience_s: float = PATIENCE_S) -> T:
    """Return what `action` returns, again and again while the host is out of reach.

    Raises what `Patience.wait` does, and what `action` does else.
    """
    patience = Patience(patience_s, cancelled)
    while True:
        try:
            return action()
        except NotConnected as error:
            patience.wait(error)


def refused(host: Host, target: str, stderr: bytes) -> HostError:
    """Return the error for a host that could not write `target`, by what it said last."""
    lines = stderr.decode(errors="replace").strip().splitlines()
    return HostError(
        f"{clean(host.name)} cannot write '{clean(target)}':"
        f" {clean(lines[-1])[:200] if lines else 'no reason given'}.",
        "Check the workspace in the cluster's profile, its permissions and quota.",
    )


def no_room(host: Host, target: str, what: str, needed: int, free: int) -> BatmanError:
    """Return the error for a host with `free` bytes where `needed` are."""
    return BatmanError(
        f"There is no room for the {what} on {clean(host.name)}: it needs"
        f" {size(needed)}, and {size(free)} are free at {clean(target)}.",
        "Choose another workspace in the cluster's profile, or make room.",
    )


def damaged(host: Host, what: str) -> BatmanError:
    """Return the error for content that arrived damaged, again when it was sent anew."""
    return BatmanError(
        f"The {what} arrived damaged on {clean(host.name)} twice.",
        "A file changed while it was sent, or the disk there is full or broken.",
    )
