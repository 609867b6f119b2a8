"""Which runs of a workspace have ended since one last looked, each told once to the person."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from core.common.text import duration
from core.common.workspace import Workspace
from core.training.run.run import Run
from core.training.run.summary import RunSummary
from core.training.run.worker_process import ENDED, State, Worker
from core.training.run_list.index import RunIndex

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
    return claim_end(run.path, run.worker())


def claim_end(folder: Path, worker: Worker | None) -> bool:
    """Return the same of what the process `worker` did in `folder`."""
    name = f"{_TOLD}{int((worker.since if worker else 0) * 1000)}"
    try:
        os.close(os.open(folder / name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
    except FileExistsError:
        return False
    except OSError:
        return True
    for old in folder.glob(f"{_TOLD}[0-9]*"):
        if old.name != name:
            with contextlib.suppress(OSError):
                old.unlink()
    return True


class EndWatch:
    """Follows all runs of a workspace. One thread at a time.

    The first look only learns what goes on: what ended before nobody is told of.
    """

    def __init__(self, workspace: Workspace, index: RunIndex | None = None) -> None:
        """Follow the runs of `workspace`, through `index` where others look at them as well."""
        self._index = index or RunIndex(workspace)
        self._rows: list[RunSummary] | None = None
        self._seen: dict[Path, RunSummary] | None = None

    def look(self) -> list[RunEnd]:
        """Return the runs that ended since the last look and were told by nobody else."""
        rows = self._index.list()
        if rows is self._rows:
            return []
        before, self._rows = self._seen, rows
        now: dict[Path, RunSummary] = {}
        found: list[RunEnd] = []
        for summary in rows:
            now[summary.path] = summary
            if before is None or summary.state not in ENDED:
                continue
            known = before.get(summary.path)
            if known is summary or (known is not None and known.state in ENDED):
                continue
            run = Run(summary.path)
            if run.worker() is not None and claim(run):
                found.append(_end(summary))
        self._seen = now
        return found


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
