"""What is wrong with the files beside a run's settings and events, said where the run is shown.

A run can be shown without them, and each reader goes on as if its file were not there: that must
not pass unsaid.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from core.common.errors import BatmanError
from core.common.files import read_typed_json
from core.training.run.notes import NOTES_FILE, Notes, read_notes
from core.training.run.results import RESULTS_FILE
from core.training.run.summary import Results
from core.training.run.wait import JOB_FILE as JOB_FILE  # others know it from here
from core.training.run.worker_process import WORKER_FILE, Worker

# How far the run was copied from a cluster that trains it in a folder of its own (`slurm`).
MIRROR_FILE = ".mirror.json"
# The job that trains it (`slurm.job.record`).

_KINDS: dict[str, type] = {
    RESULTS_FILE: Results,
    WORKER_FILE: Worker,
    JOB_FILE: dict[str, Any],
    MIRROR_FILE: dict[str, Any],
}
FILES = (*_KINDS, NOTES_FILE)


def damage_beside(run_dir: Path, notes: Notes) -> str:
    """Return a sentence for each file beside the run that is there and cannot be read.

    `notes` are what `read_notes` found there.
    """
    said = []
    for name, kind in _KINDS.items():
        try:
            read_typed_json(run_dir / name, kind)
        except BatmanError as error:
            said.append(error.message)
    return " ".join([*said, *filter(None, [notes.problem])])


class DamageWatch:
    """Says what `damage_beside` does, reading again only after one of the files has changed."""

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        self._stamps: list[tuple[int, ...]] | None = None
        self._said = ""

    def look(self) -> str:
        """Return what is wrong now."""
        stamps = [_stamp(self._run_dir / name) for name in FILES]
        if stamps != self._stamps:
            self._stamps = stamps
            self._said = damage_beside(self._run_dir, read_notes(self._run_dir))
        return self._said


def _stamp(path: Path) -> tuple[int, ...]:
    try:
        stat = os.lstat(path)
    except OSError as error:
        return (error.errno or 0,)
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
