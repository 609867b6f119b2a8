"""The projects of the workspace: look, create, import, delete, go on to classes or training."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, ClassVar

from textual import on, work
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widget import Widget
from textual.worker import get_current_worker

from batman_tui.keys import bindings
from batman_tui.projects.details import ProjectDetails, ProjectRow
from batman_tui.widgets.frame.base import BatmanScreen
from batman_tui.widgets.panel.panel import Panel
from batman_tui.widgets.table.filter import FilterInput
from batman_tui.widgets.table.table import Column, VirtualTable
from core.common.errors import BatmanError
from core.common.text import ago, plural
from core.data.overview import Overview, overview
from core.data.store import Project

BATCH_SECONDS = 0.1
NOTHING_YET = "No projects here yet. Press n to create one, then i to import a data set into it."


def _of(row: ProjectRow, field: str) -> Any:
    return None if row.summary is None else getattr(row.summary, field)


class ProjectsScreen(BatmanScreen):
    """The list, and what is in the project with the cursor."""

    HELP = (
        "A project is a data set you work on: images, boxes, classes and their history. "
        "Enter opens its classes, t trains a model on it."
    )
    AUTO_FOCUS = ""
    CSS_PATH = Path(__file__).with_name("screen.tcss")
    BINDINGS: ClassVar[list[BindingType]] = bindings("projects")

    @dataclass
    class Listed(Message):
        """The names of the projects were read."""

        paths: Sequence[Path]

    @dataclass
    class Read(Message):
        """Some projects were read."""

        rows: Sequence[ProjectRow]

    @dataclass
    class Looked(Message):
        """What is in one project was read."""

        path: Path
        found: Overview

    @dataclass
    class Done(Message):
        """A project was created or deleted."""

        path: Path
        text: str

    def __init__(self) -> None:
        super().__init__()
        self._wanted: Path | None = None
        columns: list[Column[ProjectRow]] = [
            Column("name", "Name", lambda row: row.path.name, least=16),
            Column("images", "Images", lambda row: _of(row, "images"), "number", 9),
            Column("annotations", "Annotations", lambda row: _of(row, "annotations"), "number", 12),
            Column("classes", "Classes", lambda row: _of(row, "classes"), "number", 9),
            Column(
                "updated",
                "Changed",
                self._changed,
                width=11,
                sort=lambda row: _of(row, "updated_at"),
                muted=True,
            ),
        ]
        self.table: VirtualTable[ProjectRow] = VirtualTable(
            columns, lambda row: row.path, id="projects-table"
        )

    def _changed(self, row: ProjectRow) -> str | None:
        if row.problem:
            return "unreadable"
        return ago(row.summary.updated_at, self.batman.now()) if row.summary else "…"

    def body(self) -> Iterable[Widget]:
        """Lay the list beside the details, or above them where it is narrow."""
        yield Horizontal(
            Panel(FilterInput("Filter by name"), self.table, title="Projects"),
            ProjectDetails(),
            id="projects-body",
        )

    @property
    def panel(self) -> Panel:
        """The panel of the list."""
        return self.query(Panel).first()

    @property
    def chosen(self) -> ProjectRow | None:
        """The project with the cursor."""
        return self.table.cursor_row

    def on_mount(self) -> None:
        """Give the keys to the list."""
        self.set_focus(self.table)

    def on_screen_resume(self) -> None:
        """Read the workspace after the first frame is painted, and whenever one comes back."""
        self.call_after_refresh(self._list)

    # Reading, in threads

    @work(thread=True, exclusive=True, exit_on_error=False, group="projects")
    def _list(self) -> None:
        worker = get_current_worker()
        paths = self.batman.workspace.list_projects()
        self.post_message(self.Listed(paths))
        batch: list[ProjectRow] = []
        sent = monotonic()
        for path in paths:
            if worker.is_cancelled:
                return
            try:
                with Project.open(path) as project:
                    batch.append(ProjectRow(path, project.summary()))
            except BatmanError as error:
                batch.append(ProjectRow(path, problem=f"{error.message} {error.hint}".strip()))
            if monotonic() - sent > BATCH_SECONDS:
                self.post_message(self.Read(batch))
                batch, sent = [], monotonic()
        self.post_message(self.Read(batch))

    @work(thread=True, exclusive=True, exit_on_error=False, group="details")
    def _look(self, path: Path) -> None:
        try:
            with Project.open(path) as project:
                found = overview(project)
        except BatmanError:
            return  # The list shows what is wrong with it.
        if not get_current_worker().is_cancelled:
            self.post_message(self.Looked(path, found))

    @work(thread=True, exit_on_error=False, group="changing")
    def _create(self, name: str) -> None:
        path = self.batman.workspace.project_path(name)
        Project.create(path).close()
        self.post_message(self.Done(path, f"Created '{name}'. Press i to import a data set."))

    @work(thread=True, exit_on_error=False, group="changing")
    def _delete(self, path: Path) -> None:
        Project.delete(path)
        self.post_message(self.Done(path, f"Deleted '{path.name}'."))

    # What was read

    @on(Listed)
    def _names(self, message: Listed) -> None:
        known = {row.path: row for row in self.table.rows()}
        self.table.set_rows(known.get(path, ProjectRow(path)) for path in message.paths)
        self.panel.empty = "" if message.paths else NOTHING_YET
        if self._wanted is not None and self.table.move_to(self._wanted):
            self._wanted = None
        self._details()

    @on(Read)
    def _figures(self, message: Read) -> None:
        self.table.update_rows(row for row in message.rows if self.table.has(row.path))
        if self.chosen is not None and self.chosen in message.rows:
            self._details()

    @on(Looked)
    def _overview(self, message: Looked) -> None:
        if self.chosen is not None and self.chosen.path == message.path:
            self.query_one(ProjectDetails).found = message.found

    @on(Done)
    def _done(self, message: Done) -> None:
        self._wanted = message.path
        self.batman.tell(message.text)
        self._list()

    # The cursor and the filter

    @on(VirtualTable.Highlighted)
    def _moved(self) -> None:
        self._details()

    @on(VirtualTable.Shown)
    def _counted(self) -> None:
        shown, there = len(self.table.visible_keys), self.table.row_count
        self.panel.badge = f"{shown:,} of {there:,}" if shown != there else f"{there:,}"
        self.refresh_bindings()

    @on(VirtualTable.Opened)
    def _clicked(self) -> None:
        self.action_classes()

    @on(FilterInput.Filter)
    def _filter(self, message: FilterInput.Filter) -> None:
        self.table.filter(message.text)
        if message.done:
            self.table.focus()

    def _details(self) -> None:
        details = self.query_one(ProjectDetails)
        details.show(self.chosen)
        if self.chosen is not None and not self.chosen.problem:
            self._look(self.chosen.path)

    # Keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Dim what needs a project while there is none."""
        if action in ("classes", "train", "import", "delete", "images", "imports", "check"):
            return True if self.chosen is not None and not self.chosen.problem else None
        if action == "filter":
            return not isinstance(self.focused, FilterInput)
        return super().check_action(action, parameters)

    def action_classes(self) -> None:
        """Open the classes of the project."""
        if self.chosen is not None:
            self.batman.open_classes(self.chosen.path)

    def action_train(self) -> None:
        """Open the training form for the project."""
        if self.chosen is not None:
            self.batman.open_train(self.chosen.path)

    def action_import(self) -> None:
        """Import a data set into the project."""
        if self.chosen is not None:
            self.batman.open_import(self.chosen.path)

    def action_export(self) -> None:
        """Write the project as a data set for other tools."""
        if self.chosen is not None:
            self.batman.open_export(self.chosen.path)

    def action_images(self) -> None:
        """Look at the project's images."""
        if self.chosen is not None:
            self.batman.open_images(self.chosen.path)

    def action_imports(self) -> None:
        """See where the project's images came from."""
        if self.chosen is not None:
            self.batman.open_imports(self.chosen.path)

    def action_check(self) -> None:
        """Look for what is wrong with the project's data."""
        if self.chosen is not None:
            self.batman.open_health(self.chosen.path)

    def action_filter(self) -> None:
        """Type a filter."""
        self.query_one(FilterInput).open()

    def action_reload(self) -> None:
        """Read the workspace again."""
        self._list()

    def action_new(self) -> None:
        """Ask for a name and create a project."""
        from batman_tui.widgets.dialogs.dialogs import PromptDialog
        from core.common.files import safe_name

        taken = {row.path.name for row in self.table.rows()}

        def check(name: str) -> str:
            if safe_name(name) in taken:
                raise BatmanError("There is a project with that name already.")
            return f"It will be at {self.batman.workspace.projects_dir / name}"

        self.app.push_screen(
            PromptDialog("New project", label="Name", button="Create", check=check),
            self._named,
        )

    def action_delete(self) -> None:
        """Ask, naming what would be lost, and delete the project."""
        row = self.chosen
        if row is None:
            return
        from batman_tui.widgets.dialogs.dialogs import ConfirmDialog

        summary = row.summary
        lines = [f"'{row.path.name}' will be deleted for good; there is no undo."]
        holds = summary is None or summary.images > 0
        if summary is not None and holds:
            lines.append(
                f"Lost: {plural(summary.images, 'image')}, "
                f"{plural(summary.annotations, 'annotation')}, "
                f"{plural(summary.classes, 'class', 'classes')} and their history. "
                "The data sets they were imported from, and runs, stay."
            )
        typed = row.path.name if holds else ""
        self.app.push_screen(
            ConfirmDialog("Delete the project?", lines, yes="Delete", no="Keep", typed=typed),
            lambda agreed: self._agreed(row.path) if agreed else None,
        )

    def _named(self, name: str | None) -> None:
        if name is not None:
            self._create(name)

    def _agreed(self, path: Path) -> None:
        self._delete(path)
