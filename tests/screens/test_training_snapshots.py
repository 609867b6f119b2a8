"""Pictures of the training screens: what no assertion about text would notice."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness import FrozenApp, settled, until
from run_data import failed, finished, make_run, running
from sample_data import SITE, make_project
from textual.pilot import Pilot

from batman_tui.run.screen import RunScreen
from batman_tui.train import training_facts
from batman_tui.train.screen import TrainScreen
from batman_tui.train.training_facts import TrainingFacts
from batman_tui.widgets.plot.plot import Plot

SIZES = [(80, 24), (120, 40)]
NAME = "building-site-small-3"


async def _read(pilot: Pilot[int]) -> None:
    screen = pilot.app.screen
    await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen) and pilot.app.screen.run)
    assert screen is not None
    await settled(pilot)
    # The log comes in a message of its own.
    await until(pilot, lambda: pilot.app.screen.query_one("#log").lines)


@pytest.mark.parametrize("size", SIZES)
def test_a_running_run(tmp_path: Path, snap_compare, size: tuple[int, int]) -> None:
    app = FrozenApp(tmp_path, run=make_run(tmp_path, NAME, running(NAME)))

    async def ready(pilot: Pilot[int]) -> None:
        await _read(pilot)
        await pilot.press("p", "L", "c", "N")
        await settled(pilot)

    assert snap_compare(app, terminal_size=size, run_before=ready)


@pytest.mark.parametrize("size", SIZES)
def test_a_failed_run(tmp_path: Path, snap_compare, size: tuple[int, int]) -> None:
    app = FrozenApp(tmp_path, run=make_run(tmp_path, NAME, failed(NAME)))

    async def ready(pilot: Pilot[int]) -> None:
        await _read(pilot)
        pilot.app.screen.details.tab = "events"
        await settled(pilot)

    assert snap_compare(app, terminal_size=size, run_before=ready)


@pytest.mark.parametrize("size", SIZES)
def test_the_list_of_runs(tmp_path: Path, snap_compare, size: tuple[int, int]) -> None:
    for name, events in (("a-1", finished), ("b-2", running), ("[c]-3", failed)):
        make_run(tmp_path, name, events(name))
    app = FrozenApp(tmp_path)

    async def ready(pilot: Pilot[int]) -> None:
        await settled(pilot)
        await pilot.press("2")
        await settled(pilot)
        await until(pilot, lambda: pilot.app.screen.table.row_count == 3)
        pilot.app.screen.table.sort_by("name")
        plots = pilot.app.screen.query(Plot)
        drawn = {"[c]-3"}
        await until(
            pilot,
            lambda: all({curve.name for curve in plot.chart.curves} == drawn for plot in plots),
        )
        await settled(pilot)

    assert snap_compare(app, terminal_size=size, run_before=ready)


@pytest.mark.parametrize("size", SIZES)
def test_the_form(
    tmp_path: Path, snap_compare, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TrainScreen, "drafts", {})
    monkeypatch.setattr(training_facts, "find_gpus", list)
    project = make_project(tmp_path / "data" / "projects" / "building-site", SITE, images=1480)
    app = FrozenApp(tmp_path)

    async def ready(pilot: Pilot[int]) -> None:
        await settled(pilot)
        app.open_train(project)
        await settled(pilot)
        await until(pilot, lambda: app.screen.query_one(TrainingFacts).data is not None)
        await pilot.press("down", "ctrl+u", "1", "2", "x")
        for widget in app.screen.query("Input"):
            widget.cursor_blink = False
        await settled(pilot)

    assert snap_compare(app, terminal_size=size, run_before=ready)
