"""Pictures of the data rooms at 80×24 and 120×40: few, for layout; logic is asserted elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from harness import FrozenApp, settled, until
from sample_data import HOSTILE, NOW, make_project
from textual.pilot import Pilot
from textual.widgets import Input

from batman_tui.widgets.picture.picture import Picture
from core.data.store import Project

SIZES = [(80, 24), (120, 40)]
Compare = Callable[..., bool]


def scene(root: Path, *keys: str, project: str = "", freeze: bool = False):
    """Return what plays the keys, each when the one before is done."""

    async def play(pilot: Pilot[int]) -> None:
        await settled(pilot)
        app = pilot.app
        assert isinstance(app, FrozenApp)
        if project:
            app.open_classes(root / "data" / "projects" / project)
            await settled(pilot)
        for key in keys:
            await pilot.press(key)
            await settled(pilot)
        if freeze:
            # The history has the true time and user of what was just done.
            with Project.open(root / "data" / "projects" / project) as opened:
                opened.db.execute(
                    "UPDATE history SET at = ?, who = 'ada@gotham'", (NOW.isoformat(),)
                )
            app.screen.on_screen_resume()  # type: ignore[attr-defined]
            await settled(pilot)
        app.clear_notifications()
        await settled(pilot)
        shown = [item for screen in app.screen_stack for item in screen.query(Picture)]
        await until(pilot, lambda: all(item.settled for item in shown))
        for line in app.screen.query(Input):
            line.cursor_blink = False
        await settled(pilot)

    return play


@pytest.mark.parametrize("size", SIZES)
def test_projects(snap_compare: Compare, workspace: Path, size: tuple[int, int]) -> None:
    assert snap_compare(FrozenApp(workspace), terminal_size=size, run_before=scene(workspace, "j"))


def test_projects_in_the_light_theme(snap_compare: Compare, workspace: Path) -> None:
    app = FrozenApp(workspace, theme="batman-light")
    assert snap_compare(app, terminal_size=(80, 24), run_before=scene(workspace, "j"))


def test_no_projects(snap_compare: Compare, tmp_path: Path) -> None:
    app = FrozenApp(tmp_path)
    assert snap_compare(app, terminal_size=(80, 24), run_before=scene(tmp_path))


@pytest.mark.parametrize("size", SIZES)
def test_classes(snap_compare: Compare, workspace: Path, size: tuple[int, int]) -> None:
    play = scene(workspace, "j", "j", "space", "space", project="building-site")
    assert snap_compare(FrozenApp(workspace), terminal_size=size, run_before=play)


def test_merge_and_undo_in_the_history(snap_compare: Compare, workspace: Path) -> None:
    keys = ("space", "space", "m", "enter", "u", "h")
    play = scene(workspace, *keys, project="blood-cells", freeze=True)
    assert snap_compare(FrozenApp(workspace), terminal_size=(80, 24), run_before=play)


@pytest.mark.parametrize("size", SIZES)
def test_merge(snap_compare: Compare, workspace: Path, size: tuple[int, int]) -> None:
    play = scene(workspace, "slash", *"hook", "enter", "a", "m", project="building-site")
    assert snap_compare(FrozenApp(workspace), terminal_size=size, run_before=play)


def test_likely_duplicates(snap_compare: Compare, workspace: Path) -> None:
    play = scene(workspace, "s", project="building-site")
    assert snap_compare(FrozenApp(workspace), terminal_size=(80, 24), run_before=play)


def test_names_that_are_not_ours(snap_compare: Compare, tmp_path: Path) -> None:
    make_project(tmp_path / "data" / "projects" / "hostile", HOSTILE, images=30)
    play = scene(tmp_path, "space", project="hostile")
    assert snap_compare(FrozenApp(tmp_path), terminal_size=(80, 24), run_before=play)


@pytest.mark.parametrize("size", SIZES)
def test_import(snap_compare: Compare, workspace: Path, size: tuple[int, int]) -> None:
    play = scene(workspace, "i", *"/no/such")
    assert snap_compare(FrozenApp(workspace), terminal_size=size, run_before=play)


def test_delete(snap_compare: Compare, workspace: Path) -> None:
    play = scene(workspace, "j", "d", *"build")
    assert snap_compare(FrozenApp(workspace), terminal_size=(80, 24), run_before=play)


@pytest.mark.parametrize("size", SIZES)
def test_help(snap_compare: Compare, workspace: Path, size: tuple[int, int]) -> None:
    play = scene(workspace, "f1", project="blood-cells")
    assert snap_compare(FrozenApp(workspace), terminal_size=size, run_before=play)


@pytest.mark.parametrize("size", SIZES)
def test_classes_by_split(workspace: Path, snap_compare: Compare, size: tuple[int, int]) -> None:
    play = scene(workspace, "S", "o", "o", "O", project="building-site")
    assert snap_compare(FrozenApp(workspace), terminal_size=size, run_before=play)
