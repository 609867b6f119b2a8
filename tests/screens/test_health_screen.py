"""The screen of the check."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from harness import FrozenApp, screen_text, settled, until, words_on
from picture_data import make_pictures
from textual.pilot import Pilot
from textual.widgets import Input

import core.data.health
from batman_tui.health.screen import HealthScreen
from batman_tui.images.screen import ImagesScreen
from batman_tui.widgets.dialogs.dialogs import ConfirmDialog
from core.common.errors import Cancelled
from core.data.store import Project


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return make_pictures(tmp_path / "gotham/data/projects/site")


@pytest.fixture
def app(pictures: Path) -> FrozenApp:
    return FrozenApp(pictures.parent.parent.parent)


async def opened_on(pilot: Pilot[int], path: Path) -> HealthScreen:
    app = pilot.app
    assert isinstance(app, FrozenApp)
    app.open_health(path)
    await settled(pilot)
    assert isinstance(app.screen, HealthScreen)
    return app.screen


async def press(pilot: Pilot[int], *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
        await settled(pilot)


def kinds(screen: HealthScreen) -> list[str]:
    return list(screen.table.visible_keys)


async def test_findings_come_with_the_gravest_first(app: FrozenApp, pictures: Path, opened) -> None:
    async with opened(app) as pilot:
        screen = await opened_on(pilot, pictures)
        found = kinds(screen)
        assert found[:2] == ["box-degenerate", "image-missing"]
        severities = [screen.table.row(kind).finding.severity for kind in found]
        assert severities == sorted(severities, key=["error", "serious", "notice"].index)
        assert len(set(severities)) > 1
        assert screen.report is not None
        assert screen.report.files == "read"
        assert "Findings 2 errors" in screen_text(app)
        assert not screen.running


async def test_a_finding_is_explained_with_an_example(
    app: FrozenApp, pictures: Path, opened
) -> None:
    async with opened(app, (120, 40)) as pilot:
        screen = await opened_on(pilot, pictures)
        screen.table.move_to("box-past-edge")
        await settled(pilot)
        picture = screen.query_one("#finding-details").picture  # type: ignore[attr-defined]
        await until(pilot, lambda: picture.seen == 7)
        assert "1 box past the edge of the image" in screen_text(app)
        assert "Fix (f)" in screen_text(app)
        assert "example 1 of 1" in screen_text(app)
        await pilot.press("p", "n", "X")
        await settled(pilot)
        assert [note.message for note in app._notifications] == [
            "Only findings of look-alikes have pairs to lay side by side.",
            "The finding has no other example.",
            "No check is running; r checks again.",
        ]


async def test_examples_are_leafed_through(app: FrozenApp, pictures: Path, opened) -> None:
    async with opened(app, (120, 40)) as pilot:
        screen = await opened_on(pilot, pictures)
        picture = screen.query_one("#finding-details").picture  # type: ignore[attr-defined]
        await press(pilot, "n", "n", "N")
        await until(pilot, lambda: picture.seen == 10)
        await press(pilot, "h", "h")
        await until(pilot, lambda: picture.seen == 15)


async def test_a_fix_asks_is_one_step_and_is_taken_back(
    app: FrozenApp, pictures: Path, opened
) -> None:
    async with opened(app) as pilot:
        screen = await opened_on(pilot, pictures)
        await press(pilot, "j", "f")
        assert isinstance(app.screen, ConfirmDialog)
        assert "Fix image-missing?" in words_on(app)
        await press(pilot, "n")
        with Project.open(pictures) as project:
            assert project.summary().images == 24
        await press(pilot, "f", "y")
        with Project.open(pictures) as project:
            assert project.summary().images == 23
            assert len(project.history()) == 2
        assert "image-missing" not in kinds(screen)
        await press(pilot, "u")
        assert "image-missing" in kinds(screen)
        with Project.open(pictures) as project:
            assert project.summary().images == 24


async def test_its_images_can_be_listed(app: FrozenApp, pictures: Path, opened) -> None:
    async with opened(app) as pilot:
        await opened_on(pilot, pictures)
        await press(pilot, "v")
        assert isinstance(app.screen, ImagesScreen)
        assert list(app.screen.table.visible_keys) == [5, 10, 15]
        await press(pilot, "escape")
        assert isinstance(app.screen, HealthScreen)


async def test_from_the_projects_and_the_classes(app: FrozenApp, pictures: Path, opened) -> None:
    async with opened(app) as pilot:
        await press(pilot, "c")
        assert isinstance(app.screen, HealthScreen)
        await press(pilot, "escape", "enter", "c")
        assert isinstance(app.screen, HealthScreen)
        await press(pilot, "escape", "escape", "v", "c")
        assert isinstance(app.screen, HealthScreen)


async def test_reading_can_be_stopped_and_what_was_seen_stays(
    app: FrozenApp, pictures: Path, opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, reading, ended = core.data.health.check, threading.Event(), threading.Event()

    def slow(project, image_size, *, files, progress, cancelled):
        if files == "look":
            return real(project, image_size, files=files, progress=progress, cancelled=cancelled)
        reading.set()
        while not cancelled():
            ended.wait(0.01)
        ended.set()
        raise Cancelled("The check was stopped.", "")

    monkeypatch.setattr(core.data.health, "check", slow)
    async with opened(app, (120, 40)) as pilot:
        app.open_health(pictures)
        await until(pilot, reading.is_set)
        screen = app.screen
        assert isinstance(screen, HealthScreen)
        await until(pilot, lambda: screen.report is not None)
        assert "image-missing" in kinds(screen)
        await pilot.press("X")
        await until(pilot, ended.is_set)
        assert not screen.running
        assert "files not read" in screen_text(app)
        assert "image-missing" in kinds(screen)


async def test_leaving_stops_the_check(
    app: FrozenApp, pictures: Path, opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, ended, pause = threading.Event(), threading.Event(), threading.Event()

    def endless(project, image_size, *, files, progress, cancelled):
        reading.set()
        while not cancelled():
            pause.wait(0.01)
        ended.set()
        raise Cancelled("The check was stopped.", "")

    monkeypatch.setattr(core.data.health, "check", endless)
    async with opened(app) as pilot:
        app.open_health(pictures)
        await until(pilot, reading.is_set)
        await pilot.press("escape")
        await until(pilot, ended.is_set)
        assert not isinstance(app.screen, HealthScreen)


async def test_another_training_size(app: FrozenApp, pictures: Path, opened) -> None:
    async with opened(app) as pilot:
        screen = await opened_on(pilot, pictures)
        await press(pilot, "s")
        app.screen.query_one("#line", Input).value = "32"
        await settled(pilot)
        await press(pilot, "enter")
        assert screen.report is not None
        assert screen.report.image_size == 32


async def test_nothing_wrong_is_said(tmp_path: Path, opened) -> None:
    path = make_pictures(tmp_path / "data/projects/site", images=4)
    app = FrozenApp(tmp_path)
    async with opened(app) as pilot:
        screen = await opened_on(pilot, path)
        screen.post_message(
            HealthScreen.Checked(
                core.data.health.HealthReport("site", 640, "read", 4, 6, 2.0, ()), {}
            )
        )
        await settled(pilot)
        assert "Nothing is wrong with the data. Looked at 4 images and 6 annotations" in words_on(
            app
        )
        assert not screen.query_one("#finding-details").display, "there is none to tell of"


async def test_what_reading_found_stays_while_files_are_read_again(
    app: FrozenApp, pictures: Path, opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (20, 21):
        (pictures / f"images/1/site_{number:03}.png").write_bytes(b"no image")
    real, again, pause = core.data.health.check, threading.Event(), threading.Event()

    def once(project, image_size, *, files, progress, cancelled):
        if files == "read" and again.is_set():
            while not cancelled():
                pause.wait(0.01)
            raise Cancelled("The check was stopped.", "")
        return real(project, image_size, files=files, progress=progress, cancelled=cancelled)

    monkeypatch.setattr(core.data.health, "check", once)
    async with opened(app) as pilot:
        screen = await opened_on(pilot, pictures)
        assert "image-unreadable" in kinds(screen)
        again.set()
        screen.table.move_to("image-missing")
        await pilot.press("f", "y")
        await until(pilot, lambda: "image-missing" not in kinds(screen))
        assert screen.running
        assert "image-unreadable" in kinds(screen)
        screen.table.move_to("image-unreadable")
        await pilot.press("f", "y")
        await until(pilot, lambda: "image-unreadable" not in kinds(screen))
        with Project.open(pictures) as project:
            assert project.summary().images == 21
