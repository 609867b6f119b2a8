"""The one editable line of the app: what it shows is safe, what it gives back is what was meant."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from textual import events
from textual.suggester import SuggestFromList
from textual.widgets import Input

from core.common.invisible_characters import restored, without_unseen
from core.common.text import clean
from core.late import late_pattern

# A terminal sends \r for a line end that is pasted.
_LINE_END = late_pattern(r"\r\n|\r|\n")


class LineInput(Input):
    """An `Input` for text that may come from other people's data.

    Escape codes and characters nobody sees stand there as `⟨U+200B⟩` (see
    `core.common.invisible_characters`), however they come in: by the program, by completion or by
    pasting, which leaves them out and says so. Several lines that are pasted become one, with
    spaces between them, and that is said too. `text` is what the line means: what came from the
    data and was left alone is the original. Secrets are shown as dots, and are what was typed; one
    of several lines is refused.

    A line that reads like one of `names` means it; they are completed as they are typed, unless
    another `suggester` is given, or None.
    """

    def __init__(
        self,
        value: str = "",
        *,
        names: Iterable[str] = (),
        placeholder: str = "",
        **options: Any,
    ) -> None:
        names = sorted(names)
        # A name that has such a stand-in in its very letters is meant before one shown like it.
        self._names = {clean(name): name for name in names} | {
            name: name for name in names if clean(name) == name
        }
        self._original = ""
        self._completed = ""
        if names:
            options.setdefault("suggester", SuggestFromList(self._names, case_sensitive=False))
        super().__init__(value, placeholder=clean(placeholder), **options)

    @property
    def text(self) -> str:
        """What the line means."""
        if self.password:
            return self.value
        meant = self._names.get(self.value.strip())
        return restored(self.value, self._original) if meant is None else meant

    def validate_value(self, value: str) -> str:
        """Show `value` safely, and remember what it was."""
        if self.password:
            return value
        shown = clean(value)
        if shown != value:
            self._original = value
        elif self._completed and value == clean(self._completed):
            self._original = self._completed
        return shown

    def validate__suggestion(self, suggestion: str) -> str:
        """Show a completion safely, and remember what it was."""
        self._completed = suggestion
        return clean(suggestion)

    def replace(self, text: str, start: int, end: int) -> None:
        """Put in what was typed or pasted, in one line and without what cannot be seen."""
        lines = [line for line in _LINE_END.split(text) if line]
        if self.password:
            if len(lines) > 1:
                self._warn("A secret is one line: nothing of what was pasted was taken.")
                return
            super().replace("".join(lines), start, end)
            return
        said = []
        if len(lines) > 1:
            said.append(f"The {len(lines)} lines that were pasted became one.")
        text, left_out = without_unseen(" ".join(lines))
        if left_out:
            said.append(f"Left out of what was pasted, for it cannot be seen: {left_out}")
        if said:
            self._warn(" ".join(said))
        super().replace(text, start, end)

    def _on_paste(self, event: events.Paste) -> None:
        # Textual's own takes the first line and drops the others.
        event.stop()
        event.prevent_default()
        self._paste(event.text)

    def action_paste(self) -> None:
        """Paste what was copied in the app."""
        self._paste(self.app.clipboard)

    def _paste(self, text: str) -> None:
        # Nothing but line ends takes the place of nothing.
        if text.strip("\r\n"):
            self.replace(text, *self.selection)

    def _warn(self, text: str) -> None:
        self.notify(text, severity="warning", markup=False)
