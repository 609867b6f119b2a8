"""An evaluation in a child process, for an application that must not load torch itself."""

from __future__ import annotations

import threading
from pathlib import Path

from core.common.progress import Report
from core.evaluation.evaluate import EvaluationOptions
from core.processes.job import run_job

MODULE = "core.evaluation"


class EvaluationProcess:
    """One `python -m core.evaluation` for a run or model file and a split.

    `run` may be called once, in any thread; `cancel` from any other.
    """

    def __init__(self, target: Path, split: str) -> None:
        self._options = EvaluationOptions(target, split)
        self._cancelled = threading.Event()

    def run(self, progress: Report) -> Path:
        """Evaluate, tell `progress` how far it is, and return the folder of the result.

        Raises Cancelled after `cancel`, the BatmanError that the child tells of, and RunError
        with its last output when it died.
        """
        from core.models.backend import require_model

        require_model(self._options.target)
        stopped = self._cancelled.is_set
        end = run_job(MODULE, self._options, progress, stopped, name="The evaluation")
        return Path(end["folder"])

    def cancel(self) -> None:
        """Ask the child to stop, and end it if it does not; returns at once."""
        self._cancelled.set()
