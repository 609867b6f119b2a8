"""The screen of projects."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from harness import FrozenApp, screen_text, settled, until, words_on
from run_data import finished, make_run
from sample_data import HOSTILE, make_project
from textual.widgets import Input, Static

from batman_tui.classes.screen import ClassesScreen
from batman_tui.imports.import_dialog import ImportDialog
from batman_tui.keys import ACTIONS
from batman_tui.navigation.ways import Ways
from batman_tui.projects.details import ProjectDetails
from batman_tui.projects.screen import ProjectsScreen
from batman_tui.projects.sections import next_steps
from batman_tui.widgets.dialogs.dialogs import ConfirmDialog, PromptDialog
from core.autolabel.loop import NextStep, Standing
from core.common.errors import BatmanError
from core.data.labels.view import Progress
from core.data.store import Project


def projects_of(app: FrozenApp) -> ProjectsScreen:
    assert isinstance(app.screen, ProjectsScreen)
    return app.screen


async def test_lists_every_project_with_its_counts(workspace: Path, opened) -> None:
    app = FrozenApp(workspace)
    async with opened(app) as pilot:
        await settled(pilot)
        text = screen_text(app)
        assert "Projects 5" in text
        line = next(line for line in text.splitlines() if "building-site" in line)
        assert line.strip("│ ").split() == [
            "building-site",
            "1,480",
            "19,052",
            "20",
            "3",
            "h",
            "ago",
        ]


async def test_an_empty_workspace_says_what_to_do(tmp_path: Path, opened) -> None:
    app = FrozenApp(tmp_path)
    async with opened(app) as pilot:
        assert "Press i to import a data set into a new one" in words_on(app)
        assert "In a shell, batman demo shows" in words_on(app)
        assert "Details" not in screen_text(app), (
            "there is nothing to tell of: the list has its room"
        )
        assert app.screen.query_one("#projects-body").has_class("-alone")
        await pilot.press("enter", "t", "d")
        await settled(pilot)
        assert isinstance(app.screen, ProjectsScreen), "keys that need a project do nothing"


async def test_the_details_follow_the_cursor(workspace: Path, opened) -> None:
    app = FrozenApp(workspace)
    async with opened(app, (120, 40)) as pilot:
        await settled(pilot)
        assert "RBC" in screen_text(app)
        await pilot.press("j")
        await settled(pilot)
        text = screen_text(app)
        assert "safety vest" in text
        assert "RBC" not in text
        assert "/data/sets/site.coco" in text
        await pilot.press("j", "j")
        await settled(pilot)
        assert "Nothing in it yet. Press i" in screen_text(app)


async def test_it_says_how_far_a_project_is_and_what_is_next(workspace: Path, opened) -> None:
    path = workspace / "data" / "projects" / "building-site"
    for number, best in ((1, 0.4), (2, 0.5)):
        make_run(workspace, f"site-{number}", finished(f"site-{number}"), project=path)
        results = workspace / "runs" / f"site-{number}" / "results.json"
        results.write_text(f'{{"best": {{"epoch": 1, "map50_95": {best}, "map50": 0.8}}}}')
    with Project.open(path) as project:
        project.db.execute(
            "UPDATE images SET review = 'done', reviewed_at = '2030-01-01' WHERE id <= 370"
        )
    app = FrozenApp(workspace)
    async with opened(app, (120, 40)) as pilot:
        await pilot.press("j")
        await settled(pilot)
        text = screen_text(app)
        line = next(line for line in text.splitlines() if "19,052" in line)
        assert "1,050 · 290 · 140" in line
        assert "Train · valid · test" in text, "which number is of which"
        other = next(line for line in text.splitlines() if "harbour-night" in line)
        assert "640 no split" in other
        assert "25.0%" in line
        assert "0.5" in line.split("25.0%")[1], "the best of its runs"
        for said in ("370 of 1,480", "Next", "Train again: 370 pictures", "2 runs", "site-2"):
            assert said in text
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: "Train again: 370" in screen_text(app))


async def test_keys_that_follow_one_another_are_told_in_turn(workspace: Path, opened) -> None:
    step = NextStep("Review 200 suggestions.", "batman review cells --crops", "review")
    where = Standing("cells", Progress(40, 0, 0, 20, 200), 0, 0, None, (), None, (step,))
    app = FrozenApp(workspace)
    async with opened(app) as pilot:
        await settled(pilot)
        ways = Ways(app)
        said = next_steps(where, 60, lambda name: ways.key_of(ACTIONS[name]))
        lines = [line.plain.rstrip() for line in said.lines]
        assert lines[0] == "l, then c  Review 200 suggestions."
        assert lines[1] == "           batman review cells --crops"


async def test_what_is_known_of_projects_is_shown_without_opening_them(
    workspace: Path, opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in workspace.glob("data/projects/*/project.db"):
        os.utime(file, (10**9, 10**9))
    async with opened(FrozenApp(workspace)) as pilot:
        await settled(pilot)
    was_opened: list[Path] = []
    real = Project.open

    def noted(path: Path) -> Project:
        was_opened.append(path)
        return real(path)

    monkeypatch.setattr(Project, "open", noted)
    app = FrozenApp(workspace)
    async with opened(app) as pilot:
        await settled(pilot)
        assert "19,052" in screen_text(app)
    assert {path.name for path in was_opened} == {"blood-cells"}, "the one with the cursor"


async def test_where_it_is_low_the_list_has_the_room(workspace: Path, opened) -> None:
    app = FrozenApp(workspace)
    async with opened(app, (80, 12)) as pilot:
        await settled(pilot)
        assert "building-site" in words_on(app)
        assert "blood-cells" in words_on(app)
        await pilot.press("I")
        await settled(pilot)
        assert "coco /data" in words_on(app), "the rows of imports"
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: "classes: " in words_on(app))


async def test_a_damaged_project_is_listed_and_says_what_is_wrong(workspace: Path, opened) -> None:
    (workspace / "data" / "projects" / "aaa-broken").mkdir()
    (workspace / "data" / "projects" / "aaa-broken" / "project.db").write_bytes(b"no database" * 99)
    app = FrozenApp(workspace)
    async with opened(app, (120, 40)) as pilot:
        await settled(pilot)
        text = screen_text(app)
        assert "unreadable" in text
        assert "cannot be read" in app.screen.query_one(ProjectDetails).empty
        assert "19,052" in text, "the others are there"


async def test_names_are_never_read_as_markup(tmp_path: Path, opened) -> None:
    projects = tmp_path / "data" / "projects"
    for name in ("person [front]", "[bold]x", "行人", "🚗"):
        make_project(projects / name, HOSTILE, images=3, origin="/data/[red]x[/nothing]")
    app = FrozenApp(tmp_path)
    async with opened(app, (120, 40)) as pilot:
        await settled(pilot)
        text = screen_text(app)
        for name in ("person [front]", "[bold]x", "行人", "🚗", "[/data]", "[red]x[/nothing]"):
            assert name in text
        assert "\x1b" not in text
        await pilot.press("d")
        await settled(pilot)
        assert isinstance(app.screen, ConfirmDialog)
        assert "'[bold]x' will be deleted" in screen_text(app)


async def test_creates_a_project_and_puts_the_cursor_on_it(workspace: Path, opened) -> None:
    app = FrozenApp(workspace)
    async with opened(app) as pilot:
        await pilot.press("n", *"my set")
        await pilot.press("enter")
        await until(pilot, lambda: (workspace / "data/projects/my set/project.db").is_file())
        await settled(pilot)
        assert projects_of(app).chosen.path.name == "my set"


async def test_the_name_is_judged_as_it_is_typed(workspace: Path, opened) -> None:
    app = FrozenApp(workspace)
    async with opened(app) as pilot:
        await pilot.press("n", "enter")
        await pilot.pause()
        wrong = app.screen.query_one("#wrong", Static)
        assert str(wrong.content) == "Name: type something first."
        assert "Name: type something first." in screen_text(app)
        await pilot.press(*"blood-cells")
        await pilot.pause()
        assert "There is a project with that name already" in str(wrong.content)
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, PromptDialog), "Enter is refused"
        await pilot.press("/")
        await pilot.pause()
        assert "holds a character files cannot have" in str(wrong.content)
        await pilot.press("backspace", "2")
        await pilot.pause()
        assert "It will be at" in screen_text(app)
        await pilot.press("escape")
        await settled(pilot)
        assert len(list((workspace / "data/projects").iterdir())) == 5


async def test_deleting_asks_for_the_name_and_tells_what_is_lost(workspace: Path, opened) -> None:
    app = FrozenApp(workspace)
    path = workspace / "data" / "projects" / "blood-cells"
    async with opened(app) as pilot:
        await pilot.press("d")
        await settled(pilot)
        assert "Lost: 364 images, 4,886 annotations, 3 classes" in words_on(app)
        await pilot.press(*"blood", "enter")
        await settled(pilot)
        assert path.is_dir(), "half a name deletes nothing"
        await pilot.press(*"-cells", "enter")
        await until(pilot, lambda: not path.exists())
        await settled(pilot)
        assert projects_of(app).table.row_count == 4


async def test_an_empty_project_is_deleted_with_one_key(workspace: Path, opened) -> None:
    app = FrozenApp(workspace)
    path = workspace / "data" / "projects" / "new-idea"
    async with opened(app) as pilot:
        await pilot.press("j", "j", "j", "d")
        await settled(pilot)
        await pilot.press("n")
        await settled(pilot)
        assert path.is_dir()
        await pilot.press("d")
        await settled(pilot)
        await pilot.press("y")
        await until(pilot, lambda: not path.exists())


async def test_enter_opens_the_classes_and_escape_comes_back(workspace: Path, opened) -> None:
    app = FrozenApp(workspace)
    async with opened(app) as pilot:
        await pilot.press("j", "enter")
        await settled(pilot)
        assert isinstance(app.screen, ClassesScreen)
        assert app.screen.project.name == "building-site"
        await pilot.press("escape")
        await settled(pilot)
        assert projects_of(app).chosen.path.name == "building-site"


async def test_filter_as_you_type(workspace: Path, opened) -> None:
    app = FrozenApp(workspace)
    async with opened(app) as pilot:
        await pilot.press("slash", *"bl")
        await pilot.pause()
        assert "Projects 1 of 5" in screen_text(app)
        await pilot.press("enter", "enter")
        await settled(pilot)
        assert isinstance(app.screen, ClassesScreen)
        await pilot.press("escape", "slash", "escape")
        await settled(pilot)
        assert "Projects 5" in screen_text(app)


async def test_sees_what_changed_while_another_screen_was_open(workspace: Path, opened) -> None:
    app = FrozenApp(workspace)
    async with opened(app) as pilot:
        await pilot.press("enter")
        await settled(pilot)
        Project.create(workspace / "data" / "projects" / "from-the-cli").close()
        await pilot.press("escape")
        await settled(pilot)
        assert "from-the-cli" in screen_text(app)


async def test_the_first_project_can_be_walked_to_at_once(tmp_path: Path, opened) -> None:
    app = FrozenApp(tmp_path)
    async with opened(app) as pilot:
        for name in "ab":
            await pilot.press("n", name, "enter")
            await until(pilot, lambda name=name: (tmp_path / "data/projects" / name).is_dir())
            await settled(pilot)
        assert app.screen.focused is projects_of(app).table
        assert projects_of(app).chosen.path.name == "b"
        await pilot.press("k")
        await settled(pilot)
        assert projects_of(app).chosen.path.name == "a"


async def test_keys_typed_before_the_import_dialog_is_there_are_for_it(
    tmp_path: Path, opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a slow disk a project takes its time; who knows the way types the path at once."""
    create, go_on = Project.create, threading.Event()

    def slowly(path: Path) -> Project:
        assert go_on.wait(20)
        return create(path)

    monkeypatch.setattr(Project, "create", slowly)
    app = FrozenApp(tmp_path)
    async with opened(app) as pilot:
        await settled(pilot)
        for key in ["i", *"cells", "enter", *"diagram"]:
            app.simulate_key(key)
        await until(pilot, lambda: any(w.group == "changing" for w in app.workers))
        await pilot.pause()
        assert isinstance(app.screen, ProjectsScreen), "it waits, and so do the keys"
        go_on.set()
        await until(pilot, lambda: isinstance(app.screen, ImportDialog))
        await until(pilot, lambda: getattr(app.focused, "value", "") == "diagram")
        await settled(pilot)


async def test_keys_go_on_when_a_project_cannot_be_made(
    tmp_path: Path, opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> Project:
        raise BatmanError("The disk is full.")

    monkeypatch.setattr(Project, "create", refuse)
    app = FrozenApp(tmp_path)
    async with opened(app) as pilot:
        await settled(pilot)
        for key in ["i", *"cells", "enter", "n", *"other"]:
            app.simulate_key(key)
        await until(pilot, lambda: isinstance(app.screen, PromptDialog))
        await until(pilot, lambda: app.screen.query_one(Input).value == "other")
