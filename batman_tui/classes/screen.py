"""The classes of a project: count, filter, mark, merge, rename, delete, clean up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widget import Widget
from textual.worker import get_current_worker

from batman_tui.classes.cleanup import mapping_file_question, write_mapping, write_names
from batman_tui.classes.crops import ClassCrops
from batman_tui.classes.history import HISTORY_LINES, HistoryPanel
from batman_tui.classes.lines import COLUMNS, SPLIT_COLUMNS, ClassLine, lines_of, split_images
from batman_tui.classes.rename import merge_question, name_question, new_question
from batman_tui.keys import bindings
from batman_tui.project_screen import Job, ProjectScreen
from batman_tui.widgets.panel.list_layout import LEAST_SPARE, ListLayout
from batman_tui.widgets.panel.panel import Panel
from batman_tui.widgets.table.filter import FilterInput
from batman_tui.widgets.table.table import VirtualTable
from core.common.text import plural
from core.data.classes import ClassRow, add, delete, list_classes, merge, rename
from core.data.store import HistoryEntry, Project

if TYPE_CHECKING:
    from batman_tui.classes.delete import DeleteChoice
    from batman_tui.classes.merge import MergeChoice
    from core.data.classes.similar_names import Convention, Suggestion
    from core.data.splits.edit import SplitCounts

NOTHING_YET = "No classes yet. Press i to import a data set."
NO_MATCH = "No class matches. Press / and Escape to show all."
NEED_A_CLASS = (
    *("mark", "mark_all", "merge", "rename", "delete"),
    *("suggest", "convention", "apply_mapping", "write_mapping"),
)
WIDE = 120
ROOMY = (100, 30)
"""From this size on (columns, lines) pictures of the class are shown without being asked for.

They are as well where the list leaves so many lines that would be black.
"""


class ClassesScreen(ProjectScreen):
    """The table of classes and, where wanted, what was done to them."""

    HELP = (
        "Mark classes that are the same thing with space and merge them with m. Every change can "
        "be undone, as far back as the project goes."
    )
    AUTO_FOCUS = ""
    CSS_PATH = Path(__file__).with_name("screen.tcss")
    BINDINGS: ClassVar[list[BindingType]] = bindings("classes")

    @dataclass
    class Loaded(Message):
        """The classes and the history were read."""

        rows: Sequence[ClassRow]
        history: Sequence[HistoryEntry]
        splits: SplitCounts | None

    @dataclass
    class Suggested(Message):
        """Groups of classes that look alike were found."""

        groups: Sequence[Suggestion]

    def __init__(self, project: Path) -> None:
        """Make the screen for the project in the folder `project`."""
        super().__init__(project)
        self.table: VirtualTable[ClassLine] = VirtualTable(
            COLUMNS,
            lambda line: line.row.id,
            search=lambda line: f"{line.row.name} {' '.join(line.row.labels)}",
            markable=True,
            id="classes-table",
        )
        self._goto: str | None = None
        self._history_wanted: bool | None = None
        self._crops_wanted: bool | None = None
        self._by_split = False
        self._splits: SplitCounts | None = None

    def trail(self) -> str:
        """Say whose classes these are."""
        return f"{self.project.name} › Classes"

    def body(self) -> Iterable[Widget]:
        """Lay the table beside the history, or above it where it is narrow."""
        yield Horizontal(
            ListLayout(
                Panel(
                    FilterInput("Filter by name, or by what an import called it", now=self._narrow),
                    self.table,
                    title="Classes",
                    id="classes-panel",
                    classes="-list",
                ),
                ClassCrops(self.project),
                id="classes-left",
                beside=False,
            ),
            HistoryPanel(),
            id="classes-body",
        )

    # Rows by name, for the dialogs

    @property
    def rows(self) -> list[ClassRow]:
        """Every class."""
        return [line.row for line in self.table.rows()]

    @property
    def chosen(self) -> list[ClassRow]:
        """The marked classes, or the one with the cursor when none is marked."""
        if self.table.marks:
            return [line.row for line in self.table.rows() if line.row.id in self.table.marks]
        return [self.table.cursor_row.row] if self.table.cursor_row else []

    def back_at(self, filter: str, row: object, of: str) -> None:
        """Go back to a class; `row` may be its name."""
        super().back_at(filter, row, of)
        if isinstance(row, str):
            self._goto = row

    # Reading and changing, in threads

    def on_mount(self) -> None:
        """Give the keys to the table."""
        self.set_focus(self.table)
        self.on_resize()

    def on_resize(self) -> None:
        """Show history and pictures by themselves where there is room, or as was decided."""
        width, height = self.app.size
        history, crops = self._history_wanted, self._crops_wanted
        panel = self.query_one(HistoryPanel)
        # An import alone is told elsewhere: its room is better used for pictures.
        by_itself = width >= WIDE and len(panel.entries) > 1
        panel.set_class(by_itself if history is None else history, "-shown")
        # The bars above and below and a frame with a heading are not of the list.
        spare = bool(self.table.row_count) and height - 5 - self.table.row_count >= LEAST_SPARE
        roomy = (width >= ROOMY[0] and height >= ROOMY[1]) or spare
        self.query_one(ClassCrops).set_class(roomy if crops is None else crops, "-shown")
        self.query_one(ListLayout).share_out()
        self._show_crops()

    def on_screen_resume(self) -> None:
        """Read the project, again when one comes back: an import may have changed it."""
        self.reload()

    @work(thread=True, exclusive=True, exit_on_error=False, group="classes")
    def _load(self) -> None:
        with Project.open(self.project) as project:
            rows, history = list_classes(project), project.history(HISTORY_LINES)
            splits = None
            if self._by_split:
                from core.data.splits.edit import split_counts

                splits = split_counts(project)
        if not get_current_worker().is_cancelled:
            self.post_message(self.Loaded(rows, history, splits))

    def reload(self) -> None:
        """Read the classes and the history again."""
        self._load()

    def _change(self, job: Job, nothing: str, *, goto: str | None) -> None:
        """Run `job` as `change` does, and put the cursor on the class `goto` after it."""

        def then(project: Project) -> HistoryEntry | None:
            entry = job(project)
            self._goto = goto
            return entry

        self.change(then, nothing)

    @work(thread=True, exclusive=True, exit_on_error=False, group="suggest")
    def _suggest(self, counts: dict[str, int]) -> None:
        from core.data.classes.similar_names import suggest

        groups = suggest(counts)
        if not get_current_worker().is_cancelled:
            self.post_message(self.Suggested(groups))

    @on(Loaded)
    def _show(self, message: Loaded) -> None:
        self._splits = message.splits
        self.table.set_columns(COLUMNS if message.splits is None else SPLIT_COLUMNS)
        self.table.set_rows(lines_of(message.rows, message.splits))
        if self._goto is not None:
            wanted = next((row.id for row in message.rows if row.name == self._goto), None)
            # It is not among what was read just before the change and comes just after it.
            if wanted is not None:
                self.table.move_to(wanted)
                self._goto = None
        self.table.nothing = NO_MATCH
        self.query_one("#classes-panel", Panel).empty = "" if message.rows else NOTHING_YET
        self.query_one(HistoryPanel).entries = tuple(message.history)
        self.on_resize()
        self.refresh_bindings()

    # The table and its filter

    @on(VirtualTable.Shown)
    def _counted(self) -> None:
        shown, there = len(self.table.visible_keys), self.table.row_count
        badge = f"{shown:,} of {there:,}" if shown != there else f"{there:,}"
        if self.table.marks:
            count = sum(row.annotations for row in self.chosen)
            badge += f" · {len(self.table.marks):,} marked, {plural(count, 'annotation')}"
        elif self._splits is not None:
            badge += f" · images: {split_images(self._splits)}"
        self.query_one("#classes-panel", Panel).badge = badge
        self.refresh_bindings()

    @on(VirtualTable.Highlighted)
    def _show_crops(self) -> None:
        line = self.table.cursor_row
        self.query_one(ClassCrops).show(line.row if line else None)

    @on(VirtualTable.Opened)
    def _clicked(self) -> None:
        self.action_mark()

    def _narrow(self, text: str) -> None:
        self.table.filter(text)
        self._counted()
        self._show_crops()

    @on(FilterInput.Filter)
    def _filter(self, message: FilterInput.Filter) -> None:
        if message.done:
            self.table.focus()

    # Keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Dim what needs a class while there is none."""
        if action in NEED_A_CLASS:
            return True if self.table.cursor_key is not None else None
        return super().check_action(action, parameters)

    def why_not(self, action: str, parameters: tuple[object, ...]) -> str:
        """Say that there is no class for it."""
        if action == "filter" or self.table.cursor_key is not None:
            return ""
        return NO_MATCH if self.table.row_count else NOTHING_YET

    def action_filter(self) -> None:
        """Type a filter."""
        self.query_one(FilterInput).open()

    def action_mark(self) -> None:
        """Mark the class with the cursor, or unmark it."""
        self.table.toggle_mark()
        self._counted()

    def action_mark_all(self) -> None:
        """Mark every class that the filter shows, or unmark them."""
        self.table.toggle_all()
        self._counted()

    def action_merge(self) -> None:
        """Ask what the chosen classes become, and merge them."""
        from batman_tui.classes.merge import MergeDialog

        self.app.push_screen(MergeDialog(self.chosen, self.rows), self._merge)

    def _merge(self, choice: MergeChoice | None) -> None:
        if choice is not None:
            self.table.clear_marks()
            self._merge_now(choice.sources, choice.target)

    def _merge_now(self, sources: Sequence[str], target: str) -> None:
        self._change(
            lambda project: merge(project, sources, target), "Nothing to merge.", goto=target
        )

    def action_add(self) -> None:
        """Ask for a name and make a class of it."""

        def named(name: str | None) -> None:
            if name is not None:
                self._change(lambda project: add(project, name)[1], "", goto=name.strip())

        self.app.push_screen(new_question({row.name for row in self.rows}), named)

    def action_rename(self) -> None:
        """Ask for another name; when it is taken, offer to merge."""
        line = self.table.cursor_row
        if line is None:
            return
        old = line.row
        taken = {row.name: row for row in self.rows if row.id != old.id}

        def named(name: str | None) -> None:
            if name in taken:
                self._merge_instead(old, taken[name])
            elif name is not None and name != old.name:
                self._rename(old.name, name)

        self.app.push_screen(name_question(old.name, taken), named)

    def _rename(self, old: str, new: str) -> None:
        self._change(lambda project: rename(project, old, new), "The name is the same.", goto=new)

    def _merge_instead(self, old: ClassRow, new: ClassRow) -> None:
        self.app.push_screen(
            merge_question(old, new),
            lambda agreed: self._merge_now([old.name], new.name) if agreed else None,
        )

    def action_delete(self) -> None:
        """Ask, naming what goes, and delete the chosen classes or hand their annotations on."""
        from batman_tui.classes.delete import DeleteDialog

        self.app.push_screen(DeleteDialog(self.chosen, self.rows), self._delete)

    def _delete(self, choice: DeleteChoice | None) -> None:
        if choice is not None:
            self.table.clear_marks()
            self._change(
                lambda project: delete(project, choice.names, choice.reassign_to),
                "Nothing to delete.",
                goto=choice.reassign_to,
            )

    def action_suggest(self) -> None:
        """Look for classes that are likely the same."""
        self.batman.keys_wait_for(self._suggest({row.name: row.annotations for row in self.rows}))

    @on(Suggested)
    def _suggested(self, message: Suggested) -> None:
        if not message.groups:
            self.batman.tell("No two classes look alike.")
            return
        from batman_tui.classes.suggest import SuggestDialog

        self.app.push_screen(SuggestDialog(message.groups, self._merge_now, self._edit_suggestion))

    def _edit_suggestion(self, group: Suggestion, merged: Callable[[], None]) -> None:
        """Ask what a group becomes, above the list it is from; `merged` takes it off there."""
        from batman_tui.classes.merge import MergeDialog

        def answered(choice: MergeChoice | None) -> None:
            self._merge(choice)
            if choice is not None:
                merged()

        names = {group.target, *group.sources}
        chosen = [row for row in self.rows if row.name in names]
        self.app.push_screen(MergeDialog(chosen, self.rows, group.target), answered)

    # All classes at once

    def action_convention(self) -> None:
        """Ask how names shall be written, and write all of them so."""
        from batman_tui.classes.mapping import ConventionDialog

        self.app.push_screen(ConventionDialog(self.rows), self._write_names)

    def _write_names(self, style: Convention | None) -> None:
        if style is not None:
            nothing = "Every name is written that way already."
            self.change(lambda project: write_names(project, style), nothing)

    def action_apply_mapping(self) -> None:
        """Ask for a mapping file, and apply it."""
        from batman_tui.classes.mapping import MappingFileDialog

        folder = self.batman.workspace.root
        self.app.push_screen(MappingFileDialog(self.rows, folder), self._apply_mapping)

    def _apply_mapping(self, file: Path | None) -> None:
        if file is not None:
            from core.data.classes.mapping import apply_mapping

            nothing = "The classes are as the file wants them already."
            self.change(lambda project: apply_mapping(project, file).entry, nothing)

    def action_write_mapping(self) -> None:
        """Ask for a file, and write what the imports' names have become."""

        def answered(typed: str | None) -> None:
            if typed is not None:
                self._write_mapping(typed)

        file = self.batman.workspace.root / f"{self.project.name}-classes.yaml"
        self.app.push_screen(mapping_file_question(file), answered)

    @work(thread=True, exit_on_error=False, group="changing")
    def _write_mapping(self, typed: str) -> None:
        self.post_message(self.Changed(write_mapping(self.project, typed)))

    # What is shown, and other screens

    def action_history(self) -> None:
        """Show or hide what was changed."""
        panel = self.query_one(HistoryPanel)
        self._history_wanted = not panel.has_class("-shown")
        panel.set_class(self._history_wanted, "-shown")
        if not self._history_wanted:
            self.table.focus()

    def action_splits(self) -> None:
        """Show or hide how many annotations each split has of every class."""
        self._by_split = not self._by_split
        self.reload()

    def action_crops(self) -> None:
        """Show or hide pictures of the class."""
        self._crops_wanted = not self.query_one(ClassCrops).has_class("-shown")
        self.on_resize()

    def action_images(self) -> None:
        """Look at the images of the class with the cursor, or at all when there is none."""
        from batman_tui.images.choices import quoted

        line = self.table.cursor_row
        self.batman.open_images(self.project, quoted("class", line.row.name) if line else "")
