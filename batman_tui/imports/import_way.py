"""A way into a project, as a part of the import dialog: its fields, and what they ask for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, RadioSet, Static
from textual.worker import get_current_worker

from batman_tui.widgets.form.choice import Choice
from batman_tui.widgets.form.line_input import LineInput
from batman_tui.widgets.form.path_suggester import PathSuggester
from batman_tui.widgets.frame.base import Guarded
from core.common.errors import BatmanError
from core.common.files import FileMode
from core.common.text import clean

if TYPE_CHECKING:
    from core.common.progress import Cancelled, Report
    from core.data.importers import ImportReport
    from core.data.store import Project

# Runs in a thread; raises `BatmanError`, the project is then as it was.
ImportJob = Callable[["Project", "Report", "Cancelled"], "list[ImportReport]"]

PAUSE_S = 0.15
"""A path is looked at when no letter was typed for so long."""

FILES: dict[FileMode, str] = {
    "link": "Hard links where the disk allows, else copies: quick and small.",
    "copy": "Copies: the data set can be deleted afterwards.",
    "move": "Moves the image files out of the data set into the project.",
    "reference": "Leaves the images where they are; they must stay there.",
}


class Way(Guarded, Vertical):
    """The fields of one way in. `ready` says whether they are enough to start.

    A subclass yields its fields, calls `judge` when what they hold changes, and returns from
    `job` what is to be done. The first `Input` takes the focus.
    """

    TITLE = ""
    DEFAULT_CSS = """
    Way { height: auto; }
    Way .way--label { text-style: bold; width: 1fr; height: 1; }
    Way .way--hint { height: auto; max-height: 2; margin: 0 0 1 0; color: $foreground-muted; }
    Way .-wrong { color: $text-error; }
    Way Line { height: 1; width: 1fr; margin: 0 0 1 0; }
    Way Line > .line--label { width: 14; text-style: bold; }
    Way Line > Input { width: 1fr; }
    Way Line > .-short { width: 12; margin: 0 3 0 0; }
    """

    class Judged(Message):
        """Whether the way is ready may have changed."""

    @property
    def looking(self) -> bool:
        """Whether what is typed now is still being looked at."""
        return False

    def __init__(self) -> None:
        super().__init__(id=f"way-{type(self).__name__.removesuffix('Way').lower()}")
        self.ready = False
        self.anyway = False
        """Whether what looks like a mistake is imported as it is; read by `job`."""

    @property
    def first(self) -> Widget:
        """The field to begin with."""
        return self.query(LineInput).first()

    def judge(self, ready: bool) -> None:
        """Tell the dialog whether it may start."""
        self.ready = ready
        self.post_message(self.Judged())

    def missing(self) -> str:
        """Return what the fields lack while the way is not ready; empty when there is no saying."""
        return ""

    def job(self) -> ImportJob:
        """Return what the fields ask for, read from them now."""
        raise NotImplementedError


class Line(Horizontal):
    """A label and its editors on one line."""

    def __init__(self, label: str, *editors: Widget) -> None:
        super().__init__(Static(label, markup=False, classes="line--label"), *editors)


class FilesChoice(Vertical):
    """Whether image files are linked, copied, moved or left where they are."""

    DEFAULT_CSS = "FilesChoice { height: auto; }"

    def __init__(self, mode: str, id: str) -> None:
        super().__init__()
        self._first = mode
        self._id = id

    def compose(self) -> ComposeResult:
        """Lay out the choice and what it means."""
        yield Static("Image files", classes="way--label")
        with RadioSet(id=self._id, compact=True):
            for mode in FILES:
                yield Choice(mode.capitalize(), mode == self._first, compact=True)
        yield Static("", classes="way--hint")

    @property
    def mode(self) -> FileMode:
        """What is chosen."""
        return tuple(FILES)[max(0, self.query_one(RadioSet).pressed_index)]

    def on_mount(self) -> None:
        """Explain what is chosen."""
        self._explain()

    @on(RadioSet.Changed)
    def _explain(self) -> None:
        self.query(Static).last().update(FILES[self.mode])


class PathWay(Way):
    """A way that begins with a path, looked at in a thread as it is typed."""

    LABEL = ""
    PLACEHOLDER = ""
    PATH = "path"
    ABOUT = "→ completes what you type."
    NOTHING = "There is nothing at this path yet."
    SEVERAL = False
    """Whether several paths can be typed."""
    _looked_at = ""

    @dataclass
    class Looked(Message):
        """What `look` found; `there` is whether anything is at the path."""

        there: bool
        kind: str | None
        typed: str

    def look(self, typed: str) -> tuple[bool, str | None]:
        """Return whether something is at the path that was typed, and what; called in a thread."""
        raise NotImplementedError

    def found(self, there: bool, kind: str | None) -> str:
        """Return a sentence about what was found, and set what follows from it."""
        raise NotImplementedError

    def path_fields(self) -> ComposeResult:
        """Yield the line for the path and what is said about it."""
        yield Static(self.LABEL, classes="way--label")
        yield LineInput(
            placeholder=self.PLACEHOLDER,
            suggester=PathSuggester(several=self.SEVERAL),
            id=self.PATH,
        )
        yield Static(self.ABOUT, markup=False, id=f"{self.PATH}-found", classes="way--hint")

    @property
    def typed(self) -> str:
        """The path as it was typed."""
        return self.query_one(f"#{self.PATH}", LineInput).text.strip()

    @property
    def path(self) -> Path:
        """The path."""
        return Path(self.typed).expanduser()

    @property
    def looking(self) -> bool:
        """Whether the path as it is typed now is still being looked at."""
        return self.typed != self._looked_at

    def missing(self) -> str:
        """Say that there is nothing at the path, or that none was typed."""
        return self.NOTHING if self.typed else f"{self.LABEL}: type where it lies."

    @on(Input.Changed)
    def _typing(self, event: Input.Changed) -> None:
        if event.input.id == self.PATH:
            self._look(self.typed)

    @work(thread=True, exclusive=True, exit_on_error=False, group="look")
    def _look(self, typed: str) -> None:
        # The beginning of a path, such as `/tmp`, may hold more than can be looked through while
        # the next letter is typed, and no thread can be stopped in that.
        Event().wait(PAUSE_S)
        if get_current_worker().is_cancelled:
            return
        try:
            there, kind = self.look(typed) if typed else (False, None)
        except (OSError, RuntimeError, ValueError, BatmanError):
            there, kind = False, None  # Such as `~nobody`, or a name with a NUL.
        if not get_current_worker().is_cancelled:
            self.post_message(self.Looked(there, kind, typed))

    @on(Looked)
    def _looked(self, message: Looked) -> None:
        if message.typed != self.typed:
            return
        self._looked_at = message.typed
        text = self.found(message.there, message.kind)
        if not self.typed:
            text = self.ABOUT
        elif not message.there:
            text = self.NOTHING
        self.query_one(f"#{self.PATH}-found", Static).update(clean(text))
        self.judge(message.there)
