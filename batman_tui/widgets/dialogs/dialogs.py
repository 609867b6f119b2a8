"""Dialogs: a question answered by a key, and a question answered by a line of text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Input, Static

from batman_tui.keys import bindings
from batman_tui.widgets.form.line_input import LineInput
from batman_tui.widgets.frame.base import BatmanDialog
from core.common.errors import BatmanError
from core.common.text import clean


class ConfirmDialog(BatmanDialog[bool]):
    """Asks before something is lost: `y` does it, `n` or Escape does not; Enter takes the focus.

    The button that does nothing has the focus, so a hasty Enter loses nothing. `lines` say what
    will happen, as data. With `typed`, that word must be typed first, which is for what cannot
    be undone. The result is True only when the person agreed.
    """

    # On a low terminal the line and the buttons are reached by scrolling.
    DEFAULT_CSS = "ConfirmDialog > .dialog { overflow-y: auto; }"

    BINDINGS: ClassVar[list[BindingType]] = bindings("confirm")

    def __init__(
        self,
        title: str,
        lines: Sequence[str],
        *,
        yes: str = "Yes",
        no: str = "No",
        typed: str = "",
        danger: bool = True,
    ) -> None:
        super().__init__()
        self._title = title
        self._lines = lines
        self._yes = yes
        self._no = no
        self._typed = typed
        self._danger = danger

    def compose(self) -> ComposeResult:
        """Lay out the question, the word to type when there is one, and two buttons."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = Content(clean(self._title))
            for line in self._lines:
                yield Static(clean(line), markup=False, classes="dialog--text")
            if self._typed:
                yield Static(
                    Content.assemble("\nType ", (clean(self._typed), "bold"), " to go on."),
                    classes="dialog--hint",
                )
                yield LineInput(id="typed", names=[self._typed], suggester=None, compact=True)
            with Horizontal(classes="dialog--buttons"):
                yield Button(self._label("n", self._no), id="no", compact=True)
                yield Button(
                    self._label("y", self._yes),
                    id="yes",
                    variant="error" if self._danger else "primary",
                    compact=True,
                    disabled=bool(self._typed),
                )

    def _label(self, key: str, text: str) -> Content:
        return Content(clean(text) if self._typed else f"{key}  {clean(text)}")

    def on_mount(self) -> None:
        """Focus what loses nothing."""
        self.query_one("#typed" if self._typed else "#no").focus()

    @on(Input.Changed, "#typed")
    def _typing(self) -> None:
        typed = self.query_one("#typed", LineInput).text.strip()
        self.query_one("#yes", Button).disabled = typed != self._typed

    @on(Input.Submitted, "#typed")
    def _typed_and_sent(self) -> None:
        self.action_yes()

    @on(Button.Pressed, "#yes")
    def _pressed_yes(self) -> None:
        self.action_yes()

    @on(Button.Pressed, "#no")
    def _pressed_no(self) -> None:
        self.action_no()

    def action_yes(self) -> None:
        """Do it, unless the word is still to be typed."""
        if self.query_one("#yes", Button).disabled:
            return
        self.dismiss(True)

    def action_no(self) -> None:
        """Do nothing."""
        self.dismiss(False)

    def action_move(self) -> None:
        """Go to the other button."""
        self.focus_next()


class PromptDialog(BatmanDialog[str]):
    """Asks for one line; `check` is called as it is typed and says what is wrong with it.

    `check` returns a hint to show below (an empty string when all is well) or raises
    `BatmanError`, whose message is shown in the error colour while Enter is refused. It must be
    quick: it runs at every key. Enter on an empty line says that something is to be typed, unless
    it is `optional`. The result is the line, stripped, or None.
    """

    # On a low terminal the line and the buttons are reached by scrolling.
    DEFAULT_CSS = "PromptDialog > .dialog { overflow-y: auto; }"

    def __init__(
        self,
        title: str,
        *,
        label: str = "",
        value: str = "",
        placeholder: str = "",
        button: str = "OK",
        check: Callable[[str], str] | None = None,
        optional: bool = False,
    ) -> None:
        super().__init__()
        self._title = title
        self._label = label
        self._value = value
        self._placeholder = placeholder
        self._button = button
        self._check = check
        self._optional = optional

    def compose(self) -> ComposeResult:
        """Lay out the label, the line, what is wrong with it, and the buttons."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = Content(clean(self._title))
            if self._label:
                yield Static(clean(self._label), markup=False, classes="dialog--text")
            yield LineInput(self._value, placeholder=self._placeholder, id="line")
            yield Static("", markup=False, id="wrong", classes="dialog--hint")
            with Horizontal(classes="dialog--buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button(Content(clean(self._button)), id="ok", variant="primary", compact=True)

    def on_mount(self) -> None:
        """Put the cursor into the line and judge what stands there."""
        self.query_one("#line").focus()
        self._judge(self._value)

    def _judge(self, value: str) -> bool:
        """Show what `check` says of `value`; return whether it may be sent."""
        wrong = self.query_one("#wrong", Static)
        hint, good = "", self._optional or bool(value.strip())
        if self._check is not None and value.strip():
            try:
                hint = self._check(value.strip())
            except BatmanError as error:
                hint, good = f"{error.message} {error.hint}".strip(), False
        wrong.update(clean(hint))
        wrong.set_class(not good, "dialog--error")
        self.query_one("#ok", Button).disabled = not good
        return good

    @on(Input.Changed, "#line")
    def _typing(self) -> None:
        self._judge(self.query_one("#line", LineInput).text)

    @on(Input.Submitted, "#line")
    @on(Button.Pressed, "#ok")
    def _send(self) -> None:
        value = self.query_one("#line", LineInput).text
        if self._judge(value):
            self.dismiss(value.strip())
        elif not value.strip():
            # A label may be a whole question, which would not be read before the colon.
            of = f"{clean(self._label)}: t" if self._label.isalpha() else "T"
            self.query_one("#wrong", Static).update(f"{of}ype something first.")

    @on(Button.Pressed, "#cancel")
    def _cancelled(self) -> None:
        self.action_cancel()
