"""The form that starts a training run, with what follows from it shown as it is typed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.binding import BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Button

from batman_tui.errors import take_back
from batman_tui.keys import bindings
from batman_tui.train.fact_lines import command_here
from batman_tui.train.model_table import ModelDialog
from batman_tui.train.option_fields import option_fields, option_hint, said_of_errors
from batman_tui.train.start_dialog import StartDialog
from batman_tui.train.training_facts import TrainingFacts
from batman_tui.widgets.form.field import Choice, Field, FieldSteps, editors
from batman_tui.widgets.frame.base import BatmanScreen
from batman_tui.widgets.panel.panel import Panel
from core.common.errors import BatmanError
from core.common.text import clean, plural
from core.training.config.form import FOLLOWS, SECTIONS, Form, Reading
from core.training.config.options import TrainingConfig

if TYPE_CHECKING:
    from batman_tui.train.submit_dialog import Submitted
    from slurm.submit.clone import Clone


class TrainScreen(FieldSteps, BatmanScreen):
    """Trains a model on the project in the folder `project_path`.

    What was typed is kept while the app runs, so leaving the form by mistake loses nothing.
    """

    HELP = (
        "Every option stands at its default; what you change is bold. Enter and the arrow keys "
        "move between fields, F4 shows all options, F6 the command that does the same, F7 submits "
        "it to a cluster, F10 tries several values one after the other, F12 shows what chance "
        "makes of your pictures, F5 takes a few steps to know how long it will take."
    )
    CSS_PATH = Path(__file__).with_name("screen.tcss")
    # Below this width the hints beside the fields would be cut off.
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (116, "-wide")]
    BINDINGS: ClassVar[list[BindingType]] = bindings("train")
    drafts: ClassVar[dict[Path, dict[str, str]]] = {}
    swept: ClassVar[dict[Path, str]] = {}

    advanced: reactive[bool] = reactive(False, init=False, repaint=False)

    def __init__(self, project_path: Path, clone: Clone | None = None) -> None:
        """Make the form; with `clone`, filled with a job's settings to submit it anew."""
        super().__init__()
        self.path = project_path
        self.clone = clone
        typed = self.drafts.setdefault(project_path, {}) if clone is None else dict(clone.values)
        self.form = Form(project_path, typed=typed)
        self.reading: Reading = self.form.read()
        self._refused: BatmanError | None = None
        """What was said of the form when it was last sent off wrong."""

    def trail(self) -> str:
        """Name the project, and the run that is cloned."""
        again = f" › {self.clone.run.name} again" if self.clone is not None else ""
        return f"{self.path.name} › Train{again}"

    def body(self) -> Iterable[Widget]:
        """Lay out the form and what follows from it."""
        yield Horizontal(
            Panel(
                VerticalScroll(
                    *option_fields(SECTIONS[:1], self.reading.texts),
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
            Panel(TrainingFacts(self.path), title="What follows", id="train-follows"),
            id="train-body",
        )

    # -- handlers --------------------------------------------------------------------------------

    def on_mount(self) -> None:
        """Say what follows, and go to the first field."""
        self.query_one("#field-model", Field).editor.focus()
        self._count_hidden()
        self._refresh()
        # What was typed before, and is not among the basics, must not act unseen.
        self.advanced = any(name not in SECTIONS[0].names for name in self.form.typed)

    @on(TrainingFacts.GpusFound)
    def _gpus_found(self, message: TrainingFacts.GpusFound) -> None:
        self.form.gpus = message.gpus
        self._refresh()

    @on(Field.Typed)
    def _typed(self, message: Field.Typed) -> None:
        self.form.type(message.field.option, message.text)
        self._refresh()

    def _refresh(self) -> None:
        """Show what follows from the form as it stands."""
        typed, reading = self.form.typed, self.form.read()
        self.reading = reading
        for field in self.query(Field):
            name = field.option
            if not field.has_focus_within or name not in typed:
                field.show(reading.texts[name])
            wrong = reading.errors.get(name, "")
            field.say(wrong or option_hint(name, reading, typed), wrong=bool(wrong))
            field.set_class(name in typed and not wrong, "-set")
        self.query_one(TrainingFacts).follow(reading, typed)
        self.query_one("#start", Button).disabled = reading.config is None

    async def watch_advanced(self) -> None:
        """Show or hide the options beyond the basics; they are made when first asked for."""
        if self.advanced and not self.query(".advanced"):
            fields = option_fields(SECTIONS[1:], self.reading.texts)
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
        panel.badge = "all options" if self.advanced else f"{hidden} more options with F4"

    # -- keys ------------------------------------------------------------------------------------

    def stops(self) -> Sequence[Widget]:
        """Return the editors and the button."""
        return [*editors(self), self.query_one("#start")]

    def action_advanced(self) -> None:
        """Show all options, or the basics only."""
        self.advanced = not self.advanced

    def action_defaults(self) -> None:
        """Set every option to its default."""
        before = dict(self.form.read().texts)
        self.form.forget()
        texts = self.form.read().texts
        if texts == before:
            self.batman.tell("Every option has its default already.")
            return
        for field in self.query(Field):
            field.show(texts[field.option])
        self._refresh()

    def action_choose_model(self) -> None:
        """Choose the model from a table."""
        self.app.push_screen(ModelDialog(self.reading.texts["model"]), self._model_chosen)

    def _model_chosen(self, name: str | None) -> None:
        if name is not None:
            self.query_one("#field-model Choice", Choice).value = name

    def action_sweep(self) -> None:
        """Choose settings that vary, and train every combination here, one after the other."""
        from batman_tui.sweep.dialog import SweepDialog
        from batman_tui.sweep.screen import open_sweep

        config = self.complete()
        if config is None:
            return
        facts = self.query_one(TrainingFacts)
        dialog = SweepDialog(
            self.path,
            self._chosen(config),
            self.swept.get(self.path, ""),
            facts.data.images if facts.data is not None else None,
            self.form.gpus or (),
        )

        def begun(sweep: Path | None) -> None:
            self.swept[self.path] = dialog.typed
            if sweep is not None:
                self.app.pop_screen()
                open_sweep(self.app, sweep)

        self.app.push_screen(dialog, begun)

    def _chosen(self, config: TrainingConfig) -> dict[str, Any]:
        """Return what was chosen, without what was suggested for this machine's memory."""
        typed = self.form.typed
        chosen = [n for n in config.model_fields_set if n not in FOLLOWS or n in typed]
        return {name: getattr(config, name) for name in chosen}

    def action_measure(self) -> None:
        """Take a few training steps to know time and memory; while that is done, stop it."""
        facts = self.query_one(TrainingFacts)
        config = self.reading.config if facts.measuring else self.complete()
        if config is not None:
            facts.measure(config)

    def action_augmentation(self) -> None:
        """See what augmentations make of the project's pictures, and take one."""
        from batman_tui.train.augmentation_dialog import AugmentationDialog

        config = self.complete()
        if config is not None:
            self.app.push_screen(AugmentationDialog(config), self._augmented)

    def _augmented(self, value: str | None) -> None:
        if value is not None:
            # One word holds: what was said by the switch is said by the name now.
            self.form.forget("augment")
            self.form.type("augmentation", value)
            self.advanced = True  # where it stands
            self._refresh()

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
                command_here(self.reading.config, self.batman.workspace.root),
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
            self._refused = BatmanError(said_of_errors(self.reading.errors))
            self.batman.show_error(self._refused)
        elif self._refused is not None:
            # It is put right, and would be read as said of what begins now.
            take_back(self.app, self._refused)
            self._refused = None
        return config

    def _started(self, run: Path | None) -> None:
        if run is not None:
            self.app.pop_screen()
            self.batman.open_run(run)

    def action_cluster(self) -> None:
        """Choose a cluster, its GPU and time, and submit the training there."""
        from batman_tui.train.submit_dialog import SubmitDialog

        config, clone = self.complete(), self.clone
        if config is None:
            return
        data = self.query_one(TrainingFacts).data
        dialog = SubmitDialog(
            self._chosen(config),
            request=clone.request if clone else None,
            cluster=clone.cluster if clone else "",
            images=data.images if data is not None else None,
        )
        self.app.push_screen(dialog, self._submitted)

    def _submitted(self, result: Submitted | None) -> None:
        if result is None:
            return
        what = (
            f"array of {plural(result.runs, 'run')}"
            if result.runs > 1
            else f"run {clean(result.run)}"
        )
        self.app.pop_screen()
        # Where nothing ran before, it would be a minute until the list knows of it.
        self.batman.queue_watcher.hurry(result.cluster)
        self.batman.open_job(result.job, result.cluster)
        self.batman.tell(f"Submitted job {result.job} to {result.cluster}: {what}.")
