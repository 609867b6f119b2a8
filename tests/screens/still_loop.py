"""Waiting until an app has nothing left to do, as its event loop and its threads tell.

Textual's pilot takes a process that uses no processor for 20 ms for one that has nothing left to
do. On a busy machine that is one which is not given any, and the test goes on too early; on a quiet
one each key costs two such waits. Here a test goes on as soon as, and not before, the loop has no
callback that is ready and no timer that is due soon, and no thread of the process works.

Then the screen is laid out, once, where Textual by itself does so up to 120 times a second. It is
not painted, as nothing shows it and that is a third of a test's processor time: what a test looks
at is painted as it looks (`harness`), and each test paints its last screen (`opened`).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from rich.console import RenderableType
from textual._compositor import Compositor
from textual._context import active_app
from textual.pilot import Pilot

SOON_S = 0.02
"""What is due so soon is waited for: what Textual lays out and what it puts off a little."""

LOOK_S = 0.002
LAYOUT_S = 0.1
"""How long a screen may want to be laid out before it is, should nobody wait."""

LONGEST_S = 20.0
"""An app with something to do all the time is not waited for any longer."""

PAINT = Compositor.render_update

_TASKS = Path("/proc/self/task")


_painting: list[bool] = []


@pytest.fixture
def painting() -> Iterator[None]:
    """Let apps paint as ever, for a test of what they do as they paint."""
    _painting.append(True)
    yield
    _painting.pop()


async def still(*_: object) -> None:
    """Wait until the running loop and all threads of this process have nothing to do."""
    loop: Any = asyncio.get_running_loop()
    end = monotonic() + LONGEST_S
    while monotonic() < end:
        await asyncio.sleep(0)
        if loop._ready:
            continue
        wait = _soonest(loop) - loop.time()
        if wait < SOON_S:
            await asyncio.sleep(max(0.0, wait))
            continue
        before = _threads()
        await asyncio.sleep(LOOK_S if before else 0)
        if not loop._ready and _rest(before) and not _laid_out():
            return


def _laid_out() -> bool:
    """Lay the screen of the app in whose context this is out; return whether it wanted that."""
    app = active_app.get(None)
    if app is None or not app._running or not app.screen_stack:
        return False
    screen = app.screen
    if not screen._update_timer._active.is_set():
        return False
    screen._on_timer_update()
    return True


def _soonest(loop: Any) -> float:
    """Return when the next timer of the loop is due, by the loop's clock."""
    times = (timer._when for timer in loop._scheduled if not timer._cancelled)
    return min(times, default=float("inf"))


def _threads() -> dict[str, tuple[str, str]]:
    """Return of each thread beside this one whether it runs, and what it has used of a processor.

    The state (`R` is running or runnable, `D` waits for a disk) is that of proc_pid_stat(5), the
    nanoseconds are those of `schedstat` (sched-stats in the kernel's documentation).
    """
    if threading.active_count() == 1 or not _TASKS.is_dir():
        return {}
    found = {}
    for task in _TASKS.iterdir():
        if int(task.name) == threading.get_native_id():
            continue
        try:
            state = (task / "stat").read_text().rpartition(")")[2].split()[0]
            used = (task / "schedstat").read_text().split()[0]
        except OSError:  # it has ended
            continue
        found[task.name] = (state, used)
    return found


def _rest(before: dict[str, tuple[str, str]]) -> bool:
    """Tell whether no thread works now, nor has since `before`.

    One that waits for the interpreter sleeps, as far as the kernel knows; but it had its turn.
    """
    now = _threads()
    return now == before and not any(state in "RD" for state, _ in now.values())


@pytest.fixture(autouse=True, scope="session")
def still_loop() -> Iterator[None]:
    """Let every pilot of this folder wait so."""

    async def wait_for_screen(pilot: Pilot[Any], timeout: float = 30.0) -> bool:
        await still()
        return True

    def render_update(
        compositor: Compositor, full: bool = False, *args: Any, **options: Any
    ) -> RenderableType | None:
        if full or _painting:
            return PAINT(compositor, full, *args, **options)
        compositor._dirty_regions.clear()
        return None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("textual.pilot.wait_for_idle", still)
        patch.setattr("textual.app.wait_for_idle", still)
        patch.setattr("textual.screen.UPDATE_PERIOD", LAYOUT_S)
        patch.setattr(Pilot, "_wait_for_screen", wait_for_screen)
        patch.setattr(Compositor, "render_update", render_update)
        yield
