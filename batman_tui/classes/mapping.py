"""Dialogs that change many names at once, and show before what becomes what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, get_args

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Button, Input, RadioSet, Static
from textual.worker import get_current_worker

from batman_tui.keys import bindings
from batman_tui.widgets.form.choice import Choice
from batman_tui.widgets.form.line_input import LineInput
from batman_tui.widgets.form.path_suggester import PathSuggester
from batman_tui.widgets.frame.base import BatmanDialog, Result
from batman_tui.widgets.frame.keybar import KeyBar
from batman_tui.widgets.table.table import Column, VirtualTable
from core.common.errors import BatmanError
from core.common.text import clean, plural

if TYPE_CHECKING:
    from core.data.classes import ClassRow
    from core.data.classes.similar_names import Convention

EXAMPLES = {"snake": "traffic_cone", "kebab": "traffic-cone", "space": "traffic cone"}


@dataclass(frozen=True)
class Becomes:
    """A class that a mapping changes: what it becomes (None: nothing), and by what."""

    name: str
    annotations: int
    new: str | None
    how: str


def changes(rows: Sequence[ClassRow], mapping: Mapping[str, str | None]) -> list[Becomes]:
    """Return the classes that `mapping` (old name → new, None to drop) changes, merges first."""
    crowd = Counter(mapping.get(row.name, row.name) for row in rows)
    found = []
    for row in rows:
        new = mapping.get(row.name, row.name)
        if new != row.name:
            how = "deleted" if new is None else "merged" if crowd[new] > 1 else "renamed"
            found.append(Becomes(row.name, row.annotations, new, how))
    return sorted(found, key=lambda line: ("deleted", "merged", "renamed").index(line.how))


class MappingDialog(BatmanDialog[Result]):
    """Shows a mapping of the classes `rows`; a subclass says where it comes from.

    A subclass yields its own editors in `ask`, calls `show` with every new mapping, and gives the
    result in `answer`.
    """

    BINDINGS: ClassVar[list[BindingType]] = bindings("mapping")
    TITLE = ""
    BUTTON = "Apply"
    NOTHING = "Nothing would change."
    CSS_PATH = Path(__file__).with_name("mapping.tcss")

    def __init__(self, rows: Sequence[ClassRow]) -> None:
        super().__init__()
        self.rows = rows
        columns: list[Column[Becomes]] = [
            Column("name", "Class", lambda line: line.name, least=14),
            Column("becomes", "Becomes", lambda line: line.new, least=14),
            Column("how", "", lambda line: line.how, width=8, muted=True),
            Column("annotations", "Annotations", lambda line: line.annotations, "number", 12),
        ]
        self.preview: VirtualTable[Becomes] = VirtualTable(columns, lambda line: line.name)
        self.preview.nothing = ""
        self._waits = False
        """Whether to send as soon as what was typed has been looked at."""

    @property
    def looking(self) -> bool:
        """Whether what is typed now is still being looked at."""
        return False

    def ask(self) -> Sequence[Widget]:
        """Return the editors that stand above the preview."""
        raise NotImplementedError

    def answer(self) -> Result:
        """Return the result, for a mapping that changes something."""
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        """Lay out the editors, what becomes what, the sum and the buttons."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = Content(self.TITLE)
            yield from self.ask()
            yield self.preview
            yield Static("", id="sum")
            with Horizontal(classes="dialog--buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button(self.BUTTON, id="ok", variant="primary", compact=True, disabled=True)
            yield KeyBar()

    def show(self, mapping: Mapping[str, str | None], note: str = "") -> None:
        """Show what `mapping` would do, and a `note` beside it."""
        lines = changes(self.rows, mapping)
        self.preview.display = True
        self.preview.set_rows(lines)
        count = Counter(line.how for line in lines)
        parts = [f"{count[how]:,} {how}" for how in ("renamed", "merged", "deleted") if count[how]]
        total = sum(line.annotations for line in lines)
        text = Content.assemble(
            (", ".join(parts), "bold"), f" ({plural(total, 'annotation')}), one step to undo."
        )
        if not lines:
            text = Content(self.NOTHING)
        self.query_one("#sum", Static).update(
            Content.assemble(text, "\n", (clean(note), "$foreground-muted"))
        )
        self.query_one("#ok", Button).disabled = not lines

    def refuse(self, why: str, *, wrong: bool = False) -> None:
        """Show no mapping but a sentence."""
        self.preview.display = False
        self.preview.set_rows(())
        style = "$text-error" if wrong else "$foreground-muted"
        self.query_one("#sum", Static).update(Content.styled(clean(why), style))
        self.query_one("#ok", Button).disabled = True

    @on(VirtualTable.Highlighted)
    @on(VirtualTable.Shown)
    def _inside(self, event: Message) -> None:
        event.stop()

    @on(Button.Pressed, "#ok")
    def action_send(self) -> None:
        """Close with the answer, when there is something to do; waits for what is being read."""
        self._waits = self.looking
        if not self._waits and not self.query_one("#ok", Button).disabled:
            self.dismiss(self.answer())

    @on(Button.Pressed, "#cancel")
    def _cancelled(self) -> None:
        self.action_cancel()


class ConventionDialog(MappingDialog["Convention"]):
    """Asks how names shall be written. The result is the convention."""

    TITLE = "Write all names one way"
    NOTHING = "Every name is written that way already."

    def __init__(self, rows: Sequence[ClassRow]) -> None:
        super().__init__(rows)
        self.style: Convention = "snake"

    def ask(self) -> Sequence[Widget]:
        """Return the choice of conventions."""
        choices = [Choice(text, way == self.style, compact=True) for way, text in EXAMPLES.items()]
        return [RadioSet(*choices, id="style", compact=True)]

    def on_mount(self) -> None:
        """Show the first convention."""
        self.query_one("#style").focus()
        self._chosen()

    @on(RadioSet.Changed, "#style")
    def _chosen(self) -> None:
        from core.data.classes.similar_names import Convention, convention_mapping

        ways: tuple[Convention, ...] = get_args(Convention)
        self.style = ways[max(0, self.query_one("#style", RadioSet).pressed_index)]
        self.show(convention_mapping((row.name for row in self.rows), self.style))

    def answer(self) -> Convention:
        """Return the convention."""
        return self.style


class MappingFileDialog(MappingDialog[Path]):
    """Asks for a mapping file and shows what it would do. The result is its path."""

    TITLE = "Apply a mapping file"
    NOTHING = "The classes are as the file wants them already."
    ABOUT = "A YAML or CSV file of old and new names; → completes what you type."

    @dataclass
    class Looked(Message):
        """The file at the path that was `typed` was read: a mapping, or what is wrong."""

        typed: str
        path: Path
        mapping: dict[str, str | None]
        wrong: str = ""

    def __init__(self, rows: Sequence[ClassRow], folder: Path) -> None:
        """Make it; the path begins as `folder`."""
        super().__init__(rows)
        self._folder = folder
        self._path = Path()
        self._read = ""

    @property
    def typed(self) -> str:
        """The path as it is typed."""
        return self.query_one("#file", LineInput).text.strip()

    @property
    def looking(self) -> bool:
        """Whether the path as it is typed now is still being looked at."""
        return self.typed != self._read

    def ask(self) -> Sequence[Widget]:
        """Return the line for the path."""
        return [LineInput(f"{self._folder}/", suggester=PathSuggester(), id="file")]

    def on_mount(self) -> None:
        """Put the cursor behind the folder."""
        line = self.query_one("#file", LineInput)
        line.focus()
        line.select_on_focus = False
        line.cursor_position = len(line.value)
        self.refuse(self.ABOUT)

    @on(Input.Changed, "#file")
    def _typing(self) -> None:
        self.query_one("#ok", Button).disabled = True
        self._look(self.typed)

    @work(thread=True, exclusive=True, exit_on_error=False, group="look")
    def _look(self, typed: str) -> None:
        from core.data.classes.mapping import read_mapping

        mapping: dict[str, str | None] = {}
        path, wrong = Path(typed), self.ABOUT
        try:
            path = path.expanduser()
            if path.is_file():
                mapping, wrong = read_mapping(path), ""
        except BatmanError as error:
            wrong = f"{error.message} {error.hint}"
        except (OSError, RuntimeError, ValueError):
            wrong = self.ABOUT  # Such as `~nobody`, or a name with a NUL.
        if not get_current_worker().is_cancelled:
            self.post_message(self.Looked(typed, path, mapping, wrong))

    @on(Looked)
    def _looked(self, message: Looked) -> None:
        if message.typed != self.typed:
            return
        self._read, self._path = message.typed, message.path
        if message.wrong:
            self.refuse(message.wrong, wrong=message.wrong != self.ABOUT)
        else:
            self._show_read(message.mapping)
        if self._waits:
            self.action_send()

    def _show_read(self, mapping: Mapping[str, str | None]) -> None:
        have = {row.name for row in self.rows}
        absent = [old for old, new in mapping.items() if old not in have | {new}]
        absent = [old for old in absent if mapping[old] not in have]
        note = ""
        if absent:
            shown = ", ".join(absent[:3]) + (
                f" and {len(absent) - 3:,} more" if len(absent) > 3 else ""
            )
            note = f"No class here: {shown}"
        self.show(mapping, note)

    @on(Input.Submitted, "#file")
    def _sent(self) -> None:
        self.action_send()

    def answer(self) -> Path:
        """Return the file's path."""
        return self._path
