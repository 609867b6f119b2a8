"""Where a project's images came from: each import, and taking one out again as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.binding import BindingType
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static
from textual.worker import get_current_worker

from batman_tui.keys import bindings
from batman_tui.project_screen import ProjectScreen
from batman_tui.widgets.panel.list_layout import ListLayout
from batman_tui.widgets.panel.panel import Panel
from batman_tui.widgets.table.table import Column, VirtualTable
from core.common.text import ago, clean, plural
from core.data.store import Project

if TYPE_CHECKING:
    from core.data.importers import ImportRow

# The height of the details, a frame and what every import has.
NOTHING_YET = "Nothing was imported yet. Press i to import images."


def _told(row: ImportRow) -> str:
    """Return how an import was split and what was wrong with it, each on a line of its own."""
    splits = {key: count for key, count in row.detail.get("splits", {}).items() if key != "none"}
    wrong = row.detail.get("problems", {})
    lines = [", ".join(f"{key} {count:,}" for key, count in splits.items())]
    if wrong:
        kinds = ", ".join(f"{clean(kind)} {count:,}" for kind, count in wrong.items())
        lines.append(f"{plural(sum(wrong.values()), 'record')} left out or put right: {kinds}")
    lines += _warnings(row)
    return "".join(f"{line}\n" for line in lines if line)


def _warnings(row: ImportRow) -> list[str]:
    """Return what did not come in of what lay at the import's path, a sentence each."""
    from core.data.importers.balance.words import warnings

    return warnings(row.detail.get("balance", {}))


class ImportsScreen(ProjectScreen):
    """The imports that the project in the folder `project` consists of, newest first."""

    HELP = (
        "Removing an import takes its images and annotations out of the project, with the classes "
        "that no other import has. The files stay, and u brings everything back."
    )
    AUTO_FOCUS = ""
    DEFAULT_CSS = """
    ImportsScreen {
        #imports-body > #imports-panel { max-height: 65%; }
        #imports-one Static { width: 1fr; height: 1fr; }
        &.-low #imports-one { display: none; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = bindings("imports")

    @dataclass
    class Loaded(Message):
        """The imports were read."""

        rows: Sequence[ImportRow]

    def __init__(self, project: Path) -> None:
        super().__init__(project)
        columns: list[Column[ImportRow]] = [
            Column("kind", "Kind", lambda row: row.kind, width=10),
            Column("origin", "From", lambda row: row.origin, least=14, keep="end"),
            Column(
                "at",
                "When",
                lambda row: ago(row.at, self.batman.now()),
                width=11,
                sort=lambda row: row.at,
                muted=True,
            ),
            Column("images", "Images", lambda row: row.images, "number", 9),
            Column("annotations", "Annotations", lambda row: row.annotations, "number", 12),
            Column("classes", "Classes", lambda row: len(row.classes), "number", 8, from_width=76),
        ]
        self.table: VirtualTable[ImportRow] = VirtualTable(
            columns, lambda row: row.id, id="imports-table"
        )

    def trail(self) -> str:
        """Say whose imports these are."""
        return f"{self.project.name} › Imports"

    def body(self) -> Iterable[Widget]:
        """Lay the one with the cursor below the list."""
        yield ListLayout(
            Panel(self.table, title="Imports", id="imports-panel", classes="-list"),
            Panel(Static(""), title="Details", id="imports-one", classes="-of-row"),
            id="imports-body",
            beside=False,
        )

    def on_mount(self) -> None:
        """Give the keys to the list."""
        self.set_focus(self.table)

    def on_screen_resume(self) -> None:
        """Read the project, again when one comes back from an import."""
        self.reload()

    def reload(self) -> None:
        """Read the imports again."""
        self._load()

    @work(thread=True, exclusive=True, exit_on_error=False, group="imports")
    def _load(self) -> None:
        from core.data.importers import list_imports

        with Project.open(self.project) as project:
            rows = list_imports(project)
        if not get_current_worker().is_cancelled:
            self.post_message(self.Loaded(rows))

    @on(Loaded)
    def _show(self, message: Loaded) -> None:
        self.table.set_rows(message.rows)
        panel = self.query_one("#imports-panel", Panel)
        panel.badge = f"{len(message.rows):,}"
        panel.empty = "" if message.rows else NOTHING_YET
        self._details()
        self.refresh_bindings()

    @on(VirtualTable.Highlighted)
    def _details(self) -> None:
        row = self.table.cursor_row
        panel = self.query_one("#imports-one", Panel)
        panel.heading = f"Import {row.id}" if row else "Details"
        text = Content("")
        if row is not None:
            at = row.at.astimezone()
            names = ", ".join(row.classes) or "none"
            text = Content.assemble(
                f"{clean(row.kind)} from {clean(row.origin)}\n",
                (f"{at.day} {at:%b %Y %H:%M}, {plural(row.images, 'image')}, ", "$foreground"),
                f"{plural(row.annotations, 'annotation')}\n",
                (_told(row), "$foreground-muted"),
                (f"{plural(len(row.classes), 'class', 'classes')}: ", "$foreground-muted"),
                clean(names),
            )
        panel.query_one(Static).update(text)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Dim what needs an import while there is none."""
        if action == "remove":
            return True if self.table.cursor_key is not None else None
        return super().check_action(action, parameters)

    def action_remove(self) -> None:
        """Ask, naming what goes, and take the import out of the project."""
        row = self.table.cursor_row
        if row is None:
            return
        from batman_tui.widgets.dialogs.dialogs import ConfirmDialog

        lines = [
            f"{row.kind} from {row.origin}",
            f"{plural(row.images, 'image')} and {plural(row.annotations, 'annotation')} leave the "
            "project, with the classes that no other import has. The files stay; u brings "
            "everything back.",
        ]
        self.app.push_screen(
            ConfirmDialog("Remove the import?", lines, yes="Remove", no="Keep"),
            lambda agreed: self._remove(row.id) if agreed else None,
        )

    def _remove(self, number: int) -> None:
        from core.data.importers import remove_import

        self.change(lambda project: remove_import(project, number), "Nothing was removed.")

    def action_import(self) -> None:
        """Import into the project."""
        self.batman.open_import(self.project)
