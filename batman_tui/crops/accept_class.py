"""The question before all suggestions of a class are accepted: how many, and some of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Button, Static
from textual.worker import get_current_worker

from batman_tui.crops.crop_page import CropPage
from batman_tui.crops.sheet import Crops
from batman_tui.keys import bindings
from batman_tui.widgets.frame.base import BatmanDialog
from batman_tui.widgets.frame.keybar import KeyBar
from core.common.text import clean, plural
from core.data.labels.open_suggestions import Candidate, OpenClass, sample_of_class
from core.data.store import Project


class AcceptClassDialog(BatmanDialog[bool]):
    """Shows some of the class by chance; the result is True when all are to be accepted."""

    BINDINGS: ClassVar[list[BindingType]] = bindings("accept")
    DEFAULT_CSS = """
    AcceptClassDialog {
        & > .dialog { width: 90%; height: 90%; }
        CropPage { margin: 1 0; }
        KeyBar { dock: none; background: $surface; }
    }
    """

    @dataclass
    class Sampled(Message):
        """Some of the class were read."""

        candidates: Sequence[Candidate]

    def __init__(self, project: Path, of: OpenClass, crops: Crops) -> None:
        """Make it for a class and its least score; `crops` has those that were cut out before."""
        super().__init__()
        self._project = project
        self._of = of
        self._seed = 0
        self.crop_page = CropPage(crops, id="accept-crops", lettered=False)

    def compose(self) -> ComposeResult:
        """Lay the crops over the buttons."""
        of = self._of
        with Vertical(classes="dialog") as box:
            box.border_title = clean(f"Accept all of {of.name}?")
            yield Static(
                f"{plural(of.shown, 'suggestion')} from {of.least:.2f} on become labels, in all"
                " pictures, as one step; u takes it back. Some of them by chance:",
                markup=False,
                classes="dialog--text",
            )
            yield self.crop_page
            with Horizontal(classes="dialog--buttons"):
                yield Button(
                    f"Accept {of.shown:,}", variant="primary", id="accept-yes", compact=True
                )
                yield Button("Leave open", id="accept-no", compact=True)
            yield KeyBar()

    def on_mount(self) -> None:
        """Begin on the button that changes nothing."""
        self.query_one("#accept-no").focus()

    @on(CropPage.Sized)
    def _sized(self, message: CropPage.Sized) -> None:
        message.stop()
        self._sample(message.grid.count, self._seed)

    @work(thread=True, exclusive=True, exit_on_error=False, group="sample")
    def _sample(self, count: int, seed: int) -> None:
        with Project.open(self._project) as project:
            found = sample_of_class(project, self._of.class_id, self._of.least, count, seed)
        if not get_current_worker().is_cancelled:
            self.post_message(self.Sampled(found))

    @on(Sampled)
    def _sampled(self, message: Sampled) -> None:
        message.stop()
        self.crop_page.take(message.candidates)

    def action_sample(self, by: int) -> None:
        """Look at other ones."""
        self._seed += by
        if self.crop_page.grid is not None:
            self._sample(self.crop_page.grid.count, self._seed)

    def action_yes(self) -> None:
        """Accept them all."""
        self.dismiss(True)

    @on(Button.Pressed, "#accept-yes")
    def _yes(self) -> None:
        self.dismiss(True)

    @on(Button.Pressed, "#accept-no")
    def _no(self) -> None:
        self.dismiss(False)
