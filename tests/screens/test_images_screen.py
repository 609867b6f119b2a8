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
from batman_tui.pictures.grid_screen import GridScreen
from batman_tui.pictures.picture_screen import PictureScreen
from batman_tui.pictures.viewer import Viewer
from batman_tui.widgets.dialogs.dialogs import ConfirmDialog, PromptDialog
from batman_tui.widgets.dialogs.pick import PickDialog
from batman_tui.widgets.table.filter import FilterInput
from core.data.images.filter import find_images, parse_filter
from core.data.labels.passes import Found, PassInfo, record_pass
from core.data.labels.review import review_images
from core.data.splits.edit import split_counts
from core.data.store import Project

pytestmark = pytest.mark.usefixtures("painting")


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
        await until(pilot, lambda: picture.seen == 3)
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
        assert "other frames of the same video go along" in words_on(app)
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


async def test_a_wide_table_says_what_is_reviewed_and_open(
    app: FrozenApp, pictures: Path, opened
) -> None:
    with Project.open(pictures) as project:
        review_images(project, [2], "done")
        review_images(project, [3], "later")
        (of,) = project.db.execute("SELECT min(id) FROM classes").fetchone()
        found = [Found(of, (x, 5.0, 20.0, 20.0), 0.6) for x in (1.0, 60.0)]
        record_pass(project, PassInfo("run", "night", (of,)), [(4, found)])
    async with opened(app, (240, 40)) as pilot:
        await opened_on(pilot, pictures)
        lines = screen_text(app).splitlines()
        heading = next(line for line in lines if "Classes" in line and "Review" in line)
        rows = {name: line for line in lines for name in ("reviewed", "put off") if name in line}
        assert set(rows) == {"reviewed", "put off"}
        at = heading.index("Open")
        opened_counts = [line[at : at + 4].strip() for line in lines[lines.index(heading) + 1 :]]
        assert "2" in opened_counts
    async with opened(FrozenApp(app.workspace.root), (80, 24)) as pilot:
        await opened_on(pilot, pictures)
        assert "Review" not in screen_text(pilot.app)


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


async def test_the_picture_gets_the_whole_screen_and_the_list_goes_along(
    app: FrozenApp, pictures: Path, opened
) -> None:
    async with opened(app) as pilot:
        screen = await opened_on(pilot, pictures)
        await until(pilot, lambda: screen.viewer.seen == 1)
        await press(pilot, "z")
        whole = app.screen.query_one(Viewer)
        await until(pilot, lambda: whole.seen == 1)
        assert whole.size == (80, 21)
        assert "site_001.png  1 of 24 · 160×120 · train · clip.mp4 at 0.50 s" in screen_text(app)
        # Which classes are drawn goes along from picture to picture, and back.
        await press(pilot, "n", "n")
        await until(pilot, lambda: whole.seen == 3)
        assert "─ ■ crane 1, ■ safety vest 1" in screen_text(app)
        await press(pilot, "w", "9")
        assert not whole.look.only_wrong
        said = [note.message for note in app._notifications]
        assert any("these are labels" in text for text in said), "no picture without its boxes"
        assert "There is no class 9 on this picture." in said
        await press(pilot, "1", "z")
        assert screen.table.cursor_key == 3
        await until(pilot, lambda: screen.viewer.seen == 3)
        assert screen.viewer.look.off == {"crane"}


async def test_one_looks_closer_to_the_pixel(app: FrozenApp, pictures: Path, opened) -> None:
    async with opened(app) as pilot:
        await opened_on(pilot, pictures)
        await press(pilot, "z")
        whole = app.screen.query_one(Viewer)
        await until(pilot, lambda: whole.seen == 1)
        await press(pilot, *["plus"] * 9)
        window = whole.window
        assert window is not None
        assert window.pixel[0] < 0.3
        assert "×" in screen_text(app)
        await press(pilot, "shift+right")
        assert whole.window.x == pytest.approx(window.x + 1)
        await press(pilot, *["down"] * 99)
        assert whole.window.y + whole.window.h == pytest.approx(120)
        await press(pilot, "0")
        assert whole.zoom == 1


async def test_thumbnails_are_walked_marked_and_opened(
    app: FrozenApp, pictures: Path, opened
) -> None:
    async with opened(app, (120, 40)) as pilot:
        screen = await opened_on(pilot, pictures)
        await press(pilot, "j", "space", "t")
        grid = app.screen
        assert isinstance(grid, GridScreen)
        await until(pilot, lambda: grid.settled)
        text = screen_text(app)
        assert "Thumbnails 3 of 24 · 1 marked" in text
        assert "● site_002" in text
        # The file of image 9 is missing: a field of its own, and its name.
        assert "site_009" in text
        await press(pilot, "right", "down", "space")
        columns = grid.page.grid.columns
        assert screen.table.marks == {2, 4 + columns}
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(app.screen, PictureScreen))
        whole = app.screen.query_one(Viewer)
        await until(pilot, lambda: whole.seen == 5 + columns)
        await press(pilot, "n", "escape")
        assert grid.here == 6 + columns
        await press(pilot, "escape")
        assert screen.table.cursor_key == 6 + columns


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


async def test_no_video_is_spoken_of_where_there_is_none(tmp_path: Path, opened) -> None:
    path = make_project(tmp_path / "data/projects/plain", {"a": 3}, images=3)
    app = FrozenApp(tmp_path)
    async with opened(app) as pilot:
        await opened_on(pilot, path)
        await press(pilot, "s")
        assert "Put 1 image into" in words_on(app)
        assert "video" not in words_on(app)
