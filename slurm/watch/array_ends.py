"""Which sweeps on clusters have ended with a run that did: arrays of jobs, a run each."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from core.common.text import plural
from core.common.workspace import Workspace
from core.training.run.run import Run
from core.training.run.summary import RunSummary
from core.training.run.worker_process import ENDED
from core.training.run_list.run_ends import RunEnd
from core.training.sweep.ends import SweepEnd
from slurm.job.record import JobRecord, list_records
from slurm.job.states import parse_state

_TOLD = ".told-sweep-"


def ended_arrays(workspace: Workspace, ends: Iterable[RunEnd]) -> list[SweepEnd]:
    """Return the arrays of which every run has ended, one of `ends` the last; each told once."""
    paths = {end.path for end in ends}
    arrays: dict[str, dict[Path, JobRecord]] = {}
    for path, record in list_records(workspace) if paths else ():
        if record.task is not None:
            arrays.setdefault(record.token, {})[path] = record
    found = []
    for token, runs in arrays.items():
        if len(runs) < 2 or not paths & {*runs}:
            continue
        summaries = {path: Run(path).summary() for path in runs}
        # One that was cancelled while it waited has no end of its own.
        over = (
            summary.state in ENDED or parse_state(runs[path].state).ended
            for path, summary in summaries.items()
        )
        if all(over) and _ours(min(runs), token):
            found.append(_end([*summaries.values()]))
    return found


def _ours(run: Path, token: str) -> bool:
    """Return whether this end is ours to tell: whoever makes the file has it."""
    try:
        file = run / f"{_TOLD}{token}"
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
    except FileExistsError:
        return False
    except OSError:
        pass  # Where nothing can be written, it is told.
    return True


def _end(runs: list[RunSummary]) -> SweepEnd:
    best = max(runs, key=lambda run: run.best_map50_95 or 0.0)
    known = best.best_map50_95
    counts = {
        state: sum(run.state == state for run in runs) for state in ("failed", "stopped", "lost")
    }
    parts = [
        f"{sum(run.state == 'finished' for run in runs)} of {plural(len(runs), 'run')} trained"
    ]
    parts += [f"{count} {state}" for state, count in counts.items() if count]
    said = f"{', '.join(parts)}."
    if known is not None:
        said += f" Best: {best.name}, mAP50-95 {known:.3f}."
    stopped = counts["stopped"] == len(runs)
    name = f"The sweep of {min(run.name for run in runs)}"
    run = Run(best.path) if known is not None else None
    return SweepEnd(name, best.path, "stopped" if stopped else "finished", said, run, known)
