"""Pictures of the rooms that show pictures, at 80×24 and 120×40."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness import FrozenApp, settled, until
from picture_data import make_pictures
from textual.pilot import Pilot

from batman_tui.widgets.picture.picture import Picture

pytestmark = pytest.mark.usefixtures("painting")

SIZES = [(80, 24), (120, 40)]
Compare = Callable[..., bool]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return make_pictures(tmp_path / "gotham/data/projects/site")


def scene(path: Path, room: str, *keys: str) -> Callable[[Pilot[int]], Any]:
    """Return what opens the room, plays the keys and waits for the picture."""

    async def play(pilot: Pilot[int]) -> None:
        await settled(pilot)
        app = pilot.app
        assert isinstance(app, FrozenApp)
        getattr(app, f"open_{room}")(path)
        await settled(pilot)
        for key in keys:
            await pilot.press(key)
            await settled(pilot)
        shown = app.screen.query(Picture)
        if shown:
            await until(pilot, lambda: all(picture.settled for picture in shown))
        await settled(pilot)

    return play


def app_of(path: Path) -> FrozenApp:
    return FrozenApp(path.parent.parent.parent)


@pytest.mark.parametrize("size", SIZES)
def test_images(snap_compare: Compare, pictures: Path, size: tuple[int, int]) -> None:
    play = scene(pictures, "images", "j", "j", "space", "j", "space", *["j"] * 7)
    assert snap_compare(app_of(pictures), terminal_size=size, run_before=play)


@pytest.mark.parametrize("size", SIZES)
def test_check(snap_compare: Compare, pictures: Path, size: tuple[int, int]) -> None:
    play = scene(pictures, "health", "n")
    assert snap_compare(app_of(pictures), terminal_size=size, run_before=play)


def test_a_split_for_images(snap_compare: Compare, pictures: Path) -> None:
    play = scene(pictures, "images", "space", "space", "s", "j")
    assert snap_compare(app_of(pictures), terminal_size=(80, 24), run_before=play)


@pytest.mark.parametrize("size", SIZES)
def test_classes_with_pictures(
    snap_compare: Compare, pictures: Path, size: tuple[int, int]
) -> None:
    keys = ["j"] if size[0] >= 100 else ["p", "j"]
    assert snap_compare(
        app_of(pictures), terminal_size=size, run_before=scene(pictures, "classes", *keys)
    )


def test_a_picture_on_the_whole_screen(snap_compare: Compare, pictures: Path) -> None:
    play = scene(pictures, "images", *["j"] * 11, "z", "plus", "2")
    assert snap_compare(app_of(pictures), terminal_size=(80, 24), run_before=play)


def test_thumbnails(snap_compare: Compare, pictures: Path) -> None:
    async def play(pilot: Pilot[int]) -> None:
        await scene(pictures, "images", "space", "space", "t")(pilot)
        await until(pilot, lambda: pilot.app.screen.settled)  # type: ignore[attr-defined]
        await pilot.press("down", "right")
        await settled(pilot)

    assert snap_compare(app_of(pictures), terminal_size=(120, 40), run_before=play)
