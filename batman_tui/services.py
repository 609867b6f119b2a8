"""What screens, dialogs and widgets use of the app: the one thing that all of them know of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from textual.app import App

from core.common.text import clean

if TYPE_CHECKING:
    from textual.worker import Worker

    from batman_tui.settings import Settings
    from core.common.workspace import Workspace
    from core.training.run_list.index import RunIndex
    from slurm.submit.clone import Clone
    from slurm.watch.queue_watcher import QueueWatcher


@dataclass(frozen=True)
class View:
    """A top-level view: its mode, the key that goes there and its name in the top bar."""

    mode: str
    key: str
    title: str


@dataclass(frozen=True)
class Review:
    """A project to open the app on, to label it: by pages of crops, or by pictures of a walk."""

    project: Path
    walk: str = ""
    narrow: str = ""
    crops: bool = False


class AppServices(Protocol):
    """What the app offers; `services_of` gives it to whoever stands in the app.

    `busy` says what would be lost by leaving now, a token and a sentence each; `findings` has, of
    each project that was checked, the image ids of each kind of finding; `problems` what was wrong
    in the settings.
    """

    workspace: Workspace
    settings: Settings
    views: Sequence[View]
    shown_workspace: str
    busy: dict[object, str]
    findings: dict[Path, dict[str, frozenset[int]]]
    problems: list[str]

    @property
    def run_index(self) -> RunIndex:
        """What lists show of the workspace's runs, read once and kept."""

    @property
    def queue_watcher(self) -> QueueWatcher:
        """What asks clusters for their jobs, and mirrors our runs there."""

    def now(self) -> datetime:
        """Return the time, with its zone."""

    def tell(self, text: str) -> None:
        """Say in a corner that something was done."""

    def show_error(self, error: Exception) -> None:
        """Show an error, an expected one in a corner, any other in a panel."""

    def keys_wait_for(self, worker: Worker[Any]) -> None:
        """Hold keys back until a worker, at whose end a screen opens, is through."""

    def action_help(self) -> None:
        """Show the keys that work here."""

    def action_view(self, mode: str) -> None:
        """Go to a top-level view."""

    def open_classes(self, project: Path) -> None:
        """Open the classes of a project."""

    def open_images(self, project: Path, narrow: str = "", image_id: int | None = None) -> None:
        """Open the images of a project, those that `narrow` filters, at one of them."""

    def open_label(
        self, project: Path, narrow: str = "", image_id: int | None = None, walk: str = ""
    ) -> None:
        """Label the pictures of a project, those that `narrow` filters, from one on."""

    def open_crops(self, project: Path) -> None:
        """Review the suggestions of a project by pages of crops."""

    def open_health(self, project: Path) -> None:
        """Check the data of a project."""

    def open_data(self, project: Path) -> None:
        """Show what is in the data of a project."""

    def open_train(self, project: Path) -> None:
        """Open the form that trains a model on a project."""

    def open_clone(self, clone: Clone) -> None:
        """Open the training form with a cluster job's settings."""

    def open_import(self, project: Path) -> None:
        """Open the dialog that imports into a project."""

    def open_export(self, project: Path, state: int | None = None, name: str = "") -> None:
        """Open the dialog that exports a project, or a state of it that is called `name`."""

    def open_versions(self, project: Path) -> None:
        """Show the versions of a project."""

    def open_imports(self, project: Path) -> None:
        """Show where a project's images came from."""

    def open_job(self, job: str, cluster: str) -> None:
        """Go to the jobs of a cluster, to one of them as soon as the queue tells of it."""

    def open_run(self, run: Path) -> None:
        """Open the live view of a run."""


def services_of(app: App[Any]) -> AppServices:
    """Return what `app`, which is Batman's, offers."""
    return cast("AppServices", app)


def short_path(path: Path) -> str:
    """Return a path for people: the home folder is `~`."""
    home = Path.home()
    if path == home:
        return "~"
    return clean(f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path))
