"""The line above a table that filters it as one types."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.geometry import Size
from textual.message import Message
from textual.reactive import Reactive
from textual.widgets import Input

from batman_tui.keys import bindings
from batman_tui.widgets.form.line_input import LineInput


class FilterInput(LineInput):
    """A one-line filter. It is hidden while empty and not in use.

    Enter or Down keeps what was typed and goes to the table; Escape clears it and goes back.
    Every change is a `FilterInput.Filter`.
    """

    BINDINGS: ClassVar[list[BindingType]] = bindings("filter")
    DEFAULT_CSS = """
    FilterInput {
        display: none; height: 1; border: none; padding: 0 1; background: $panel;
        &:focus { border: none; background-tint: $foreground 0%; }
        &.-shown { display: block; }
    }
    """

    # Textual has the whole screen laid out anew for every letter; this line keeps its size.
    virtual_size = Reactive(Size(0, 0))

    @dataclass
    class Filter(Message):
        """The text to filter by changed; `done` when the person goes on to the table."""

        line: FilterInput
        text: str
        done: bool

        @property
        def control(self) -> FilterInput:
            """The line, for `@on`."""
            return self.line

    def __init__(
        self,
        placeholder: str = "Filter",
        id: str | None = None,
        now: Callable[[str], None] | None = None,
    ) -> None:
        """Make it; `now` is called with every new text at once, so that what it filters is painted
        in the frame that shows the letter.
        """
        super().__init__(placeholder=placeholder, id=id, compact=True, select_on_focus=False)
        self._now = now

    def watch_value(self) -> None:
        """Have the owner filter before anything is painted."""
        if self._now is not None and self.is_mounted:
            self._now(self.text)

    def allow_focus(self) -> bool:
        """Take the focus only where it can be seen.

        Textual gives a screen without one to its first widget, hidden or not.
        """
        return super().allow_focus() and self.has_class("-shown")

    def open(self) -> None:
        """Show the line and put the cursor into it."""
        self.add_class("-shown")
        self.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter as it is typed."""
        event.stop()
        self.post_message(self.Filter(self, self.text, done=False))

    async def action_submit(self) -> None:
        """Keep the filter and go to the table."""
        self.post_message(self.Filter(self, self.text, done=True))

    def action_clear(self) -> None:
        """Clear the filter and go to the table."""
        self.value = ""
        self.post_message(self.Filter(self, "", done=True))

    def on_blur(self, _event: events.Blur) -> None:
        """Hide the line when there is nothing in it."""
        self.set_class(bool(self.value), "-shown")
