"""The screens one can go to by name: what each is of, where it is made, and which keys it has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from textual.screen import Screen

Of = Literal["view", "project", "run", "app"]


@dataclass(frozen=True)
class Kind:
    """A screen: its name as it is typed, what it is of, its class, its title and a sentence.

    `rooms` are the rooms of keys that work in it; `subject` is the attribute that holds the folder
    it is of. Those that are not `kept`, which are forms, are not opened again at the next start.
    What `begins` takes a filter and the number of an image when it is made.
    """

    name: str
    of: Of
    module: str
    screen: str
    title: str
    about: str
    rooms: tuple[str, ...] = ()
    subject: str = "project"
    kept: bool = True
    begins: bool = False

    def load(self) -> Callable[..., Screen[Any]]:
        """Return its class, which is imported now."""
        found: Callable[..., Screen[Any]] = getattr(
            import_module(f"batman_tui.{self.module}"), self.screen
        )
        return found


def _kind(name: str, of: Of, module: str, screen: str, title: str, about: str, **more: Any) -> Kind:
    return Kind(name, of, module, screen, title, about, **{"rooms": (name,), **more})


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        _kind("projects", "view", "projects.screen", "ProjectsScreen", "Projects", "All projects."),
        _kind("runs", "view", "runs.screen", "RunsScreen", "Runs", "All training runs."),
        _kind("jobs", "view", "jobs.screen", "JobsScreen", "Jobs", "The jobs of a cluster."),
        _kind("classes", "project", "classes.screen", "ClassesScreen", "Classes", "Its classes."),
        _kind(
            "images", "project", "images.screen", "ImagesScreen", "Images", "Its images.",
            rooms=("images", "picture"), begins=True,
        ),
        _kind(
            "label", "project", "label.screen", "LabelScreen", "Label", "Label its pictures.",
            rooms=("label", "boxes", "view"), begins=True,
        ),
        _kind("crops", "project", "crops.screen", "CropsScreen", "Crops", "Review pages of crops."),
        _kind(
            "check", "project", "health.screen", "HealthScreen", "Check", "Check its data.",
            rooms=("health",),
        ),
        _kind("data", "project", "data.screen", "DataScreen", "Data", "What is in its data."),
        _kind("versions", "project", "versions.screen", "VersionsScreen", "Versions",
              "Its named states."),
        _kind("imports", "project", "imports.screen", "ImportsScreen", "Imports",
              "Where its images came from."),
        _kind("train", "project", "train.screen", "TrainScreen", "Train", "Train a model on it.",
              subject="path"),
        _kind("import", "project", "imports.import_dialog", "ImportDialog", "Import",
              "Import a data set into it.", kept=False),
        _kind("export", "project", "projects.export_dialog", "ExportDialog", "Export",
              "Write it for other tools.", kept=False),
        _kind("run", "run", "run.screen", "RunScreen", "Run", "Its curves, log and settings.",
              rooms=("run", "plot", "log"), subject="path"),
        _kind("evaluate", "run", "evaluate.screen", "EvaluationScreen", "Evaluation",
              "How good its model is.", subject="path"),
        _kind("settings", "app", "preferences.screen", "SettingsScreen", "Settings",
              "What you can set."),
    )
}  # fmt: skip

# Rooms of screens and dialogs that need something chosen first: where that is done, and by what.
FROM = {
    "compare": ("runs", "runs.compare"),
    "sweep": ("runs", "runs.sweep"),
    "columns": ("runs", "runs.columns"),
    "look": ("run", "run.look"),
    "predictions": ("run", "run.look"),
    "model_export": ("run", "run.export"),
    "models": ("train", "train.model"),
    "augmentation": ("train", "train.augmentation"),
    "submit": ("train", "train.cluster"),
    "sweep_begin": ("train", "train.sweep"),
    "mapping": ("classes", "classes.convention"),
    "suggest": ("classes", "classes.suggest"),
    "grid": ("images", "picture.grid"),
    "whole": ("images", "images.zoom"),
    "pair": ("check", "health.pairs"),
    "autolabel": ("label", "label.autolabel"),
    "passes": ("label", "label.passes"),
    "cluster": ("jobs", "jobs.cluster"),
    "hours": ("jobs", "jobs.hours"),
}
_BY_CLASS = {kind.screen: kind for kind in KINDS.values()}


def kind_of(screen: Screen[Any]) -> Kind | None:
    """Return what kind of screen it is, None for one that cannot be gone to by name."""
    return _BY_CLASS.get(type(screen).__name__)


def kind_with(room: str) -> Kind | None:
    """Return the screen in which the keys of `room` work, or from which one gets there."""
    room, _ = FROM.get(room, (room, ""))
    return next((kind for kind in KINDS.values() if room in (*kind.rooms, kind.name)), None)


def subject_of(screen: Screen[Any]) -> Path | None:
    """Return the folder that a screen is of; of a list the one with the cursor."""
    kind = kind_of(screen)
    if kind is None or kind.of in ("view", "app"):
        chosen = getattr(screen, "chosen", None) if kind is not None else None
        path = getattr(chosen, "path", None)
    else:
        path = getattr(screen, kind.subject)
    return path if isinstance(path, Path) else None
