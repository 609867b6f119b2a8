"""Every letter, digit, sign and F-key that a screen with data has, pressed: none is silent.

What a key does is seen by what is painted, by what is said, or by where one is then.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from all_screens import World, made, screens
from evaluation_data import make_evaluation
from harness import settled, until
from job_data import FakeCluster
from picture_data import make_pictures
from prediction_data import make_predictions
from run_data import failed, finished, make_run
from textual.pilot import Pilot
from textual.screen import Screen

from core.data.labels.passes import Found, PassInfo, record_pass
from core.data.store import Project

# What only goes somewhere in a list or a picture may have nowhere to go.
MOVES = re.compile(
    r"(screen\.)?(cursor|scroll|page|move|step|pan|goto|first|last|top|bottom|left|right|up|down)"
    r"[_a-z]*(\(.*\))?$"
)
# Leaving, and what belongs to Textual.
NOT_PRESSED = {"q"}


@pytest.fixture
def plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A workspace with pictures, labels, suggestions, runs, an evaluation, finds and a cluster."""
    monkeypatch.setenv("BATMAN_CONFIG_DIR", str(tmp_path / "config"))
    root = tmp_path / "gotham"
    project = make_pictures(root / "data/projects/site")
    with Project.open(project) as opened:
        found = ((image, [Found(1, (20.0, 20, 30, 25), 0.8), Found(2, (90.0, 50, 20, 40), 0.6)])
                 for image in range(1, 13))  # fmt: skip
        record_pass(opened, PassInfo("run", "site-1", (1, 2)), found)
    runs = [
        make_run(root, "site-1", finished("site-1"), project=project),
        make_run(root, "site-2", finished("site-2"), project=project),
        make_run(root, "site-3", failed("site-3"), project=project),
    ]
    for run in runs[:2]:
        make_evaluation(run)
    return World(root, "crane", project, runs, make_predictions(root), FakeCluster("vega"))


class State:
    """What a person can tell apart: where one is, what is painted, what was said."""

    def __init__(self, app: Any, said: list[str]) -> None:
        strips = app.screen._compositor.render_strips()
        self.all = (
            [id(each) for each in app.screen_stack], app.current_mode, len(said), app.theme,
            app.clipboard,
            [[(part.text, str(part.style)) for part in strip] for strip in strips],
        )  # fmt: skip

    def __eq__(self, other: object) -> bool:
        return isinstance(other, State) and self.all == other.all

    __hash__ = None  # type: ignore[assignment]


def keys_of(screen: Screen[Any]) -> Iterator[tuple[str, str]]:
    """Yield each key that is one sign or an F-key, with the action that it has here."""
    for key, active in screen.active_bindings.items():
        sign = len(key) == 1 or re.fullmatch(r"f\d+", key) or active.binding.key_display
        if sign and key not in NOT_PRESSED and not key.startswith("ctrl"):
            yield key, active.binding.action


async def silent_keys(pilot: Pilot[int], plain: World, name: str) -> list[str]:
    """Press every key of the screen called `name`; return those of which nothing came."""
    app = plain.app
    said: list[str] = []
    tell = app.notify
    app.notify = lambda message, **options: (said.append(message), tell(message, **options))[1]  # type: ignore[assignment, func-returns-value]

    async def fresh() -> Screen[Any]:
        while len(app.screen_stack) > 1:
            app.pop_screen()
            await settled(pilot)
        screen = made(name, plain)
        app.push_screen(screen)
        await until(pilot, lambda: screen in app.screen_stack and screen.is_mounted)
        await settled(pilot)
        return screen

    silent: dict[str, str] = {}
    screen = await fresh()
    # What ends the dialog, or moves on, once more from the second row.
    for begin in ((), ("j",)):
        for key, action in [*keys_of(screen)] if not begin else [*silent.items()]:
            if app.screen is not screen or begin:
                screen = await fresh()
            for first in begin:
                await pilot.press(first)
                await settled(pilot)
            before = State(app, said)
            await pilot.press(key)
            await settled(pilot)
            if State(app, said) != before:
                silent.pop(key, None)
            else:
                silent[key] = action
            app.clear_notifications()
            await settled(pilot)
    return [f"{key} ({action})" for key, action in silent.items() if not MOVES.match(action)]


@pytest.mark.parametrize("name", sorted(screens()))
async def test_each_key_does_something_or_says_why_not(plain: World, name: str, opened) -> None:
    async with opened(plain.app, (120, 40)) as pilot:
        assert await silent_keys(pilot, plain, name) == []
