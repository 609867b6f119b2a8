"""Jobs that a person pins: they stay on top of the list, in every session, until unpinned."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from core.common.files import read_typed_json, write_json
from core.common.folders import config_dir
from slurm.queue.arrays import JobLine

# Of a cluster; beyond them those that were pinned first are forgotten, as SLURM forgets its jobs.
MOST_PINS = 100


def _file() -> Path:
    return config_dir() / "job-pins.json"


def pinned_jobs(cluster: str) -> frozenset[str]:
    """Return the ids of the jobs and arrays that are pinned on a cluster.

    Raises BatmanError for a file that cannot be read.
    """
    return frozenset((read_typed_json(_file(), dict[str, list[str]]) or {}).get(cluster, ()))


def is_pinned(line: JobLine, pins: Collection[str]) -> bool:
    """Return whether a line is pinned: it, its array, or one of the tasks that it stands for."""
    return any(name in pins for name in _names(line))


def pin_lines(cluster: str, lines: Iterable[JobLine], pinned: bool) -> frozenset[str]:
    """Pin lines on a cluster, or unpin them; return the ids that are pinned then.

    A task that its array pins is unpinned with the array. Raises BatmanError for a file that cannot
    be read or written.
    """
    every = read_typed_json(_file(), dict[str, list[str]]) or {}
    kept = every.get(cluster, [])
    for line in lines:
        kept = [name for name in kept if name not in _names(line)]
        if pinned:
            kept.append(line.job.array_id if "[" in line.id else line.id)
    every[cluster] = kept[-MOST_PINS:]
    write_json(_file(), {name: ids for name, ids in every.items() if ids})
    return frozenset(every[cluster])


def unpin(cluster: str, ids: Collection[str]) -> None:
    """Unpin jobs by their ids, also such as SLURM has forgotten. Raises BatmanError as above."""
    every = read_typed_json(_file(), dict[str, list[str]]) or {}
    every[cluster] = [name for name in every.get(cluster, []) if name not in ids]
    write_json(_file(), {name: kept for name, kept in every.items() if kept})


def pinned_first(lines: Iterable[JobLine], pins: Collection[str]) -> list[JobLine]:
    """Return lines with those that are pinned before the others, otherwise in their order."""
    return sorted(lines, key=lambda line: not is_pinned(line, pins))


def _names(line: JobLine) -> set[str]:
    return {line.id, line.job.array_id, *(job.id for job in line.jobs)} - {""}
