"""The question before classes are deleted: with their annotations, or handing them on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Input, Static

from batman_tui.keys import bindings
from batman_tui.widgets.form.line_input import LineInput
from batman_tui.widgets.frame.base import BatmanDialog
from core.common.text import clean, did_you_mean, plural

if TYPE_CHECKING:
    from core.data.classes import ClassRow


@dataclass(frozen=True)
class DeleteChoice:
    """What the person decided: `reassign_to` is the class that gets the annotations, or None."""

    names: tuple[str, ...]
    reassign_to: str | None = None


class DeleteDialog(BatmanDialog[DeleteChoice]):
    """Asks whether `chosen` of the classes `every` go with their annotations.

    `y` deletes both, `r` asks for the class that gets the annotations, `n` and Escape keep all.
    The button that does nothing has the focus, so a hasty Enter loses nothing.
    """

    BINDINGS: ClassVar[list[BindingType]] = bindings("delete")
    DEFAULT_CSS = """
    DeleteDialog {
        & > .dialog { width: 72; overflow-y: auto; }
        #reassign { display: none; height: auto; margin-top: 1; }
        &.-reassigning #reassign { display: block; }
        &.-reassigning #yes, &.-reassigning #other { display: none; }
        #ok { display: none; }
        &.-reassigning #ok { display: block; }
    }
    """

    def __init__(self, chosen: Sequence[ClassRow], every: Sequence[ClassRow]) -> None:
        super().__init__()
        self._names = tuple(row.name for row in chosen)
        self._count = sum(row.annotations for row in chosen)
        self._others = {row.name: row for row in every if row.name not in self._names}

    def compose(self) -> ComposeResult:
        """Lay out what goes, the line for another class, and the buttons."""
        names = self._names
        shown = ", ".join(names[:8]) + (f" and {len(names) - 8:,} more" if len(names) > 8 else "")
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = f"Delete {plural(len(names), 'class', 'classes')}?"
            yield Static(clean(f"{shown}."), markup=False, classes="dialog--text")
            yield Static(
                f"{plural(self._count, 'annotation')} will be hidden with "
                f"{'them' if len(names) > 1 else 'it'}, or given to another class (r); "
                "u brings everything back.",
                classes="dialog--text",
            )
            with Vertical(id="reassign"):
                yield Static("The class that gets them", classes="dialog--hint")
                yield LineInput(id="target", names=self._others)
                yield Static("", markup=False, id="wrong", classes="dialog--hint")
            with Horizontal(classes="dialog--buttons"):
                yield Button(Content("n  Keep"), id="no", compact=True)
                yield Button(
                    Content("r  Reassign"), id="other", compact=True, disabled=not self._others
                )
                yield Button(Content("y  Delete"), id="yes", variant="error", compact=True)
                yield Button("Reassign", id="ok", variant="primary", compact=True)

    def on_mount(self) -> None:
        """Focus what loses nothing."""
        self.query_one("#no").focus()

    @property
    def _reassigning(self) -> bool:
        return self.has_class("-reassigning")

    @property
    def _target(self) -> str:
        return self.query_one("#target", LineInput).text.strip()

    def _judge(self) -> bool:
        """Say what is wrong with the class that is typed; return whether it may be sent."""
        target = self._target
        good = target in self._others
        if good:
            text = (
                f"{plural(self._count, 'annotation')} join the "
                f"{self._others[target].annotations:,} of '{target}'."
            )
        elif not target:
            text = "Type its name; → completes it."
        elif target in self._names:
            text = "That one is to be deleted."
        else:
            text = f"There is no such class; {did_you_mean(target, self._others)}".rstrip("; ")
        self.query_one("#wrong", Static).update(clean(text))
        self.query_one("#ok", Button).disabled = not good
        return good

    @on(Input.Changed, "#target")
    def _typing(self) -> None:
        self._judge()

    @on(Button.Pressed, "#yes")
    def action_yes(self) -> None:
        """Delete the classes with their annotations."""
        if not self._reassigning:
            self.dismiss(DeleteChoice(self._names))

    @on(Button.Pressed, "#no")
    def action_no(self) -> None:
        """Keep them."""
        self.dismiss(None)

    @on(Button.Pressed, "#other")
    def action_reassign(self) -> None:
        """Ask for the class that gets the annotations."""
        if self._others:
            self.add_class("-reassigning")
            line = self.query_one("#target").focus()
            # On a low terminal it may lie below, once it has been laid out.
            self.call_after_refresh(line.scroll_visible, animate=False)
            self.query_one("#no", Button).label = Content("Keep")
            self._judge()

    @on(Input.Submitted, "#target")
    @on(Button.Pressed, "#ok")
    def _send(self) -> None:
        if self._judge():
            self.dismiss(DeleteChoice(self._names, self._target))

    def action_move(self, step: int) -> None:
        """Go to the next button, or the one before."""
        if step > 0:
            self.focus_next()
        else:
            self.focus_previous()
