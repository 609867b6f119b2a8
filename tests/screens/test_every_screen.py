"""Every screen and dialog of the app, with hostile text in it, and at small sizes.

The list is made from the code: a new screen without a case here fails.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness import FrozenApp, settled, until
from hostile_data import (
    EVIL,
    foreign_codes,
    hostile_cluster,
    make_failed_run,
    make_hostile_predictions,
    make_hostile_project,
    make_hostile_run,
)
from job_data import jobs_app
from painted_parts import cells, painted_in_parts
from textual import events
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input, TextArea

import batman_tui
from batman_tui.connections import use_host
from batman_tui.pictures.gallery import ProjectGallery
from batman_tui.widgets.dialogs.text_dialog import TextDialog
from batman_tui.widgets.form.line_input import LineInput
from core.common.errors import BatmanError
from core.common.files import write_json
from core.common.invisible_characters import unseen
from core.data.classes import list_classes
from core.data.store import Project
from core.training.config.options import parse_config
from slurm.site.profiles import Profile, save_profile


class World:
    """The workspace, and the app that shows it."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.project = make_hostile_project(root)
        self.run = make_hostile_run(root, monkeypatch)
        self.second = make_hostile_run(root, monkeypatch, f"other {EVIL}")
        self.failed = make_failed_run(root)
        self.profile = Profile(name="vega", host="selina@vega.example", workspace="/scratch/x")
        save_profile(self.profile)
        self.host = hostile_cluster()
        self.app: FrozenApp = jobs_app(root, self.host)
        use_host(self.app, self.profile, self.host)  # type: ignore[arg-type]

    def classes(self) -> list[Any]:
        with Project.open(self.project) as project:
            return list(list_classes(project))


def _screens() -> dict[str, type[Screen[Any]]]:
    """Return every screen class of the app that is not only the base of others."""
    for module in pkgutil.walk_packages(batman_tui.__path__, "batman_tui."):
        importlib.import_module(module.name)
    found: dict[str, type[Screen[Any]]] = {}

    def walk(kind: type[Screen[Any]]) -> None:
        ours = [each for each in kind.__subclasses__() if each.__module__.startswith("batman_tui.")]
        if not ours and kind.__module__.startswith("batman_tui."):
            found[kind.__name__] = kind
        for each in kind.__subclasses__():
            walk(each)

    walk(Screen)
    return found


Made = Callable[[World], Screen[Any]]


def _ask(world: World, kind: str) -> Screen[Any]:
    from batman_tui.classes.delete import DeleteDialog
    from batman_tui.classes.mapping import ConventionDialog, MappingFileDialog
    from batman_tui.classes.merge import MergeDialog
    from batman_tui.widgets.dialogs.text_dialog import error_dialog

    rows = world.classes()
    if kind == "merge":
        return MergeDialog([row for row in rows if row.name != "person"], rows)
    if kind == "delete":
        return DeleteDialog(rows[:2], rows)
    if kind == "convention":
        return ConventionDialog(rows)
    if kind == "mapping":
        return MappingFileDialog(rows, world.project)
    return error_dialog(ValueError(EVIL), world.root / EVIL)


def _made(name: str, world: World) -> Screen[Any]:
    kind: Any = _screens()[name]
    from batman_tui.widgets.dialogs.pick import Item

    def suggest() -> Screen[Any]:
        from core.data.classes.similar_names import Suggestion

        groups = [Suggestion(EVIL, (EVIL, "per\u200bson"), "typo", 3)]
        return kind(groups, lambda names, target: None)

    makers: dict[str, Callable[[], Screen[Any]]] = {
        "AcceptClassDialog": lambda: _accept(kind, world),
        "AnswerDialog": lambda: kind(EVIL, EVIL, secret=False),
        "AutolabelDialog": lambda: kind(world.project),
        "ClassesScreen": lambda: kind(world.project),
        "ClusterDialog": lambda: kind(world.profile),
        "ColumnsDialog": lambda: kind({EVIL: EVIL, "b": "B"}, [EVIL]),
        "CropsScreen": lambda: kind(world.project),
        "CompareScreen": lambda: kind([world.run, world.second]),
        "ConfirmDialog": lambda: kind(EVIL, [EVIL] * 2, yes=EVIL, no=EVIL, typed=EVIL),
        "ConventionDialog": lambda: _ask(world, "convention"),
        "DataScreen": lambda: kind(world.project),
        "DeleteDialog": lambda: _ask(world, "delete"),
        "EvaluationScreen": lambda: kind(world.run),
        "ExportDialog": lambda: kind(world.project),
        "GoDialog": lambda: kind(world.app.ways, world.app.index, [EVIL]),
        "HealthScreen": lambda: kind(world.project),
        "HoursDialog": kind,
        "ImagesScreen": lambda: kind(world.project),
        "ImportDialog": lambda: kind(world.project),
        "ImportsScreen": lambda: kind(world.project),
        "JobsScreen": lambda: _jobs(world),
        "LabelScreen": lambda: kind(world.project),
        "MappingFileDialog": lambda: _ask(world, "mapping"),
        "MergeDialog": lambda: _ask(world, "merge"),
        "LookDialog": lambda: kind(world.run, EVIL),
        "ModelDialog": lambda: kind(EVIL),
        "AugmentationDialog": lambda: kind(
            parse_config({"project": world.project, "augmentation": {EVIL: {"p": 1}}})
        ),
        "PairScreen": lambda: kind(world.project, [[1, 2]], EVIL),
        "PictureScreen": lambda: kind(ProjectGallery(world.project, [1, 2], EVIL), 1),
        "GridScreen": lambda: kind(ProjectGallery(world.project, [1, 2], EVIL), 1),
        "ModelExportDialog": lambda: kind(world.run),
        "PredictionsScreen": lambda: kind(make_hostile_predictions(world.root)),
        "PassesDialog": lambda: kind(world.project),
        "PickDialog": lambda: kind(EVIL, [Item(EVIL, EVIL, EVIL, 3)], text=EVIL, noun=EVIL),
        "ProjectsScreen": kind,
        "PromptDialog": lambda: kind(EVIL, label=EVIL, value=EVIL, placeholder=EVIL, button=EVIL),
        "RunScreen": lambda: kind(world.run),
        "RunsScreen": kind,
        "SettingsScreen": kind,
        "SetupDialog": lambda: kind(world.profile),
        "SubmitDialog": lambda: kind({"model": "base", "epochs": 5, "project": world.project}),
        "SuggestDialog": suggest,
        "TextDialog": lambda: _ask(world, "error"),
        "SweepDialog": lambda: kind(world.project, {"project": world.project}, EVIL),
        "SweepScreen": lambda: kind(_sweep(world)),
        "TrainScreen": lambda: kind(world.project),
        "VersionsScreen": lambda: kind(world.project),
        "HelpScreen": lambda: kind(EVIL, EVIL, []),
        "StartDialog": lambda: _start(kind, world),
    }
    assert name in makers, f"{name} has no case with hostile text"
    return makers[name]()


def _jobs(world: World) -> Screen[Any]:
    make: Any = world.app.MODES["jobs"]
    return make()


def _start(kind: Any, world: World) -> Screen[Any]:
    from core.training.run.run import Run

    config = Run(world.run).config()
    return kind(config)


def _sweep(world: World) -> Path:
    """Return a sweep of the runs there are, whose texts are hostile."""
    path = world.root / "sweeps" / EVIL.replace("/", "-")
    runs = [
        {
            "folder": str(run.relative_to(world.root)),
            "choices": {"lr": EVIL, EVIL: EVIL},
            "settings": {},
        }
        for run in (world.run, world.second, world.failed)
    ]
    write_json(
        path / "sweep.json", {"words": [EVIL], "created": 1.0, "runs": runs, "prepared": True}
    )
    write_json(path / "left.json", {"refused": {world.run.name: EVIL}})
    return path


def _accept(kind: Any, world: World) -> Screen[Any]:
    from batman_tui.crops.sheet import Crops
    from core.data.labels.open_suggestions import OpenClass

    return kind(world.project, OpenClass(1, EVIL, 3, 3, 0.5), Crops())


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("BATMAN_CONFIG_DIR", str(tmp_path / "config"))
    return World(tmp_path / "gotham", monkeypatch)


def painted(app: FrozenApp) -> str:
    """Return what Textual's driver would write to paint the whole screen."""
    return app.screen._compositor.render_full_update().render_segments(app.console)


async def shown(pilot: Pilot[int], world: World, name: str) -> Screen[Any]:
    app = world.app
    screen = _made(name, world)
    app.push_screen(screen)
    await until(pilot, lambda: (screen.is_mounted and screen in app.screen_stack) or app.errors)
    await settled(pilot)
    return screen


async def test_an_error_with_commands_to_copy_hands_no_codes_on(world: World, opened) -> None:
    app = world.app
    written: list[Any] = []
    async with opened(app, (120, 40)) as pilot:
        app._driver.write = written.append  # type: ignore[assignment]
        app.show_error(BatmanError(EVIL, f"first {EVIL}\nsecond {EVIL}"))
        await until(pilot, lambda: isinstance(app.screen, TextDialog))
        await settled(pilot)
        assert "second" in app.screen.query_one(TextArea).text
        for key in ("c", "w", "end"):
            await pilot.press(key)
            await settled(pilot)
            assert foreign_codes(painted(app)) == []
        # What is copied goes to the terminal in base64 (OSC 52), here by the app's own wish.
        codes = foreign_codes("".join(text for text in written if not text.startswith("\x1b]52;")))
        assert codes == []
        assert [char for char in unseen(app.clipboard) if char != "\n"] == []
        assert [char for char in unseen((app.workspace.logs_dir / "error.txt").read_text())
                if char != "\n"] == []  # fmt: skip


async def test_the_palette_hands_no_codes_on(world: World, opened) -> None:
    async with opened(world.app, (120, 40)) as pilot:
        await pilot.press("ctrl+p")
        await settled(pilot)
        world.app.post_message(events.Paste("a" + EVIL))
        await settled(pilot)
        assert world.app.screen.query_one(Input).value.startswith("a")
        assert foreign_codes(painted(world.app)) == []


@pytest.mark.parametrize("name", sorted(_screens()))
async def test_lines_can_be_seen_and_no_codes_are_handed_on(
    world: World, name: str, opened
) -> None:
    """The screen is made anew at each size; the app, whose start is half of the time, is one."""
    app = world.app
    written: list[str] = []
    async with opened(app, (120, 40)) as pilot:
        app._driver.write = written.append  # type: ignore[assignment]
        for size in ((80, 24), (80, 12), (120, 40)):
            await pilot.resize_terminal(*size)
            screen = await shown(pilot, world, name)
            assert screen.size == size
            if size == (120, 40):
                assert foreign_codes(painted(app)) == [], name
                await _what_the_focus_changes_is_painted(pilot, app)
            if name == "DeleteDialog":
                await pilot.press("r")
            await _every_line_is_seen(pilot, screen, f"{name} at {size}")
            if size != (120, 40):
                app.pop_screen()
                await until(pilot, lambda screen=screen: screen not in app.screen_stack)
                await settled(pilot)
        # Notifications, tooltips and titles have their own ways to the terminal.
        app.show_error(BatmanError(EVIL, EVIL))
        app.tell(EVIL)
        await pilot.pause()
        assert foreign_codes(painted(app)) == [], name
        for line in [line for line in screen.query(Input) if line.display]:
            line.focus()
            line.post_message(events.Paste(EVIL))
            await pilot.pause()
            assert foreign_codes(painted(app)) == [], name
        for key in ("end", "f4", "f1"):
            await pilot.press(key)
            await settled(pilot)
            assert foreign_codes(painted(app)) == [], name
        assert foreign_codes("".join(written)) == []


async def _what_the_focus_changes_is_painted(pilot: Pilot[int], app: FrozenApp) -> None:
    with painted_in_parts(app) as terminal:
        for key in ("tab", "tab", "tab", "shift+tab"):
            await pilot.press(key)
            await settled(pilot)
            whole = app.screen._compositor.render_strips()
            assert cells(terminal.lines) == cells(whole), f"{app.screen} after {key}"


async def _every_line_is_seen(pilot: Pilot[int], screen: Screen[Any], name: str) -> None:
    for line in screen.query(Input):
        if not all(node.display for node in line.ancestors_with_self if hasattr(node, "display")):
            continue
        assert isinstance(line, LineInput), f"{name}: {line} is no LineInput"
        line.focus()
        await pilot.pause()
        inside = line.content_region.intersection(screen.region)
        assert inside.area >= 1, f"{name}: {line} at {line.region}"
        assert screen.get_widget_at(inside.x, inside.y)[0] is line
    for area in screen.query(TextArea):
        assert area.read_only, "a TextArea that can be typed in needs what LineInput has"
