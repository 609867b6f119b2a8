"""What the tests of screens share."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from harness import settled
from parsed_styles import parsed_styles as parsed_styles  # every test of this folder has it
from sample_data import make_workspace
from still_loop import painting as painting  # for a test of what is done while painting
from still_loop import still_loop as still_loop  # every pilot of this folder waits by it
from textual.pilot import Pilot

from batman_tui.app import BatmanApp

Opened = Callable[..., AbstractAsyncContextManager[Pilot[int]]]


@pytest.fixture(autouse=True)
def _plain_terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make pictures the same whatever the time zone and the terminal of who runs the tests."""
    monkeypatch.setenv("TZ", "UTC")
    for name in ("NO_COLOR", "TMUX"):
        monkeypatch.delenv(name, raising=False)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A workspace with five projects."""
    return make_workspace(tmp_path / "gotham")


@pytest.fixture
def opened() -> Opened:
    """Run an app in the test: `async with opened(app, (80, 24)) as pilot`.

    An unexpected error that the app survived fails the test, unless `errors=True`.
    """

    @asynccontextmanager
    async def run(
        app: BatmanApp, size: tuple[int, int] = (80, 24), *, errors: bool = False
    ) -> AsyncIterator[Pilot[int]]:
        async with app.run_test(size=size, notifications=True) as pilot:
            await settled(pilot)
            yield pilot
            if app._running:  # what nobody looked at can be painted, too: see still_loop
                app.screen._compositor.render_update(True, app._background_screens)
        if not errors and app.errors:
            raise app.errors[0]

    return run
