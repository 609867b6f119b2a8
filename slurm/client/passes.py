"""A labeller's pass that was submitted from Python, recorded in its project when it is over."""

from __future__ import annotations

from pathlib import Path

from core.autolabel.pass_folder import PassFolder
from core.autolabel.record import Recorded
from core.common.errors import BatmanError
from core.common.text import clean
from slurm.client.job import Job, JobFailed
from slurm.client.session import Session
from slurm.job.record import read_record
from slurm.sync.pass_mirror import PassMirror, PassState
from slurm.watch.pass_watch import take_pass


class PassJob(Job[Recorded]):
    """The job that makes a pass; its result is what was recorded in the project."""

    def __init__(self, session: Session, folder: Path, project: Path) -> None:
        super().__init__(session, folder)
        self.project = project
        self._state: PassState | None = None
        self._recorded: Recorded | None = None

    def done(self) -> bool:
        """See `Job.done`."""
        if self._recorded is not None or (self._state is not None and self._state.over):
            return True
        if read_record(self.folder) is None:
            raise BatmanError(
                f"The pass '{clean(self.folder.name)}' is no longer there: somebody else has"
                " recorded or removed it.",
                "Its suggestions are in the project.",
            )
        record = self._record()
        watched = self._session.look(record)
        job = self._session.job(watched, record)
        if watched.jobs is None or watched.view.error is not None:
            return False
        if job is None and not self._left(job, watched.jobs.taken_at):
            return False
        mirror = PassMirror(self._session.site, PassFolder(self.folder))
        self._state = mirror.heed(job)
        return self._state.over

    def _failure(self) -> JobFailed | None:
        state = self._state
        if self._recorded is not None or state is None or state.complete:
            return None
        return JobFailed(
            f"Job {clean(self._record().job_id)} {state.words} at {state.done:,} of"
            f" {state.total:,} pictures.",
            f"Go on by client.autolabel(..., resume={self.folder.name!r}).",
            self._last_words(),
        )

    def _take(self) -> Recorded:
        if self._recorded is None:
            assert self._state is not None
            mirror = PassMirror(self._session.site, PassFolder(self.folder))
            self._recorded = take_pass(mirror, self._state, self.project)
        return self._recorded
