"""The dialog that looks at pictures and videos with a run's model, in a process of its own."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Button, ContentSwitcher, Input, Select, Static
from textual.worker import get_current_worker

from batman_tui.keys import bindings
from batman_tui.task_dialog import TaskDialog
from batman_tui.widgets.form.field import Choice as OneOf
from batman_tui.widgets.form.line_input import LineInput
from batman_tui.widgets.form.path_suggester import PathSuggester
from batman_tui.widgets.frame.keybar import KeyBar
from core.common.errors import BatmanError
from core.common.files import expand_user
from core.common.text import clean, plural
from core.inference import InferenceOptions
from core.inference.found import KEPT_FROM
from core.inference.inputs import find_sources
from core.inference.options import fresh_folder
from core.models.find import AUTO, BACKENDS
from core.processes.job import run_job

if TYPE_CHECKING:
    from core.common.progress import Progress

MODULE = "core.inference"
NO, YES = "no", "yes"
# What may be typed as a score.
_MOST_TYPED = 8

_AUTO = "auto: onnx on a CPU, the faster of the two on a GPU"


class LookDialog(TaskDialog[Path]):
    """Looks with the best model of the run in the folder `run`. The result is what was written.

    Everything from a low score on is kept, so that the threshold can be chosen afterwards.
    """

    HELP = (
        "Give files, folders (searched to the bottom), patterns such as 'photos/*.jpg', or videos; "
        "put quotes around a path with spaces. One pass keeps everything from a score of "
        f"{KEPT_FROM} on, so that the confidence can be changed afterwards; what is typed here is "
        "what pictures are drawn with, and where objects in a video begin to be followed. On a CPU "
        "the model is run by onnxruntime, through a checked ONNX that is made once (about half a "
        "minute); choose torch to do without."
    )
    BINDINGS: ClassVar[list[BindingType]] = bindings("look")
    CSS_PATH = Path(__file__).with_name("look_dialog.tcss")

    STOPPED = "Looking was stopped; no list was written."
    ESCAPE = "Escape stops it."

    @dataclass
    class Looked(Message):
        """What there is at what was `typed`; `wrong` says why nothing can be done with it."""

        typed: tuple[str, str, str]
        found: str
        wrong: str

    def __init__(self, run: Path, inputs: str = "") -> None:
        super().__init__(run)
        self._inputs = inputs
        self._lacks = ""
        self._track = OneOf([NO, YES], NO)
        self._track.id = "track"
        self._draw = OneOf([NO, YES], NO)
        self._draw.id = "draw"
        self._backend = OneOf(BACKENDS, AUTO)
        self._backend.id = "backend"

    def compose(self) -> ComposeResult:
        """Lay out inputs, folder and choices, and the bar in their place."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = Content(clean(f"Look with {self.project.name}"))
            with ContentSwitcher(initial="form", id="phases"):
                with Vertical(id="form"):
                    yield Static("Pictures, folders, patterns or videos", classes="dialog--text")
                    yield LineInput(
                        self._inputs, suggester=PathSuggester(several=True), id="inputs"
                    )
                    yield Static("", markup=False, id="about", classes="dialog--hint")
                    yield Static("Folder to write", classes="dialog--text")
                    yield LineInput(suggester=PathSuggester(), id="folder")
                    with Horizontal(id="choices"):
                        yield Static("Confidence", classes="dialog--text")
                        yield LineInput("0.5", compact=True, id="confidence")
                        yield Static("Follow objects", classes="dialog--text")
                        yield self._track
                        yield Static("Draw pictures", classes="dialog--text")
                        yield self._draw
                    with Horizontal(id="engine"):
                        yield Static("Run with", classes="dialog--text")
                        yield self._backend
                        yield Static(_AUTO, classes="dialog--text")
                    yield Static("", markup=False, id="wrong", classes="dialog--error")
                    with Horizontal(classes="dialog--buttons"):
                        yield Button("Cancel", id="cancel", compact=True)
                        yield Button("Look", id="ok", variant="primary", compact=True)
                yield from self.running_part()
            yield KeyBar()

    def on_mount(self) -> None:
        """Propose a folder that is not there yet."""
        folder = fresh_folder(self.batman.workspace, self.project.name)
        self.query_one("#folder", LineInput).value = str(folder)
        self.query_one("#inputs").focus()
        self._typing()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what can be done now."""
        if action == "start":
            return self.phase == "form"
        return super().check_action(action, parameters)

    # The form

    @property
    def _typed(self) -> tuple[str, str, str]:
        names = ("#inputs", "#folder", "#confidence")
        inputs, folder, confidence = (self.query_one(n, LineInput).text.strip() for n in names)
        return inputs, folder, confidence

    def asked(self) -> tuple[str, str, str]:
        """Return what is typed."""
        return self._typed

    @on(Input.Changed)
    @on(Select.Changed)
    def _typing(self) -> None:
        self._look(*self._typed)

    @work(thread=True, exclusive=True, exit_on_error=False, group="look")
    def _look(self, inputs: str, folder: str, confidence: str) -> None:
        found = wrong = ""
        try:
            options = self._options(inputs, folder, confidence)
            sources, skipped = find_sources(options.inputs, options.output)
            videos = sum(source.video for source in sources)
            pictures = len(sources) - videos
            parts = [plural(pictures, "picture")] if pictures else []
            parts += [plural(videos, "video")] if videos else []
            found = " and ".join(parts)
            if skipped:
                wrong = f"'{skipped[0].path}' {skipped[0].reason}."
            elif not sources:
                wrong = "Name what to look at."
        except BatmanError as error:
            wrong = f"{error.message} {error.hint}".strip()
        except (OSError, ValueError, RuntimeError):
            wrong = "There can be no such file or folder."
        if not get_current_worker().is_cancelled:
            self.post_message(self.Looked((inputs, folder, confidence), found, wrong))

    @on(Looked)
    def _looked(self, message: Looked) -> None:
        if message.typed != self._typed:
            return
        self.query_one("#about", Static).update(message.found)
        self._lacks = message.wrong
        self.query_one("#wrong", Static).update(clean(message.wrong) if self._typed[0] else "")
        # What cannot be used is passed over and named at the end, as long as something is left.
        self.query_one("#ok", Button).disabled = not message.found
        self.looked_at(message.typed)

    def _options(self, inputs: str, folder: str, confidence: str) -> InferenceOptions:
        """Return what is asked for. Raises BatmanError for what cannot be meant."""
        if not folder:
            raise BatmanError("Name a folder to write to.")
        try:
            score = float(confidence[:_MOST_TYPED])
        except ValueError:
            score = -1.0
        if not 0 <= score <= 1:
            raise BatmanError("The confidence must lie between 0 and 1.")
        tracked, drawn = self._track.value == YES, self._draw.value == YES
        return InferenceOptions(
            target=self.project,
            inputs=paths_in(inputs),
            output=_absolute(folder),
            confidence=score,
            track=tracked,
            annotate=drawn,
            keep=min(score, KEPT_FROM),
            backend=str(self._backend.value),
        )

    # Running

    def missing(self) -> str:
        """Return what is wrong with what was typed, or that nothing was."""
        return self._lacks

    def action_start(self) -> None:
        """Look at what the form says."""
        if not self.may_start():
            return
        try:
            options = self._options(*self._typed)
        except BatmanError as error:
            self.ended_badly(error)
            return

        def look(progress: Callable[[Progress], None], cancelled: Callable[[], bool]) -> Any:
            from core.models.backend import require_model

            require_model(self.project, options.backend)
            return run_job(MODULE, options, progress, cancelled, name="Looking")

        self.begin_job(look, f"'{self.project.name}' is still looking at pictures.")

    def form_again(self) -> None:
        """Back to what was typed."""
        self.query_one("#inputs").focus()

    def ended_well(self, report: Any) -> None:
        """Say what was passed over, and close with the folder."""
        skipped, said = report["skipped"], " ".join(report.get("notes", []))
        if skipped:
            first = f"{skipped[0]['path']} {skipped[0]['reason']}"
            more = f", and {len(skipped) - 1:,} more" if len(skipped) > 1 else ""
            self.batman.show_error(BatmanError(f"Passed over: {clean(first)}{more}.", clean(said)))
        elif said:
            self.batman.tell(clean(said))
        self.dismiss(Path(report["output"]))


def paths_in(typed: str) -> list[str]:
    """Return the paths that are typed, absolute: between spaces, or in quotes.

    What is there as it stands is one path, spaces and all. Raises BatmanError for a quote that is
    left open.
    """
    if typed and os.path.lexists(_absolute(typed)):
        return [str(_absolute(typed))]
    try:
        return [str(_absolute(word)) for word in shlex.split(typed)]
    except ValueError:
        raise BatmanError("A quote is left open.", "Close it, or take it out.") from None


def _absolute(typed: str) -> Path:
    """Return a path as it was typed, from the folder that the app was started in."""
    return Path(os.path.abspath(expand_user(typed)))  # noqa: PTH100 - no links followed
