"""Which runs were trained on a project."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from core.common.errors import BatmanError
from core.training.run.summary import RunSummary


def is_of(row: RunSummary, project: Path) -> bool:
    """Return whether a run was trained on the project in the folder `project`.

    By its path, or by its name where the path that the run knows is not on this machine.
    """
    if row.project != project.name:
        return False
    config = row.config
    path = None if config is None else config.project
    try:
        return path is None or not path.exists() or path.resolve() == project.resolve()
    except (OSError, BatmanError):
        return True


def best_by_project(rows: Iterable[RunSummary], projects: Iterable[Path]) -> dict[Path, float]:
    """Return the highest mAP50-95 (0 to 1) of the runs of each project that has a measured one."""
    by_name: dict[str, list[RunSummary]] = {}
    for row in rows:
        if row.project is not None and row.best_map50_95 is not None:
            by_name.setdefault(row.project, []).append(row)
    found: dict[Path, float] = {}
    for path in projects:
        # The best first, so that one look at its project is mostly enough.
        for row in sorted(by_name.get(path.name, ()), key=_best, reverse=True):
            if is_of(row, path):
                found[path] = _best(row)
                break
    return found


def _best(row: RunSummary) -> float:
    return row.best_map50_95 or 0.0
