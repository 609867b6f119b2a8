"""An evaluation in a child process, for an application that must not load torch itself."""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from core.common.errors import Cancelled
from core.common.progress import Progress
from core.processes.child_failure import raised_failure
from core.processes.child_output import died
from core.processes.child_process import python_command, python_environment
from core.training.launch.local import require_trainer

# A child that does not end by itself after it was told to is ended.
_PATIENCE_S = 20.0


class EvaluationProcess:
    """One `python -m core.evaluation` for a run or model file and a split.

    `run` may be called once, in any thread; `cancel` from any other.
    """

    def __init__(
        self,
        target: Path,
        split: str,
        *,
        device: str = "auto",
        command: Sequence[str] | None = None,
    ) -> None:
        """Prepare it; `command` stands in for Python and the module, for tests."""
        self._words = ["--run", str(target), "--split", split, "--device", device]
        self._command = command
        self._process: subprocess.Popen[str] | None = None
        self._cancelled = threading.Event()

    def run(self, progress: Callable[[Progress], None]) -> Path:
        """Evaluate, tell `progress` how far it is, and return the folder of the result.

        Raises Cancelled after `cancel`, the BatmanError that the child tells of, and RunError
        with its last output when it died.
        """
        command = self._command
        if command is None:
            require_trainer()
            command = python_command("core.evaluation")
        with tempfile.TemporaryFile() as noise:
            process = subprocess.Popen(
                [*command, *self._words, "--json-progress"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=noise,
                env=python_environment(),
                text=True,
                encoding="utf-8",
                errors="replace",
            )
            self._process = process
            if self._cancelled.is_set():
                process.terminate()
            try:
                end = _follow(process, progress)
                code = process.wait(_PATIENCE_S)
            except subprocess.TimeoutExpired:
                code = -1
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()
                if process.stdout is not None:
                    process.stdout.close()
            if self._cancelled.is_set():
                raise Cancelled("The evaluation was stopped.")
            if end.get("event") == "finished" and code == 0:
                return Path(str(end["folder"]))
            if end.get("event") == "failed":
                raise raised_failure(end)
            raise died("The evaluation", code, noise)

    def cancel(self) -> None:
        """Ask the child to stop, and end it if it does not; returns at once."""
        self._cancelled.set()
        process = self._process
        if process is None or process.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        timer = threading.Timer(_PATIENCE_S, process.kill)
        timer.daemon = True
        timer.start()


def _follow(process: subprocess.Popen[str], progress: Callable[[Progress], None]) -> dict[str, Any]:
    """Pass on the child's progress and return its last line that is an end."""
    end: dict[str, Any] = {}
    assert process.stdout is not None
    for line in process.stdout:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if not isinstance(event, dict):
            continue
        if event.get("event") == "progress":
            total = event.get("total")
            progress(Progress(str(event["stage"]), int(event["done"]), total))
        else:
            end = event
    return end
