"""One option of a form on one line: its name, where to set it, and what is to be said about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, cast

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input, Select, Static

from batman_tui.keys import bindings
from batman_tui.widgets.form.line_input import LineInput
from core.common.text import clean


class Choice(Select[str], inherit_bindings=False):
    """A choice that is made with left and right, by a letter, or from the list that Enter opens.

    Up and down are left to the form, which moves between its fields with them.
    """

    BINDINGS: ClassVar[list[BindingType]] = bindings("choice")

    def __init__(self, options: Sequence[str], value: str) -> None:
        super().__init__(
            # Letters typed into the open list find an option by its `Text`, not by a `Content`.
            [(Text(clean(option)), option) for option in options],
            value=value,
            allow_blank=False,
            compact=True,
        )
        self._names = list(options)

    def on_key(self, event: events.Key) -> None:
        """Go to the next option that begins with a typed letter, as the open list would.

        A letter that begins no other option is left to what it means else: `l` and `h` turn.
        """
        letter = (event.character or "").casefold()
        if self.expanded or not letter.isalpha():
            return
        at = self._names.index(str(self.value)) if self.value in self._names else -1
        for name in (*self._names[at + 1 :], *self._names[: max(at, 0)]):
            if name.casefold().startswith(letter):
                self.value = name
                event.stop()
                event.prevent_default()
                return

    def action_turn(self, by: int) -> None:
        """Take the next option, or the one before."""
        at = self._names.index(str(self.value)) if self.value in self._names else 0
        self.value = self._names[(at + by) % len(self._names)]


class Field(Horizontal):
    """A label, an editor and a hint. `Typed` is posted when the person changes the value.

    `options` makes it a choice of words, else a line of text is typed. `say` sets the hint; with
    `wrong` it stands out. Values set by the program, the first one or by `show`, are not reported.
    """

    DEFAULT_CSS = """
    Field {
        height: 1; width: 1fr;
        & > .field--label { width: 15; color: $foreground-muted; }
        & > Input, & > Choice { width: 17; margin: 0 1 0 0; }
        & > Input, & > Input:focus { height: 1; border: none; padding: 0; }
        & > Input { background: $surface; }
        & > Input:focus { background: $panel; }
        & > .field--hint {
            width: 1fr; height: 1; color: $foreground-muted; text-overflow: ellipsis;
            text-wrap: nowrap;
        }
        &.-set > .field--label { color: $foreground; text-style: bold; }
        &.-wrong > .field--label, &.-wrong > .field--hint { color: $text-error; }
        &:focus-within > .field--label { color: $accent; }
    }
    """

    @dataclass
    class Typed(Message):
        """The person changed the value."""

        field: Field
        text: str

    def __init__(
        self,
        name: str,
        label: str,
        value: str,
        *,
        options: Sequence[str] | None = None,
        hint: str = "",
        classes: str | None = None,
    ) -> None:
        super().__init__(id=f"field-{name}", classes=classes)
        self.option = name
        self._label = label
        self._said = hint
        self._known = value
        self._hint = Static(clean(hint), markup=False, classes="field--hint")
        self.editor: LineInput | Choice = (
            Choice(options, value) if options is not None else LineInput(value, compact=True)
        )

    def compose(self) -> ComposeResult:
        """Lay out the line."""
        yield Static(self._label, markup=False, classes="field--label")
        yield self.editor
        yield self._hint

    @property
    def text(self) -> str:
        """What the field holds now."""
        editor = self.editor
        return editor.text if isinstance(editor, LineInput) else str(editor.value)

    def show(self, text: str) -> None:
        """Set the value without reporting it as typed."""
        self._known = text
        if self.text != text:
            with self.editor.prevent(Input.Changed, Select.Changed):
                self.editor.value = text

    def say(self, hint: str, *, wrong: bool = False) -> None:
        """Set the hint."""
        if hint != self._said:
            # An update lays the whole form out again, at every key.
            self._said = hint
            self._hint.update(clean(hint))
        self.set_class(wrong, "-wrong")

    @on(Input.Changed)
    @on(Select.Changed)
    def _changed(self, event: Input.Changed | Select.Changed) -> None:
        event.stop()
        # An editor tells of the value that it was made with too, as late as it comes to it.
        if self.text != self._known:
            self._known = self.text
            self.post_message(self.Typed(self, self._known))


def editors(screen: Widget) -> list[Widget]:
    """The editors of the fields that are shown, from top to bottom."""
    return [
        field.editor
        for field in screen.query(Field)
        if field.display and all(getattr(node, "display", True) for node in field.ancestors)
    ]


class FieldSteps:
    """The part of a screen with fields that goes from one to the next, also by Enter."""

    def stops(self) -> Sequence[Widget]:
        """Return where the focus goes, in this order: the editors, unless a screen has more."""
        return editors(cast("Screen[Any]", self))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go on after Enter."""
        event.stop()
        self.action_next_field()

    def action_next_field(self) -> None:
        """Go to the next field; after the last comes the first."""
        self._step(1)

    def action_previous_field(self) -> None:
        """Go to the field before."""
        self._step(-1)

    def _step(self, by: int) -> None:
        focused, stops = cast("Screen[Any]", self).focused, self.stops()
        at = stops.index(focused) if focused in stops else -by
        stops[(at + by) % len(stops)].focus()
