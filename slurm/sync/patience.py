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


def persist(action: Callable[[], T], cancelled: Cancelled, patience_s: float = PATIENCE_S) -> T:
    """Return what `action` returns, again and again while the host is out of reach.

    The host's own back-off says how often it is really tried. Raises its last error when patience
    ends, at once where a person has to log in, and `Cancelled`.
    """
    until = time.monotonic() + patience_s
    while True:
        try:
            return action()
        except NeedsPerson:
            raise
        except NotConnected:
            if time.monotonic() > until:
                raise
            wait_for_host(cancelled)


def wait_for_host(cancelled: Cancelled) -> None:
    """Wait a moment before a host that is out of reach is tried again. Raises `Cancelled`."""
    if cancelled():
        raise WasCancelled("Cancelled while the host was out of reach.") from None
    time.sleep(0.25)


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
