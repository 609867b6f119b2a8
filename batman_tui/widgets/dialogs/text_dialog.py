"""A panel of text that can be read, copied and written to a file: errors, reports, logs."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static, TextArea

from batman_tui.keys import bindings
from batman_tui.widgets.frame.base import BatmanDialog
from batman_tui.widgets.frame.keybar import KeyBar
from core.common.errors import BatmanError
from core.common.text import clean, clean_lines
from core.processes.tracebacks import traceback_text


class TextDialog(BatmanDialog[None]):
    """Shows `text`, read only. `c` copies it, `w` writes it to `file`, Escape closes.

    Writing is offered beside copying because tmux and SSH often drop the clipboard's escape
    code. `file` must be in a folder that can be made.
    """

    BINDINGS: ClassVar[list[BindingType]] = bindings("text")
    DEFAULT_CSS = """
    TextDialog {
        & > .dialog { width: 110; height: auto; max-height: 90%; padding: 0 1; }
        TextArea, TextArea:focus {
            height: 1; border: none; padding: 0; background: $surface;
        }
        KeyBar { dock: none; margin: 1 0 0 0; }
        #lead { padding: 0 0 1 0; }
        &.-error > .dialog { border: round $error; border-title-color: $error; }
    }
    """

    def __init__(
        self, title: str, text: str, *, file: Path, lead: str = "", error: bool = False
    ) -> None:
        super().__init__(classes="-error" if error else None)
        self._title = title
        self._lead = lead
        self._file = file
        self.text = clean_lines(text)

    def compose(self) -> ComposeResult:
        """Lay out the first sentence, the text and the keys."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = Content(clean(self._title))
            if self._lead:
                lead = clean_lines(self._lead)
                yield Static(lead, markup=False, id="lead", classes="dialog--text")
            area = TextArea(self.text, read_only=True, show_cursor=False)
            area.cursor_blink = False
            yield area
            yield KeyBar()

    def on_resize(self) -> None:
        """Make the text as high as it is, and no higher than lets the keys be seen."""
        self.call_after_refresh(self._fit)

    def _fit(self) -> None:
        dialog, area = self.query_one(".dialog"), self.query_one(TextArea)
        lead = sum(line.outer_size.height for line in self.query("#lead"))
        # The line of keys, and an empty one above it.
        left = self.size.height * 9 // 10 - dialog.gutter.height - lead - 2
        area.styles.height = max(1, min(area.wrapped_document.height, left))

    def action_copy(self) -> None:
        """Copy the selection, or all of it."""
        self.app.copy_to_clipboard(self.query_one(TextArea).selected_text or self.text)
        self.notify("Copied. If your terminal refuses it, press w to write a file.", markup=False)

    def action_save(self) -> None:
        """Write all of it to the file and say where that is."""
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._file.write_text(self.text + "\n", encoding="utf-8")
        except OSError as error:
            raise BatmanError(f"{clean(str(self._file))} cannot be written.", str(error)) from error
        self.notify(f"Written to {clean(str(self._file))}", markup=False)


def error_dialog(error: Exception, file: Path) -> TextDialog:
    """Return the panel for an unexpected error, with its traceback.

    `file` is where `w` writes it.
    """
    return TextDialog(
        f"Unexpected error: {type(error).__name__}",
        traceback_text(error),
        file=file,
        lead=f"{clean(str(error)) or type(error).__name__}\n\n"
        "This is a defect in Batman. What you were doing may not have been done; everything "
        "saved before is safe. Please report the text below.",
        error=True,
    )
