"""A rough box put right by a model, in the terminal."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from harness import FrozenApp, screen_text, until
from textual.pilot import Pilot

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))
from label_data import make_labels

from batman_tui.label.screen import LabelScreen
from batman_tui.snap.line import SnapLine
from batman_tui.widgets.dialogs.dialogs import PromptDialog
from batman_tui.widgets.dialogs.pick import PickDialog
from core.autolabel.snap import service
from core.autolabel.snap.which_model import SnapChoice, keep_snap_choice, snap_choice
from core.data.labels.view import LabelBox, picture_labels
from core.data.store import Project

UNIT = Path(__file__).parents[1] / "unit"


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FrozenApp:
    monkeypatch.setenv("PYTHONPATH", str(UNIT))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(service, "MODULE", "snapping_child")  # doubles a box's width
    project = make_labels(tmp_path / "gotham/data/projects/site", files=True)
    run = tmp_path / "gotham/runs/night"
    run.mkdir(parents=True)
    (run / "best.pth").touch()
    (run / "training_config.json").write_text("{}")
    return FrozenApp(project.parent.parent.parent)


def boxes(app: FrozenApp) -> tuple[LabelBox, ...]:
    with Project.open(app.workspace.project_path("site")) as project:
        return picture_labels(project, 1).boxes


async def at_the_label(app: FrozenApp, pilot: Pilot[int]) -> LabelScreen:
    """Open the first picture, and choose the label on it."""
    app.open_label(app.workspace.project_path("site"), image_id=1)
    await until(pilot, lambda: isinstance(app.screen, LabelScreen))
    screen = app.screen
    assert isinstance(screen, LabelScreen)
    await until(pilot, lambda: screen.editor.canvas.shown)
    await pilot.press("shift+tab")
    assert screen.editor.session is not None
    assert screen.editor.session.thing is not None
    return screen


async def test_a_model_is_chosen_once_and_its_box_is_an_edit(app: FrozenApp, opened) -> None:
    async with opened(app, (120, 40)) as pilot:
        screen = await at_the_label(app, pilot)
        await pilot.press("s")
        await until(pilot, lambda: isinstance(app.screen, PickDialog))
        assert "No model that snaps boxes was chosen yet" in screen_text(app)
        await pilot.press("enter")  # SAM 3, which is not here: where is it?
        await until(pilot, lambda: isinstance(app.screen, PromptDialog))
        await pilot.press(*"/no/folder")
        await until(pilot, lambda: "is not there" in screen_text(app))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen)
        assert snap_choice() == SnapChoice()
        await pilot.press("S")
        await until(pilot, lambda: isinstance(app.screen, PickDialog))
        await pilot.press("down", "enter")
        await until(pilot, lambda: snap_choice() == SnapChoice("night"))
        await until(pilot, lambda: app.screen is screen)
        await pilot.press("s")
        await until(pilot, lambda: "is loading" in screen_text(app))
        await until(pilot, lambda: boxes(app)[0].box == (10, 10, 40, 20))
        await until(pilot, lambda: not screen.query_one(SnapLine).busy)
        line = screen.query_one(SnapLine)
        assert line._service is not None
        process = line._service._process
        await pilot.press("u")
        await until(pilot, lambda: boxes(app)[0].box == (10, 10, 20, 20))
        await pilot.press("escape", "escape")
        await until(pilot, lambda: app.screen is not screen)
        assert process is not None
        await until(pilot, lambda: process.poll() is not None)


async def test_escape_stops_a_model_that_loads(
    app: FrozenApp, opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MODULE", "json.tool")  # waits for the end of its input
    keep_snap_choice(SnapChoice("night"), app.workspace)
    async with opened(app, (80, 24)) as pilot:
        screen = await at_the_label(app, pilot)
        await pilot.press("s")
        await until(pilot, lambda: "is loading" in screen_text(app))
        await pilot.press("escape")
        await until(pilot, lambda: not screen.query_one(SnapLine).busy)
        assert app.screen is screen
        assert boxes(app)[0].box == (10, 10, 20, 20)
