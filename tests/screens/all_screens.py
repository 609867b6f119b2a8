"""Every screen and dialog of the app, made by name from a workspace that has something of each.

The list is made from the code: a new screen without a case here fails the tests of all screens.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness import FrozenApp
from job_data import FakeCluster, jobs_app
from textual.screen import Screen

import batman_tui
from batman_tui.connections import use_host
from batman_tui.pictures.gallery import ProjectGallery
from core.common.files import write_json
from core.data.classes import list_classes
from core.data.store import Project
from core.training.config.options import parse_config
from slurm.site.profiles import Profile, save_profile


class World:
    """A workspace, and the app that shows it; `word` stands wherever a screen is given words.

    `run` and `second` are runs with a model, `failed` one that failed, all of `project`;
    `predictions` is a folder that `infer` wrote.
    """

    def __init__(
        self, root: Path, word: str, project: Path, runs: list[Path], predictions: Path,
        host: FakeCluster,
    ) -> None:  # fmt: skip
        self.root, self.word, self.project, self.predictions = root, word, project, predictions
        self.run, self.second, self.failed = runs
        self.profile = Profile(name="vega", host="selina@vega.example", workspace="/scratch/x")
        save_profile(self.profile)
        self.host = host
        self.app: FrozenApp = jobs_app(root, self.host)
        use_host(self.app, self.profile, self.host)  # type: ignore[arg-type]

    def classes(self) -> list[Any]:
        with Project.open(self.project) as project:
            return list(list_classes(project))


def screens() -> dict[str, type[Screen[Any]]]:
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
    return error_dialog(ValueError(world.word), world.root / world.word)


def made(name: str, world: World) -> Screen[Any]:
    """Return the screen called `name`, of the world's things."""
    kind: Any = screens()[name]
    word = world.word
    from batman_tui.widgets.dialogs.pick import Item

    def suggest() -> Screen[Any]:
        from core.data.classes.similar_names import Suggestion

        groups = [Suggestion(word, (word, "per\u200bson"), "typo", 3)]
        return kind(groups, lambda names, target: None, lambda group, then: None)

    makers: dict[str, Callable[[], Screen[Any]]] = {
        "AcceptClassDialog": lambda: _accept(kind, world),
        "AnswerDialog": lambda: kind(word, word, secret=False),
        "AutolabelDialog": lambda: kind(world.project),
        "ClassesScreen": lambda: kind(world.project),
        "ClusterDialog": lambda: kind(world.profile),
        "ColumnsDialog": lambda: kind({word: word, "b": "B"}, [word]),
        "CropsScreen": lambda: kind(world.project),
        "CompareScreen": lambda: kind([world.run, world.second]),
        "ConfirmDialog": lambda: kind(word, [word] * 2, yes=word, no=word, typed=word),
        "ConventionDialog": lambda: _ask(world, "convention"),
        "DataScreen": lambda: kind(world.project),
        "DeleteDialog": lambda: _ask(world, "delete"),
        "EvaluationScreen": lambda: kind(world.run),
        "ExportDialog": lambda: kind(world.project),
        "GoDialog": lambda: kind(world.app.ways, world.app.index, [word]),
        "HealthScreen": lambda: kind(world.project),
        "HoursDialog": kind,
        "ImagesScreen": lambda: kind(world.project),
        "ImportDialog": lambda: kind(world.project),
        "ImportsScreen": lambda: kind(world.project),
        "JobsScreen": lambda: _jobs(world),
        "LabelScreen": lambda: kind(world.project),
        "MappingFileDialog": lambda: _ask(world, "mapping"),
        "MergeDialog": lambda: _ask(world, "merge"),
        "LookDialog": lambda: kind(world.run, word),
        "ModelDialog": lambda: kind(word),
        "AugmentationDialog": lambda: kind(
            parse_config({"project": world.project, "augmentation": {word: {"p": 1}}})
        ),
        "PairScreen": lambda: kind(world.project, [[1, 2]], word),
        "PictureScreen": lambda: kind(ProjectGallery(world.project, [1, 2], word), 1),
        "GridScreen": lambda: kind(ProjectGallery(world.project, [1, 2], word), 1),
        "ModelExportDialog": lambda: kind(world.run),
        "PredictionsScreen": lambda: kind(world.predictions),
        "PassesDialog": lambda: kind(world.project),
        "PickDialog": lambda: kind(word, [Item(word, word, word, 3)], text=word, noun=word),
        "ProjectsScreen": kind,
        "PromptDialog": lambda: kind(word, label=word, value=word, placeholder=word, button=word),
        "RunScreen": lambda: kind(world.run),
        "RunsScreen": kind,
        "SettingsScreen": kind,
        "SetupDialog": lambda: kind(world.profile),
        "SubmitDialog": lambda: kind({"model": "base", "epochs": 5, "project": world.project}),
        "SuggestDialog": suggest,
        "TextDialog": lambda: _ask(world, "error"),
        "SweepDialog": lambda: kind(world.project, {"project": world.project}, word),
        "SweepScreen": lambda: kind(_sweep(world)),
        "TrainScreen": lambda: kind(world.project),
        "VersionsScreen": lambda: kind(world.project),
        "HelpScreen": lambda: kind(word, word, []),
        "StartDialog": lambda: _start(kind, world),
    }
    assert name in makers, f"{name} has no case here"
    return makers[name]()


def _jobs(world: World) -> Screen[Any]:
    make: Any = world.app.MODES["jobs"]
    return make()


def _start(kind: Any, world: World) -> Screen[Any]:
    from core.training.run.run import Run

    config = Run(world.run).config()
    return kind(config)


def _sweep(world: World) -> Path:
    """Return a sweep of the runs there are, with the world's word wherever there is text."""
    path = world.root / "sweeps" / world.word.replace("/", "-")
    runs = [
        {
            "folder": str(run.relative_to(world.root)),
            "choices": {"lr": world.word, world.word: world.word},
            "settings": {},
        }
        for run in (world.run, world.second, world.failed)
    ]
    write_json(
        path / "sweep.json", {"words": [world.word], "created": 1.0, "runs": runs, "prepared": True}
    )
    write_json(path / "left.json", {"refused": {world.run.name: world.word}})
    return path


def _accept(kind: Any, world: World) -> Screen[Any]:
    from batman_tui.crops.sheet import Crops
    from core.data.labels.open_suggestions import OpenClass

    return kind(world.project, OpenClass(1, world.word, 3, 3, 0.5), Crops())
