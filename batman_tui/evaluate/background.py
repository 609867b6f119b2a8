"""Evaluating a model in a child process while the app goes on: start, progress, cancel."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from textual.dom import DOMNode
from textual.message import Message

from batman_tui.widgets.frame.base import Newest
from core.common.errors import Cancelled
from core.common.progress import Progress
from core.evaluation.process import EvaluationProcess


class BackgroundEvaluation:
    """One evaluation of the run in the folder `path` on `split`.

    `owner`, the app or a screen, has the thread that waits for the child process. It is sent
    `Progressed` and at the end `Ended`; what went wrong is the failure of its worker. An
    evaluation goes on while other screens are in front, and ends with its owner or `cancel`.
    `evaluator` makes the child process.
    """

    @dataclass
    class Progressed(Newest):
        """The child process came further."""

        progress: Progress

    class Ended(Message):
        """The child process has ended, well or not."""

    def __init__(
        self,
        owner: DOMNode,
        path: Path,
        split: str,
        evaluator: type[EvaluationProcess] = EvaluationProcess,
    ) -> None:
        self.split = split
        self._owner = owner
        self._process = evaluator(path, split)

    def start(self) -> None:
        """Begin."""
        self._owner.run_worker(self._run, group="evaluate", exit_on_error=False, thread=True)

    def cancel(self) -> None:
        """Have the child process stop; `Ended` follows."""
        self._process.cancel()

    def _run(self) -> None:
        def tell(progress: Progress) -> None:
            self._owner.post_message(self.Progressed(progress))

        try:
            self._process.run(tell)
        except Cancelled:
            return
        finally:
            self._owner.post_message(self.Ended())
