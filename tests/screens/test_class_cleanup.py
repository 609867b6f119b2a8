"""Cleaning up many classes at once: a naming convention, mapping files, handing annotations on."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import pytest
from harness import FrozenApp, settled, until, words_on
from sample_data import HOSTILE, make_project
from test_classes_screen import counts, opened_on, press
from test_snapshots import SIZES, Compare, scene
from textual.widgets import Button, Input

from batman_tui.classes.cleanup import write_mapping, write_names
from batman_tui.classes.delete import DeleteDialog
from batman_tui.classes.mapping import ConventionDialog, MappingFileDialog, changes
from core.common.errors import BatmanError
from core.data.classes import list_classes, rename
from core.data.classes.mapping import read_mapping
from core.data.store import Project


async def test_all_names_one_way_is_one_step(workspace: Path, opened) -> None:
    path = workspace / "data/projects/building-site"
    before = counts(path)
    app = FrozenApp(workspace)
    async with opened(app, (120, 40)) as pilot:
        await opened_on(pilot, path)
        await press(pilot, "n")
        assert isinstance(app.screen, ConventionDialog)
        # crane-hook and Crane Hook join crane_hook, safety-vest and safety vest become one.
        assert "7 renamed, 4 merged" in words_on(app)
        await press(pilot, "right", "space")
        assert "crane-hook" in words_on(app)
        await press(pilot, "left", "space", "ctrl+s")
        after = counts(path)
        assert after["crane_hook"] == 1204 + 873 + 96
        assert after["safety_vest"] == 2210 + 18
        assert sum(after.values()) == sum(before.values())
        await press(pilot, "n")
        assert "written that way already" in words_on(app)
        assert app.screen.query_one("#ok", Button).disabled
        await press(pilot, "escape", "u")
        assert counts(path) == before


async def test_a_mapping_is_written_shown_and_applied(
    workspace: Path, tmp_path: Path, opened
) -> None:
    cells = workspace / "data/projects/blood-cells"
    with Project.open(cells) as project:
        rename(project, "RBC", "red [cell]")
    file = tmp_path / "cells.yaml"
    app = FrozenApp(workspace)
    async with opened(app) as pilot:
        await opened_on(pilot, cells)
        await press(pilot, "w")
        line = app.screen.query_one("#line", Input)
        assert line.value == str(workspace / "blood-cells-classes.yaml")
        line.value = str(tmp_path)
        await settled(pilot)
        assert "That is a folder." in words_on(app)
        line.value = str(file)
        await press(pilot, "enter")
        assert read_mapping(file)["RBC"] == "red [cell]"
        assert "3 names written to" in words_on(app)
        await press(pilot, "u", "f")
        assert isinstance(app.screen, MappingFileDialog)
        line = app.screen.query_one("#file", Input)
        await press(pilot, "enter")
        assert app.screen.query_one("#ok", Button).disabled, "a folder is no mapping"
        line.value = str(file)
        await settled(pilot)
        assert "1 renamed (4,153 annotations)" in words_on(app)
        assert "red [cell]" in words_on(app)
        await press(pilot, "enter")
        assert counts(cells) == {"Platelets": 361, "WBC": 372, "red [cell]": 4153}


async def test_a_mapping_that_cannot_be_read_says_why(
    workspace: Path, tmp_path: Path, opened
) -> None:
    (tmp_path / "bad.csv").write_text("a,b,c\n", encoding="utf-8")
    (tmp_path / "other.yaml").write_text("nobody: somebody\nWBC: ~\n", encoding="utf-8")
    app = FrozenApp(workspace)
    async with opened(app) as pilot:
        await opened_on(pilot, workspace / "data/projects/blood-cells")
        await press(pilot, "f")
        line = app.screen.query_one("#file", Input)
        line.value = str(tmp_path / "bad.csv")
        await settled(pilot)
        assert "has 3 columns" in words_on(app)
        await press(pilot, "enter")
        assert isinstance(app.screen, MappingFileDialog)
        line.value = str(tmp_path / "other.yaml")
        await settled(pilot)
        assert "1 deleted (372 annotations)" in words_on(app)
        assert "No class here: nobody" in words_on(app)


async def test_annotations_of_a_deleted_class_can_be_handed_on(workspace: Path, opened) -> None:
    path = workspace / "data/projects/blood-cells"
    app = FrozenApp(workspace)
    async with opened(app) as pilot:
        screen = await opened_on(pilot, path)
        await press(pilot, "d", "enter")
        assert len(counts(path)) == 3, "a hasty Enter deletes nothing"
        await press(pilot, "d", "r")
        assert isinstance(app.screen, DeleteDialog)
        target = app.screen.query_one("#target", Input)
        for typed, said in (
            ("Platelets", "That one is to be deleted."),
            ("RBX", "did you mean 'RBC'"),
            ("", "Type its name"),
        ):
            target.value = typed
            await settled(pilot)
            assert said in words_on(app)
            await press(pilot, "enter")
            assert len(counts(path)) == 3
        target.value = "WBC"
        await settled(pilot)
        assert "361 annotations join the 372 of 'WBC'" in words_on(app)
        await press(pilot, "enter")
        assert counts(path) == {"RBC": 4153, "WBC": 372 + 361}
        assert screen.table.cursor_row.row.name == "WBC"


def test_clean_ups_of_a_project_without_a_screen(workspace: Path, tmp_path: Path) -> None:
    cells = workspace / "data/projects/blood-cells"
    with Project.open(cells) as project:
        entry = write_names(project, "snake")
        assert entry is not None
        assert entry.summary.startswith("Names in snake style")
        assert write_names(project, "snake") is None, "they are so already"
    file = tmp_path / "cells.csv"
    assert write_mapping(cells, str(file)) == f"3 names written to {file}"
    assert read_mapping(file) == {"Platelets": "platelets", "RBC": "rbc", "WBC": "wbc"}
    with pytest.raises(BatmanError, match="There can be no such file"):
        write_mapping(cells, "~nobody-of-that-name/x.yaml")
    with pytest.raises(BatmanError, match="cannot be written"):
        write_mapping(cells, str(file / "below-a-file.yaml"))


def test_what_a_mapping_changes(tmp_path: Path) -> None:
    path = make_project(tmp_path / "hostile", HOSTILE, images=10)
    with Project.open(path) as project:
        rows = list_classes(project)
    lines = changes(rows, {"[/data]": "$primary", "🚗 car": "car", "[bold]x": None, "gone": "x"})
    assert [(line.name, line.new, line.how) for line in lines] == [
        ("[bold]x", None, "deleted"),
        ("[/data]", "$primary", "merged"),
        ("🚗 car", "car", "renamed"),
    ]


@pytest.mark.parametrize("size", SIZES)
def test_convention(snap_compare: Compare, workspace: Path, size: tuple[int, int]) -> None:
    play = scene(workspace, "n", project="building-site")
    assert snap_compare(FrozenApp(workspace), terminal_size=size, run_before=play)


def test_reassign(snap_compare: Compare, workspace: Path) -> None:
    play = scene(workspace, "space", "d", "r", *"RB", project="blood-cells")
    assert snap_compare(FrozenApp(workspace), terminal_size=(80, 24), run_before=play)


async def test_a_file_is_read_as_it_is_typed_now_before_it_is_applied(
    workspace: Path, tmp_path: Path, opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, go, began = tmp_path / "names.yaml", Event(), Event()
    file.write_text("RBC: red\n", encoding="utf-8")

    def slowly(path: Path) -> dict[str, str | None]:
        began.set()
        assert go.wait(30)
        return read_mapping(path)

    monkeypatch.setattr("core.data.classes.mapping.read_mapping", slowly)
    cells = workspace / "data/projects/blood-cells"
    app = FrozenApp(workspace)
    async with opened(app) as pilot:
        await opened_on(pilot, cells)
        await press(pilot, "f")
        dialog = app.screen
        dialog.query_one("#file", Input).value = str(file)
        await until(pilot, began.is_set)
        await pilot.press("enter")
        assert app.screen is dialog
        go.set()
        await until(pilot, lambda: app.screen is not dialog)
        await until(pilot, lambda: "red" in counts(cells))
