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
from harness import settled, until
from plain_world import plain_world
from textual.pilot import Pilot
from textual.screen import Screen

from batman_tui.keys import ACTIONS
from core.common.errors import BatmanError

# What goes about in a list, a text or a picture may have nowhere to go; tests of those hold it.
MOVES = re.compile(
    r"(screen\.|app\.)?(cursor|scroll|page|move|step|pan|goto|first|last|focus|end|home|top|bottom|"
    r"left|right|up|down|sort|reverse|turn|nudge|select|toggle_button)[_a-z]*(\(.*\))?$"
)
# What belongs to all screens, which other tests press.
EVERYWHERE = {action.run for name, action in ACTIONS.items() if name.startswith("app.")}
# Silent, and why that says enough.
SILENT = {
    "fit": "the whole picture is what is shown already",
    "class_at(1)": "it is the class that is shown already",
    "reload": "a badge says so while it counts, and nothing has changed",
    "again": "a badge says so while it looks, and nothing has changed",
    "look": "the line says how old the answer is, by a clock that stands still here",
}
# Screens; dialogs have few keys, and say in themselves what is wrong.
SCREENS = sorted(name for name in screens() if name.endswith("Screen") and name != "HelpScreen")


def no_trainer() -> None:
    """Stand in for what looks whether torch is there: nothing is trained here."""
    raise BatmanError("No trainer here.", "This is a test of keys.")


@pytest.fixture
def plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("BATMAN_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setattr("core.training.launch.local.require_trainer", no_trainer)
    return plain_world(tmp_path / "gotham")


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
        action = active.binding.action
        sign = len(key) == 1 or re.fullmatch(r"f\d+", key) or "_" in key or key == "space"
        if sign and not MOVES.match(action) and action not in EVERYWHERE:
            yield key, action


async def silent_keys(pilot: Pilot[int], plain: World, name: str) -> list[str]:
    """Press every key of the screen called `name`; return those of which nothing came.

    What does nothing on the first row is tried on the second.
    """
    app = plain.app
    said: list[str] = []
    tell = app.notify

    def told(message: str, **options: Any) -> None:
        said.append(message)
        tell(message, **options)

    app.notify = told  # type: ignore[method-assign]

    async def shown(screen: Screen[Any] | None) -> Screen[Any]:
        """Bring the screen to the front again; make it anew when it is closed."""
        again = screen if screen in app.screen_stack else None
        while len(app.screen_stack) > 1 and app.screen is not again:
            app.pop_screen()
            await settled(pilot)
        if again is None:
            again = made(name, plain)
            app.push_screen(again)
            await until(pilot, lambda: again in app.screen_stack and again.is_mounted)
            await settled(pilot)
        return again

    async def is_silent(key: str) -> bool:
        before = State(app, said)
        await pilot.press(key)
        await settled(pilot)
        return State(app, said) == before

    screen = await shown(None)
    silent = []
    for key, action in [*keys_of(screen)]:
        screen = await shown(screen)
        # What a tab or a mode before has taken away is no key of the screen now.
        if key not in screen.active_bindings or not await is_silent(key):
            continue
        screen = await shown(screen)
        await pilot.press("j")
        await settled(pilot)
        if action not in SILENT and await is_silent(key):
            silent.append(f"{key} ({action})")
    return silent


@pytest.mark.parametrize("name", SCREENS)
async def test_each_key_does_something_or_says_why_not(plain: World, name: str, opened) -> None:
    async with opened(plain.app, (120, 40)) as pilot:
        assert await silent_keys(pilot, plain, name) == []
