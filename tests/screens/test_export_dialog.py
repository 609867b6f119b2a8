"""The dialog that writes a project for other tools."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from harness import FrozenApp, settled, until, words_on
from picture_data import make_pictures
from test_snapshots import SIZES, Compare, scene
from textual.pilot import Pilot
from textual.widgets import Button, Input

from batman_tui.projects import export_dialog
from batman_tui.projects.export_dialog import ExportDialog
from core.common.errors import Cancelled
from core.data.exporters.registry import FORMATS
from core.data.importers import Progress
from core.data.labels.review import review_images
from core.data.store import Project


async def dialog_on(pilot: Pilot[int], project: Path) -> ExportDialog:
    pilot.app.open_export(project)  # type: ignore[attr-defined]
    await settled(pilot)
    dialog = pilot.app.screen
    assert isinstance(dialog, ExportDialog)
    return dialog


def can_start(dialog: ExportDialog) -> bool:
    return not dialog.query_one("#ok", Button).disabled


@pytest.mark.parametrize("number", range(len(FORMATS)), ids=[item.name for item in FORMATS])
async def test_every_format_is_written(
    workspace: Path, opened: Callable[..., Any], number: int
) -> None:
    project = make_pictures(workspace / "data" / "projects" / "site")
    app = FrozenApp(workspace)
    async with opened(app) as pilot:
        dialog = await dialog_on(pilot, project)
        await pilot.press(*["f3"] * number)
        await settled(pilot)
        out = workspace / "exports" / f"site-{FORMATS[number].name}"
        assert dialog.query_one("#folder", Input).value == str(out)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: app.screen is not dialog)
        written = {path.name for path in out.iterdir()}
        signs = {"train", "data.yaml", "Annotations", "training", "project.json", "images"}
        assert written & signs
        assert not app.busy
    if number == 0:
        value = json.loads((out / "train" / "_annotations.coco.json").read_bytes())
        assert value["annotations"]


async def test_only_what_was_reviewed(workspace: Path, opened: Callable[..., Any]) -> None:
    path = make_pictures(workspace / "data" / "projects" / "site")
    with Project.open(path) as project:
        kept = [row[0] for row in project.db.execute("SELECT id FROM v_images LIMIT 2")]
        review_images(project, kept, "done")
    app = FrozenApp(workspace)
    async with opened(app) as pilot:
        dialog = await dialog_on(pilot, path)
        await pilot.press("shift+tab", "right")
        assert "only those that are reviewed" in words_on(app)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: app.screen is not dialog)
        assert "that were not reviewed left out" in words_on(app)
    out = workspace / "exports" / f"site-{FORMATS[0].name}"
    files = [json.loads(file.read_bytes()) for file in out.glob("*/_annotations.coco.json")]
    assert sum(len(each["images"]) for each in files) == 2


async def test_a_folder_with_something_in_it_is_refused(
    workspace: Path, opened: Callable[..., Any]
) -> None:
    project = make_pictures(workspace / "data" / "projects" / "site")
    app = FrozenApp(workspace)
    async with opened(app) as pilot:
        dialog = await dialog_on(pilot, project)
        assert can_start(dialog)
        line = dialog.query_one("#folder", Input)
        for typed, said in (
            (str(project), "There is something in this folder"),
            (str(project / "project.db"), "This is a file"),
            ("", "Name a folder"),
            ("a\0b", "There can be no such folder"),
            ("~nobody-has-this-name/x", "There can be no such folder"),
        ):
            line.value = typed
            await settled(pilot)
            assert said in words_on(app)
            assert not can_start(dialog)
            await pilot.press("ctrl+s")
            assert dialog.phase == "form"
        # What was typed is kept when the format changes.
        line.value = str(workspace / "mine")
        await pilot.press("f3")
        await settled(pilot)
        assert line.value == str(workspace / "mine")
        assert can_start(dialog)
        await pilot.press("escape")
        assert app.screen is not dialog
    assert not (workspace / "mine").exists()


async def test_escape_stops_it(
    workspace: Path, opened: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_pictures(workspace / "data" / "projects" / "site")

    def slow(
        _project: Any, _out: Path, *, progress: Any, cancelled: Callable[[], bool], **_more: Any
    ) -> None:
        progress(Progress("images", 3, 9))
        while not cancelled():
            Event().wait(0.01)
        raise Cancelled("Stopped.")

    slowly = (replace(FORMATS[0], write=slow), *FORMATS[1:])
    monkeypatch.setattr(export_dialog, "FORMATS", slowly)
    app = FrozenApp(workspace)
    async with opened(app) as pilot:
        dialog = await dialog_on(pilot, project)
        await pilot.press("enter")
        await until(pilot, lambda: "Images 3 of 9" in words_on(app))
        assert "Escape stops it; nothing of it is left" in words_on(app)
        assert app.busy
        await pilot.press("escape")
        await until(pilot, lambda: dialog.phase == "form")
        assert app.screen is dialog
        assert not app.busy


@pytest.mark.parametrize("size", SIZES)
def test_export(workspace: Path, snap_compare: Compare, size: tuple[int, int]) -> None:
    play = scene(workspace, "x", "f3")

    async def typed(pilot: Pilot[int]) -> None:
        await play(pilot)
        # Not the path of this test's own folder.
        pilot.app.screen.query_one("#folder", Input).value = "~/cells-yolo"
        await settled(pilot)

    assert snap_compare(FrozenApp(workspace), terminal_size=size, run_before=typed)


async def test_a_folder_is_looked_at_as_it_stands_before_anything_is_written(
    workspace: Path, opened: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_pictures(workspace / "data" / "projects" / "site")
    full = workspace / "full"
    full.mkdir()
    (full / "kept.txt").touch()
    go, began, iterdir = Event(), Event(), Path.iterdir

    def slowly(folder: Path) -> Any:
        if folder == full:
            began.set()
            assert go.wait(30)
        return iterdir(folder)

    app = FrozenApp(workspace)
    async with opened(app) as pilot:
        dialog = await dialog_on(pilot, project)
        dialog.query_one("#folder", Input).value = str(workspace / "ful")
        await settled(pilot)
        monkeypatch.setattr(Path, "iterdir", slowly)
        dialog.query_one("#folder", Input).value = str(full)
        await until(pilot, began.is_set)
        await pilot.press("ctrl+s")
        assert dialog.phase == "form", "what the folder was like before says nothing of this one"
        go.set()
        await until(pilot, lambda: "There is something in this folder" in words_on(app))
        await settled(pilot)
        assert dialog.phase == "form"
        assert list(iterdir(full)) == [full / "kept.txt"]
