"""The folder of a run that ended before its first step is free again: its name can be had anew.

What such a run leaves is its settings, what was said of its end, and a data set that can be made
again. All but the data set is kept among the workspace's logs.
"""

from __future__ import annotations

import contextlib
import itertools
from pathlib import Path

from core.common.temporary import remove_tree
from core.common.text import clean
from core.common.workspace import Workspace
from core.training.run.checkpoints import BEST, LAST, periodic
from core.training.run.damage import JOB_FILE, MIRROR_FILE
from core.training.run.disk_space import RESERVE_FILE
from core.training.run.events import Failed, Oom, Started, Stopped, Warning_, read_events
from core.training.run.results import RESULTS_FILE
from core.training.run.run import CONFIG_FILE, EVENTS_FILE, LOG_FILE, Run
from core.training.run.worker_process import ENDED, WORKER_FILE, read_worker

_DATASET = "dataset"
# All that a run has before its first step: ours, those of a cluster's job and of its copy here.
_KNOWN = frozenset({
    CONFIG_FILE, EVENTS_FILE, LOG_FILE, WORKER_FILE, JOB_FILE, MIRROR_FILE, RESERVE_FILE, _DATASET,
    ".worker.lock", ".mirror.lock", "job.sh", "tensorboard",
})  # fmt: skip
_NOTHING_LEARNT = (Started, Warning_, Oom, Failed, Stopped)


def never_began(path: Path) -> bool:
    """Tell whether the run in the folder `path` ended, by its own word, before its first step.

    It must say so itself: a run that was lost may be one whose events have not arrived. False too
    when somebody wrote a note about it or put something else there, and while a cluster will start
    it again.
    """
    run, worker = Run(path), read_worker(path)
    try:
        names = {entry.name for entry in path.iterdir()}
        events, _ = read_events((path / EVENTS_FILE).read_bytes())
    except OSError:
        return False
    made = any((path / name).exists() for name in (RESULTS_FILE, BEST, LAST)) or periodic(path)
    if made or CONFIG_FILE not in names or not _ours(names):
        return False
    said = bool(events) and isinstance(events[-1], Failed | Stopped)
    learnt = any(not isinstance(event, _NOTHING_LEARNT) for event in events)
    again = worker is not None and (worker.again or worker.alive() is True)
    return said and not learnt and not again and run.state() in ENDED


def give_back(workspace: Workspace, path: Path) -> str:
    """Free the folder `path` if `never_began` holds for the run in it; return what to tell.

    The folder is renamed into the workspace's `logs/not-begun`, in one step, and its data set
    removed there. Empty where nothing is to be freed, or it cannot be (then it stays as it is).
    """
    if not never_began(path):
        return ""
    kept = workspace.logs_dir / "not-begun"
    try:
        kept.mkdir(parents=True, exist_ok=True)
        for number in itertools.count(1):
            target = kept / f"{path.name}-{number}"
            if not target.exists():
                path.rename(target)
                break
    except OSError:
        return ""
    with contextlib.suppress(OSError):  # then it takes room there, and no name
        remove_tree(target / _DATASET)
    return (
        f"A run of this name ended before its first step; what it said is in "
        f"'{clean(str(target))}'."
    )


def _ours(names: set[str]) -> bool:
    return all(name in _KNOWN or name.startswith((".submitted-", "job_")) for name in names)
