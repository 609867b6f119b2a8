"""The part beside the training form that says what follows: memory, batch, data, steps, disk."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from textual import on, work
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.message import Message
from textual.worker import get_current_worker

from batman_tui.train.fact_lines import FACTS, DataFacts, command_here, fact_lines
from batman_tui.widgets.frame.base import Guarded
from batman_tui.widgets.panel.facts import Facts
from core.common.errors import BatmanError
from core.common.hardware import Gpu, find_gpus
from core.data.splits.assign import Policy, Shares, assign_project_splits
from core.data.store import Project
from core.training.config.form import Reading

SHOWN_FINDINGS = 3


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
        wanted = (config.splits, config.seed, config.split_policy)
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
        for name, line in fact_lines(reading, self._typed, self.data, command).items():
            facts.say(name, line.text, wrong=line.wrong)

    @work(thread=True, exclusive=True, exit_on_error=False, group="gpus")
    def _find_gpus(self) -> None:
        self.post_message(self.GpusFound(find_gpus()))

    @work(thread=True, exclusive=True, exit_on_error=False, group="count")
    def _count(self, shares: Shares, seed: int, policy: Policy) -> None:
        try:
            with Project.open(self.project) as project:
                summary = project.summary()
                plan = assign_project_splits(project, shares, seed, policy)
        except BatmanError as error:
            counted = self.Counted(None, f"{error.message} {error.hint}".strip())
        else:
            data = DataFacts(plan.counts(), summary.annotations, summary.classes, plan.notes)
            counted = self.Counted(data)
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
