"""Which runs of a workspace have ended since one last looked, each told once to the person."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from core.text import duration
from core.training.process import ENDED, State
from core.training.run import Run
from core.training.summary import RunSummary
from core.workspace import Workspace

_TOLD = ".told-"


@dataclass(frozen=True)
class RunEnd:
    """A run that ended: its folder, how, and what one wants to know of it.

    `best` is the best mAP50-95 (0 to 1), `seconds` how long it trained, `error` why it failed.
    """

    name: str
    path: Path
    state: State
    model: str = "?"
    epoch: int = 0
    epochs: int = 0
    best: float | None = None
    seconds: float = 0.0
    error: str = ""

    @property
    def title(self) -> str:
        """How it ended, in a few words."""
        words = {"lost": "was lost", "failed": "failed", "stopped": "was stopped"}
        return f"{self.name} {words.get(self.state, 'finished')}"

    @property
    def body(self) -> str:
        """The rest, in a line."""
        parts = [f"{self.epoch} of {self.epochs} epochs"] if self.epochs else []
        if self.best is not None:
            parts.append(f"mAP50-95 {self.best:.3f}")
        if self.seconds:
            parts.append(f"in {duration(self.seconds)}")
        if self.error:
            parts.append(self.error)
        return ", ".join(parts)

    def variables(self) -> dict[str, str]:
        """Return the facts as environment variables for a person's own command."""
        return {
            "BATMAN_RUN": self.name,
            "BATMAN_RUN_DIR": str(self.path.absolute()),
            "BATMAN_STATE": self.state,
            "BATMAN_MODEL": self.model,
            "BATMAN_EPOCH": str(self.epoch),
            "BATMAN_EPOCHS": str(self.epochs),
            "BATMAN_BEST_MAP": "" if self.best is None else f"{self.best:.4f}",
            "BATMAN_SECONDS": f"{self.seconds:.0f}",
            "BATMAN_ERROR": self.error,
            "BATMAN_TITLE": self.title,
            "BATMAN_MESSAGE": self.body,
        }


def end_of_run(run: Run) -> RunEnd | None:
    """Return how a run ended, None while it goes on."""
    summary = run.summary()
    return _end(summary) if summary.state in ENDED else None


def claim(run: Run) -> bool:
    """Return whether this end of the run is ours to tell; every other caller gets False.

    Whoever makes the file that is named for the start of what ended has it: the app and a terminal
    that both follow the run tell it once. Where nothing can be written, it is told.
    """
    worker = run.worker()
    name = f"{_TOLD}{int((worker.since if worker else 0) * 1000)}"
    try:
        os.close(os.open(run.path / name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
    except FileExistsError:
        return False
    except OSError:
        return True
    for old in run.path.glob(f"{_TOLD}*"):
        if old.name != name:
            with contextlib.suppress(OSError):
                old.unlink()
    return True


class EndWatch:
    """Follows all runs of a workspace. One thread at a time.

    The first look only learns what goes on: what ended before nobody is told of. After it, only
    runs that went on, and folders that are new, are read.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._ended: set[Path] | None = None
        self._stamps: dict[Path, tuple[int, int]] = {}

    def look(self) -> list[RunEnd]:
        """Return the runs that ended since the last look and were told by nobody else."""
        first = self._ended is None
        before = self._ended or set()
        ended: set[Path] = set()
        found: list[RunEnd] = []
        for path in self._workspace.list_runs():
            run = Run(path)
            stamp = _stamp(run)
            # One that ended goes on only if somebody writes into it.
            if path in before and self._stamps.get(path) == stamp:
                ended.add(path)
                continue
            self._stamps[path] = stamp
            summary = run.summary()
            if summary.state not in ENDED:
                continue
            ended.add(path)
            if not first and path not in before and run.worker() is not None and claim(run):
                found.append(_end(summary))
        self._ended = ended
        return found


def _stamp(run: Run) -> tuple[int, int]:
    """Return what changes when a run that ended is started again."""

    def when(path: Path) -> int:
        try:
            return path.stat().st_mtime_ns
        except OSError:
            return 0

    return when(run.events_file), when(run.path / "worker.json")


def _end(summary: RunSummary) -> RunEnd:
    return RunEnd(
        name=summary.name,
        path=summary.path,
        state=summary.state,
        model=summary.model,
        epoch=summary.epoch,
        epochs=summary.epochs,
        best=summary.best_map50_95,
        seconds=summary.seconds,
        error=summary.error,
    )
