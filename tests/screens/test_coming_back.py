"""Opening the app again leads back to where one was, as far as it is still there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from harness import FrozenApp, settled, until
from picture_data import make_pictures

from batman_tui.classes.screen import ClassesScreen
from batman_tui.images.screen import ImagesScreen
from batman_tui.label.screen import LabelScreen
from batman_tui.navigation.kept_places import Kept, Place, PlaceFile, from_row, to_row
from batman_tui.navigation.session import Session
from batman_tui.projects.screen import ProjectsScreen
from batman_tui.runs.screen import RunsScreen
from batman_tui.widgets.table.filter import FilterInput


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A workspace with one project of pictures."""
    return make_pictures(tmp_path / "gotham/data/projects/site")


def app_at(root: Path, *, fresh: bool = False) -> FrozenApp:
    app = FrozenApp(root)
    app.session = Session(app, PlaceFile(root))
    app._back = not fresh
    return app


async def test_screens_filters_and_cursors_come_back(pictures: Path, opened) -> None:
    root = pictures.parents[2]
    app = app_at(root)
    async with opened(app, (120, 40)) as pilot:
        await pilot.press("enter")
        await settled(pilot)
        await pilot.press("v")
        await until(pilot, lambda: isinstance(app.screen, ImagesScreen))
        await settled(pilot)
        await pilot.press("slash", "space", *"split:train", "enter")
        await settled(pilot)
        await pilot.press("j", "j")
        await settled(pilot)
        images = app.screen
        there = images.table.cursor_key
        assert there is not None
        await pilot.press("ctrl+q")
    app = app_at(root)
    async with opened(app, (120, 40)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, ImagesScreen))
        await until(pilot, lambda: app.screen.table.cursor_key == there)
        assert app.screen.query_one(FilterInput).value == 'class:"crane" split:train'
        await pilot.press("escape")
        await settled(pilot)
        assert isinstance(app.screen, ClassesScreen), "Escape leads where it led before"
        await pilot.press("l")
        await until(pilot, lambda: isinstance(app.screen, LabelScreen) and app.screen.row_here)
        await pilot.press("right")
        await settled(pilot)
        image = app.screen.row_here
        app.session.note()
        await settled(pilot)
    assert PlaceFile(root).load().places[-1].row == image, "written without leaving in order"
    app = app_at(root)
    async with opened(app, (120, 40)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, LabelScreen))
        await until(pilot, lambda: app.screen.row_here == image)
    # A fresh start, and what is gone.
    app = app_at(root, fresh=True)
    async with opened(app, (120, 40)):
        assert isinstance(app.screen, ProjectsScreen)
    shutil.rmtree(pictures)
    app = app_at(root)
    async with opened(app, (120, 40)) as pilot:
        await until(pilot, lambda: app._notifications)
        assert isinstance(app.screen, ProjectsScreen)
        assert [note.message for note in app._notifications] == [
            f"The project '{pictures.name}', where you were, is gone."
        ]


async def test_a_row_that_is_read_late_gets_the_cursor_unless_it_was_moved(
    workspace: Path, opened
) -> None:
    wanted = workspace / "data/projects/harbour-night"
    PlaceFile(workspace).save(
        Kept([Place("projects", row=to_row(wanted, workspace)), Place("no-such-screen", "x")])
    )
    app = app_at(workspace)
    async with opened(app) as pilot:
        await until(pilot, lambda: app.screen.table.cursor_key == wanted)
        await pilot.press("k")
        here = app.screen.table.cursor_key
        app.screen.action_reload()
        await settled(pilot)
        assert app.screen.table.cursor_key == here != wanted
    PlaceFile(workspace).save(Kept([Place("projects", filter="harbour")]))
    app = app_at(workspace)
    async with opened(app) as pilot:
        await until(pilot, lambda: list(app.screen.table.visible_keys) == [wanted])
        assert app.screen.query_one(FilterInput).display
    PlaceFile(workspace).save(Kept([Place("runs", filter="model=base", row=["path", "runs/gone"])]))
    app = app_at(workspace)
    async with opened(app) as pilot:
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        assert app.screen.query_one(FilterInput).value == "model=base"


def test_a_damaged_file_is_no_file(tmp_path: Path) -> None:
    file = PlaceFile(tmp_path)
    assert file.load() == Kept()
    file.save(Kept([Place("projects", row=7)], ["runs x"]))
    assert file.load() == Kept([Place("projects", row=7)], ["runs x"])
    for damage in (b"", b"[]", b'{"places":[{"kind":3}]}', b"\xff\xfe", b'{"places":'):
        file.file.write_bytes(damage)
        assert file.load() == Kept()


def test_rows_are_kept_by_what_they_are(tmp_path: Path) -> None:
    for key in (7, "12_3", tmp_path / "runs" / "a", Path("/elsewhere/run")):
        assert from_row(to_row(key, tmp_path), tmp_path) == key
    assert to_row((1, 2), tmp_path) is None
    assert to_row(None, tmp_path) is None
    assert from_row(["path"], tmp_path) is None
