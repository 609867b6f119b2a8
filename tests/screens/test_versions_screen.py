"""The screen of a project's versions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness import FrozenApp, settled, words_on

from batman_tui.projects.export_dialog import ExportDialog
from batman_tui.versions.screen import VersionsScreen
from core.data.classes import list_classes, rename
from core.data.store import Project
from core.data.versions import list_versions, name_state


async def test_name_compare_and_go_back(workspace: Path, opened: Callable[..., Any]) -> None:
    path = workspace / "data/projects/blood-cells"
    with Project.open(path) as project:
        name_state(project, "as [b]imported")
        rename(project, "RBC", "red cell")
    app = FrozenApp(workspace)
    async with opened(app, (120, 30)) as pilot:
        await pilot.press("V")
        await settled(pilot)
        assert isinstance(app.screen, VersionsScreen)
        assert "as [b]imported" in words_on(app)
        assert "The project has moved on by 1 change." in words_on(app)
        assert "classes renamed: RBC → red cell" in words_on(app)
        await pilot.press("n", *"cleaned", "enter")
        await settled(pilot)
        with Project.open(path) as project:
            assert [each.name for each in list_versions(project)] == ["cleaned", "as [b]imported"]
        # The newest is first: nothing changed since it. It is marked, the other held against it.
        await pilot.press("g")
        await settled(pilot)
        assert "There is no difference." in words_on(app)
        await pilot.press("space", "j")
        await settled(pilot)
        assert "From as [b]imported to cleaned" in words_on(app)
        await pilot.press("b", "y")
        await settled(pilot)
        with Project.open(path) as project:
            assert "RBC" in [row.name for row in list_classes(project)]
        await pilot.press("u")
        await settled(pilot)
        with Project.open(path) as project:
            assert "red cell" in [row.name for row in list_classes(project)]
        await pilot.press("x")
        await settled(pilot)
        assert isinstance(app.screen, ExportDialog)
        assert "as of as [b]imported" in words_on(app)
        await pilot.press("escape")
        await settled(pilot)
        await pilot.press("d", "y")
        await settled(pilot)
        with Project.open(path) as project:
            assert [each.name for each in list_versions(project)] == ["cleaned"]
