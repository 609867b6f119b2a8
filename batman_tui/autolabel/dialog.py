"""The dialog that lets a model propose boxes: which model, for what, on which pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Button, ContentSwitcher, Input, Select, Static
from textual.worker import get_current_worker

from batman_tui.autolabel.choices import (
    LabellerChoice,
    Wish,
    labellers,
    phrases_of,
    planned,
    said_of,
    split_phrases,
)
from batman_tui.keys import bindings
from batman_tui.task_dialog import TaskDialog
from batman_tui.widgets.form.field import Choice
from batman_tui.widgets.form.line_input import LineInput
from batman_tui.widgets.frame.keybar import KeyBar
from core.autolabel.record import Recorded
from core.common.errors import BatmanError, WeightsMissing
from core.common.text import clean, plural, sentence
from core.data.store import Project

if TYPE_CHECKING:
    from core.autolabel.job import AutolabelJob

NO, YES = "no", "yes"


class AutolabelDialog(TaskDialog[Recorded]):
    """Makes a pass over the project in the folder `project`. The result is what became of it."""

    HELP = (
        "A model proposes boxes, which are suggestions until somebody accepts them. Everything"
        " from a score of 0.1 on is kept, and shown from 0.5: < and > move that without asking"
        " the model again. Escape stops it; what was found is kept, to go on with."
    )
    BINDINGS: ClassVar[list[BindingType]] = bindings("autolabel")
    CSS_PATH = Path(__file__).with_name("dialog.tcss")

    STOPPED = "Stopped. What was found is kept; the first choice of the list goes on with it."
    ESCAPE = "Escape stops it; what was found is kept, to go on with."

    @dataclass
    class Listed(Message):
        """What there is to choose from was read."""

        labellers: Sequence[LabellerChoice]
        phrases: Mapping[str, str]

    @dataclass
    class Planned(Message):
        """What `wish`, which the form says, means: a sentence, or what is wrong."""

        wish: Wish
        text: str
        wrong: bool

    def __init__(self, project: Path) -> None:
        super().__init__(project)
        self._labellers: Sequence[LabellerChoice] = ()
        self._job: AutolabelJob | None = None

    def compose(self) -> ComposeResult:
        """Lay out the form, and the bar in its place."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = Content(clean(f"Auto-label {self.project.name}"))
            with ContentSwitcher(initial="form", id="phases"):
                with Vertical(id="form"):
                    with Horizontal(classes="autolabel--line"):
                        yield Static("Model", classes="autolabel--class")
                        yield Vertical(id="labeller-place")
                    with Horizontal(classes="autolabel--line"):
                        yield Static("Pictures", classes="autolabel--class")
                        yield LineInput(placeholder="all; or is:unlabelled, a name", id="images")
                    with Horizontal(classes="autolabel--line"):
                        yield Static("Leave out pictures with labels", classes="dialog--text")
                        yield Choice([NO, YES], NO)
                    with Horizontal(classes="autolabel--line", id="download-line"):
                        yield Static("Fetch weights that are missing", classes="dialog--text")
                        yield Choice([NO, YES], NO)
                    yield Static(
                        "What to look for, phrases parted by commas",
                        classes="dialog--text",
                        id="phrases-title",
                    )
                    yield VerticalScroll(id="phrases")
                    yield Static("", markup=False, id="said", classes="dialog--hint")
                    with Horizontal(classes="dialog--buttons"):
                        yield Button("Cancel", id="cancel", compact=True)
                        yield Button("Start", id="ok", variant="primary", compact=True)
                yield from self.running_part()
            yield KeyBar()

    def on_mount(self) -> None:
        """Read what there is to choose from."""
        self.query_one("#ok", Button).disabled = True
        self._list()

    @work(thread=True, exclusive=True, exit_on_error=False, group="list")
    def _list(self) -> None:
        found = labellers(self.project, self.batman.workspace)
        with Project.open(self.project) as project:
            phrases = phrases_of(project)
        self.post_message(self.Listed(found, phrases))

    @on(Listed)
    async def _listed(self, message: Listed) -> None:
        self._labellers = message.labellers
        titles = [each.title for each in message.labellers]
        place = self.query_one("#labeller-place")
        await place.remove_children()
        choice = Choice(titles, titles[0])
        choice.id = "labeller"
        await place.mount(choice)
        lines = self.query_one("#phrases")
        await lines.remove_children()
        for name, phrases in message.phrases.items():
            row = Horizontal(
                Static(Content(clean(name)), classes="autolabel--class"),
                LineInput(phrases, name=name, classes="autolabel--phrases"),
                classes="autolabel--line",
            )
            await lines.mount(row)
        choice.focus()
        self._look_again()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what can be done now."""
        if action in ("start", "next_labeller"):
            return self.phase == "form"
        return super().check_action(action, parameters)

    # The form

    @property
    def labeller(self) -> LabellerChoice | None:
        """The model that is chosen."""
        chosen = self.query("#labeller")
        title = chosen.first(Choice).value if chosen else None
        return next((each for each in self._labellers if each.title == title), None)

    def wish(self, labeller: LabellerChoice) -> Wish:
        """Return what the form says."""
        skip, download = list(self.query(".autolabel--line > Choice").results(Choice))[:2]
        phrases = None
        if labeller.kind == "phrases":
            phrases = {
                line.name or "": split_phrases(line.text)
                for line in self.query(".autolabel--phrases").results(LineInput)
            }
        return Wish(
            labeller,
            self.query_one("#images", LineInput).text,
            phrases,
            skip.value == YES,
            download.value == YES,
        )

    def asked(self) -> Wish | None:
        """Return what the form says; None until there is something to choose from."""
        labeller = self.labeller
        return None if labeller is None else self.wish(labeller)

    @on(Select.Changed)
    @on(Input.Changed)
    def _look_again(self) -> None:
        labeller = self.labeller
        if labeller is None or self.phase != "form":
            return
        by_phrases = labeller.kind == "phrases"
        self.query_one("#phrases").display = by_phrases
        self.query_one("#phrases-title").display = by_phrases
        self.query_one("#download-line").display = labeller.kind in ("phrases", "coco")
        self._plan(self.wish(labeller))

    @work(thread=True, exclusive=True, exit_on_error=False, group="plan")
    def _plan(self, wish: Wish) -> None:
        try:
            text, wrong = said_of(planned(self.project, wish, self.batman.workspace)), False
        except WeightsMissing as error:
            text, wrong = f"{error.message} Say yes to fetching them, or see the docs.", True
        except BatmanError as error:
            text, wrong = f"{error.message} {error.hint}".strip(), True
        if not get_current_worker().is_cancelled:
            self.post_message(self.Planned(wish, text, wrong))

    @on(Planned)
    def _planned(self, message: Planned) -> None:
        if message.wish != self.asked():
            return
        said = self.query_one("#said", Static)
        said.update(clean(message.text))
        said.set_class(message.wrong, "dialog--error")
        said.set_class(not message.wrong, "dialog--hint")
        self.query_one("#ok", Button).disabled = message.wrong
        self.looked_at(message.wish)

    def action_next_labeller(self) -> None:
        """Take the next model."""
        chosen = self.query("#labeller")
        if chosen:
            chosen.first(Choice).action_turn(1)

    # Running

    def action_start(self) -> None:
        """Do what the form says."""
        labeller = self.labeller
        if not self.may_start() or labeller is None:
            return
        wish, workspace = self.wish(labeller), self.batman.workspace

        def make(_project: Project, progress: Any, cancelled: Callable[[], bool]) -> Recorded:
            job = planned(self.project, wish, workspace)
            self._job = job
            if cancelled():
                job.cancel()
            return job.run(progress)

        self.begin(make, f"The suggestions for '{self.project.name}' are not all there yet.")

    def action_cancel(self) -> None:
        """Stop the labeller, which ends its child; else close."""
        if self.phase == "running" and self._job is not None:
            self._job.cancel()
        super().action_cancel()

    def form_again(self) -> None:
        """Read again what there is: a pass that was stopped can be gone on with."""
        self._job = None
        self._list()

    def ended_well(self, report: Recorded) -> None:
        """Say what was proposed, and close."""
        self.batman.tell(told(report))
        self.dismiss(report)


def told(recorded: Recorded) -> str:
    """Return what became of a pass, in some sentences."""
    report = recorded.report
    if report is None:
        return "This pass was in the project already."
    said = f"{sentence(recorded.model)}: {plural(report.open, 'suggestion')} to review"
    said += f" on {plural(report.images, 'picture')}."
    if report.agrees:
        said += f" {report.agrees:,} agree with a label."
    if report.repeated:
        said += f" {report.repeated:,} were rejected before."
    for line in recorded.passed_over():
        said += f" {line}"
    if recorded.unreadable:
        said += f" {plural(len(recorded.unreadable), 'picture')} could not be read."
    for note in recorded.notes:
        said += f" {sentence(f'{note}.')}"
    return said
