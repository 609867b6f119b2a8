"""The screen of images."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter

import pytest
from harness import FrozenApp, screen_text, settled, until, words_on
from picture_data import make_pictures
from sample_data import make_project
from textual.pilot import Pilot
from textual.widgets import Input, Static

from batman_tui.images.screen import ImagesScreen
from batman_tui.widgets.dialogs.dialogs import ConfirmDialog, PromptDialog
from batman_tui.widgets.dialogs.pick import PickDialog
from batman_tui.widgets.table.filter import FilterInput
from core.data.images.filter import find_images, parse_filter
from core.data.splits.edit import split_counts
from core.data.store import Project


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return make_pictures(tmp_path / "gotham/data/projects/site")


@pytest.fixture
def app(pictures: Path) -> FrozenApp:
    return FrozenApp(pictures.parent.parent.parent)


async def opened_on(pilot: Pilot[int], path: Path, narrow: str = "") -> ImagesScreen:
    app = pilot.app
    assert isinstance(app, FrozenApp)
    app.open_images(path, narrow)
    await settled(pilot)
    assert isinstance(app.screen, ImagesScreen)
    return app.screen


async def press(pilot: Pilot[int], *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
        await settled(pilot)


def ids(path: Path, text: str) -> list[int]:
    """What the project holds now, read past the app."""
    with Project.open(path) as project:
        return find_images(project, parse_filter(text))


async def test_shows_what_is_on_an_image(app: FrozenApp, pictures: Path, opened) -> None:
    async with opened(app, (120, 40)) as pilot:
        screen = await opened_on(pilot, pictures)
        await press(pilot, "j", "j")
        picture = screen.query_one("#image-details").picture  # type: ignore[attr-defined]
        await until(pilot, lambda: picture.shown == 3)
        text = screen_text(app)
        assert "▀" in text
        assert "site_003.png" in text
        assert "size 160 × 120" in text
        assert "group clip.mp4" in text
        assert "time 1.50 s" in text
        assert "■ crane" in text
        assert "■ safety vest" in text


async def test_a_missing_file_is_told(app: FrozenApp, pictures: Path, opened) -> None:
    async with opened(app, (120, 40)) as pilot:
        screen = await opened_on(pilot, pictures)
        await press(pilot, *["j"] * 8)
        assert screen.table.cursor_key == 9
        await until(pilot, lambda: "'site_009.png' is not there" in screen_text(app))


async def test_filters_as_one_types(app: FrozenApp, pictures: Path, opened) -> None:
    async with opened(app) as pilot:
        screen = await opened_on(pilot, pictures)
        await press(pilot, "slash", *"split:valid _01")
        assert list(screen.table.visible_keys) == [10, 15]
        assert "Images 2 of 24" in screen_text(app)
        await press(pilot, "enter", "space", "d", "y")
        assert ids(pictures, "split:valid") == [5, 15, 20]
        await press(pilot, "slash", "escape")
        assert screen.table.row_count == 23
        await press(pilot, "u")
        assert screen.table.row_count == 24


async def test_opens_on_a_class(app: FrozenApp, pictures: Path, opened) -> None:
    async with opened(app) as pilot:
        app.open_classes(pictures)
        await settled(pilot)
        await press(pilot, "j", "j", "v")
        assert isinstance(app.screen, ImagesScreen)
        assert app.screen.query_one(FilterInput).value == 'class:"safety vest"'
        assert list(app.screen.table.visible_keys) == [3, 6, 9, 12, 15, 18, 21, 24]


async def test_narrows_by_choosing(app: FrozenApp, pictures: Path, opened) -> None:
    async with opened(app) as pilot:
        screen = await opened_on(pilot, pictures)
        await press(pilot, "f")
        assert isinstance(app.screen, PickDialog)
        await press(pilot, "slash", *"front", "enter", "enter")
        assert app.screen is screen
        assert list(screen.table.visible_keys) == [4, 8, 12, 16, 20, 24]
        await press(pilot, "f", "j", "enter")
        assert screen.query_one(FilterInput).value == 'class:"person [front]" split:valid'
        assert list(screen.table.visible_keys) == [20]


async def test_marked_images_go_into_a_split_with_their_video(
    app: FrozenApp, pictures: Path, opened
) -> None:
    async with opened(app) as pilot:
        screen = await opened_on(pilot, pictures)
        await press(pilot, "j", "space", *["j"] * 5, "space", "s")
        assert "Put 2 images into" in words_on(app)
        await press(pilot, "j", "j", "enter")
        assert app.screen is screen
        assert ids(pictures, "split:test") == [1, 2, 3, 4, 8]
        assert screen.table.marks == set()
        assert screen.table.row(1).split == "test"
        await press(pilot, "u")
        assert ids(pictures, "split:test") == []
        assert screen.table.row(1).split == "train"
        await press(pilot, "ctrl+r")
        assert ids(pictures, "split:test") == [1, 2, 3, 4, 8]


async def test_splits_are_drawn_anew(app: FrozenApp, pictures: Path, opened) -> None:
    async with opened(app) as pilot:
        await opened_on(pilot, pictures)
        await press(pilot, "s", "G", "enter")
        assert isinstance(app.screen, PromptDialog)
        line = app.screen.query_one("#line", Input)
        line.value = "50 50"
        await settled(pilot)
        await press(pilot, "enter")
        assert isinstance(app.screen, PromptDialog)
        line.value = "50 25 25 seed 3"
        await settled(pilot)
        told = str(app.screen.query_one("#wrong", Static).content)
        assert "50% train, 25% valid, 25% test, seed 3" in told
        await press(pilot, "enter")
        with Project.open(pictures) as project:
            assert split_counts(project).images == {"train": 12, "valid": 6, "test": 6, "none": 0}
            assert len(project.history()) == 2


async def test_deleting_asks_first(app: FrozenApp, pictures: Path, opened) -> None:
    async with opened(app) as pilot:
        screen = await opened_on(pilot, pictures)
        await press(pilot, "a", "d")
        assert isinstance(app.screen, ConfirmDialog)
        assert "24 images and the boxes on them" in words_on(app)
        await press(pilot, "n")
        assert len(ids(pictures, "")) == 24
        await press(pilot, "d", "y")
        assert ids(pictures, "") == []
        assert "No images yet" in words_on(app)
        await press(pilot, "u")
        assert screen.table.row_count == 24


async def test_sorts(app: FrozenApp, pictures: Path, opened) -> None:
    async with opened(app) as pilot:
        screen = await opened_on(pilot, pictures)
        await press(pilot, "o", "o", "o")
        assert screen.table.order == ("boxes", True)
        assert list(screen.table.visible_keys)[:2] == [12, 24]
        await press(pilot, "O")
        assert list(screen.table.visible_keys)[-2:] == [12, 24]


async def test_the_picture_can_fill_the_screen(app: FrozenApp, pictures: Path, opened) -> None:
    async with opened(app) as pilot:
        screen = await opened_on(pilot, pictures)
        picture = screen.query_one("#image-details").picture  # type: ignore[attr-defined]
        before = picture.size.height
        await press(pilot, "z")
        assert picture.size.height > before
        await press(pilot, "j")
        await until(pilot, lambda: picture.shown == 2)
        assert screen.table.cursor_key == 2
        await press(pilot, "z")
        assert picture.size.height == before


async def test_only_rows_in_sight_are_read(tmp_path: Path, opened) -> None:
    path = make_project(tmp_path / "data/projects/large", {"a": 3000}, images=120_000)
    app = FrozenApp(tmp_path)
    async with opened(app, (120, 40)) as pilot:
        screen = await opened_on(pilot, path)
        assert screen.table.row_count == 120_000
        await press(pilot, "G")
        assert screen.table.cursor_row.id == 120_000
        assert len(screen.table.model.rows) <= 400
        started = perf_counter()
        for key in ("j", "k", "pageup", "space", "g") * 4:
            await pilot.press(key)
        assert perf_counter() - started < 8
        await press(pilot, "slash", *"1199")
        assert screen.table.row_count == 132
        assert screen.table.cursor_row.name == "001199.jpg"
