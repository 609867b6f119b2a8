"""The projects of the workspace: look, create, import, delete, go on to classes or training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.binding import BindingType
from textual.message import Message
from textual.widget import Widget
from textual.worker import get_current_worker

from batman_tui.keys import bindings
from batman_tui.projects.details import Known, ProjectDetails, ProjectRow, images_by_split
from batman_tui.widgets.frame.base import BatmanScreen
from batman_tui.widgets.panel.list_layout import ListLayout
from batman_tui.widgets.panel.panel import Panel
from batman_tui.widgets.table.table import Column, VirtualTable
from core.common.errors import BatmanError
from core.common.text import plural
from core.data.project_columns import PROJECT_COLUMNS
from core.late import late

if TYPE_CHECKING:
    from batman_tui.widgets.table.filter import FilterInput
    from core.data import store
    from core.data.summaries import Summaries

if not TYPE_CHECKING:
    store = late("core.data.store")  # SQLite waits for the first frame

BATCH_SECONDS = 0.1
SHOWN_CLASSES = 40
NOTHING_YET = (
    "No projects here yet. Press i to import a data set into a new one, n to create an empty one."
)
FIRST_STEPS = (
    f"{NOTHING_YET} The import recognises COCO, YOLO, Pascal VOC and what labelling programs write;"
    " pictures without labels and videos come in too. In a shell, batman demo shows the whole way"
    " to a trained model on a small data set that it draws."
)


# Actions on the project with the cursor.
_OF_ONE = (
    "classes", "train", "delete", "export", "images", "imports", "check", "label", "data",
    "versions",
)  # fmt: skip


def _summary(row: ProjectRow) -> store.ProjectSummary | None:
    return row.summary


def _reviewed(row: ProjectRow) -> float | None:
    found = row.summary
    return found.reviewed / found.images if found is not None and found.images else None


def _beside(row: ProjectRow) -> str:
    """Return what stands in the column of the last change where there is no summary yet."""
    return "unreadable" if row.problem else "" if row.summary else "…"


def _best(row: ProjectRow) -> str | None:
    return None if row.best is None else f"{row.best:.3f}"


class ProjectsScreen(BatmanScreen):
    """The list, and what is in the project with the cursor."""

    HELP = (
        "A project is a data set you work on: images, boxes, classes and their history. "
        "Enter opens its classes, t trains a model on it, l labels its pictures; batman label does"
        " that on a page in the browser."
    )
    AUTO_FOCUS = ""
    CSS_PATH = Path(__file__).with_name("screen.tcss")
    BINDINGS: ClassVar[list[BindingType]] = bindings("projects")

    @dataclass
    class Listed(Message):
        """The names of the projects were read, and what was kept of them."""

        rows: Sequence[ProjectRow]

    @dataclass
    class Read(Message):
        """Some projects were read."""

        rows: Sequence[ProjectRow]

    @dataclass
    class Looked(Message):
        """What is in one project was read."""

        path: Path
        known: Known

    @dataclass
    class Compared(Message):
        """The runs were read; `best` has the highest mAP50-95 of each project's."""

        best: Mapping[Path, float]

    @dataclass
    class Done(Message):
        """A project was created or deleted."""

        path: Path
        text: str
        then_import: bool = False

    def __init__(self) -> None:
        super().__init__()
        self._wanted: Path | None = None
        self._listed = False
        self._summaries: Summaries | None = None
        self._best: Mapping[Path, float] = {}
        changed = PROJECT_COLUMNS["updated"].of(_summary).on_screen(lambda: self.batman.now())
        columns: list[Column[ProjectRow]] = [
            Column("name", "Name", lambda row: row.path.name, least=16),
            *(PROJECT_COLUMNS[key].of(_summary) for key in ("images", "annotations", "classes")),
            Column(
                "splits",
                "Train · valid · test",
                images_by_split,
                width=22,
                from_width=100,
                muted=True,
            ),
            Column("reviewed", "Reviewed", _reviewed, "percent", 9, from_width=88),
            Column("best", "Best mAP", _best, width=8, from_width=84, sort=lambda row: row.best),
            replace(changed, value=lambda row: _beside(row) or changed.value(row)),
        ]
        self.table: VirtualTable[ProjectRow] = VirtualTable(
            columns, lambda row: row.path, id="projects-table"
        )

    def body(self) -> Iterable[Widget]:
        """Lay the list beside the details, or above them where it is narrow."""
        yield ListLayout(
            Panel(self.table, title="Projects", classes="-list"),
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
        # Read when the first frame is painted.
        from core.data.summaries import Summaries
        from core.training.run_list.of_project import best_by_project

        worker = get_current_worker()
        workspace = self.batman.workspace
        paths = workspace.list_projects()
        if self._summaries is None:
            self._summaries = Summaries(workspace.projects_dir)
        kept = self._summaries
        rows = [ProjectRow(path, kept.kept(path)) for path in paths]
        self.post_message(self.Listed(rows))
        batch: list[ProjectRow] = []
        sent = monotonic()
        for path in (row.path for row in rows if row.summary is None):
            if worker.is_cancelled:
                return
            try:
                batch.append(ProjectRow(path, kept.read(path)))
            except BatmanError as error:
                batch.append(ProjectRow(path, problem=f"{error.message} {error.hint}".strip()))
            if monotonic() - sent > BATCH_SECONDS:
                self.post_message(self.Read(batch))
                batch, sent = [], monotonic()
        self.post_message(self.Read(batch))
        kept.save(paths)
        best = best_by_project(self.batman.run_index.list(), paths)
        if not worker.is_cancelled:
            self.post_message(self.Compared(best))

    @work(thread=True, exclusive=True, exit_on_error=False, group="details")
    def _look(self, path: Path) -> None:
        # Read when the first frame is painted.
        from core.autolabel.loop import standing
        from core.data.overview import overview

        try:
            with store.Project.open(path) as project:
                known = Known(
                    overview(project, classes=SHOWN_CLASSES),
                    standing(self.batman.workspace, project, self.batman.run_index),
                )
        except BatmanError:
            return  # The list shows what is wrong with it.
        if not get_current_worker().is_cancelled:
            self.post_message(self.Looked(path, known))

    @work(thread=True, exit_on_error=False, group="changing")
    def _create(self, name: str, then_import: bool) -> None:
        path = self.batman.workspace.project_path(name)
        store.Project.create(path).close()
        then = "" if then_import else " Press i to import a data set."
        self.post_message(self.Done(path, f"Created '{name}'.{then}", then_import))

    @work(thread=True, exit_on_error=False, group="changing")
    def _delete(self, path: Path) -> None:
        store.Project.delete(path)
        self.post_message(self.Done(path, f"Deleted '{path.name}'."))

    # What was read

    @on(Listed)
    def _names(self, message: Listed) -> None:
        # What was shown stays until it was read again.
        self._listed = True
        known = {row.path: row for row in self.table.rows()}
        self.table.set_rows(
            self._with_best(row if row.summary else known.get(row.path, row))
            for row in message.rows
        )
        self.panel.empty = "" if message.rows else FIRST_STEPS
        # Of no project there are no details: the list has their room.
        self.set_class(not message.rows, "-none")
        self.call_after_refresh(self.query_one(ListLayout).share_out)
        if self._wanted is not None and self.table.move_to(self._wanted):
            self._wanted = None
        self._details()

    @on(Read)
    def _figures(self, message: Read) -> None:
        rows = [self._with_best(row) for row in message.rows if self.table.has(row.path)]
        self.table.update_rows(rows)
        if self.chosen is not None and self.chosen in rows:
            self._details()

    @on(Compared)
    def _compared(self, message: Compared) -> None:
        self._best = message.best
        self.table.update_rows(map(self._with_best, self.table.rows()))

    def _with_best(self, row: ProjectRow) -> ProjectRow:
        return replace(row, best=self._best.get(row.path))

    @on(Looked)
    def _overview(self, message: Looked) -> None:
        if self.chosen is not None and self.chosen.path == message.path:
            self.query_one(ProjectDetails).known = message.known

    @on(Done)
    def _done(self, message: Done) -> None:
        self._wanted = message.path
        self.batman.tell(message.text)
        self._list()
        if message.then_import:
            self.batman.open_import(message.path)

    # The cursor and the filter

    @on(VirtualTable.Highlighted)
    def _moved(self) -> None:
        self._details()

    @on(VirtualTable.Shown)
    def _counted(self) -> None:
        shown, there = len(self.table.visible_keys), self.table.row_count
        self.panel.badge = f"{shown:,} of {there:,}" if shown != there else f"{there:,}"
        self.refresh_bindings()

    def _line(self) -> FilterInput:
        """Return the line to filter by, made now if need be: the first frame does without it."""
        from batman_tui.widgets.table.filter import FilterInput

        for line in self.query(FilterInput):
            return line
        self.panel.mount(line := FilterInput("Filter by name"), before=self.table)
        return line

    def on_filter_input_filter(self, message: FilterInput.Filter) -> None:
        """Show the projects that match."""
        self.table.filter(message.text)
        if message.done:
            self.table.focus()

    def back_at(self, filter: str, row: object, of: str) -> None:
        """Go back to where somebody was."""
        if filter:
            self._line()
        super().back_at(filter, row, of)

    def _details(self) -> None:
        details = self.query_one(ProjectDetails)
        details.show(self.chosen)
        if self.chosen is not None and not self.chosen.problem:
            self._look(self.chosen.path)

    # Keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Dim what needs a project while there is none."""
        if action in _OF_ONE:
            return True if self.chosen is not None and not self.chosen.problem else None
        if action == "import":
            unreadable = self.chosen is not None and bool(self.chosen.problem)
            return None if unreadable or (self.table.row_count and self.chosen is None) else True
        if action == "filter" and self.panel.empty:
            return None
        return super().check_action(action, parameters)

    def why_not(self, action: str, parameters: tuple[object, ...]) -> str:
        """Say what is wrong with the project with the cursor, or that there is none."""
        if action in ("back", "filter"):
            return ""
        if self.chosen is not None:
            return self.chosen.problem
        if not self._listed:
            return "The list of projects is still being read."
        return NOTHING_YET if not self.table.row_count else "No project matches the filter."

    @on(VirtualTable.Opened)
    def action_classes(self) -> None:
        """Open the classes of the project."""
        if self.chosen is not None:
            self.batman.open_classes(self.chosen.path)

    def action_train(self) -> None:
        """Open the training form for the project."""
        if self.chosen is not None:
            self.batman.open_train(self.chosen.path)

    def action_import(self) -> None:
        """Import a data set into the project; where there is none yet, into a new one."""
        if self.chosen is not None:
            self.batman.open_import(self.chosen.path)
        elif self._listed and not self.table.row_count:
            self._ask_name("Import into a new project", then_import=True)

    def action_export(self) -> None:
        """Write the project as a data set for other tools."""
        if self.chosen is not None:
            self.batman.open_export(self.chosen.path)

    def action_images(self) -> None:
        """Look at the project's images."""
        if self.chosen is not None:
            self.batman.open_images(self.chosen.path)

    def action_data(self) -> None:
        """See what is in the project's data."""
        if self.chosen is not None:
            self.batman.open_data(self.chosen.path)

    def action_versions(self) -> None:
        """See the project's named states."""
        if self.chosen is not None:
            self.batman.open_versions(self.chosen.path)

    def action_imports(self) -> None:
        """See where the project's images came from."""
        if self.chosen is not None:
            self.batman.open_imports(self.chosen.path)

    def action_label(self) -> None:
        """Draw boxes, and review what models propose."""
        if self.chosen is not None:
            self.batman.open_label(self.chosen.path)

    def action_check(self) -> None:
        """Look for what is wrong with the project's data."""
        if self.chosen is not None:
            self.batman.open_health(self.chosen.path)

    def action_filter(self) -> None:
        """Type a filter."""
        self._line().open()

    def action_reload(self) -> None:
        """Read the workspace again."""
        self.batman.tell("The projects are read again.")
        self._list()

    def action_new(self) -> None:
        """Ask for a name and create a project."""
        self._ask_name("New project", then_import=False)

    def _ask_name(self, title: str, *, then_import: bool) -> None:
        from batman_tui.widgets.dialogs.dialogs import PromptDialog
        from core.common.files import safe_name

        taken = {row.path.name for row in self.table.rows()}

        def check(name: str) -> str:
            if safe_name(name) in taken:
                raise BatmanError("There is a project with that name already.")
            return f"It will be at {self.batman.workspace.projects_dir / name}"

        def answered(name: str | None) -> None:
            if name is not None:
                self.batman.keys_wait_for(self._create(name, then_import))

        dialog = PromptDialog(title, label="Name", button="Create", check=check)
        self.app.push_screen(dialog, answered)

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

    def _agreed(self, path: Path) -> None:
        self._delete(path)
