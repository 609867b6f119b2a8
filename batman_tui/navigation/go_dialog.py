"""`:` opens a line to type where to go: completed by Tab, with what was typed before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

from batman_tui.keys import bindings
from batman_tui.navigation.index import Index
from batman_tui.navigation.typed import SHORT, VERBS, TypedLine
from batman_tui.navigation.ways import Ways
from batman_tui.widgets.form.line_input import LineInput
from batman_tui.widgets.frame.base import BatmanDialog
from batman_tui.widgets.frame.keybar import KeyBar
from core.common.errors import BatmanError
from core.common.text import clean

SHOWN = 8


class GoDialog(BatmanDialog[str]):
    """The line, what it can go on with, and what is wrong with it; the result is a line to go by.

    Names are those of the last look; a new one is made in a thread as the dialog opens.
    """

    BINDINGS: ClassVar[list[BindingType]] = bindings("go")
    DEFAULT_CSS = """
    GoDialog {
        & > .dialog { width: 72; padding: 0 1; }
        LineInput { border: none; height: 1; padding: 0; background: $panel; }
        LineInput:focus { border: none; background-tint: $foreground 0%; }
        #offered { height: 8; margin-top: 1; }
        KeyBar { dock: none; background: $surface; margin-top: 1; }
    }
    """

    class Looked(Message):
        """Names were read anew."""

    def __init__(self, ways: Ways, index: Index, before: Sequence[str]) -> None:
        """Make it for an app's ways and names; `before` are lines typed before, oldest first."""
        super().__init__()
        self._ways, self._index, self._before = ways, index, before
        self._line = LineInput(
            placeholder="runs NAME, project NAME, check …; ↑ for what was typed before",
            id="line",
            compact=True,
        )
        self._offered: list[str] = []
        self._at = -1
        """Which of the offered lines stands in the line, -1 while it is typed."""
        self._typed = ""
        self._recalled = 0

    def compose(self) -> ComposeResult:
        """Lay out the line, what is offered, what is wrong, and the keys."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = Content("Go to")
            yield self._line
            yield Static("", id="offered")
            yield Static("", id="wrong", classes="dialog--error", markup=False)
            yield KeyBar()

    def on_mount(self) -> None:
        """Offer what is known, and have it read anew."""
        self._line.focus()
        self._offer()
        self._look()

    @work(thread=True, exclusive=True, exit_on_error=False, group="index")
    def _look(self) -> None:
        self._index.refresh()
        self.post_message(self.Looked())

    @on(Looked)
    def _looked(self) -> None:
        if self._at < 0:
            self._offer()

    @property
    def _reader(self) -> TypedLine:
        return TypedLine(self._ways, self._index.found)

    @on(Input.Changed)
    def _changed(self) -> None:
        line = self._line.text
        self.query_one("#wrong", Static).update("")
        if not (0 <= self._at < len(self._offered) and self._offered[self._at] == line):
            self._at = -1
            self._offer()
        else:
            self._show()

    def _offer(self) -> None:
        self._typed = self._line.text
        self._offered = self._reader.completions(self._typed, SHOWN)
        self._show()

    def _show(self) -> None:
        lines = []
        for place, offered in enumerate(self._offered):
            word, _, name = offered.partition(" ")
            verb = VERBS.get(SHORT.get(word, word))
            about = f"  {verb.about}" if verb is not None and not name else ""
            style = "bold $accent" if place == self._at else "$foreground"
            lines.append(Content.assemble((clean(offered), style), (about, "$foreground-muted")))
        self.query_one("#offered", Static).update(Content("\n").join(lines))

    @on(Input.Submitted)
    def _sent(self) -> None:
        line = self._line.text.strip().removeprefix(":").strip()
        if not line:
            self.dismiss(None)
            return
        try:
            self._reader.read(line)
        except BatmanError as error:
            self.query_one("#wrong", Static).update(clean(f"{error.message} {error.hint}".strip()))
            return
        self.dismiss(line)

    def action_complete(self, by: int) -> None:
        """Take the next line that is offered, or the one before."""
        if self._offered:
            start = -1 if by > 0 else 0
            at = self._at if self._at >= 0 else start
            self._put((at + by) % len(self._offered))

    def _put(self, at: int) -> None:
        self._at = at
        line = self._offered[at]
        word, _, name = line.partition(" ")
        if len(self._offered) == 1 and not name and VERBS[word].takes:
            self._at, line = -1, f"{word} "  # the only one: go on with what it takes
        self._write(line)

    def action_recall(self, by: int) -> None:
        """Show a line that was typed before, or after it."""
        at = self._recalled + by
        if -len(self._before) <= at <= 0:
            self._recalled = at
            self._write(self._before[at] if at < 0 else "")

    def _write(self, line: str) -> None:
        self._line.value = line
        self._line.cursor_position = len(self._line.value)
