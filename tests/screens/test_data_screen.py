"""The screen of what is in a project's data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness import FrozenApp, screen_text, settled, words_on

from batman_tui.data.screen import DataScreen
from batman_tui.widgets.chart.bars import BarChart, HeatMap


async def test_the_charts_tell_what_is_there(workspace: Path, opened: Callable[..., Any]) -> None:
    app = FrozenApp(workspace)
    async with opened(app, (120, 40)) as pilot:
        await pilot.press("D")
        await settled(pilot)
        screen = app.screen
        assert isinstance(screen, DataScreen)
        assert screen.stats is not None
        assert screen.query_one("#data-classes BarChart", BarChart).bars is not None
        text = screen_text(app)
        for title in ("Objects by class", "Where boxes lie", "Growth by import", "Box sizes at"):
            assert title in text
        assert f"{screen.stats.total_annotations:,} boxes" in text
        assert screen.query_one(HeatMap).grid == screen.stats.heat
        # Another training size, and back to the list.
        await pilot.press("s")
        await settled(pilot)
        await pilot.press(*["backspace"] * 3, *"320", "enter")
        await settled(pilot)
        assert screen.stats.image_size == 320
        assert "Box sizes at 320 px" in screen_text(app)


async def test_one_part_takes_the_whole_screen(workspace: Path, opened: Callable[..., Any]) -> None:
    app = FrozenApp(workspace)
    async with opened(app, (80, 24)) as pilot:
        await pilot.press("D")
        await settled(pilot)
        await pilot.press("z")
        await settled(pilot)
        assert app.screen.query_one("#data-classes").size.width > 70
        assert "Objects a picture" not in screen_text(app)
        await pilot.press("z")
        await settled(pilot)
        assert "Objects a picture" in screen_text(app)


async def test_the_figures_are_written(workspace: Path, opened: Callable[..., Any]) -> None:
    app = FrozenApp(workspace)
    async with opened(app, (80, 24)) as pilot:
        await pilot.press("D")
        await settled(pilot)
        await pilot.press("w")
        await settled(pilot)
        (folder,) = (workspace / "exports").iterdir()
        assert sorted(file.name for file in folder.iterdir()) == ["stats.json", "stats.png"]
        assert "stats.png" in words_on(app)
