"""Times as people say them."""

from __future__ import annotations

from datetime import datetime


def ago(then: datetime, now: datetime) -> str:
    """Return how long ago `then` was, in at most 11 cells: `just now`, `5 min ago`, `3 Mar 2026`.

    Both times must know their time zone; dates are in that of this machine.
    """
    seconds = (now - then).total_seconds()
    if seconds < 60:
        return "just now"
    if seconds < 3600:
        return f"{int(seconds // 60)} min ago"
    if seconds < 86400:
        return f"{int(seconds // 3600)} h ago"
    if seconds < 7 * 86400:
        return f"{int(seconds // 86400)} d ago"
    local = then.astimezone()
    return f"{local.day} {local:%b %Y}"
