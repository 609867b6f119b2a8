"""The dialog that begins a sweep on this machine: what varies, what follows, and preparing it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Button, ContentSwitcher, Input, Static
from textual.worker import get_current_worker

from batman_tui.keys import bindings
from batman_tui.task_dialog import TaskDialog
from batman_tui.widgets.form.line_input import LineInput
from batman_tui.widgets.frame.keybar import KeyBar
from batman_tui.widgets.table.table import Column, VirtualTable
from core.common.errors import BatmanError
from core.common.hardware import Gpu
from core.common.progress import Progress
from core.common.text import clean, duration, plural
from core.training.config.sweep import EXAMPLE, Combination
from core.training.run_list.time_estimate import estimate
from core.training.sweep.control import start_sweep
from core.training.sweep.prepare import plan_sweep


def _run_column() -> Column[Combination]:
    def name(one: Combination) -> str:
        return one.config.output_dir.name if one.config.output_dir is not None else ""

    return Column("run", "Run", name, least=16)


def _choice_column(name: str) -> Column[Combination]:
    title = name.replace("_", "-")
    return Column(name, title, lambda one: one.choices[name], width=max(8, len(title)))


class SweepDialog(TaskDialog[Path]):
    """Begins a sweep of the settings `values` on the project in the folder `project`.

    `images` by split are what a run would learn and `gpus` those of this machine: how long it takes
    is reckoned from earlier runs. The result is the sweep's folder.
    """

    HELP = (
        "Name the settings that vary and their values, as batman train --sweep takes them: "
        f"{EXAMPLE}. Every combination is trained, one after the other; what stands in the form "
        "holds for all of them. All of it is prepared first, so that what is wrong is said now."
    )
    DEFAULT_CSS = """
    SweepDialog {
        & > .dialog { width: 84; padding: 1 2 0 2; }
        ContentSwitcher, #form, #running { height: auto; }
        #sweep-says { margin: 1 0 0 0; min-height: 2; }
        #sweep-runs { height: auto; max-height: 8; margin: 1 0 0 0; background: $surface; }
        .dialog--buttons { margin: 1 0 0 0; }
        ProgressBar#bar { width: 1fr; margin: 1 0; }
        ProgressBar#bar Bar { width: 1fr; }
        KeyBar { dock: none; margin: 1 0 0 0; padding: 0; background: $surface; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = bindings("sweep_begin")
    STOPPED = "The sweep was not begun; nothing of it is left."
    ESCAPE = "Escape gives it up."

    @dataclass
    class Planned(Message):
        """What would be trained, and how long that takes (0: not known), or `wrong` why not.

        It follows from what was `typed`.
        """

        typed: str
        runs: Sequence[Combination]
        seconds: float = 0.0
        wrong: str = ""

    def __init__(
        self,
        project: Path,
        values: Mapping[str, Any],
        words: str = "",
        images: Mapping[str, int] | None = None,
        gpus: Sequence[Gpu] = (),
    ) -> None:
        super().__init__(project)
        self._values = dict(values)
        self._words = words
        self._images = dict(images or {})
        self._gpus = gpus

    def compose(self) -> ComposeResult:
        """Lay out the line, what follows from it, and the bar in their place."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = "Sweep on this machine"
            with ContentSwitcher(initial="form", id="phases"):
                with Vertical(id="form"):
                    yield Static("Settings that vary, and their values", classes="dialog--text")
                    yield LineInput(self._words, placeholder=EXAMPLE, id="words")
                    yield VirtualTable[Combination](
                        [], lambda one: str(one.config.output_dir), id="sweep-runs"
                    )
                    yield Static("", markup=False, id="sweep-says", classes="dialog--hint")
                    with Horizontal(classes="dialog--buttons"):
                        yield Button("Cancel", id="cancel", compact=True)
                        yield Button("Start", id="ok", variant="primary", compact=True)
                yield from self.running_part()
            yield KeyBar()

    def on_mount(self) -> None:
        """Go to the line."""
        self.query_one("#words").focus()
        self._typing()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to start while nothing is done."""
        if action == "start":
            return self.phase == "form"
        return super().check_action(action, parameters)

    @property
    def typed(self) -> str:
        """What is typed."""
        return self.query_one("#words", LineInput).text.strip()

    def asked(self) -> str:
        """Return what is typed."""
        return self.typed

    def missing(self) -> str:
        """Return what is wrong with what is typed, or that nothing is."""
        return str(self.query_one("#sweep-says", Static).visual)

    @on(Input.Changed, "#words")
    def _typing(self) -> None:
        self.query_one("#ok", Button).disabled = True
        if not self.typed:
            self._planned(self.Planned("", ()))
            return
        self._plan(self.typed)

    @work(thread=True, exclusive=True, exit_on_error=False, group="plan")
    def _plan(self, typed: str) -> None:
        try:
            runs = plan_sweep(self.batman.workspace, self._values, typed.split())
            planned = self.Planned(typed, runs, self._seconds(runs))
        except BatmanError as error:
            planned = self.Planned(typed, (), wrong=f"{error.message} {error.hint}".strip())
        if not get_current_worker().is_cancelled:
            self.post_message(planned)

    def _seconds(self, runs: Sequence[Combination]) -> float:
        """Return how long all of it takes by earlier runs; 0 where they do not tell of each."""
        there = self.batman.run_index.list() if self._images else []
        total = 0.0
        for one in runs:
            device = "cpu" if not self._gpus or one.config.device == "cpu" else self._gpus[0].name
            found = estimate(there, one.config, self._images, device)
            if not found:
                return 0.0
            total += found[0].run_s
        return total

    @on(Planned)
    def _planned(self, message: Planned) -> None:
        if message.typed != self.typed:
            return
        says, table = self.query_one("#sweep-says", Static), self.query_one(VirtualTable)
        names = list(message.runs[0].choices) if message.runs else []
        table.display = bool(names)
        table.set_columns([_run_column(), *map(_choice_column, names)])
        table.set_rows(message.runs)
        text = message.wrong
        if message.runs:
            took = f", in about {duration(message.seconds)}" if message.seconds else ""
            text = f"{plural(len(message.runs), 'run')}, one after the other{took}."
        elif not text:
            text = "Name one setting or more, each with its values between commas."
        says.update(clean(text))
        says.set_class(bool(message.wrong), "dialog--error")
        self.query_one("#ok", Button).disabled = not message.runs
        self.looked_at(message.typed)

    def action_start(self) -> None:
        """Prepare all runs and begin."""
        if not self.may_start():
            return
        words = self.typed.split()

        def start(progress: Callable[[Progress], None], cancelled: Callable[[], bool]) -> Path:
            return start_sweep(
                self.batman.workspace,
                self._values,
                words,
                lambda at: progress(Progress(at.stage, at.done, at.total)),
                cancelled,
            ).path

        self.begin_job(start, "A sweep is still being prepared.")

    def form_again(self) -> None:
        """Back to what was typed."""
        self.query_one("#words").focus()
