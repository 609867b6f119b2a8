"""The screen of a project's imports."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness import FrozenApp, settled, words_on
from sample_data import NOW, fill
from test_snapshots import SIZES, Compare
from textual.pilot import Pilot

from batman_tui.imports.import_dialog import ImportDialog
from batman_tui.imports.screen import ImportsScreen
from core.data.importers import import_coco
from core.data.store import Project


@pytest.fixture
def cells(workspace: Path) -> Path:
    """A project of two imports; the second has a class of its own and a name that is no markup."""
    path = workspace / "data/projects/blood-cells"
    with Project.open(path) as project:
        fill(
            project,
            {"RBC": 40, "blast [/b]": 9},
            images=12,
            kind="voc",
            origin="/mnt/[red]/VOC",
            splits=(100, 0, 0),
        )
        project.db.execute("UPDATE history SET at = ?, who = 'ada@gotham'", (NOW.isoformat(),))
    return path


async def test_an_import_is_removed_as_a_whole_and_comes_back(
    workspace: Path, cells: Path, opened: Callable[..., Any]
) -> None:
    app = FrozenApp(workspace)
    async with opened(app, (100, 30)) as pilot:
        await pilot.press("I")
        await settled(pilot)
        screen = app.screen
        assert isinstance(screen, ImportsScreen)
        assert "voc /mnt/[red]/VOC just now 12 49 2" in words_on(app)
        assert "2 classes: RBC, blast [/b]" in words_on(app)
        await pilot.press("d", "n")
        await settled(pilot)
        assert screen.table.row_count == 2
        await pilot.press("d")
        await settled(pilot)
        assert "12 images and 49 annotations leave the project" in words_on(app)
        await pilot.press("y")
        await settled(pilot)
        assert screen.table.row_count == 1
        with Project.open(cells) as project:
            assert (project.summary().images, project.summary().classes) == (364, 3)
        await pilot.press("u")
        await settled(pilot)
        with Project.open(cells) as project:
            assert (project.summary().images, project.summary().classes) == (376, 4)
        await pilot.press("ctrl+r", "d", "y")
        await settled(pilot)
        assert "Press i to import images." in words_on(app)
        await pilot.press("d", "i")
        await settled(pilot)
        assert isinstance(app.screen, ImportDialog)


async def test_an_import_says_its_splits_and_what_was_wrong(
    workspace: Path, bccd: Path, opened: Callable[..., Any]
) -> None:
    deep = workspace / "a folder with a long name" / "bccd"
    deep.parent.mkdir()
    deep.symlink_to(bccd)
    with Project.create(workspace / "data/projects/aa") as project:
        import_coco(project, deep, files="reference")
    app = FrozenApp(workspace)
    async with opened(app, (80, 24)) as pilot:
        app.open_imports(workspace / "data/projects/aa")
        await settled(pilot)
        said = words_on(app)
        assert "train 205, valid 87, test 72" in said
        assert "2 records left out or put right: zero-size box 2" in said
        # The end of a path tells one from another.
        assert "name/bccd" in said


@pytest.mark.parametrize("size", SIZES)
def test_imports(
    snap_compare: Compare, workspace: Path, cells: Path, size: tuple[int, int]
) -> None:
    async def play(pilot: Pilot[int]) -> None:
        await settled(pilot)
        assert isinstance(pilot.app, FrozenApp)
        pilot.app.open_imports(cells)
        await settled(pilot)

    assert snap_compare(FrozenApp(workspace), terminal_size=size, run_before=play)
