"""The dialog that imports: from where, a bar while it runs, the report."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import (
    Button,
    ContentSwitcher,
    RadioSet,
    Static,
)

from batman_tui.imports.from_disk import FolderWay, OriginalWay, VideoWay
from batman_tui.imports.from_network import RoboflowWay, ZooWay
from batman_tui.imports.import_way import Way
from batman_tui.keys import bindings
from batman_tui.task_dialog import TaskDialog
from batman_tui.widgets.dialogs.dialogs import ConfirmDialog
from batman_tui.widgets.form.choice import Choice
from batman_tui.widgets.frame.keybar import KeyBar
from batman_tui.widgets.table.table import Column, VirtualTable
from core.common.errors import BatmanError
from core.common.text import clean, duration, plural

if TYPE_CHECKING:
    from core.data.importers import ImportReport, Problem
    from core.data.store import Project


class ImportDialog(TaskDialog["ImportReport"]):
    """Imports into the project in the folder `project`. The result is the report, or None."""

    HELP = (
        "Choose above where the images come from; F3 takes the next way in. Records that are not "
        "right are left out or clipped, and listed at the end with the reason."
    )
    CSS_PATH = Path(__file__).with_name("import_dialog.tcss")
    BINDINGS: ClassVar[list[BindingType]] = bindings("import")

    STOPPED = "The import was stopped; the project is as it was."
    ESCAPE = "Escape stops it; the project is then as it was."

    def __init__(self, project: Path) -> None:
        super().__init__(project)
        columns: list[Column[tuple[int, Problem]]] = [
            Column("kind", "Problem", lambda row: row[1].kind.replace("_", " "), least=14),
            Column("where", "Where", lambda row: row[1].where, least=14),
            Column("detail", "Detail", lambda row: row[1].detail, least=14, from_width=64),
            Column("action", "", lambda row: row[1].action, width=8, muted=True),
        ]
        self._problems: VirtualTable[tuple[int, Problem]] = VirtualTable(
            columns, lambda row: row[0], id="problems"
        )

    def compose(self) -> ComposeResult:
        """Lay out the three phases in one place."""
        files = self.batman.settings.files
        self.ways = (
            FolderWay(files, self.project),
            ZooWay(),
            RoboflowWay(),
            VideoWay(),
            OriginalWay(files),
        )
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = Content(clean(f"Import into {self.project.name}"))
            with ContentSwitcher(initial="form", id="phases"):
                with Vertical(id="form"):
                    with RadioSet(id="ways", compact=True):
                        for way in self.ways:
                            yield Choice(way.TITLE, way is self.ways[0], compact=True)
                    with ContentSwitcher(initial=self.ways[0].id, id="way"):
                        yield from self.ways
                    with Horizontal(classes="dialog--buttons"):
                        yield Button("Cancel", id="cancel", compact=True)
                        yield Button("Import", id="ok", variant="primary", compact=True)
                yield from self.running_part()
                with Vertical(id="report"):
                    yield Static("", id="sum", classes="dialog--text")
                    yield self._problems
                    yield Static("", markup=False, id="whole", classes="dialog--hint")
            yield KeyBar()

    def on_mount(self) -> None:
        """Begin with the path of a data set."""
        self.way.first.focus()
        self._judged()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what the phase can do."""
        if action in ("start", "next_way"):
            return self.phase == "form"
        if action == "save":
            return self.phase == "report"
        if action == "label":
            return self.phase == "report" and self._to_label
        return super().check_action(action, parameters)

    # The form

    @property
    def way(self) -> Way:
        """The way in that is chosen."""
        return self.ways[max(0, self.query_one("#ways", RadioSet).pressed_index)]

    @on(RadioSet.Changed, "#ways")
    def _way_chosen(self) -> None:
        self.query_one("#way", ContentSwitcher).current = self.way.id
        self._judged()

    def action_next_way(self) -> None:
        """Take the next way in, and go to its first field."""
        following = (self.ways.index(self.way) + 1) % len(self.ways)
        self.query_one("#ways", RadioSet).query(Choice)[following].value = True
        self.call_after_refresh(self._to_the_first)

    def _to_the_first(self) -> None:
        self.way.first.focus()

    @on(Way.Judged)
    def _judged(self) -> None:
        self.query_one("#ok", Button).disabled = not self.way.ready
        self.start_if_waiting()

    @property
    def looking(self) -> bool:
        """Whether what was typed in the chosen way in is still being looked at."""
        return self.way.looking

    # Running

    def missing(self) -> str:
        """Return what the chosen way in still asks for."""
        return self.way.missing()

    def action_start(self) -> None:
        """Start the import of what the form says."""
        self._start(anyway=False)

    def _start(self, *, anyway: bool) -> None:
        if not self.may_start():
            return
        self.way.anyway = anyway
        job = self.way.job()

        def bring(project: Project, progress: Any, cancelled: Callable[[], bool]) -> ImportReport:
            from core.data.importers.report import together

            return together(job(project, progress, cancelled))

        lost = f"The import into '{self.project.name}' is not done; leaving now undoes it."
        self.begin(bring, lost)

    def form_again(self) -> None:
        """Back to the first field of the way in."""
        self.way.first.focus()

    def ended_badly(self, error: BatmanError) -> None:
        """Ask whether to go on where the data set looks like a mistake."""
        from core.data.importers.balance.likely_mistakes import LooksWrong

        if not isinstance(error, LooksWrong):
            super().ended_badly(error)
            return
        lines = [error.message, error.advice, "Nothing was imported. It can be, as it is."]
        self.app.push_screen(
            ConfirmDialog(
                "This looks like a mistake", [*filter(None, lines)], yes="Import anyway", no="Back"
            ),
            lambda agreed: self._start(anyway=True) if agreed else None,
        )

    # The report

    def ended_well(self, report: ImportReport) -> None:
        """List what was wrong in what came in."""
        self.report = report
        self.phase = "report"
        self.refresh_bindings()
        self.query_one("#sum", Static).update(self._sum(report))
        self._problems.set_rows(enumerate(report.problems))
        self._problems.display = bool(report.problems)
        self._problems.focus()
        self.call_after_refresh(self._fit)

    def on_resize(self) -> None:
        """Give the list of problems the lines that the new size leaves it."""
        self.call_after_refresh(self._fit)

    def _fit(self) -> None:
        """Make the list as long as it is, and no longer than lets all else be seen."""
        if self.phase != "report":
            return
        dialog = self.query_one(".dialog")
        others = [self.query_one("#sum"), self.query_one("#whole"), self.query_one(KeyBar)]
        # A line is left between the list and each of the two below it.
        taken = dialog.gutter.height + sum(one.size.height + 1 for one in others)
        left = self.size.height - taken
        self._problems.styles.height = max(3, min(self._problems.wanted_lines, left))

    @on(VirtualTable.Highlighted)
    def _one_problem(self) -> None:
        """Show the whole of the problem with the cursor, which a column may have cut."""
        row = self._problems.cursor_row
        text = "" if row is None else clean(f"{row[1].where}: {row[1].detail} ({row[1].action})")
        self.query_one("#whole", Static).update(text)

    def _sum(self, report: ImportReport) -> Content:
        from core.data.importers.balance.words import in_short, warnings

        parts: list[str | tuple[str, str]] = [
            ("✓ ", "$success"),
            (
                f"{plural(report.images, 'image')}, {plural(report.annotations, 'annotation')}, "
                f"{plural(len(report.classes), 'class')}",
                "bold",
            ),
            f" imported in {duration(monotonic() - self.began)}.\n",
        ]
        if report.problems:
            kinds = sorted(report.counts().items(), key=lambda item: -item[1])
            told = ", ".join(f"{clean(kind).replace('_', ' ')} {n:,}" for kind, n in kinds)
            count = plural(sum(n for _, n in kinds), "record was", "records were")
            parts.append((f"{count} not right: {told}.", "$text-warning"))
        left = warnings(report.balance)
        if not report.problems:
            parts.append(
                "Every record that came in was right." if left else "Every record was right."
            )
        parts += [(f"\n{sentence}", "$text-warning") for sentence in left]
        if self._to_label:
            parts.append(("\nThey have no labels yet: l begins to draw them.", "bold"))
        if not left and report.balance:
            parts.append((f"\n{in_short(report.balance)}", "$foreground-muted"))
        return Content.assemble(*parts)

    @property
    def _to_label(self) -> bool:
        """Whether pictures came in, and none with a label."""
        report = self.report
        return report is not None and report.images > 0 and not report.annotations

    def action_label(self) -> None:
        """Close, and label what came in."""
        self.dismiss(self.report)
        self.batman.open_label(self.project)

    def action_save(self) -> None:
        """Write the report as JSON into the workspace's logs and say where."""
        if self.report is None:
            return
        file = self.batman.workspace.logs_dir / f"import_{self.project.name}.json"
        report: dict[str, Any] = self.report.to_dict()
        self._write(file, json.dumps(report, indent=2, ensure_ascii=False) + "\n")

    @work(thread=True, exit_on_error=False, group="save")
    def _write(self, file: Path, text: str) -> None:
        from core.common.files import write_atomic

        try:
            write_atomic(file, text)
        except OSError as error:
            raise BatmanError(f"{clean(str(file))} cannot be written.", str(error)) from error
        self.post_message(self.Written(file))

    @dataclass
    class Written(Message):
        """The report is in a file."""

        file: Path

    @on(Written)
    def _written(self, message: Written) -> None:
        self.batman.tell(f"Written to {message.file}")
