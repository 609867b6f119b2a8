"""A pass from the wish to the suggestions in the project, for whoever starts one: the command
line, the app, the page. Nothing here loads torch: that is done in a child process.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from core.autolabel.choice import Choice
from core.autolabel.cost import cpu_seconds, uses_cpu
from core.autolabel.fetch_weights import fetch_in_child
from core.autolabel.label import STAGE, LabelOptions
from core.autolabel.pass_folder import PassFolder, PassTask, TaskImage
from core.autolabel.prepare import (
    AutolabelRequest,
    begin_pass,
    discard,
    find_unfinished,
    locate_weights,
    missing_weights,
    plan_pass,
    refuse_second,
)
from core.autolabel.record import Recorded, record_folder
from core.common.errors import BatmanError
from core.common.progress import Cancelled as IsCancelled
from core.common.progress import Progress, Report, never, nothing
from core.common.text import clean, shell_word
from core.common.workspace import Workspace
from core.data.store import Project
from core.processes.job import run_job

MODULE = "core.autolabel"


class AutolabelJob:
    """One pass. `run` it where blocking is fine, or `start` it and look at it now and then.

    `progress` is the last report; `seconds_left` is reckoned from the pictures of this job, and
    `first_s` is how long the first of them took. `cancel` stops it; what was found stays in its
    folder, to be gone on with (`resume_autolabel`) or taken (`core.autolabel.record`). A job that
    ends before it has looked at anything leaves nothing.
    """

    def __init__(
        self,
        project: Path,
        task: PassTask,
        images: Sequence[TaskImage] = (),
        *,
        folder: PassFolder | None = None,
        fetch: Choice | None = None,
    ) -> None:
        self.project = project
        self.task = task
        self.pictures = len(images) if folder is None else folder.state()[1]
        self.folder = folder
        self.progress = Progress("starting", 0)
        self.first_s: float | None = None
        self.result: Recorded | None = None
        self.error: Exception | None = None
        self._images = images
        self._fetch = fetch
        self._stop = threading.Event()
        self._ended = threading.Event()
        self._began: tuple[int, float] | None = None
        self._report: Report = nothing
        self._stopped: IsCancelled = never

    def cpu_seconds(self) -> float | None:
        """Return about how long it would take where there is no GPU, in seconds.

        None where there is one, and for detectors, which are quick on a CPU too.
        """
        if not uses_cpu(self.task.device):
            return None
        return cpu_seconds(self.task, self.left)

    @property
    def left(self) -> int:
        """How many pictures are to be looked at yet."""
        return self.pictures - (0 if self.folder is None else self.folder.state()[0])

    @property
    def seconds_left(self) -> float | None:
        """About how many seconds are left, None while that cannot be told."""
        at, began = self.progress, self._began
        if began is None or at.total is None or at.done <= began[0]:
            return None
        pace = (time.monotonic() - began[1]) / (at.done - began[0])
        return pace * (at.total - at.done)

    @property
    def ended(self) -> bool:
        """Whether a started job is over: `result` or `error` says how."""
        return self._ended.is_set()

    def run(self, report: Report = nothing, stopped: IsCancelled = never) -> Recorded:
        """Make the pass, record it in the project, and return what became of it.

        `stopped` is asked now and then, and stops it as `cancel` does. Raises the BatmanError that
        ended it (Cancelled when it was stopped), and RunError with the last words of a child that
        died.
        """
        self._report, self._stopped = report, stopped
        try:
            self._begin()
            assert self.folder is not None
            run_job(
                MODULE,
                LabelOptions(self.folder.path),
                self._take,
                self._is_stopped,
                name="The labeller",
            )
            with Project.open(self.project) as project:
                self.result = record_folder(project, self.folder)
        except BaseException:
            self._leave_nothing()
            raise
        return self.result

    def start(self, report: Report = nothing) -> AutolabelJob:
        """Do `run` in a thread, keep what it returns or raises, and return this job at once."""

        def work() -> None:
            try:
                self.run(report)
            except Exception as error:
                self.error = error
            finally:
                self._ended.set()

        threading.Thread(target=work, name=f"autolabel-{self.task.name}", daemon=True).start()
        return self

    def cancel(self) -> None:
        """Ask the job to stop; returns at once."""
        self._stop.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until a started job is over, and return whether it is."""
        return self._ended.wait(timeout)

    def _begin(self) -> None:
        if self._fetch is not None:
            path = fetch_in_child(self._fetch, self._take, self._is_stopped)
            self.task = msgspec.structs.replace(self.task, weights=str(path))
        if self.folder is None:
            with Project.open(self.project) as project:
                self.folder = begin_pass(project, self.task, self._images)
            # Another pass may have taken the name since this one was planned.
            self.task = self.folder.task()

    def _is_stopped(self) -> bool:
        return self._stop.is_set() or self._stopped()

    def _take(self, at: Progress) -> None:
        if at.stage == STAGE:
            now = time.monotonic()
            if self._began is None:
                self._began = (at.done, now)
            elif self.first_s is None and at.done > self._began[0]:
                self.first_s = (now - self._began[1]) / (at.done - self._began[0])
        self.progress = at
        self._report(at)

    def _leave_nothing(self) -> None:
        """Remove a pass in which nothing was looked at."""
        folder = self.folder
        if folder is None or folder.done():
            return
        try:
            discard(folder)
        except (BatmanError, OSError):
            return  # somebody else is at it, or may not: it is an unfinished pass like any other


def plan_autolabel(
    project: Path,
    request: AutolabelRequest,
    *,
    download: bool = False,
    workspace: Workspace | None = None,
) -> AutolabelJob:
    """Return the job that `request` means for the project in the folder `project`, not begun.

    Nothing is written and nothing heavy is loaded. Raises whatever keeps it from being done, as far
    as that can be known: weights that are not here (unless `download` says to fetch them),
    packages, a device, classes, pictures, an unfinished pass of the same labeller.
    """
    weights = locate_weights(request, workspace)
    if weights is None and not download:
        raise missing_weights(request.choice)
    with Project.open(project) as opened:
        task, images = plan_pass(opened, request, weights or Path())
    refuse_second(project, task)
    return AutolabelJob(
        project.absolute(), task, images, fetch=request.choice if weights is None else None
    )


def start_autolabel(
    project: Path,
    request: AutolabelRequest,
    *,
    download: bool = False,
    workspace: Workspace | None = None,
    report: Report = nothing,
) -> AutolabelJob:
    """Start what `plan_autolabel` returns in a thread, and return it. Raises as that does."""
    job = plan_autolabel(project, request, download=download, workspace=workspace)
    return job.start(report)


def resume_autolabel(project: Path, name: str | None = None) -> AutolabelJob:
    """Return the job that goes on with the unfinished pass `name` (or the only one), not begun.

    Raises BatmanError when there is none, several and none is named, or somebody is at it.
    """
    found = find_unfinished(project, name)
    if found.folder.is_submitted():
        raise BatmanError(
            f"The pass '{clean(found.task.name)}' is made by a job on a cluster.",
            f"Bring it back with batman autolabel --continue {shell_word(found.task.name)}.",
        )
    if found.running:
        with found.folder.locked():  # raises, unless it has ended meanwhile
            pass
    return AutolabelJob(project.absolute(), found.task, folder=found.folder)
