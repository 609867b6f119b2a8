"""How far a long piece of work is: what front ends draw their bars from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """`done` of `total` things of the stage `stage`; `total` is None while it is not known."""

    stage: str
    done: int
    total: int | None = None


Report = Callable[[Progress], None]
Cancelled = Callable[[], bool]


def nothing(_progress: Progress) -> None:
    """Take a progress report and do nothing with it."""


def never() -> bool:
    """Say that nobody cancelled."""
    return False
