"""Removing runs, or only what takes their space: the checkpoints that training goes on from."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from core.common.errors import RunError
from core.common.temporary import remove_tree
from core.common.text import clean, shell_word
from core.training.run.checkpoints import LAST, periodic
from core.training.run.run import Run, cannot_write
from core.training.run.worker_process import AT_REST


@dataclass(frozen=True)
class Room:
    """The space that a run folder takes in bytes: all of it, and its resumable checkpoints.

    A file with several names in the folder counts once.
    """

    total: int
    checkpoints: int


def room(path: Path) -> Room:
    """Return the space that the run folder `path` takes."""
    resumable = {str(file) for file in _resumable(path)}
    seen: set[tuple[int, int]] = set()
    total = checkpoints = 0
    for folder, _, names in os.walk(path):
        for name in names:
            file = os.path.join(folder, name)  # noqa: PTH118 (os.walk gives strings)
            try:
                stat = os.lstat(file)
            except OSError:
                continue
            # The prepared data set links the project's images, which stay.
            shared = stat.st_nlink > 1 and file not in resumable
            if shared or (stat.st_dev, stat.st_ino) in seen:
                continue
            seen.add((stat.st_dev, stat.st_ino))
            total += stat.st_size
            checkpoints += stat.st_size if file in resumable else 0
    return Room(total, checkpoints)


def require_ended(run: Run) -> None:
    """Raise RunError unless nobody trains the run."""
    state = run.state()
    if state == "unreadable":
        raise RunError(
            f"The run '{clean(run.name)}' may not be read, so that nobody can tell whether it goes"
            " on.",
            f"Ask its owner, or check the permissions of '{clean(str(run.path))}'.",
        )
    if state not in AT_REST:
        raise RunError(
            f"The run '{clean(run.name)}' is {state}.",
            f"Stop it first: batman runs stop {shell_word(run.name)}, s in the app,"
            " or cancel its job.",
        )


def delete_run(run: Run) -> None:
    """Remove a run that has ended, whole: settings, events, log, checkpoints and results.

    Its folder goes at once, under another name, and then what is in it. Raises RunError while the
    run goes on, or when the folder cannot be removed.
    """
    require_ended(run)
    try:
        remove_tree(run.path)
    except OSError as error:
        raise RunError(
            f"The run '{clean(run.name)}' cannot be removed: {error.strerror}.",
            f"See what is left in {clean(str(run.path.parent))}.",
        ) from error


def drop_checkpoints(run: Run) -> int:
    """Remove a run's resumable checkpoints and return how many bytes that frees.

    The best model, the curve and the results stay; the run can no longer be resumed. Raises
    RunError while the run goes on, and when its folder cannot be written to.
    """
    require_ended(run)
    freed = room(run.path).checkpoints
    try:
        for file in _resumable(run.path):
            file.unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(run.path, error) from None
    return freed


def _resumable(path: Path) -> list[Path]:
    return [*periodic(path), *(file for file in [path / LAST] if file.exists())]
