"""The screen of classes."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from time import perf_counter

from harness import FrozenApp, screen_text, settled, words_on
from sample_data import HOSTILE, make_project
from textual.pilot import Pilot
from textual.widgets import Button, Input

from batman_tui.classes.crops import ClassCrops
from batman_tui.classes.history import HistoryPanel
from batman_tui.classes.merge import MergeDialog
from batman_tui.classes.screen import ClassesScreen
from batman_tui.classes.suggest import SuggestDialog
from batman_tui.widgets.dialogs.dialogs import ConfirmDialog
from core.data.classes import add, list_classes, merge, rename
from core.data.store import Project


def counts(path: Path) -> dict[str, int]:
    """What the project holds now, read past the app."""
    with Project.open(path) as project:
        return {row.name: row.annotations for row in list_classes(project)}


async def opened_on(pilot: Pilot[int], path: Path) -> ClassesScreen:
    app = pilot.app
    assert isinstance(app, FrozenApp)
    app.open_classes(path)
    await settled(pilot)
    screen = app.screen
    assert isinstance(screen, ClassesScreen)
    return screen


async def press(pilot: Pilot[int], *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
        await settled(pilot)


async def test_shows_counts_and_shares(workspace: Path, opened) -> None:
    app = FrozenApp(workspace)
    async with opened(app) as pilot:
        screen = await opened_on(pilot, workspace / "data/projects/blood-cells")
        assert screen.query_one(ClassCrops).display, "three classes leave most of 24 lines black"
        lines = [line.strip("│ ").split() for line in screen_text(app).splitlines()]
        assert ["RBC", "4,153", "364", "85.0%", "━" * 14] in lines
        assert any(line[:2] == ["Platelets", "361"] and line[3] == "7.4%" for line in lines if line)


async def test_merges_the_marked_into_the_most_frequent(workspace: Path, opened) -> None:
    path = workspace / "data/projects/building-site"
    app = FrozenApp(workspace)
    async with opened(app) as pilot:
        screen = await opened_on(pilot, path)
        await press(pilot, "slash", *"hook", "enter", "a", "m")
        assert isinstance(app.screen, MergeDialog)
        assert app.screen.query_one("#target", Input).value == "crane-hook"
        assert "1,291 annotations of 4 classes become 'crane-hook'" in words_on(app)
        await press(pilot, "enter")
        assert app.screen is screen
        assert screen.table.marks == set()
        assert screen.table.cursor_row.row.name == "crane-hook"
        after = counts(path)
        assert after["crane-hook"] == 1204 + 873 + 96 + 12 + 310
        assert len(after) == 16


async def test_the_target_can_be_chosen_typed_or_new(workspace: Path, opened) -> None:
    path = workspace / "data/projects/building-site"
    app = FrozenApp(workspace)
    async with opened(app) as pilot:
        await opened_on(pilot, path)
        await press(pilot, "slash", *"crane hook", "enter", "a", "m")
        target = app.screen.query_one("#target", Input)
        assert target.value == "crane-hook"
        await press(pilot, "down")
        assert target.value == "crane_hook"
        await press(pilot, "up", "up")
        assert target.value == "crane hooks", "before the first comes the last"
        target.value = "person"
        await settled(pilot)
        assert "which is there already with 4,821" in words_on(app)
        target.value = ""
        await settled(pilot)
        assert app.screen.query_one("#ok", Button).disabled
        target.value = "load hook"
        await settled(pilot)
        assert "a new name" in words_on(app)
        await press(pilot, "enter")
        assert counts(path)["load hook"] == 1204 + 873 + 96 + 12


async def test_merging_one_class_into_itself_is_refused(workspace: Path, opened) -> None:
    path = workspace / "data/projects/blood-cells"
    app = FrozenApp(workspace)
    async with opened(app) as pilot:
        await opened_on(pilot, path)
        await press(pilot, "m", "enter")
        assert isinstance(app.screen, MergeDialog)
        assert "mark others with space" in words_on(app)
        await press(pilot, "escape")
        assert len(counts(path)) == 3


async def test_one_class_goes_into_another_and_a_new_name_is_called_a_rename(
    workspace: Path, opened
) -> None:
    path = workspace / "data/projects/blood-cells"
    app = FrozenApp(workspace)
    async with opened(app) as pilot:
        screen = await opened_on(pilot, path)
        name = screen.table.cursor_row.row.name
        other = next(each for each in counts(path) if each != name)
        await press(pilot, "m")
        target = app.screen.query_one("#target", Input)
        button = app.screen.query_one("#ok", Button)
        target.value = other
        await settled(pilot)
        assert f"become '{other}', which is there already" in words_on(app)
        assert str(button.label) == "Merge"
        target.value = "s"
        await settled(pilot)
        assert f"No class is called 's' yet: this renames '{name}'" in words_on(app)
        assert str(button.label) == "Rename"
        target.value = other
        await settled(pilot)
        assert str(button.label) == "Merge"
        await press(pilot, "enter")
        assert len(counts(path)) == 2
        assert name not in counts(path)


async def test_undo_and_redo_as_far_back_as_there_is(workspace: Path, opened) -> None:
    path = workspace / "data/projects/blood-cells"
    before = counts(path)
    app = FrozenApp(workspace)
    async with opened(app) as pilot:
        screen = await opened_on(pilot, path)
        await press(pilot, "space", "space", "m", "enter")
        merged = counts(path)
        assert merged == {"RBC": 4153 + 361, "WBC": 372}
        await press(pilot, "d", "y")
        assert counts(path) == {"WBC": 372}
        await press(pilot, "u")
        assert counts(path) == merged
        await press(pilot, "u")
        assert counts(path) == before
        assert screen.table.row_count == 3
        await press(pilot, "ctrl+r", "ctrl+r")
        assert counts(path) == {"WBC": 372}
        await press(pilot, "ctrl+r")
        assert "nothing to redo" in words_on(app)
        await press(pilot, "u", "u", "u")
        assert counts(path) == {}, "the import is undone as well"
        assert "Press i to import" in words_on(app)
        await press(pilot, "u")
        assert "nothing to undo" in words_on(app)


async def test_quick_undos_are_all_done(workspace: Path, opened) -> None:
    path = workspace / "data/projects/building-site"
    before = counts(path)
    with Project.open(path) as project:
        for number in range(6):
            rename(project, "person" if number == 0 else f"person {number - 1}", f"person {number}")
    app = FrozenApp(workspace)
    async with opened(app) as pilot:
        await opened_on(pilot, path)
        await pilot.press("u", "u", "u", "u", "u", "u")
        await settled(pilot)
        assert counts(path) == before


async def test_renames_and_keeps_the_cursor_on_the_class(workspace: Path, opened) -> None:
    path = workspace / "data/projects/blood-cells"
    app = FrozenApp(workspace)
    async with opened(app) as pilot:
        screen = await opened_on(pilot, path)
        await press(pilot, "r", "ctrl+u", *"zebra cell", "enter")
        assert counts(path)["zebra cell"] == 361
        assert screen.table.cursor_row.row.name == "zebra cell"
        assert screen.table.cursor == 2
        await press(pilot, "A", *"RBC")
        assert "is there already" in words_on(app)
        await press(pilot, "ctrl+u", *"hook", "enter")
        assert screen.table.cursor_row.row.name == "hook"
        assert counts(path) == {"RBC": 4153, "WBC": 372, "zebra cell": 361, "hook": 0}
        await press(pilot, "u")
        assert "hook" not in counts(path)


async def test_what_was_read_before_a_change_does_not_take_its_class_from_the_cursor(
    workspace: Path, opened
) -> None:
    path = workspace / "data/projects/blood-cells"
    app = FrozenApp(workspace)
    async with opened(app) as pilot:
        screen = await opened_on(pilot, path)
        # Where a change ends, and what was read before it is shown only then.
        screen._goto = "hook"
        screen.post_message(screen.Loaded(screen.rows, [], None))
        await settled(pilot)
        with Project.open(path) as project:
            add(project, "hook")
        screen.reload()
        await settled(pilot)
        assert screen.table.cursor_row.row.name == "hook"


async def test_renaming_onto_a_class_asks_to_merge_instead(workspace: Path, opened) -> None:
    path = workspace / "data/projects/blood-cells"
    app = FrozenApp(workspace)
    async with opened(app) as pilot:
        await opened_on(pilot, path)
        await press(pilot, "r", "ctrl+u", *"RBC")
        assert "is there already" in words_on(app)
        await press(pilot, "enter")
        assert isinstance(app.screen, ConfirmDialog)
        assert "Merge instead?" in words_on(app)
        await press(pilot, "n")
        assert len(counts(path)) == 3
        await press(pilot, "r", "ctrl+u", *"RBC", "enter", "y")
        assert counts(path) == {"RBC": 4153 + 361, "WBC": 372}


async def test_case_matters_in_names(workspace: Path, opened) -> None:
    path = workspace / "data/projects/blood-cells"
    app = FrozenApp(workspace)
    async with opened(app) as pilot:
        await opened_on(pilot, path)
        await press(pilot, "r", "ctrl+u", *"rbc", "enter")
        assert counts(path) == {"RBC": 4153, "WBC": 372, "rbc": 361}


async def test_deleting_says_how_much_goes_and_that_it_can_come_back(
    workspace: Path, opened
) -> None:
    path = workspace / "data/projects/building-site"
    app = FrozenApp(workspace)
    async with opened(app) as pilot:
        await opened_on(pilot, path)
        await press(pilot, "slash", *"hard", "enter", "a", "d")
        text = words_on(app)
        assert "Delete 2 classes?" in text
        assert "3,775 annotations will be hidden" in text
        assert "u brings everything back" in text
        await press(pilot, "enter")
        assert len(counts(path)) == 20, "the button with the focus keeps them"
        await press(pilot, "d", "y")
        assert len(counts(path)) == 18


async def test_the_filter_finds_what_an_import_called_it(workspace: Path, opened) -> None:
    path = workspace / "data/projects/blood-cells"
    with Project.open(path) as project:
        rename(project, "WBC", "leukocyte")
    app = FrozenApp(workspace)
    async with opened(app, (160, 40)) as pilot:
        screen = await opened_on(pilot, path)
        await press(pilot, "slash", *"wbc", "enter")
        assert [screen.table.row(key).row.name for key in screen.table.visible_keys] == [
            "leukocyte"
        ]
        assert "Imported as" in screen_text(app)


async def test_a_class_has_all_the_names_it_was_imported_as(workspace: Path, opened) -> None:
    path = workspace / "data/projects/blood-cells"
    with Project.open(path) as project:
        merge(project, ["RBC", "WBC"], "RBC")
    app = FrozenApp(workspace)
    async with opened(app, (160, 40)) as pilot:
        screen = await opened_on(pilot, path)
        was = {line.row.name: line.was for line in map(screen.table.row, screen.table.visible_keys)}
        assert set(was["RBC"].split(", ")) == {"RBC", "WBC"}, "its own name too"
        assert was["Platelets"] is None


async def test_escape_clears_the_filter_first_and_leaves_then(workspace: Path, opened) -> None:
    app = FrozenApp(workspace)
    async with opened(app) as pilot:
        screen = await opened_on(pilot, workspace / "data/projects/building-site")
        await press(pilot, "slash", *"hook")
        assert len(screen.table.visible_keys) == 5
        await press(pilot, "escape")
        assert app.screen is screen
        assert len(screen.table.visible_keys) == 20
        await press(pilot, "escape")
        assert app.screen is not screen


async def test_likely_duplicates_are_one_key_from_merged(workspace: Path, opened) -> None:
    path = workspace / "data/projects/building-site"
    app = FrozenApp(workspace)
    async with opened(app) as pilot:
        screen = await opened_on(pilot, path)
        await press(pilot, "s")
        assert isinstance(app.screen, SuggestDialog)
        assert len(counts(path)) == 20, "nothing is merged by itself"
        groups = app.screen.table.row_count
        first = app.screen.table.cursor_row
        assert {first.target, *first.sources} == {"person", "persons"}
        await press(pilot, "enter")
        assert counts(path)["person"] == 4821 + 41
        assert app.screen.table.row_count == groups - 1
        await press(pilot, "e")
        assert isinstance(app.screen, MergeDialog)
        await press(pilot, "escape")
        assert isinstance(app.screen, SuggestDialog), "the list below it is still there"
        assert app.screen.table.row_count == groups - 1
        group = app.screen.table.cursor_row
        await press(pilot, "e", "enter")
        assert isinstance(app.screen, SuggestDialog)
        assert app.screen.table.row_count == groups - 2, "what is merged is off the list"
        assert not set(group.sources) & set(counts(path))
        await press(pilot, "escape")
        assert app.screen is screen
        assert len(counts(path)) == 19 - len(group.sources)


async def test_the_history_says_who_did_what_to_how_many(workspace: Path, opened) -> None:
    path = workspace / "data/projects/blood-cells"
    app = FrozenApp(workspace)
    async with opened(app) as pilot:
        screen = await opened_on(pilot, path)
        await press(pilot, "space", "space", "m", "enter", "u", "h")
        panel = screen.query_one(HistoryPanel)
        assert panel.display
        assert [entry.undone for entry in panel.entries] == [True, False]
        text = screen_text(app)
        assert "(361 annotations)" in text
        assert "ada@gotham" in text
        assert "undone" in text
        await press(pilot, "h")
        assert not panel.display


async def test_a_wide_terminal_shows_the_history_by_itself(workspace: Path, opened) -> None:
    app = FrozenApp(workspace)
    async with opened(app, (120, 40)) as pilot:
        screen = await opened_on(pilot, workspace / "data/projects/blood-cells")
        assert not screen.query_one(HistoryPanel).display, "an import alone is no history"
        await press(pilot, "space", "down", "space", "m", "enter")
        assert screen.query_one(HistoryPanel).display


async def test_a_project_locked_by_another_says_so_and_nothing_is_lost(
    workspace: Path, opened
) -> None:
    path = workspace / "data/projects/blood-cells"
    before = counts(path)
    app = FrozenApp(workspace)
    with Project.open(path) as other:
        async with opened(app) as pilot:
            screen = await opened_on(pilot, path)
            with other.change("test", "holding the lock"):
                await press(pilot, "d", "y")
            assert app.screen is screen
            assert [note.severity for note in app._notifications] == ["error"]
    assert counts(path) == before
    assert app.errors == []


async def test_names_from_outside_are_data_everywhere(tmp_path: Path, opened) -> None:
    path = make_project(tmp_path / "data/projects/hostile", HOSTILE, images=30)
    app = FrozenApp(tmp_path)
    async with opened(app, (120, 40)) as pilot:
        screen = await opened_on(pilot, path)
        for name in ("person [front]", "[/data]", "[bold]x", "行人と自転車", "🚗 car", "$primary"):
            assert name in screen_text(app)
        await press(pilot, "a", "m")
        text = screen_text(app)
        assert "→ person [front]" in text
        assert "\x1b" not in text
        await press(pilot, "enter")
        assert counts(path) == {"person [front]": sum(HOSTILE.values())}
        assert "person [front]" in words_on(app), "the notification"
        await press(pilot, "u", "d")
        assert "person [front]." in words_on(app)
        await press(pilot, "escape", "r", "ctrl+u", *"[/x][@click=app.quit]", "enter")
        assert "[/x][@click=app.quit]" in counts(path)
        await press(pilot, "f1", "escape", "ctrl+p", "escape", "s")
        assert app.is_running
        assert screen.is_attached


async def test_a_key_costs_the_same_with_a_hundred_times_the_classes(
    tmp_path: Path, opened
) -> None:
    """The figure itself is benchmarks/classes_screen.py's; here only that it does not grow."""

    async def seconds(count: int) -> float:
        names = {f"class {number:04} of many": number % 50 + 1 for number in range(count)}
        path = make_project(tmp_path / f"data/projects/{count}", names, images=200)
        app = FrozenApp(tmp_path)
        times = []
        async with opened(app, (120, 40)) as pilot:
            screen = await opened_on(pilot, path)
            assert screen.table.row_count == count
            for key in ["j", "pagedown", "space", "pageup", "k"] * 8:
                started = perf_counter()
                await pilot.press(key)
                times.append(perf_counter() - started)
        return median(times)

    assert await seconds(5000) < 2.5 * await seconds(50)


async def test_counts_each_split(workspace: Path, opened) -> None:
    app = FrozenApp(workspace)
    async with opened(app) as pilot:
        screen = await opened_on(pilot, workspace / "data/projects/building-site")
        whole = {row.name: row.annotations for row in screen.rows}
        await press(pilot, "S")
        heads = next(line for line in screen_text(app).splitlines() if "no split" in line)
        assert heads.split()[1:6] == ["Class", "train", "valid", "test", "no"]
        assert "images: train 1,050, valid 290, test 140" in words_on(app)
        line = next(line for line in screen.table.rows() if line.row.name == "ladder")
        assert line.splits == {"train": 183, "valid": 56, "test": 27, "none": 0}
        for line in screen.table.rows():
            assert sum(line.splits.values()) == whole[line.row.name]
        # It goes along with what is changed, and can be sorted by.
        await press(pilot, "o", "o", "O")
        assert screen.table.row(screen.table.visible_keys[0]).row.name == "crane hooks"
        await press(pilot, "r", *"x", "enter")
        assert "train" in words_on(app)
        await press(pilot, "S")
        assert "Share" in words_on(app)
        assert "images: train" not in words_on(app)
