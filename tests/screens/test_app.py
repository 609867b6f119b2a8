"""The frame: views, help, palette, themes, keys of one's own, errors that do not end the app."""

from __future__ import annotations

import gc
import re
import tomllib
from pathlib import Path

import pytest
from harness import FrozenApp, screen_text, settled, until, words_on
from textual.command import CommandPalette
from textual.css.stylesheet import Stylesheet
from textual.message import Message
from textual.screen import Screen
from textual.widgets import TextArea

from batman_tui import keys, settings
from batman_tui.classes.screen import ClassesScreen
from batman_tui.keys import ACTIONS
from batman_tui.projects.screen import ProjectsScreen
from batman_tui.widgets.dialogs.help import HelpScreen
from batman_tui.widgets.dialogs.text_dialog import TextDialog
from batman_tui.widgets.frame.keybar import KeyBar
from core.common.errors import ProjectError


@pytest.mark.parametrize("theme", ["batman-dark", "batman-light"])
async def test_the_first_frame_is_styled_once(
    workspace: Path, opened, monkeypatch: pytest.MonkeyPatch, theme: str
) -> None:
    read, styled = [], []
    reparse, restyle = Stylesheet.reparse, Screen.update_node_styles

    def counted(sheet: Stylesheet) -> None:
        read.append(sheet)
        reparse(sheet)

    def noted(screen: Screen[None], animate: bool = True) -> None:
        styled.append(len(screen.children))
        restyle(screen, animate)

    monkeypatch.setattr(Stylesheet, "reparse", counted)
    monkeypatch.setattr(Screen, "update_node_styles", noted)
    gc.disable()  # as the command line leaves it
    try:
        app = FrozenApp(workspace, theme=theme)
        async with opened(app, (120, 40)) as pilot:
            await until(pilot, lambda: "RBC" in screen_text(app))
            assert gc.isenabled(), "the first frame is there"
            assert read == [], "every style sheet is read anew"
            assert len([inside for inside in styled if inside]) <= 1, "once by Textual itself"
            assert app.screen.has_class("-wide", "-high")
            assert app.has_class(f"-theme-{theme}", f"-{theme.removeprefix('batman-')}-mode")
            assert app.screen.styles.background.hex == app.theme_variables["background"]
    finally:
        gc.enable()
        gc.unfreeze()


async def test_views_keep_what_was_open_in_them(workspace: Path, opened) -> None:
    app = FrozenApp(workspace)
    async with opened(app) as pilot:
        await pilot.press("enter")
        await settled(pilot)
        assert isinstance(app.screen, ClassesScreen)
        await pilot.press("2")
        await settled(pilot)
        assert app.current_mode == "runs"
        await pilot.press("1")
        await settled(pilot)
        assert isinstance(app.screen, ClassesScreen)
        await pilot.press("1")
        await settled(pilot)
        assert isinstance(app.screen, ProjectsScreen)


async def test_a_click_on_a_view_goes_there(workspace: Path, opened) -> None:
    app = FrozenApp(workspace)
    async with opened(app) as pilot:
        column = screen_text(app).splitlines()[0].index("Runs")
        await pilot.click(offset=(column, 0))
        await settled(pilot)
        assert app.current_mode == "runs"


@pytest.mark.parametrize("width", [80, 99, 100, 120, 200])
async def test_the_key_bar_fits_and_ends_with_help(workspace: Path, opened, width: int) -> None:
    app = FrozenApp(workspace)
    async with opened(app, (width, 24)) as pilot:
        app.open_classes(workspace / "data/projects/building-site")
        await settled(pilot)
        bar = app.screen.query_one(KeyBar)
        line = bar.render().plain
        assert len(line) <= width - 2
        assert line.endswith("F1 Help")
        shown = [part.split(" ", 1)[-1] for part in line.split("  ") if part.strip()]
        offered = [
            ACTIONS[binding.id]
            for _, binding, _, _ in app.screen.active_bindings.values()
            if binding.show and binding.id in ACTIONS
        ]
        left = [action for action in offered if action.label not in shown]
        gap = re.search("( +)F1 Help$", line)
        assert gap
        # None was left out that would have had room, and what matters most stands first.
        assert all(len(gap[1]) - 2 < len(action.keys.split(",")[0]) + len(action.label) + 3
                   for action in left if action.keys.isalpha())  # fmt: skip
        order = [action.footer for word in shown for action in offered if action.label == word]
        assert order == sorted(order)
        assert {"Mark", "Merge", "Rename", "Undo", "Filter"} <= {*shown}


async def test_a_click_on_a_key_presses_it(workspace: Path, opened) -> None:
    app = FrozenApp(workspace)
    async with opened(app) as pilot:
        column = screen_text(app).splitlines()[-1].index("Filter")
        await pilot.click(offset=(column, 23))
        await settled(pilot)
        assert app.screen.focused.value == ""


async def test_help_lists_the_keys_that_work_here(workspace: Path, opened) -> None:
    app = FrozenApp(workspace)
    async with opened(app, (120, 60)) as pilot:
        app.open_classes(workspace / "data/projects/building-site")
        await settled(pilot)
        await pilot.press("question_mark")
        await settled(pilot)
        assert isinstance(app.screen, HelpScreen)
        text = words_on(app)
        assert "Merge the marked classes into one. classes.merge" in text
        assert "Next row. table.down" in text
        assert "Leave; training goes on. app.quit" in text
        assert "projects.delete" not in text
        await pilot.press("f1", "escape")
        await settled(pilot)
        assert isinstance(app.screen, ClassesScreen)


async def test_the_palette_knows_where_it_is_and_every_project(workspace: Path, opened) -> None:
    app = FrozenApp(workspace)
    async with opened(app, (120, 40)) as pilot:
        await pilot.press("ctrl+p")
        await until(pilot, lambda: "Projects: New" in screen_text(app))
        assert isinstance(app.screen, CommandPalette)
        assert "Classes: Merge" not in screen_text(app)
        await pilot.press(*"harbour")
        await until(pilot, lambda: "Project harbour-night: train" in screen_text(app))
        await pilot.press("enter")
        await settled(pilot)
        await until(pilot, lambda: isinstance(app.screen, ClassesScreen))
        assert app.screen.project.name == "harbour-night"
        await settled(pilot)
        await pilot.press("ctrl+p")
        await until(pilot, lambda: "Classes: Merge" in screen_text(app))
        await pilot.press(*"history")
        await until(pilot, lambda: "Classes: History" in screen_text(app))
        before = app.screen_stack[1].query_one("HistoryPanel").display
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ClassesScreen))
        await settled(pilot)
        assert app.screen.query_one("HistoryPanel").display is not before


async def test_the_theme_is_kept_and_the_rest_of_the_file_stays(workspace: Path, opened) -> None:
    file = settings.config_dir() / "config.toml"
    file.write_text('# mine\nfiles = "copy"\n\n[keys]\n"classes.merge" = "f9"\n')
    app = FrozenApp(workspace)
    async with opened(app) as pilot:
        await pilot.press("f2")
        await pilot.pause()
        assert app.theme == "batman-light"
        await pilot.press("ctrl+q")
    assert tomllib.loads(file.read_text()) == {
        "theme": "batman-light",
        "files": "copy",
        "keys": {"classes.merge": "f9"},
    }
    assert "# mine" in file.read_text()


async def test_keys_can_be_changed_and_help_and_bar_say_so(workspace: Path, opened) -> None:
    app = FrozenApp(
        workspace,
        keys={"projects.new": "f7", "projects.nwe": "f8", "app.theme": "", "app.help": "f10"},
    )
    async with opened(app, (120, 40)) as pilot:
        notes = [note.message for note in app._notifications]
        assert any("did you mean 'projects.new'" in note for note in notes)
        assert any("'app.theme' has no key" in note for note in notes)
        assert "F7 New" in screen_text(app)
        assert screen_text(app).rstrip().endswith("F10 Help")
        await pilot.press("n")
        await settled(pilot)
        assert isinstance(app.screen, ProjectsScreen)
        await pilot.press("f7")
        await settled(pilot)
        assert "New project" in screen_text(app)


async def test_a_theme_of_ones_own_is_there_and_a_broken_one_is_told(
    workspace: Path, opened
) -> None:
    folder = settings.config_dir() / "themes"
    folder.mkdir()
    (folder / "mine.toml").write_text('name = "mine"\n[colors]\nprimary = "#ff8800"\n')
    (folder / "odd.toml").write_text('name = "odd"\n[colors]\nprimary = "no colour"\n')
    app = FrozenApp(workspace, theme="mine")
    async with opened(app):
        assert app.theme == "mine"
        assert any("odd.toml" in note.message for note in app._notifications)


async def test_an_unknown_theme_falls_back_and_says_what_was_meant(workspace: Path, opened) -> None:
    app = FrozenApp(workspace, theme="batman-drak")
    async with opened(app):
        assert app.theme == "batman-dark"
        assert any("did you mean 'batman-dark'" in note.message for note in app._notifications)


class Boom(Message):
    """A message whose handler fails."""


class FragileScreen(ProjectsScreen):
    """The projects, with a handler that has a defect."""

    def on_boom(self) -> None:
        raise ValueError("[bold] is not markup [/nothing]")


async def test_a_defect_in_a_handler_is_shown_and_the_screen_lives(workspace: Path, opened) -> None:
    app = FrozenApp(workspace)
    async with opened(app, errors=True) as pilot:
        await app.push_screen(FragileScreen())
        await settled(pilot)
        app.screen.post_message(Boom())
        await until(pilot, lambda: isinstance(app.screen, TextDialog))
        await settled(pilot)
        text = screen_text(app)
        assert "[bold] is not markup [/nothing]" in text
        assert "This is a defect in Batman" in text
        await pilot.press("w")
        await settled(pilot)
        assert "ValueError" in (app.workspace.logs_dir / "error.txt").read_text()
        await pilot.press("escape", "j")
        await settled(pilot)
        assert app.screen.chosen.path.name == "building-site", "the screen still answers"
    assert [type(error) for error in app.errors] == [ValueError]


async def test_an_expected_error_is_a_short_note_with_the_way_out(workspace: Path, opened) -> None:
    app = FrozenApp(workspace)
    async with opened(app) as pilot:
        app.show_error(ProjectError("It is [locked].", "Wait a little."))
        await pilot.pause()
        assert "It is [locked]. Wait a little." in words_on(app)
    assert app.errors == []


async def test_every_action_of_every_screen_has_a_method() -> None:
    """A misspelt action would be a key that does nothing."""
    from batman_tui.classes.merge import MergeDialog
    from batman_tui.classes.suggest import SuggestDialog
    from batman_tui.imports.import_dialog import ImportDialog
    from batman_tui.widgets.dialogs.dialogs import ConfirmDialog
    from batman_tui.widgets.table.filter import FilterInput
    from batman_tui.widgets.table.table import VirtualTable

    rooms = {
        "app": FrozenApp,
        "screen": ProjectsScreen,
        "table": VirtualTable,
        "filter": FilterInput,
        "confirm": ConfirmDialog,
        "text": TextDialog,
        "projects": ProjectsScreen,
        "classes": ClassesScreen,
        "merge": MergeDialog,
        "suggest": SuggestDialog,
        "import": ImportDialog,
    }
    for action in keys.ACTIONS.values():
        room = rooms.get(action.id.partition(".")[0])
        name = action.run.partition("(")[0]
        if room is not None and not name.startswith("app."):
            assert hasattr(room, f"action_{name}"), action.id


async def test_keys_that_come_in_a_burst_go_where_they_were_meant(workspace: Path, opened) -> None:
    app = FrozenApp(workspace)
    async with opened(app) as pilot:
        app.open_classes(workspace / "data/projects/building-site")
        await settled(pilot)
        screen = app.screen
        burst = ["slash", *"hood", "backspace", "k", "enter", "a", "m", "tab", "escape", "r"]
        for key in burst:
            app.simulate_key(key)
        await until(pilot, lambda: type(app.screen).__name__ == "PromptDialog")
        assert [screen.table.row(key).row.name for key in screen.table.marks]
        assert len(screen.table.visible_keys) == 5
        assert len(screen.table.marks) == 5
        assert screen.table.model.order == (None, False), "no letter was taken for a command"


async def test_a_name_typed_ahead_of_its_dialog_arrives_whole(workspace: Path, opened) -> None:
    app = FrozenApp(workspace)
    async with opened(app) as pilot:
        for key in ["n", *"dirty", "enter", "j", "k"]:
            app.simulate_key(key)
        await until(pilot, lambda: (workspace / "data/projects/dirty/project.db").is_file())
        await settled(pilot)
        assert screen_text(app).count("dirty") >= 1


async def test_a_key_whose_widget_vanishes_does_not_stop_the_others(
    workspace: Path, opened
) -> None:
    app = FrozenApp(workspace)
    async with opened(app) as pilot:
        for key in ["enter", "escape", "enter", "escape", "f1", "escape", "j", "j"]:
            app.simulate_key(key)
        await until(
            pilot, lambda: isinstance(app.screen, ProjectsScreen) and app.screen.table.cursor == 2
        )


async def test_a_note_that_still_stands_there_is_not_said_twice(tmp_path: Path, opened) -> None:
    app = FrozenApp(tmp_path)
    async with opened(app) as pilot:
        await pilot.press("enter", "enter", "v", "d")
        await settled(pilot)
        assert [note.message for note in app._notifications] == [
            "No projects here yet. Press i to import a data set into a new one, n to create an"
            " empty one."
        ]


async def test_a_dialog_has_help_of_its_own(tmp_path: Path, opened) -> None:
    app = FrozenApp(tmp_path)
    async with opened(app, (120, 40)) as pilot:
        await pilot.press("n", "f1")
        await settled(pilot)
        assert isinstance(app.screen, HelpScreen)
        text = words_on(app)
        assert "Help: New project" in text
        assert text.index("dialog.cancel") < text.index("Move cursor left"), "its own keys first"
        assert "F1" not in app.screen.query_one(KeyBar).render().plain, "not on the help itself"
        await pilot.press("escape")
        await settled(pilot)
        assert "New project" in words_on(app)
        assert not isinstance(app.screen, HelpScreen)


async def test_a_text_has_the_lines_it_needs_and_its_keys_are_in_view(
    tmp_path: Path, opened
) -> None:
    app = FrozenApp(tmp_path)
    async with opened(app) as pilot:
        for text, lines in (("one line", 1), ("\n".join(map(str, range(99))), 15)):
            app.push_screen(TextDialog("Text", text, file=tmp_path / "x", lead="What it is."))
            await settled(pilot)
            await until(pilot, lambda n=lines: app.screen.query_one(TextArea).size.height == n)
            assert "w Write to file" in words_on(app)
            await pilot.press("escape")
            await settled(pilot)
