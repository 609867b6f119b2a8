"""The ways into a project other than a data set in a folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness import FrozenApp, settled, until, words_on
from PIL import Image
from test_import_dialog import app_for, empty  # noqa: F401
from test_snapshots import SIZES, Compare, scene
from textual.pilot import Pilot
from textual.widgets import Button, Input, RadioSet

from batman_tui.imports.import_dialog import ImportDialog
from batman_tui.label.screen import LabelScreen
from core.common.errors import ImportFailed
from core.data import importers
from core.data.importers import ImportReport
from core.data.importers.services import coco_zoo, roboflow
from core.data.importers.video import child
from core.data.store import Project

KEY = "rf_s3cret"


class Asked:
    """An importer that remembers what it was asked for."""

    def __init__(self, error: ImportFailed | None = None) -> None:
        self.args: tuple[Any, ...] = ()
        self.options: dict[str, Any] = {}
        self.error = error
        self.annotations = 7

    def __call__(self, project: Project, *args: Any, progress: Any, cancelled: Any, **options: Any):
        self.args, self.options = args, options
        if self.error is not None:
            raise self.error
        return ImportReport(1, "x", "elsewhere", 3, self.annotations, ["car", "bus"], [])


async def way_on(pilot: Pilot[int], number: int) -> ImportDialog:
    """Open the dialog and go to a way in by its number."""
    await pilot.press("i", *["f3"] * number)
    await settled(pilot)
    dialog = pilot.app.screen
    assert isinstance(dialog, ImportDialog)
    return dialog


async def fill(pilot: Pilot[int], **values: str) -> None:
    for name, value in values.items():
        pilot.app.screen.query_one(f"#{name.replace('_', '-')}", Input).value = value
    await settled(pilot)


def can_start(dialog: ImportDialog) -> bool:
    return not dialog.query_one("#ok", Button).disabled


async def test_coco_by_class(
    empty: Path,  # noqa: F811
    opened: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = Asked()
    monkeypatch.setattr(coco_zoo, "import_coco_zoo", asked)
    app = app_for(empty)
    async with opened(app) as pilot:
        dialog = await way_on(pilot, 1)
        assert can_start(dialog)
        await fill(pilot, zoo="person, trafic_light")
        assert "did you mean 'traffic light'" in words_on(app)
        assert not can_start(dialog)
        await fill(pilot, zoo="person, traffic light", zoo_images="0")
        assert not can_start(dialog)
        await fill(pilot, zoo_images="20")
        dialog.query_one("#zoo-split", RadioSet).query("Choice").last().value = True
        await pilot.press("enter")
        await until(pilot, lambda: dialog.phase == "report")
        await settled(pilot)
        assert asked.args == (["person", "traffic light"],)
        assert asked.options == {"split": "train", "max_samples": 20, "anyway": False}
        assert "3 images, 7 annotations, 2 classes" in words_on(app)


@pytest.mark.parametrize("from_environment", [True, False])
async def test_roboflow_takes_the_key_and_shows_it_nowhere(
    empty: Path,  # noqa: F811
    opened: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    from_environment: bool,
) -> None:
    monkeypatch.delenv("ROBOFLOW_API_KEY", raising=False)
    if from_environment:
        monkeypatch.setenv("ROBOFLOW_API_KEY", KEY)
    asked = Asked(ImportFailed("The roboflow package is not installed here.", "Install it."))
    monkeypatch.setattr(roboflow, "import_roboflow", asked)
    app = app_for(empty)
    async with opened(app, (120, 40)) as pilot:
        dialog = await way_on(pilot, 2)
        assert not can_start(dialog)
        assert "Still empty: Workspace, Project" in dialog.missing()
        await fill(pilot, rf_space="gotham", rf_project="cells", rf_version="0")
        assert not can_start(dialog)
        await fill(pilot, rf_version="4")
        assert can_start(dialog) == from_environment
        if not from_environment:
            await fill(pilot, rf_key=KEY)
        assert KEY not in words_on(app)
        described: list[str] = []
        start = ImportDialog.run_worker

        def spy(self: ImportDialog, *args: Any, **options: Any) -> Any:
            described.append(repr(options))
            return start(self, *args, **options)

        monkeypatch.setattr(ImportDialog, "run_worker", spy)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: app._notifications)
        assert asked.args == ("gotham", "cells", 4)
        assert asked.options == {"api_key": KEY, "anyway": False}
        assert dialog.phase == "form"
        assert "not installed here. Install it." in words_on(app)
        assert KEY not in words_on(app)
        assert described
        assert KEY not in "".join(described)


async def test_videos_at_an_interval(
    empty: Path,  # noqa: F811
    tmp_path: Path,
    opened: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = Asked()
    asked.annotations = 0
    monkeypatch.setattr(child, "import_video_in_child", asked)
    app = app_for(empty)
    async with opened(app) as pilot:
        dialog = await way_on(pilot, 3)
        await fill(pilot, video=str(tmp_path))
        assert "Every video in this folder" in words_on(app)
        for name in ("night 1.mp4", "night 2.mp4", "day.mp4"):
            (tmp_path / name).touch()
        await fill(pilot, video=f"{tmp_path}/night*.mp4 {tmp_path}/gone.mp4")
        assert "Not all of it is there yet." in words_on(app)
        assert not can_start(dialog)
        await fill(pilot, video=f"{tmp_path}/night*.mp4 {tmp_path}")
        assert "2 videos and 1 folder as one import" in words_on(app)
        line = dialog.query_one("#video", Input)
        assert await line.suggester.get_suggestion(f"x {tmp_path}/d") == f"x {tmp_path}/day.mp4"
        assert can_start(dialog)
        for typed, good in (("0", False), ("", False), ("0.5", True), ("nan", False)):
            await fill(pilot, interval=typed)
            assert can_start(dialog) == good, typed
        await fill(pilot, interval="0.5")
        dialog.query_one("#unit", RadioSet).query("Choice").last().value = True
        await settled(pilot)
        assert not can_start(dialog), "half a frame"
        await fill(pilot, interval="30")
        dialog.query_one("#similar", RadioSet).query("Choice").last().value = True
        await settled(pilot)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: dialog.phase == "report")
        videos = [tmp_path / name for name in ("night 1.mp4", "night 2.mp4")]
        assert asked.args == ([*videos, tmp_path],)
        assert asked.options == {
            "every_s": None, "every_frames": 30, "skip_similar": True, "anyway": False,
        }  # fmt: skip
        # What comes next after a video is labelling it.
        assert "l begins to draw them" in words_on(app)
        await pilot.press("l")
        await until(pilot, lambda: isinstance(app.screen, LabelScreen))


def original(folder: Path) -> Path:
    """A project of the original with two imports of one image each."""
    folder.mkdir()
    (folder / "project.json").write_text(json.dumps({"name": "old", "classes": ["car", "bus"]}))
    for number in (-1, -2):
        frames = folder / "frames" / str(number)
        frames.mkdir(parents=True)
        Image.new("RGB", (32, 24)).save(frames / "a.jpg")
        record = {
            "video_id": number,
            "frame_number": 0,
            "image_path": str(frames / "a.jpg"),
            "timestamp": 0.0,
        }
        (frames / "frames.json").write_text(json.dumps({str(number): record}))
    return folder


async def test_a_project_of_the_original(
    empty: Path,  # noqa: F811
    tmp_path: Path,
    opened: Callable[..., Any],
) -> None:
    app = app_for(empty)
    async with opened(app) as pilot:
        dialog = await way_on(pilot, 4)
        await fill(pilot, original=str(tmp_path))
        assert "There is no project.json" in words_on(app)
        await fill(pilot, original=str(original(tmp_path / "old")))
        assert "its imports and videos become imports" in words_on(app)
        await pilot.press("enter")
        await until(pilot, lambda: dialog.phase == "report")
        await settled(pilot)
        assert "2 images, 0 annotations" in words_on(app)
        await pilot.press("escape", "i", "f3", "f3", "f3", "f3", "f3")
        await settled(pilot)
        assert app.screen.focused.id == "path", "after the last comes the first"
    with Project.open(empty) as project:
        assert len(importers.list_imports(project)) == 2


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("way", [1, 2, 3, 4])
def test_way(
    snap_compare: Compare,
    workspace: Path,
    size: tuple[int, int],
    way: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("ROBOFLOW_API_KEY", raising=False)
    play = scene(workspace, "i", *["f3"] * way)
    assert snap_compare(FrozenApp(workspace), terminal_size=size, run_before=play)
