"""An app whose clock stands still, and waiting for a state instead of for a time."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Any

from sample_data import NOW
from textual.pilot import Pilot

from batman_tui.app import BatmanApp
from batman_tui.settings import Settings
from core.common.workspace import Workspace


class FrozenApp(BatmanApp):
    """The app at a fixed time, without animation, in a workspace with a fixed name."""

    def __init__(self, root: Path, *, run: Path | None = None, **settings: Any) -> None:
        super().__init__(
            Workspace(root),
            run=run,
            settings=Settings(animations=False, **settings),
        )
        self.shown_workspace = "~/gotham"

    def now(self) -> datetime:
        return NOW


async def until(pilot: Pilot[Any], done: Callable[[], object], *, seconds: float = 20) -> None:
    """Wait until `done()` is true; fail after `seconds`."""
    end = monotonic() + seconds
    while not done():
        assert monotonic() < end, "the state that the test waits for did not come"
        await pilot.pause()
        await asyncio.sleep(0.01)
    await pilot.pause()


async def settled(pilot: Pilot[Any]) -> None:
    """Wait until no worker runs and every message was handled."""
    await pilot.pause()
    end = monotonic() + 60
    while busy := [worker for worker in pilot.app.workers if not worker.is_finished]:
        assert monotonic() < end, f"still at work on {pilot.app.screen}: {busy}"
        await asyncio.sleep(0.005)
        await pilot.pause()


def screen_text(app: BatmanApp) -> str:
    """Return what is on the terminal, as text."""
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip) for strip in strips)


def words_on(app: BatmanApp) -> str:
    """Return the words on the terminal in reading order, as if nothing were wrapped or framed.

    Of panels side by side the lines are mixed; it is meant for dialogs and single panels.
    """
    return " ".join(re.sub("[─│╭╮╰╯]", " ", screen_text(app)).split())
