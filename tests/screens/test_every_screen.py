"""Every screen and dialog of the app, with hostile text in it, and at small sizes.

The list is made from the code: a new screen without a case in `all_screens` fails.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from all_screens import World, made, screens
from harness import FrozenApp, settled, until
from hostile_data import (
    EVIL,
    foreign_codes,
    hostile_cluster,
    make_failed_run,
    make_hostile_predictions,
    make_hostile_project,
    make_hostile_run,
)
from painted_parts import cells, painted_in_parts
from textual import events
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input, TextArea

from batman_tui.widgets.dialogs.text_dialog import TextDialog
from batman_tui.widgets.form.line_input import LineInput
from core.common.errors import BatmanError
from core.common.invisible_characters import unseen


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("BATMAN_CONFIG_DIR", str(tmp_path / "config"))
    root = tmp_path / "gotham"
    project = make_hostile_project(root)
    runs = [
        make_hostile_run(root, monkeypatch),
        make_hostile_run(root, monkeypatch, f"other {EVIL}"),
        make_failed_run(root),
    ]
    return World(root, EVIL, project, runs, make_hostile_predictions(root), hostile_cluster())


def painted(app: FrozenApp) -> str:
    """Return what Textual's driver would write to paint the whole screen."""
    return app.screen._compositor.render_full_update().render_segments(app.console)


async def shown(pilot: Pilot[int], world: World, name: str) -> Screen[Any]:
    app = world.app
    screen = made(name, world)
    app.push_screen(screen)
    await until(pilot, lambda: (screen.is_mounted and screen in app.screen_stack) or app.errors)
    await settled(pilot)
    return screen


async def test_an_error_with_commands_to_copy_hands_no_codes_on(world: World, opened) -> None:
    app = world.app
    written: list[Any] = []
    async with opened(app, (120, 40)) as pilot:
        app._driver.write = written.append  # type: ignore[assignment]
        app.show_error(BatmanError(EVIL, f"first {EVIL}\nsecond {EVIL}"))
        await until(pilot, lambda: isinstance(app.screen, TextDialog))
        await settled(pilot)
        assert "second" in app.screen.query_one(TextArea).text
        for key in ("c", "w", "end"):
            await pilot.press(key)
            await settled(pilot)
            assert foreign_codes(painted(app)) == []
        # What is copied goes to the terminal in base64 (OSC 52), here by the app's own wish.
        codes = foreign_codes("".join(text for text in written if not text.startswith("\x1b]52;")))
        assert codes == []
        assert [char for char in unseen(app.clipboard) if char != "\n"] == []
        assert [char for char in unseen((app.workspace.logs_dir / "error.txt").read_text())
                if char != "\n"] == []  # fmt: skip


async def test_the_palette_hands_no_codes_on(world: World, opened) -> None:
    async with opened(world.app, (120, 40)) as pilot:
        await pilot.press("ctrl+p")
        await settled(pilot)
        world.app.post_message(events.Paste("a" + EVIL))
        await settled(pilot)
        assert world.app.screen.query_one(Input).value.startswith("a")
        assert foreign_codes(painted(world.app)) == []


@pytest.mark.parametrize("name", sorted(screens()))
async def test_lines_can_be_seen_and_no_codes_are_handed_on(
    world: World, name: str, opened
) -> None:
    """The screen is made anew at each size; the app, whose start is half of the time, is one."""
    app = world.app
    written: list[str] = []
    async with opened(app, (120, 40)) as pilot:
        app._driver.write = written.append  # type: ignore[assignment]
        for size in ((80, 24), (80, 12), (120, 40)):
            await pilot.resize_terminal(*size)
            screen = await shown(pilot, world, name)
            assert screen.size == size
            if size == (120, 40):
                assert foreign_codes(painted(app)) == [], name
                await _what_the_focus_changes_is_painted(pilot, app)
            if name == "DeleteDialog":
                await pilot.press("r")
            await _every_line_is_seen(pilot, screen, f"{name} at {size}")
            if size != (120, 40):
                app.pop_screen()
                await until(pilot, lambda screen=screen: screen not in app.screen_stack)
                await settled(pilot)
        # Notifications, tooltips and titles have their own ways to the terminal.
        app.show_error(BatmanError(EVIL, EVIL))
        app.tell(EVIL)
        await pilot.pause()
        assert foreign_codes(painted(app)) == [], name
        for line in [line for line in screen.query(Input) if line.display]:
            line.focus()
            line.post_message(events.Paste(EVIL))
            await pilot.pause()
            assert foreign_codes(painted(app)) == [], name
        for key in ("end", "f4", "f1"):
            await pilot.press(key)
            await settled(pilot)
            assert foreign_codes(painted(app)) == [], name
        assert foreign_codes("".join(written)) == []


async def _what_the_focus_changes_is_painted(pilot: Pilot[int], app: FrozenApp) -> None:
    with painted_in_parts(app) as terminal:
        for key in ("tab", "tab", "tab", "shift+tab"):
            await pilot.press(key)
            await settled(pilot)
            whole = app.screen._compositor.render_strips()
            assert cells(terminal.lines) == cells(whole), f"{app.screen} after {key}"


async def _every_line_is_seen(pilot: Pilot[int], screen: Screen[Any], name: str) -> None:
    for line in screen.query(Input):
        if not all(node.display for node in line.ancestors_with_self if hasattr(node, "display")):
            continue
        assert isinstance(line, LineInput), f"{name}: {line} is no LineInput"
        line.focus()
        await pilot.pause()
        inside = line.content_region.intersection(screen.region)
        assert inside.area >= 1, f"{name}: {line} at {line.region}"
        assert screen.get_widget_at(inside.x, inside.y)[0] is line
    for area in screen.query(TextArea):
        assert area.read_only, "a TextArea that can be typed in needs what LineInput has"
