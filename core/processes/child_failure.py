"""How a child process tells an error in its last line, and its parent raises it again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.common.errors import BatmanError, DiskFull
from core.common.full_disk import disk_full


def told_failure(error: Exception, *near: Path) -> dict[str, Any]:
    """Return `message`, `hint` and `full` (a disk is full) of an error that a person can mend.

    `near` is where the child wrote. Raises any other error again: it is a defect.
    """
    told = disk_full(error, near) or error
    if not isinstance(told, BatmanError):
        raise error
    return {"message": told.message, "hint": told.hint, "full": isinstance(told, DiskFull)}


def raised_failure(event: dict[str, Any]) -> BatmanError:
    """Return the error that the line `event` of a child tells of."""
    kind = DiskFull if event.get("full") else BatmanError
    return kind(str(event.get("message", "")), str(event.get("hint", "")))
