"""Passes on a cluster from their job to the project: waited for, brought back, recorded whole."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from core.autolabel.pass_folder import PassFolder
from core.autolabel.record import Recorded, record_folder
from core.common.errors import BatmanError
from core.common.progress import Cancelled, Progress, Report, never, nothing
from core.common.text import clean, plural, shell_word
from core.data.store import Project
from core.training.run.run import Run
from slurm.hosts import NeedsPerson, NotConnected
from slurm.site.site import Site
from slurm.submit.autolabel import release
from slurm.submit.submit import recover
from slurm.sync.pass_mirror import PassMirror, PassState

# What was found is looked at this often; the queue as seldom as the profile says.
_REFRESH_S = 3.0


def pass_mirror(site: Site, folder: PassFolder) -> PassMirror:
    """Return what keeps a pass up to date, its job found where the submission got no answer.

    Raises BatmanError when there is no job, and the pass is an unfinished one like any other then,
    or it cannot be known yet.
    """
    if recover(site, Run(folder.path)) is None:
        release(folder)
        raise BatmanError(
            f"The pass '{clean(folder.path.name)}' was never submitted.", _ways(folder.path.name)
        )
    return PassMirror(site, folder)


def wait_for_pass(
    mirror: PassMirror, report: Report = nothing, cancelled: Cancelled = never
) -> PassState:
    """Copy what is found until the job is over, or (`cancelled`) once more, and return the state.

    A host that is out of reach is waited for, unless a person has to log in: raises `HostError`.
    """
    stop = threading.Event()
    next_look = 0.0
    words = "waiting"
    while True:
        try:
            mirror.refresh()
            done, total = mirror.folder.state()
            if time.monotonic() >= next_look or done >= total or cancelled():
                state = mirror.look()
                next_look = time.monotonic() + mirror.site.profile.poll_seconds
                words = state.words
                if state.over or cancelled():
                    return state
            report(Progress(f"pictures on {clean(mirror.site.name)} ({words})", done, total))
        except NeedsPerson:
            raise
        except NotConnected:
            if cancelled():
                raise
        stop.wait(_REFRESH_S)


def take_pass(mirror: PassMirror, state: PassState, project: Path) -> Recorded:
    """Record a pass whose job is over in the project in the folder `project`, and remove it.

    Raises BatmanError when pictures are left: the pass is then an unfinished one like any other.
    """
    folder = mirror.folder
    if not state.complete:
        job = mirror.record.job_id
        release(folder)
        log = f" Its log ends with: {state.said}" if state.said else ""
        raise BatmanError(
            f"Job {clean(job)} {state.words} at {state.done:,} of"
            f" {plural(state.total, 'picture')}.{log}",
            _ways(folder.path.name),
        )
    with Project.open(project) as opened:
        return record_folder(opened, folder)


def _ways(name: str) -> str:
    return (
        f"Submit it again with batman submit --autolabel --continue {shell_word(name)}, or go on"
        f" here with batman autolabel --continue {shell_word(name)}."
    )
