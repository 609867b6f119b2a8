"""What screens, dialogs and widgets use of the app: the one thing that all of them know of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from textual.app import App

if TYPE_CHECKING:
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


class AppServices(Protocol):
    """What the app offers; `services_of` gives it to whoever stands in the app.

    `busy` says what would be lost by leaving now, a token and a sentence each; `findings` has, of
    each project that was checked, the image ids of each kind of finding.
    """

    workspace: Workspace
    settings: Settings
    views: Sequence[View]
    shown_workspace: str
    busy: dict[object, str]
    findings: dict[Path, dict[str, frozenset[int]]]

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

    def action_view(self, mode: str) -> None:
        """Go to a top-level view."""

    def open_classes(self, project: Path) -> None:
        """Open the classes of a project."""

    def open_images(self, project: Path, narrow: str = "") -> None:
        """Open the images of a project, those that `narrow` filters."""

    def open_health(self, project: Path) -> None:
        """Check the data of a project."""

    def open_train(self, project: Path) -> None:
        """Open the form that trains a model on a project."""

    def open_clone(self, clone: Clone) -> None:
        """Open the training form with a cluster job's settings."""

    def open_import(self, project: Path) -> None:
        """Open the dialog that imports into a project."""

    def open_export(self, project: Path) -> None:
        """Open the dialog that exports a project."""

    def open_imports(self, project: Path) -> None:
        """Show where a project's images came from."""

    def open_run(self, run: Path) -> None:
        """Open the live view of a run."""


def services_of(app: App[Any]) -> AppServices:
    """Return what `app`, which is Batman's, offers."""
    return cast("AppServices", app)
