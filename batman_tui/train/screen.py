"""The form that starts a training run, with what follows from it shown as it is typed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.binding import BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Button, Static
from textual.worker import get_current_worker

from batman_tui.keys import bindings
from batman_tui.train.follows import FACTS, DataFacts, TrainFollows
from batman_tui.train.model_table import ModelDialog
from batman_tui.train.start_dialog import StartDialog
from batman_tui.widgets.form.field import Choice, Field, FieldSteps, editors
from batman_tui.widgets.panel.facts import Facts
from batman_tui.widgets.panel.panel import Panel
from core.common.errors import BatmanError
from core.common.hardware import Gpu, find_gpus
from core.data.splits.assign import assign_project_splits
from core.data.store import Project
from core.training.config.form import (
    SECTIONS,
    Form,
    Reading,
    Section,
    choices,
    description,
    is_switch,
    label,
)
from core.training.config.options import TrainingConfig

if TYPE_CHECKING:
    from slurm.submit.clone import Clone

YES_NO = ("yes", "no")
SHOWN_FINDINGS = 3


class TrainScreen(FieldSteps, TrainFollows):
    """Trains a model on the project in the folder `project_path`.

    What was typed is kept while the app runs, so leaving the form by mistake loses nothing.
    """

    HELP = (
        "Every option stands at its default; what you change is bold. Enter and the arrow keys "
        "move between fields, F4 shows all options, F6 the command that does the same, F7 submits "
        "it to a cluster."
    )
    CSS_PATH = Path(__file__).with_name("screen.tcss")
    # Below this width the hints beside the fields would be cut off.
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (116, "-wide")]
    BINDINGS: ClassVar[list[BindingType]] = bindings("train")
    drafts: ClassVar[dict[Path, dict[str, str]]] = {}

    advanced: reactive[bool] = reactive(False, init=False, repaint=False)

    class Found(Message):
        """The GPUs of this machine were looked for."""

        def __init__(self, gpus: list[Gpu]) -> None:
            super().__init__()
            self.gpus = gpus

    class Counted(Message):
        """The project's images were counted by split, or could not be: `problem` says why."""

        def __init__(self, facts: DataFacts | None, problem: str = "") -> None:
            super().__init__()
            self.facts = facts
            self.problem = problem

    class Judged(Message):
        """The data was checked: a line for each grave finding."""

        def __init__(self, lines: Sequence[str]) -> None:
            super().__init__()
            self.lines = lines

    def __init__(self, project_path: Path, clone: Clone | None = None) -> None:
        """Make the form; with `clone`, filled with a job's settings to submit it anew."""
        super().__init__()
        self.path = project_path
        self.clone = clone
        typed = self.drafts.setdefault(project_path, {}) if clone is None else dict(clone.values)
        self.form = Form(project_path, typed=typed)
        self.reading: Reading = self.form.read()
        self._counted_for: tuple[object, ...] = ()
        self._checked_for = 0

    def trail(self) -> str:
        """Name the project, and the run that is cloned."""
        again = f" › {self.clone.run.name} again" if self.clone is not None else ""
        return f"› {self.path.name} › train{again}"

    def body(self) -> Iterable[Widget]:
        """Lay out the form and what follows from it."""
        yield Horizontal(
            Panel(
                VerticalScroll(
                    *self._fields(SECTIONS[:1]),
                    Button(
                        "Start training" if self.clone is None else "Choose the cluster",
                        id="start",
                        variant="primary",
                        compact=True,
                    ),
                    id="train-fields",
                ),
                title="Training",
            ),
            Panel(
                VerticalScroll(Facts(FACTS, id="train-facts"), can_focus=False),
                title="What follows",
                id="train-follows",
            ),
            id="train-body",
        )

    def _fields(self, sections: Sequence[Section]) -> list[Widget]:
        widgets: list[Widget] = []
        for section in sections:
            kind = "basic" if section is SECTIONS[0] else "advanced"
            if kind == "advanced":
                widgets.append(Static(section.title, markup=False, classes=f"section {kind}"))
            for name in section.names:
                options = choices(name) or (YES_NO if is_switch(name) else None)
                value = self.reading.texts[name]
                if options is not None and value not in options:
                    value = options[0]
                hint = description(name)
                field = Field(name, label(name), value, options=options, hint=hint, classes=kind)
                widgets.append(field)
        return widgets

    # -- looking ---------------------------------------------------------------------------------

    def on_mount(self) -> None:
        """Look at the machine and the data, and go to the first field."""
        self.query_one("#field-model", Field).editor.focus()
        self._count_hidden()
        self._refresh()
        self._find_gpus()
        # What was typed before, and is not among the basics, must not act unseen.
        self.advanced = any(name not in SECTIONS[0].names for name in self.form.typed)

    @work(thread=True, exclusive=True, exit_on_error=False, group="gpus")
    def _find_gpus(self) -> None:
        self.post_message(self.Found(find_gpus()))

    @work(thread=True, exclusive=True, exit_on_error=False, group="count")
    def _count(self, shares: tuple[float, float, float], seed: int, policy: str) -> None:
        try:
            with Project.open(self.path) as project:
                summary = project.summary()
                plan = assign_project_splits(project, shares, seed, policy)  # type: ignore[arg-type]
        except BatmanError as error:
            self.post_message(self.Counted(None, f"{error.message} {error.hint}".strip()))
            return
        facts = DataFacts(plan.counts(), summary.annotations, summary.classes, plan.notes)
        self.post_message(self.Counted(facts))

    @work(thread=True, exclusive=True, exit_on_error=False, group="check")
    def _check(self, image_size: int) -> None:
        from core.data.health import before_training, one_line

        worker = get_current_worker()
        try:
            found = before_training(self.path, image_size, cancelled=lambda: worker.is_cancelled)
        except BatmanError:
            return  # Cancelled, or there is no project, which counting it says.
        self.post_message(self.Judged([one_line(finding) for finding in found]))

    @on(Judged)
    def _judged(self, message: Judged) -> None:
        lines = message.lines
        text = "; ".join(lines[:SHOWN_FINDINGS])
        if len(lines) > SHOWN_FINDINGS:
            text += f"; and {len(lines) - SHOWN_FINDINGS} more"
        if lines:
            text += ". Check (c) on the project's screen shows them and puts some right."
        self.query_one(Facts).say("Check", text, wrong=any(s.startswith("Error") for s in lines))

    @on(Found)
    def _found(self, message: Found) -> None:
        self.form.gpus = message.gpus
        self._refresh()

    @on(Counted)
    def _was_counted(self, message: Counted) -> None:
        self.data = message.facts
        if message.problem:
            self.query_one(Facts).say("Data", message.problem, wrong=True)

    # -- showing ---------------------------------------------------------------------------------

    @on(Field.Typed)
    def _typed(self, message: Field.Typed) -> None:
        self.form.type(message.field.option, message.text)
        self._refresh()

    def _refresh(self) -> None:
        """Show what follows from the form as it stands."""
        reading = self.reading = self.form.read()
        for field in self.query(Field):
            name = field.option
            if not field.has_focus_within or name not in self.form.typed:
                field.show(reading.texts[name])
            wrong = reading.errors.get(name, "")
            field.say(wrong or self.hint(name, reading), wrong=bool(wrong))
            field.set_class(name in self.form.typed and not wrong, "-set")
        self.show_facts(reading)
        config = reading.config
        if config is not None:
            wanted = (config.splits, config.seed, config.split_policy)
            if wanted != self._counted_for:
                self._counted_for = wanted
                self._count(*wanted)
            if config.image_size != self._checked_for:
                self._checked_for = config.image_size
                self._check(config.image_size)

    def watch_data(self) -> None:
        """Show the counts."""
        self.show_facts(self.reading)

    async def watch_advanced(self) -> None:
        """Show or hide the options beyond the basics; they are made when first asked for."""
        if self.advanced and not self.query(".advanced"):
            fields = self._fields(SECTIONS[1:])
            await self.query_one("#train-fields").mount(*fields, before="#start")
            self._refresh()
        basic = self.focused is not None and any(
            field.has_class("basic") for field in self.focused.ancestors
        )
        self.set_class(self.advanced, "-advanced")
        if not self.advanced and not basic:
            self.query_one("#field-model", Field).editor.focus()
        self._count_hidden()

    def _count_hidden(self) -> None:
        hidden = sum(len(section.names) for section in SECTIONS[1:])
        panel = self.query(Panel).first()
        panel.badge = "all options" if self.advanced else f"{hidden} more with F4"

    # -- keys ------------------------------------------------------------------------------------

    def stops(self) -> Sequence[Widget]:
        """Return the editors and the button."""
        return [*editors(self), self.query_one("#start")]

    def action_advanced(self) -> None:
        """Show all options, or the basics only."""
        self.advanced = not self.advanced

    def action_defaults(self) -> None:
        """Set every option to its default."""
        self.form.forget()
        for field in self.query(Field):
            field.show(self.form.read().texts[field.option])
        self._refresh()

    def action_choose_model(self) -> None:
        """Choose the model from a table."""
        self.app.push_screen(ModelDialog(self.reading.texts["model"]), self._model_chosen)

    def _model_chosen(self, name: str | None) -> None:
        if name is not None:
            self.query_one("#field-model Choice", Choice).value = name

    def action_command(self) -> None:
        """Show the command that starts the same training, to copy or to save."""
        from batman_tui.widgets.dialogs.text_dialog import TextDialog

        if self.reading.config is None:
            self._to_first_error()
            return
        file = self.batman.workspace.root / f"train-{self.path.name}.sh"
        self.app.push_screen(
            TextDialog(
                "The same on the command line",
                self.command(self.reading.config),
                file=file,
                lead=f"c copies it, w writes it to {file}.",
            )
        )

    def _to_first_error(self) -> None:
        for field in self.query(Field):
            if field.option in self.reading.errors:
                self.advanced = self.advanced or field.has_class("advanced")
                self.call_after_refresh(field.editor.focus)
                return

    @on(Button.Pressed, "#start")
    def _pressed(self) -> None:
        self.action_start()

    def action_start(self) -> None:
        """Prepare the data set and start training; a wrong field is gone to instead.

        What was cloned from a cluster's job goes to a cluster.
        """
        if self.clone is not None:
            self.action_cluster()
            return
        config = self.complete()
        if config is not None:
            self.app.push_screen(StartDialog(config), self._started)

    def complete(self) -> TrainingConfig | None:
        """Return the settings; if a field is wrong, go to it, say so, and return None."""
        config = self.reading.config
        if config is None:
            self._to_first_error()
            self.batman.show_error(
                BatmanError("The form is not complete.", "; ".join(self.reading.errors.values()))
            )
        return config

    def _started(self, run: Path | None) -> None:
        if run is not None:
            self.app.pop_screen()
            self.batman.open_run(run)
