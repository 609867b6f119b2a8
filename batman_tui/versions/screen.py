"""Versions of a project: named states, what changed between two, going back to one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.binding import BindingType
from textual.containers import VerticalScroll
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
from core.common.errors import BatmanError
from core.common.text import ago, clean
from core.data.store import Project
from core.data.versions import (
    Version,
    list_versions,
    moved_on,
    name_state,
    remove_version,
    restore,
)
from core.data.versions.compare import Difference, compare
from core.data.versions.names import check_name
from core.data.versions.words import difference_lines

NOTHING_YET = "No state has a name yet. Press n to name the present one."
_MOST_CLASSES = 12


@dataclass(frozen=True)
class VersionLine:
    """A version in the list, and how the project stands to it."""

    version: Version
    now: str


class VersionsScreen(ProjectScreen):
    """The versions of the project in the folder `project`, the newest state first."""

    HELP = (
        "A version is a name for a state of the project: pictures, boxes, classes, splits. Below "
        "stands what changed from it until now; space marks one to compare the others with it. "
        "Going back is a change like any other: u takes it back."
    )
    AUTO_FOCUS = ""
    DEFAULT_CSS = """
    VersionsScreen {
        #versions-one Static { width: 1fr; height: auto; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = bindings("versions")

    @dataclass
    class Loaded(Message):
        """The versions were read."""

        rows: Sequence[VersionLine]

    @dataclass
    class Compared(Message):
        """Two states were compared; `title` names them."""

        title: str
        found: Difference

    @dataclass
    class Named(Message):
        """A name was given or taken away."""

        text: str

    def __init__(self, project: Path) -> None:
        super().__init__(project)
        self._marked: Version | None = None
        columns: list[Column[VersionLine]] = [
            Column("mark", " ", self._mark, width=1),
            Column("name", "Version", lambda row: row.version.name, least=16),
            Column("state", "Change", lambda row: row.version.state, "number", 7),
            Column(
                "at",
                "Named",
                lambda row: ago(row.version.at, self.batman.now()),
                width=11,
                sort=lambda row: row.version.at,
                muted=True,
            ),
            Column("note", "Note", lambda row: row.version.note, least=10, from_width=60),
        ]
        self.table: VirtualTable[VersionLine] = VirtualTable(
            columns, lambda row: row.version.id, id="versions-table"
        )

    def _mark(self, row: VersionLine) -> str:
        return "●" if self._marked is not None and row.version.id == self._marked.id else " "

    def trail(self) -> str:
        """Say whose versions these are."""
        return f"{self.project.name} › Versions"

    def body(self) -> Iterable[Widget]:
        """Lay what changed since the one with the cursor below the list."""
        yield ListLayout(
            Panel(self.table, title="Versions", id="versions-panel", classes="-list"),
            Panel(
                VerticalScroll(Static("", markup=False, id="versions-text"), can_focus=False),
                title="What changed",
                id="versions-one",
                classes="-of-row",
            ),
            id="versions-body",
            beside=False,
        )

    def on_mount(self) -> None:
        """Give the keys to the list, and read."""
        self.set_focus(self.table)

    def on_screen_resume(self) -> None:
        """Read the project, again when one comes back."""
        self.reload()

    def reload(self) -> None:
        """Read the versions again."""
        self._load()

    @property
    def chosen(self) -> Version | None:
        """The version with the cursor."""
        return self.table.cursor_row.version if self.table.cursor_row else None

    # Reading, in threads

    @work(thread=True, exclusive=True, exit_on_error=False, group="versions")
    def _load(self) -> None:
        with Project.open(self.project) as project:
            rows = [VersionLine(each, moved_on(project, each.state)) for each in
                    list_versions(project)]  # fmt: skip
        if not get_current_worker().is_cancelled:
            self.post_message(self.Loaded(rows))

    @work(thread=True, exclusive=True, exit_on_error=False, group="compare")
    def _compare(self, before: Version, after: Version | None) -> None:
        with Project.open(self.project) as project:
            found = compare(project, before.state, None if after is None else after.state)
        title = f"From {before.name} to {'now' if after is None else after.name}"
        if not get_current_worker().is_cancelled:
            self.post_message(self.Compared(title, found))

    @on(Loaded)
    def _show(self, message: Loaded) -> None:
        self.table.set_rows(message.rows)
        panel = self.query_one("#versions-panel", Panel)
        panel.badge = f"{len(message.rows):,}"
        panel.empty = "" if message.rows else NOTHING_YET
        self._look()
        self.refresh_bindings()

    @on(VirtualTable.Highlighted)
    def _look(self) -> None:
        """Compare the one with the cursor with the marked one, or with now."""
        version, marked = self.chosen, self._marked
        if version is None:
            self.query_one("#versions-text", Static).update("")
        elif marked is None or marked.id == version.id:
            self._compare(version, None)
        elif marked.state <= version.state:
            self._compare(marked, version)
        else:
            self._compare(version, marked)

    @on(Compared)
    def _compared(self, message: Compared) -> None:
        self.query_one("#versions-one", Panel).heading = message.title
        row = self.table.cursor_row
        lines = [*([row.now] if row is not None else []), *difference_lines(message.found)]
        classes = sorted(
            message.found.per_class.items(), key=lambda item: -abs(item[1][1] - item[1][0])
        )
        lines += [
            f"{clean(name)}: {was:,} → {now:,} ({now - was:+,})"
            for name, (was, now) in classes[:_MOST_CLASSES]
        ]
        if len(classes) > _MOST_CLASSES:
            lines.append(f"… and {len(classes) - _MOST_CLASSES:,} more classes")
        self.query_one("#versions-text", Static).update(Content("\n".join(lines)))

    @on(Named)
    def _named(self, message: Named) -> None:
        self.batman.tell(message.text)
        self.reload()

    # Keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Dim what needs a version while there is none."""
        if action in ("back_to", "export_version", "remove", "mark"):
            return True if self.chosen is not None else None
        return super().check_action(action, parameters)

    def action_mark(self) -> None:
        """Mark the version, to compare the others with it, or unmark it."""
        version = self.chosen
        same = version is not None and self._marked is not None and self._marked.id == version.id
        self._marked = None if same else version
        self.table.set_rows(self.table.rows())
        self._look()

    def action_new(self) -> None:
        """Ask for a name for the present state."""
        from batman_tui.widgets.dialogs.dialogs import PromptDialog

        taken = {row.version.name for row in self.table.rows()}

        def check(name: str) -> str:
            if check_name(name) in taken:
                raise BatmanError("There is a version with that name already.")
            return "The state can be looked at and gone back to, whatever is done after it."

        self.app.push_screen(
            PromptDialog("Name the present state", label="Name", button="Name it", check=check),
            self._answered,
        )

    def _answered(self, name: str | None) -> None:
        if name is not None:
            self._give(name)

    @work(thread=True, exit_on_error=False, group="changing")
    def _give(self, name: str) -> None:
        with Project.open(self.project) as project:
            version = name_state(project, name)
        self.post_message(self.Named(f"Named change {version.state} '{version.name}'."))

    def action_remove(self) -> None:
        """Take the name away, after asking."""
        version = self.chosen
        if version is None:
            return
        from batman_tui.widgets.dialogs.dialogs import ConfirmDialog

        lines = [
            f"'{version.name}' is taken away from change {version.state}. The data stays as it is.",
            "Without a name, the state is forgotten when it is undone and something else is done.",
        ]
        self.app.push_screen(
            ConfirmDialog("Take the name away?", lines, yes="Take away", no="Keep"),
            lambda agreed: self._agreed(version.name) if agreed else None,
        )

    def _agreed(self, name: str) -> None:
        self._remove(name)

    @work(thread=True, exit_on_error=False, group="changing")
    def _remove(self, name: str) -> None:
        with Project.open(self.project) as project:
            gone = remove_version(project, name)
        if self._marked is not None and self._marked.id == gone.id:
            self._marked = None
        self.post_message(self.Named(f"Took the name '{gone.name}' away."))

    def action_back_to(self) -> None:
        """Make the project what it was in that version, after asking."""
        version = self.chosen
        if version is None:
            return
        from batman_tui.widgets.dialogs.dialogs import ConfirmDialog

        lines = [
            f"Pictures, boxes, classes and splits become what they were in '{version.name}'.",
            "It is one step: u takes it back, and everything since stays in the history.",
        ]
        self.app.push_screen(
            ConfirmDialog("Go back to this version?", lines, yes="Go back", no="Stay"),
            lambda agreed: self._restore(version) if agreed else None,
        )

    def _restore(self, version: Version) -> None:
        self.change(
            lambda project: restore(project, version.state), "The project is in that state already."
        )

    def action_export_version(self) -> None:
        """Write the project as it was in that version for other tools."""
        if self.chosen is not None:
            self.batman.open_export(self.project, self.chosen.state, self.chosen.name)
