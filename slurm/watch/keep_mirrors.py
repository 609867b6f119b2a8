"""Keeping the runs that a cluster trains, and its labellers' passes, up to date here.

What the queue told anyway says how each job is; nothing is asked of SLURM for a run. Runs that have
ended and were fetched are left alone.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from core.autolabel.pass_folder import PassFolder
from core.common.errors import BatmanError, RunError
from core.common.workspace import Workspace
from core.training.run.run import Run
from core.training.run.worker_process import ENDED
from slurm.hosts import Host, HostError, NotConnected
from slurm.job.record import JobRecord, list_records, read_record, write_record
from slurm.job.states import GONE, LEFT
from slurm.queue.jobs import Job
from slurm.site.profiles import Profile
from slurm.site.site import Site, open_site
from slurm.submit.sbatch import SubmitError, SubmitUnknown
from slurm.submit.submit import recover
from slurm.sync.listing import Listing, list_folders
from slurm.sync.mirror import Mirror, link_log
from slurm.sync.pass_mirror import PassMirror
from slurm.watch.cluster_jobs import Watched
from slurm.watch.pass_watch import take_pass

# The clocks here and there may differ a little.
_FRESH_S = 30.0


class RunKeeper:
    """Keeps our runs on the cluster `profile`, behind `host`, like they are there.

    One thread at a time. A host that is out of reach is no error here: the next time goes on.
    """

    def __init__(self, host: Host, profile: Profile, workspace: Workspace) -> None:
        self._host = host
        self._profile = profile
        self._workspace = workspace
        self._site: Site | None = None
        self._kept_at = 0.0
        self._looked_for: set[str] = set()
        self._mirrors: dict[Path, Mirror] = {}

    def keep(self, watched: Watched) -> int:
        """Bring our runs that are not over up to date, and return how many there were.

        Nothing is done with an answer of the queue that is old or half.
        """
        if watched.jobs is None or watched.view.error is not None:
            return 0
        if "squeue" in watched.jobs.errors or watched.jobs.taken_at == self._kept_at:
            return 0
        try:
            site = self._open()
        except HostError:
            return 0
        self._kept_at = watched.jobs.taken_at
        self._recover(site)
        due: list[tuple[Path, JobRecord, Job | None]] = []
        for job_id, path in watched.runs.items():
            try:
                record = read_record(path)
            except RunError:
                continue  # the list of runs says what is wrong with it
            if record is None or record.fetched_at is not None:
                continue
            job = watched.jobs.job(job_id)
            # One that was submitted since is not in the answer yet.
            if record.submitted_at > watched.jobs.taken_at - _FRESH_S and _unknown(job):
                continue
            # What left the queue a moment ago has an end that is told soon.
            if job is not None and job.state is LEFT:
                continue
            due.append((path, record, job))
        try:
            listings = self._listings(site, [record for _, record, _ in due])
        except NotConnected:
            return len(due)
        for (path, record, job), listed in zip(due, listings, strict=True):
            try:
                self._one(site, path, record, None if _unknown(job) else job, listed)
            except NotConnected:
                return len(due)
            except RunError:
                continue
            except (HostError, OSError):
                # Its folder there is gone, or cannot be read: what is here is all there is.
                if job is None or job.state.ended:
                    self._done(path)
        return len(due) + self._keep_passes(site, watched)

    def _listings(self, site: Site, records: Sequence[JobRecord]) -> Sequence[Listing | None]:
        """Return what is in each run's folder there, all by one command; None is asked for later.

        Raises `NotConnected`.
        """
        asked_later = [None] * len(records)
        if site.shared or len(records) < 2:
            return asked_later
        try:
            return list_folders(site.host, [(one.run_dir, one.log) for one in records])
        except NotConnected:
            raise
        except HostError:
            return asked_later

    def _keep_passes(self, site: Site, watched: Watched) -> int:
        """Bring what labellers found here, record passes that are complete, return how many."""
        assert watched.jobs is not None
        kept = 0
        for job_id, path in watched.passes.items():
            job, record = watched.jobs.job(job_id), watched.records.get(job_id)
            new = record is None or record.submitted_at > watched.jobs.taken_at - _FRESH_S
            if (new and _unknown(job)) or (job is not None and job.state is LEFT):
                continue
            kept += 1
            with suppress(BatmanError, OSError):  # the next time, or by hand: nothing is lost
                mirror = PassMirror(site, PassFolder(path))
                state = mirror.heed(None if _unknown(job) else job)
                if state.over and state.complete:
                    take_pass(mirror, state, path.parent.parent)
        return kept

    def live(self) -> bool:
        """Return whether any run was still kept at the last time."""
        return bool(self._mirrors)

    def _open(self) -> Site:
        if self._site is None:
            self._site = open_site(self._host, self._profile, self._workspace)
        return self._site

    def _recover(self, site: Site) -> None:
        """Find the jobs of runs whose submission got no answer, once each."""
        for path, record in list_records(self._workspace):
            new = record.token not in self._looked_for
            if record.cluster == self._profile.name and not record.job_id and new:
                with suppress(NotConnected):
                    self._looked_for.add(record.token)
                    # One that SLURM refused, or that cannot be known yet: the run's list says so.
                    with suppress(SubmitError, SubmitUnknown):
                        recover(site, Run(path))

    def _one(
        self, site: Site, path: Path, record: JobRecord, job: Job | None, listed: Listing | None
    ) -> None:
        mirror = self._mirrors.get(path)
        if mirror is None or mirror.record.token != record.token:
            mirror = self._mirrors[path] = Mirror(site, Run(path))
            link_log(mirror, self._workspace)
        # A listing is of the job that was known then: another has a log of its own.
        mirror.refresh(listed=listed if mirror.record.log == record.log else None)
        if mirror.follow_successor():
            link_log(mirror, self._workspace)
            return  # the next answer tells of that one
        mirror.heed(job)
        if mirror.over and Run(path).state() in ENDED and Run(path).state() != "lost":
            self._done(path)

    def _done(self, path: Path) -> None:
        """Note that there is nothing more to fetch."""
        self._mirrors.pop(path, None)
        record = read_record(path)
        if record is not None:
            write_record(path, record.changed(fetched_at=time.time()))


def _unknown(job: Job | None) -> bool:
    return job is None or job.state is GONE
