"""The part beside the training form that says what follows: memory, batch, data, steps, disk."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from textual import on, work
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.message import Message
from textual.worker import Worker, get_current_worker

from batman_tui.train.fact_lines import FACTS, DataFacts, Machine, command_here, fact_lines
from batman_tui.widgets.frame.base import Guarded, Newest
from batman_tui.widgets.panel.facts import Facts
from core.common.errors import BatmanError, Cancelled
from core.common.hardware import Gpu, find_gpus
from core.common.progress import Progress
from core.common.text import sentence
from core.data.images.reviewed import images_by_boxes, none_reviewed, reviewed_boxes
from core.data.splits.assign import Policy, Shares, assign_project_splits
from core.data.store import Project
from core.training.config.form import Reading
from core.training.config.options import TrainingConfig

SHOWN_FINDINGS = 3
MEASURE = "core.training.worker.trial.measure"
# What the time and memory of a step depend on.
_STEP_OPTIONS = (
    *("project", "model", "image_size", "batch_size", "device", "workers", "precision"),
    *("multi_scale", "augment", "augmentation", "ema", "gradient_checkpointing"),
)


def _measured_by(config: TrainingConfig) -> tuple[object, ...]:
    return tuple(str(getattr(config, name)) for name in _STEP_OPTIONS)


class TrainingFacts(Guarded, VerticalScroll, can_focus=False):
    """Says what follows from each reading of the form that `follow` is given.

    It looks for this machine's GPUs, and counts and checks the project in the folder `project`,
    again when a setting changes that either depends on.
    """

    @dataclass
    class GpusFound(Message):
        """The GPUs of this machine were looked for: what the form suggests depends on them."""

        gpus: list[Gpu]

    @dataclass
    class Counted(Message):
        """The project's images were counted by split, or could not be: `problem` says why."""

        data: DataFacts | None
        problem: str = ""

    @dataclass
    class Timed(Message):
        """How long it will take was reckoned from earlier runs."""

        text: str

    @dataclass
    class Measuring(Newest):
        """How far measuring is, in words; empty at its end."""

        text: str

    @dataclass
    class Measured(Message):
        """Some steps were taken: what they took, or why they could not be; None: it was stopped."""

        key: tuple[object, ...]
        found: dict[str, Any] | None
        error: BatmanError | None = None

    @dataclass
    class Judged(Message):
        """The data was checked: a line for each grave finding."""

        lines: Sequence[str]

    def __init__(self, project: Path) -> None:
        super().__init__()
        self.project = project
        self.data: DataFacts | None = None
        """What there is to train on, once it is counted."""
        self._reading: Reading | None = None
        self._typed: Collection[str] = ()
        self._counted_for: tuple[object, ...] = ()
        self._checked_for = 0
        self._timed_for: tuple[object, ...] = ()
        self._machine: Machine | None = None
        self._measured: dict[tuple[object, ...], dict[str, Any]] = {}
        self._measuring: Worker[None] | None = None

    def compose(self) -> ComposeResult:
        """Lay out the facts."""
        yield Facts(FACTS, id="train-facts")

    def on_mount(self) -> None:
        """Look at the machine."""
        self._find_gpus()

    def follow(self, reading: Reading, typed: Collection[str]) -> None:
        """Say what follows from `reading`; `typed` are the options that the person set."""
        self._reading, self._typed = reading, typed
        self._say()
        config = reading.config
        if config is None:
            return
        wanted = (config.splits, config.seed, config.split_policy, config.only_reviewed)
        if wanted != self._counted_for:
            self._counted_for = wanted
            self._count(*wanted)
        if config.image_size != self._checked_for:
            self._checked_for = config.image_size
            self._check(config.image_size)

    def _say(self) -> None:
        reading = self._reading
        if reading is None:
            return
        root = self.batman.workspace.root
        command = "" if reading.config is None else command_here(reading.config, root)
        facts = self.query_one(Facts)
        lines = fact_lines(reading, self._typed, self.data, command, self._machine)
        for name, line in lines.items():
            if name != "Time" or self._measuring is None:
                facts.say(name, line.text, wrong=line.wrong)
        self._time()

    @work(thread=True, exclusive=True, exit_on_error=False, group="gpus")
    def _find_gpus(self) -> None:
        self.post_message(self.GpusFound(find_gpus()))

    @on(GpusFound)
    def _gpus(self, message: GpusFound) -> None:
        # The screen hears of it as well.
        self._machine = Machine(tuple(message.gpus))
        self._say()

    def _time(self) -> None:
        """Reckon how long it will take, when what that depends on has changed."""
        config = self._reading.config if self._reading is not None else None
        if config is None or self.data is None or self._machine is None:
            return
        took = self._measured.get(_measured_by(config))
        if took is not None:
            from core.training.run_list.time_estimate import measured_sentence

            self._timed_for = ()
            words = measured_sentence(config, dict(self.data.images), took)
            self._timed(self.Timed(sentence(words)))
            return
        wanted = (config, tuple(self.data.images.items()), self._machine.gpus)
        if wanted != self._timed_for:
            self._timed_for = wanted
            self._reckon(config, dict(self.data.images), self._machine.gpus)

    @work(thread=True, exclusive=True, exit_on_error=False, group="time")
    def _reckon(
        self, config: TrainingConfig, images: dict[str, int], gpus: tuple[Gpu, ...]
    ) -> None:
        from core.training.run_list.time_estimate import estimate, time_sentence

        device = "cpu" if not gpus or config.device == "cpu" else gpus[0].name
        runs = self.batman.run_index.list()
        found = estimate(runs, config, images, device)
        text = time_sentence(found, config.epochs, "F5")
        if not get_current_worker().is_cancelled:
            self.post_message(self.Timed(text[:1].upper() + text[1:]))

    @on(Timed)
    def _timed(self, message: Timed) -> None:
        if self._machine is not None and self._machine.time != message.text:
            self._machine = replace(self._machine, time=message.text)
            self._say()

    @property
    def measuring(self) -> bool:
        """Whether steps are being taken."""
        return self._measuring is not None

    def measure(self, config: TrainingConfig) -> None:
        """Take a few training steps of `config` to know how long it will take; stop if it does."""
        if self._measuring is not None:
            self._measuring.cancel()
            return
        self._measuring = self._take_steps(config)

    @work(thread=True, exclusive=True, exit_on_error=False, group="measure")
    def _take_steps(self, config: TrainingConfig) -> None:
        from core.processes.job import run_job
        from core.training.launch.local import require_trainer

        worker, key = get_current_worker(), _measured_by(config)
        self.post_message(self.Measuring("a process begins …"))

        def tell(at: Progress) -> None:
            count = f" {at.done} of {at.total}" if at.total else ""
            self.post_message(self.Measuring(f"{at.stage}{count} …"))

        try:
            require_trainer()
            options = {"config": config.model_dump(mode="json")}
            found = run_job(MEASURE, options, tell, lambda: worker.is_cancelled, name="Measuring")
        except Cancelled:
            self.post_message(self.Measured(key, None))
        except BatmanError as error:
            self.post_message(self.Measured(key, None, error))
        else:
            self.post_message(self.Measured(key, found))

    @on(Measuring)
    def _tell_measuring(self, message: Measuring) -> None:
        if self._measuring is not None:
            self.query_one(Facts).say("Time", f"Measuring, F5 stops it: {message.text}")

    @on(Measured)
    def _tell_measured(self, message: Measured) -> None:
        self._measuring = None
        self._timed_for = ()
        if message.found is not None:
            self._measured[message.key] = message.found
        if message.error is not None:
            self.batman.show_error(message.error)
        self._say()

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """After a defect in measuring it can be begun again."""
        super().on_worker_state_changed(event)
        if event.worker.group == "measure" and isinstance(event.worker.error, Exception):
            self._tell_measured(self.Measured((), None))

    @work(thread=True, exclusive=True, exit_on_error=False, group="count")
    def _count(self, shares: Shares, seed: int, policy: Policy, reviewed: bool) -> None:
        try:
            with Project.open(self.project) as project:
                summary = project.summary()
                plan = assign_project_splits(project, shares, seed, policy, only_reviewed=reviewed)
                if reviewed and summary.images and not plan.splits:
                    raise none_reviewed(project, BatmanError)
                boxes = reviewed_boxes(project) if reviewed else summary.annotations
                by_boxes = images_by_boxes(project, reviewed)
        except BatmanError as error:
            counted = self.Counted(None, f"{error.message} {error.hint}".strip())
        else:
            counted = self.Counted(
                DataFacts(plan.counts(), boxes, summary.classes, plan.notes, by_boxes)
            )
        if not get_current_worker().is_cancelled:
            self.post_message(counted)

    @work(thread=True, exclusive=True, exit_on_error=False, group="check")
    def _check(self, image_size: int) -> None:
        from core.data.health import before_training, one_line

        worker = get_current_worker()
        try:
            found = before_training(self.project, image_size, cancelled=lambda: worker.is_cancelled)
        except BatmanError:
            return  # Cancelled, or there is no project, which counting it says.
        if not worker.is_cancelled:
            self.post_message(self.Judged([one_line(finding) for finding in found]))

    @on(Counted)
    def _counted(self, message: Counted) -> None:
        self.data = message.data
        self._say()
        if message.problem:
            facts = self.query_one(Facts)
            facts.say("Data", message.problem, wrong=True)
            facts.say("Steps", "")

    @on(Judged)
    def _judged(self, message: Judged) -> None:
        lines = message.lines
        text = "; ".join(lines[:SHOWN_FINDINGS])
        if len(lines) > SHOWN_FINDINGS:
            text += f"; and {len(lines) - SHOWN_FINDINGS} more"
        if lines:
            text += ". Check (c) on the project's screen shows them and puts some right."
        self.query_one(Facts).say("Check", text, wrong=any(s.startswith("Error") for s in lines))
