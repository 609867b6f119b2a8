"""One cluster while a script uses it: one connection, one look at the queue for all jobs."""

from __future__ import annotations

import contextlib
import getpass
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from core.common.text import clean
from core.common.workspace import Workspace
from slurm.hosts import Host
from slurm.job.record import JobRecord
from slurm.queue.end_signs import EndSigns
from slurm.queue.jobs import Job as QueueJob
from slurm.queue.poll import LEAST_GAP_S
from slurm.site.discover import Facts, discover
from slurm.site.profiles import Profile
from slurm.site.site import Site, open_host, open_site
from slurm.watch.cluster_jobs import QueueWatch, Watched
from slurm.watch.keep_mirrors import RunKeeper

# What the cluster has does not change between two submissions of a script.
_FACTS_S = 300.0
_LOOK_S = 1.0


class Person:
    """Asks whoever runs the script or notebook; where nobody can answer, nothing is."""

    def ask(self, title: str, prompt: str, *, secret: bool) -> str | None:
        """Return what was typed, None for nothing or where nobody can be asked."""
        if not _somebody():
            return None
        text = clean(f"{title} {prompt}".strip())
        with contextlib.suppress(EOFError):
            return (getpass.getpass(text) if secret else input(text)) or None
        return None

    def trust(self, host: str, kind: str, fingerprint: str) -> bool:
        """Show a new host's key and return whether the person trusts it."""
        question = f"The host {host} is new. Its {kind} key is {fingerprint}. Is that right? [y/N] "
        said = self.ask("", question, secret=False)
        return (said or "").strip().lower() in ("y", "yes")

    def wait(self, why: str, seconds: float) -> bool:
        """Wait: a script wants its answer."""
        time.sleep(seconds)
        return True


def _somebody() -> bool:
    # A notebook's kernel has no terminal, and asks in the page.
    return sys.stdin.isatty() or "ipykernel" in sys.modules


class Session:
    """A connection to the cluster `profile`, and what was last seen of its queue.

    May be used by several threads.
    """

    def __init__(self, profile: Profile, workspace: Workspace) -> None:
        self.profile = profile
        self.workspace = workspace
        self.host: Host = open_host(profile, Person())
        self._site: Site | None = None
        self._facts: tuple[float, Facts] | None = None
        self._watch = QueueWatch(self.host, profile.name, workspace, poll_s=profile.poll_seconds)
        self._keeper = RunKeeper(self.host, profile, workspace)
        self._signs = EndSigns(self.host)
        self._lock = threading.RLock()

    @property
    def site(self) -> Site:
        """The cluster's places. Raises `HostError` when it cannot be reached."""
        with self._lock:
            if self._site is None:
                self._site = open_site(self.host, self.profile, self.workspace)
            return self._site

    @property
    def facts(self) -> Facts:
        """What the cluster has, as it was some minutes ago at most. Raises `HostError`."""
        with self._lock:
            now = time.monotonic()
            if self._facts is None or now - self._facts[0] > _FACTS_S:
                self._facts = (now, discover(self.host))
            return self._facts[1]

    def look(self, record: JobRecord | None = None) -> Watched:
        """Return what is known of the queue, asked if it is time, and our runs brought up to date.

        `record` is the job that is waited for. A host that is out of reach is waited for. Raises
        the error of one that lets nobody in until a person logs in.
        """
        with self._lock:
            watched = self._watch.poll()
            if watched.view.error is not None and watched.view.needs_person:
                raise watched.view.error
            # Passes are recorded by whoever waits for them, who is told what came of it.
            self._keeper.keep(replace(watched, passes={}))
            if watched.jobs is not None and record is not None and record.job_id:
                job = watched.jobs.job(record.job_id)
                records = {record.job_id: record}
                since = self._watch.poller.since_asked
                if job is not None and self._signs.of_jobs([job], records, since):
                    self._watch.poller.suspect()
            return watched

    def job(self, watched: Watched, record: JobRecord) -> QueueJob | None:
        """Return the record's job as the queue has it."""
        return watched.jobs.job(record.job_id) if watched.jobs and record.job_id else None

    def hurry(self) -> None:
        """Have the queue asked soon: something was just submitted or cancelled."""
        with self._lock:
            self._watch.poller.hurry()

    def until(self, done: Callable[[], bool], timeout: float | None) -> bool:
        """Wait until `done`, `timeout` seconds at most (None: for ever); return whether it is."""
        end = None if timeout is None else time.monotonic() + timeout
        while not done():
            pause = min(max(self._watch.due_in, _LOOK_S), LEAST_GAP_S)
            if end is not None:
                pause = min(pause, end - time.monotonic())
                if pause <= 0:
                    return False
            time.sleep(pause)
        return True

    def close(self) -> None:
        """End the connection; jobs go on."""
        close = getattr(self.host, "close", None)
        if close is not None:
            close()
