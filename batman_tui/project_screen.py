"""What the screens of one project share: changes in a thread, undo, redo, ways to the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from textual import on, work
from textual.message import Message

from batman_tui.widgets.frame.base import BatmanScreen
from core.data.store import HistoryEntry, Project

# A change of the project: runs in a thread, returns its history entry, or None for no change.
Job = Callable[[Project], HistoryEntry | None]


class ProjectScreen(BatmanScreen):
    """A screen on the project in the folder `project`; `reload` is called after every change."""

    @dataclass
    class Changed(Message):
        """The project was changed, or was not; `text` says which."""

        text: str

    def __init__(self, project: Path) -> None:
        super().__init__()
        self.project = project
        # Changes are done one after the other, however quickly the keys come.
        self._one_at_a_time = Lock()

    def reload(self) -> None:
        """Read the project again."""

    @work(thread=True, exit_on_error=False, group="changing")
    def change(self, job: Job, nothing: str, done: str = "") -> None:
        """Run `job`; say `done` and the entry's summary, or `nothing` when there was none."""
        with self._one_at_a_time, Project.open(self.project) as project:
            entry = job(project)
        self.post_message(self.Changed(nothing if entry is None else f"{done}{entry.summary}"))

    @on(Changed)
    def _changed(self, message: Changed) -> None:
        self.batman.tell(message.text)
        self.reload()

    def action_undo(self) -> None:
        """Undo the newest change that stands."""
        self.change(lambda project: project.undo(), "There is nothing to undo.", "Undone: ")

    def action_redo(self) -> None:
        """Do again what was undone last."""
        self.change(lambda project: project.redo(), "There is nothing to redo.", "Done again: ")

    # Other screens of the project

    def action_data(self) -> None:
        """See what is in the project's data."""
        self.batman.open_data(self.project)

    def action_versions(self) -> None:
        """See the project's named states."""
        self.batman.open_versions(self.project)

    def action_imports(self) -> None:
        """See where the project's images came from."""
        self.batman.open_imports(self.project)

    def action_label(self) -> None:
        """Draw boxes, and review what models propose."""
        self.batman.open_label(self.project)

    def action_check(self) -> None:
        """Look for what is wrong with the project's data."""
        self.batman.open_health(self.project)

    def action_train(self) -> None:
        """Open the training form for the project."""
        self.batman.open_train(self.project)

    def action_export(self) -> None:
        """Write the project as a data set for other tools."""
        self.batman.open_export(self.project)

    def action_import(self) -> None:
        """Import a data set into the project."""
        self.batman.open_import(self.project)
