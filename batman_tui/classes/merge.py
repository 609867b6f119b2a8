"""The dialog that asks what several classes become, and shows what that means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Input, Static

from batman_tui.keys import bindings
from batman_tui.widgets.form.line_input import LineInput
from batman_tui.widgets.frame.base import BatmanDialog
from batman_tui.widgets.table.table import Column, VirtualTable
from core.common.text import clean, plural
from core.data.classes import ClassRow

PREVIEW_ROWS = 9


@dataclass(frozen=True)
class MergeChoice:
    """What the person decided: `sources` become `target`."""

    sources: tuple[str, ...]
    target: str


class MergeDialog(BatmanDialog[MergeChoice]):
    """Asks for the target. The most frequent class is there already; up and down choose another.

    `chosen` are the classes to merge, `every` all of the project's: a name among those that are
    not chosen is completed as it is typed, and joined.
    """

    BINDINGS = bindings("merge")
    DEFAULT_CSS = """
    MergeDialog {
        & > .dialog { width: 76; padding: 1 2 0 2; }
        Input { margin: 0 0 1 0; }
        VirtualTable { background: $surface; }
        #sum { width: 1fr; height: auto; margin-top: 1; }
        .dialog--buttons { margin: 1 0; }
    }
    """

    def __init__(
        self, chosen: Sequence[ClassRow], every: Sequence[ClassRow], target: str = ""
    ) -> None:
        super().__init__()
        self._chosen = sorted(chosen, key=lambda row: (-row.annotations, row.name))
        self._every = {row.name: row for row in every}
        self._target = target or self._chosen[0].name
        columns: list[Column[ClassRow]] = [
            Column("name", "Class", lambda row: row.name),
            Column("annotations", "Annotations", lambda row: row.annotations, "number", 12),
            Column("becomes", "Becomes", self._becomes),
        ]
        self._preview: VirtualTable[ClassRow] = VirtualTable(columns, lambda row: row.name)

    def _becomes(self, row: ClassRow) -> str:
        target = self._target.strip()
        return "stays" if row.name == target else f"→ {target}"

    def compose(self) -> ComposeResult:
        """Lay out the target, what becomes what, the sum and the buttons."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = f"Merge {plural(len(self._chosen), 'class', 'classes')} into"
            yield LineInput(self._target, id="target", names=self._every)
            yield self._preview
            yield Static("", id="sum")
            with Horizontal(classes="dialog--buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button("Merge", id="ok", variant="primary", compact=True)

    def on_mount(self) -> None:
        """Show what Enter would do as things are."""
        self._preview.can_focus = False
        self._preview.styles.height = min(PREVIEW_ROWS, len(self._chosen)) + 1
        self._preview.set_rows(self._chosen)
        self._preview.move_to(self._target)
        self.query_one("#target").focus()
        self._judge()

    def _judge(self) -> bool:
        """Show what the merge would do; return whether it would do anything."""
        target = self._target.strip()
        joins = self._every.get(target)
        chosen = {row.name for row in self._chosen}
        moving = [row for row in self._chosen if row.name != target]
        count = sum(row.annotations for row in moving)
        parts: list[str | tuple[str, str]]
        good = bool(target and moving)
        # One class under a name that no other has is the same class, called otherwise.
        renames = joins is None and len(self._chosen) == 1
        if not target:
            parts = [("Type the name they shall have.", "$text-error")]
        elif not moving and len(self._chosen) == 1:
            told = "Type the class it goes into, or mark others with space first."
            parts = [(told, "$text-error")]
        elif not moving:
            parts = [("It is that class already: mark others with space first.", "$text-error")]
        elif renames:
            parts = [
                f"No class is called '{clean(target)}' yet: this renames '{clean(moving[0].name)}'"
                f" with its {plural(count, 'annotation')}."
            ]
        else:
            parts = [
                (plural(count, "annotation"), "bold"),
                f" of {plural(len(moving), 'class', 'classes')} become '{clean(target)}'",
            ]
            if joins is None:
                parts.append(", a new name.")
            elif target in chosen:
                parts.append(f", with the {joins.annotations:,} that are there.")
            else:
                parts.append(f", which is there already with {joins.annotations:,}.")
        self.query_one("#sum", Static).update(Content.assemble(*parts))
        button = self.query_one("#ok", Button)
        button.label = "Rename" if good and renames else "Merge"
        button.disabled = not good
        self._preview.refresh()
        return good

    @on(Input.Changed, "#target")
    def _typing(self) -> None:
        self._target = self.query_one("#target", LineInput).text
        self._preview.move_to(self._target.strip())
        self._judge()

    def action_other(self, step: int) -> None:
        """Take the next of the chosen classes for the target."""
        names = [row.name for row in self._chosen]
        here = names.index(self._target.strip()) if self._target.strip() in names else -1
        line = self.query_one("#target", LineInput)
        line.value = names[(here + step) % len(names)]
        line.cursor_position = len(line.value)

    @on(VirtualTable.Highlighted)
    def _clicked(self, event: VirtualTable.Highlighted) -> None:
        event.stop()

    @on(Input.Submitted, "#target")
    @on(Button.Pressed, "#ok")
    def _send(self) -> None:
        if self._judge():
            names = tuple(row.name for row in self._chosen)
            self.dismiss(MergeChoice(names, self._target.strip()))

    @on(Button.Pressed, "#cancel")
    def _cancelled(self) -> None:
        self.action_cancel()
