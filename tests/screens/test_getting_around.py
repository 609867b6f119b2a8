"""From everywhere to everything: the palette, the typed line, the settings, keys that say why."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

from everywhere_page import rows
from harness import FrozenApp, screen_text, settled, until, words_on
from textual.command import CommandPalette
from textual.widgets import Input, Static

from batman_tui import settings
from batman_tui.action import key_name
from batman_tui.classes.screen import ClassesScreen
from batman_tui.health.screen import HealthScreen
from batman_tui.imports.import_dialog import ImportDialog
from batman_tui.keys import ACTIONS, room_title
from batman_tui.navigation.command_names import COMMAND_NAMES
from batman_tui.navigation.go_dialog import GoDialog
from batman_tui.navigation.index import LEFT_OUT
from batman_tui.navigation.kinds import FROM, KINDS, kind_with
from batman_tui.navigation.other_words import OTHER_WORDS
from batman_tui.navigation.provider import Commands
from batman_tui.preferences.screen import SettingsScreen
from batman_tui.projects.screen import ProjectsScreen
from batman_tui.runs.screen import RunsScreen
from batman_tui.settings import Settings
from batman_tui.versions.screen import VersionsScreen
from batman_tui.widgets.dialogs.dialogs import PromptDialog
from batman_tui.widgets.dialogs.help import HelpScreen
from batman_tui.widgets.table.filter import FilterInput


class Listening(FrozenApp):
    """The app, with all that it said: notifications vanish after a while."""

    def __init__(self, root: Path, **settings: Any) -> None:
        super().__init__(root, **settings)
        self.said: list[str] = []

    def notify(self, message: str, **options: Any) -> None:
        self.said.append(message)
        super().notify(message, **options)


def notes(app: Listening) -> list[str]:
    return app.said


async def typed(pilot, line: str) -> None:
    """Type a line behind `:` and send it."""
    await pilot.press("colon")
    await until(pilot, lambda: isinstance(pilot.app.screen, GoDialog))
    await settled(pilot)
    pilot.app.screen.query_one("#line").value = line
    await pilot.pause()
    await pilot.press("enter")
    await settled(pilot)


async def test_a_typed_line_leads_everywhere(workspace: Path, opened) -> None:
    app = Listening(workspace)
    async with opened(app, (120, 40)) as pilot:
        await typed(pilot, "project harbour-night")
        await until(pilot, lambda: isinstance(app.screen, ClassesScreen))
        assert app.screen.project.name == "harbour-night"
        await typed(pilot, "check")
        await until(pilot, lambda: isinstance(app.screen, HealthScreen))
        assert app.screen.project.name == "harbour-night", "the project one is in"
        await typed(pilot, "runs model=base")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        assert app.screen.query_one(FilterInput).value == "model=base"
        with_class = next(name for name, (path, _) in app.index.found.classes.items()
                          if path.name == "building-site")  # fmt: skip
        await typed(pilot, f"class {with_class}")
        await until(pilot, lambda: isinstance(app.screen, ClassesScreen))
        row = app.index.found.classes[with_class][1]
        await until(pilot, lambda: app.screen.table.cursor_row.row.name == row)
        await typed(pilot, "help versions")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        assert "Go back to it, after asking" in words_on(app)
        await pilot.press("escape")
        await typed(pilot, "theme nord")
        assert app.theme == "nord"
        # What makes no sense stays in the line, with the nearest.
        for line, said in (
            ("projcet x", "Did you mean 'project'"),
            ("project harbour-nigth", "There is no project 'harbour-nigth'"),
            ("job", "Which job?"),
            ("c", "'c' may mean"),
        ):
            await typed(pilot, line)
            assert isinstance(app.screen, GoDialog), line
            assert said in words_on(app), line
            await pilot.press("escape")
        # Tab completes; what was typed before comes back.
        await pilot.press("colon")
        await until(pilot, lambda: isinstance(app.screen, GoDialog))
        field = app.screen.query_one("#line", Input)
        await pilot.press(*"vers", "tab", *"harb", "tab")
        assert field.value == "versions harbour-night"
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, VersionsScreen))
        await pilot.press("colon", "up", "up")
        await until(pilot, lambda: app.screen.query_one("#line").value == "theme nord")
        assert app.session.typed[-1] == "versions harbour-night"


async def chosen(pilot, words: str) -> None:
    """Search for `words` in the palette, and take what is first."""
    app = pilot.app
    await pilot.press("ctrl+p")
    await until(pilot, lambda: isinstance(app.screen, CommandPalette))
    app.screen.query_one(Input).value = words
    await until(pilot, lambda: words.casefold() in screen_text(app).split("\n", 6)[-1].casefold())
    await pilot.press("enter")


async def test_the_palette_goes_to_other_screens_first(workspace: Path, opened) -> None:
    app = Listening(workspace)
    async with opened(app, (120, 40)) as pilot:
        await pilot.press("2")
        await chosen(pilot, "Versions: Name")
        await until(pilot, lambda: isinstance(app.screen, PromptDialog))
        assert isinstance(app.screen_stack[-2], VersionsScreen)
        await pilot.press("escape")
        await chosen(pilot, "Images: Delete")
        await until(pilot, lambda: any("Delete is on d here" in note for note in notes(app)))
        assert type(app.screen).__name__ == "ImagesScreen", "led to, and nothing done unseen"
        await chosen(pilot, "Cluster: Set up")
        said = "Set up is on F7 in Cluster, which c opens here"
        await until(pilot, lambda: any(said in note for note in notes(app)))
        names = {entry.name for entry in app.index.found.entries}
        assert {
            "Theme: nord", "Setting files", "Help: Crops", "Class person · harbour-night", "Jobs",
            "Project new-idea: data", "Crops: Take the rest", "Compare: Next plot", "Plots: Cursor",
        } <= names  # fmt: skip
        keys = {entry.help.rpartition("Key there: ")[2] for entry in app.index.found.entries}
        assert {"<", "]", "^s"} <= keys, "as they are written everywhere"
        assert not [key for key in keys if "_" in key.partition(" ")[0]]


async def test_drawing_splits_is_found_by_its_words(workspace: Path, opened) -> None:
    app = Listening(workspace)
    async with opened(app, (120, 40)) as pilot:
        await settled(pilot)
        palette = Commands(app.screen)
        await palette.startup()
        for typed in ("split", "splits", "draw", "draw splits", "train valid"):
            hits = [hit.text async for hit in palette.search(typed)]
            assert "Draw new splits" in hits[:6], (typed, hits[:8])
        await pilot.press("j")
        project = app.screen.chosen.path
        await chosen(pilot, "Draw new splits")
        await until(pilot, lambda: isinstance(app.screen, PromptDialog))
        assert "Shares of train, valid and test" in words_on(app)
        images = app.screen_stack[-2]
        assert (type(images).__name__, images.project) == ("ImagesScreen", project)
        await pilot.press("escape")
        await pilot.press("escape")
        keys = app.screen.table.visible_keys
        app.screen.table.cursor = [path.name for path in keys].index("new-idea")
        await settled(pilot)
        await chosen(pilot, "Draw new splits")
        await until(pilot, lambda: any("No images yet" in note for note in notes(app)))
        assert not isinstance(app.screen, PromptDialog), "there is nothing to draw"


async def test_settings_are_changed_and_say_which_keys_hide_others(workspace: Path, opened) -> None:
    app = Listening(workspace, keys={"classes.merge": "d", "projects.new": "f9"})
    async with opened(app, (120, 40)) as pilot:
        assert any("'classes.delete'" in note and "'d'" in note for note in notes(app))
        assert any("'projects.new' and 'app.settings' are both on 'f9'" in n or
                   "'app.settings' and 'projects.new' are both on 'f9'" in n
                   for n in notes(app))  # fmt: skip
        await typed(pilot, "settings files")
        await until(pilot, lambda: isinstance(app.screen, SettingsScreen))
        await settled(pilot)
        problems = str(app.screen.query_one("#settings-problems", Static).content)
        assert "'classes.delete'" in problems
        assert app.screen.table.cursor_key == "files"
        await pilot.press("enter")
        await settled(pilot)
        await pilot.press("j", "enter")
        await settled(pilot)
        file = settings.config_dir() / "config.toml"
        assert tomllib.loads(file.read_text()) == {"files": "copy"}
        assert app.settings.files == "copy"
        await pilot.press("d")
        await settled(pilot)
        assert app.settings.files == "link"
        await typed(pilot, "settings keys")
        await pilot.press("enter")
        await until(pilot, lambda: "It is changed in" in notes(app)[-1])


async def test_an_empty_workspace_is_one_key_from_its_first_import(tmp_path: Path, opened) -> None:
    app = Listening(tmp_path / "gotham")
    async with opened(app) as pilot:
        assert "Press i to import" in words_on(app)
        # A key that cannot work yet says why.
        await pilot.press("t")
        await until(pilot, lambda: "Press i to import" in "".join(notes(app)))
        await pilot.press("2", "c")
        await until(pilot, lambda: "No runs here yet" in notes(app)[-1])
        await pilot.press("slash")
        await until(pilot, lambda: sum("No runs here yet" in note for note in notes(app)) > 1)
        await typed(pilot, "check")
        await until(pilot, lambda: "There is no project yet" in notes(app)[-1])
        await pilot.press("1", "i")
        await until(pilot, lambda: isinstance(app.screen, PromptDialog))
        await pilot.press(*"site", "enter")
        await until(pilot, lambda: isinstance(app.screen, ImportDialog))
        assert app.screen.project == tmp_path / "gotham/data/projects/site"
        await pilot.press("escape")
        await settled(pilot)
        assert isinstance(app.screen, ProjectsScreen)
        before = len(notes(app))
        await pilot.press("escape", "j", "k", "x")
        await settled(pilot)
        assert len(notes(app)) == before, "nothing is said of keys that work, or are for nothing"


async def test_the_palette_knows_what_things_are_called_elsewhere(workspace: Path, opened) -> None:
    app = FrozenApp(workspace)
    async with opened(app) as pilot:
        await settled(pilot)
        palette = Commands(app.screen)
        await palette.startup()
        for typed, first in {
            "coco": "Projects: Import",
            "yolo": "Projects: Import",
            "voc": "Projects: Import",
            "roboflow": "Projects: Import",
            "import coco": "Projects: Import",
            "video": "Projects: Import",
            "delete": "Projects: Delete",
            "quit": "Everywhere: Quit",
            "exit": "Everywhere: Quit",
            "theme": "Theme",
            "dark": "Everywhere: Light/dark",
            "stop": "Run: Stop",
            "resume": "Run: Resume",
            "loss": "Everywhere: Runs",
            "tensorboard": "Everywhere: Runs",
            "gpu": "Everywhere: Jobs",
            "slurm": "Everywhere: Jobs",
            "sbatch": "Everywhere: Jobs",
            "queue": "Everywhere: Jobs",
            "labels": "Projects: Label",
            "annotate": "Projects: Label",
            "merge": "Classes: Merge",
            "split": "Images: Split",
            "duplicates": "Projects: Check",
            "onnx": "Run: Export",
            "confusion matrix": "Run: Evaluate",
            "inference": "Run: Look",
            "predict": "Run: Look",
            "compare": "Runs: Compare",
            "learning rate": "Projects: Train",
            "sam3": "Label: Auto-label",
            "snapshot": "Projects: Versions",
            "keys": "Everywhere: Help",
            "notifications": "Everywhere: Settings",
            # Of what several screens have, the one that is most likely meant.
            "undo": "Classes: Undo",
            "train": "Projects: Train",
            "export": "Projects: Export",
            "evaluate": "Run: Evaluate",
            "submit": "Train: Cluster",
        }.items():
            hits = [hit async for hit in palette.search(typed)]
            assert hits[0].text == first, typed
        # Each command of the command line leads to what does the same in the app.
        labels = {
            (room_title(name), key_name(key)): action.label
            for name, action in ACTIONS.items()
            for key in action.keys.split(",")
        }
        for commands, cell in rows():
            places = re.findall(r"([A-Z][a-z]+(?: [a-z]+)*) `([^`]+)`", cell)
            wanted = {f"{room}: {labels[room, key]}" for room, key in places}
            for command in commands if wanted else ():
                hits = [hit async for hit in palette.search(command)]
                assert wanted & {str(hit.text) for hit in hits[:3]}, command
        await settled(pilot)


def test_no_screen_is_left_out_of_the_palette_unawares() -> None:
    rooms = {action.room for action in ACTIONS.values()}
    assert {room for room in rooms if kind_with(room) is None} <= set(LEFT_OUT)
    for room, (kind, opener) in FROM.items():
        assert room in rooms
        assert ACTIONS[opener].room in (kind, *KINDS[kind].rooms), room


def test_every_other_word_is_of_something_there_is() -> None:
    settings = {field.name for field in fields(Settings)}
    for name in (*OTHER_WORDS, *COMMAND_NAMES):
        kind, _, of = name.partition(" ")
        there = {"view": KINDS, "setting": settings}.get(kind, ACTIONS)
        assert (of or name) in there, name
