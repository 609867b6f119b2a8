"""Which sweeps of this machine have ended since one last looked, each told once to the person."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from core.common.errors import BatmanError
from core.common.workspace import Workspace
from core.training.run.run import Run
from core.training.run_list.run_ends import claim_end
from core.training.sweep.sweep import Sweep, list_sweeps
from core.training.sweep.table import best_words, sweep_rows, sweep_sentence


@dataclass(frozen=True)
class SweepEnd:
    """A sweep that ended: its folder (a cluster's has none: that of its best run), how, what came
    out. `best` is the best run, None where none has a metric, with its mAP50-95 (0 to 1).
    """

    name: str
    path: Path
    state: str
    body: str
    best: Run | None = None
    best_map: float | None = None

    @property
    def title(self) -> str:
        """How it ended, in a few words."""
        return f"{self.name} {'was stopped' if self.state == 'stopped' else 'finished'}"

    def variables(self) -> Mapping[str, str]:
        """Return the facts as environment variables for a person's own command."""
        return {
            "BATMAN_SWEEP": self.name,
            "BATMAN_SWEEP_DIR": str(self.path.absolute()),
            "BATMAN_STATE": self.state,
            "BATMAN_RUN": self.best.name if self.best is not None else "",
            "BATMAN_RUN_DIR": str(self.best.path.absolute()) if self.best is not None else "",
            "BATMAN_BEST_MAP": "" if self.best_map is None else f"{self.best_map:.4f}",
            "BATMAN_TITLE": self.title,
            "BATMAN_MESSAGE": self.body,
        }


class SweepWatch:
    """Follows the sweeps of a workspace. One thread at a time.

    The first look only learns what goes on: what ended before nobody is told of.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._going: set[Path] = set()

    def look(self) -> list[SweepEnd]:
        """Return the sweeps that ended since the last look and were told by nobody else."""
        before, self._going = self._going, set()
        found: list[SweepEnd] = []
        # What cannot be read now is looked at again, and its own screen says what is wrong.
        with suppress(BatmanError):
            for sweep in list_sweeps(self._workspace):
                if sweep.is_worked_off():
                    self._going.add(sweep.path)
                elif sweep.path in before and claim_end(sweep.path, sweep.worker()):
                    with suppress(BatmanError):
                        found.append(_end(sweep))
        return found


def _end(sweep: Sweep) -> SweepEnd:
    rows = sweep_rows(sweep)
    best = rows[0] if rows and rows[0].best else None
    return SweepEnd(
        sweep.name,
        sweep.path,
        sweep.state(),
        f"{sweep_sentence(rows)} {best_words(rows)}".strip(),
        best.run if best is not None else None,
        best.best if best is not None else None,
    )
