"""A pass on a cluster, copied here as it grows: what was found, a picture a line.

On a login node the job writes into the folder of the pass itself, and only the job is asked after.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.autolabel.pass_folder import FOUND, PassFolder
from core.common.text import clean
from core.training.live.tail import CHUNK
from slurm.hosts import HostError
from slurm.job.attempts import FILE as ATTEMPTS_FILE
from slurm.job.attempts import Attempt, read_attempts
from slurm.job.end_codes import kept_code
from slurm.job.record import JobRecord, read_record, write_record
from slurm.queue.job_status import ask_job
from slurm.queue.jobs import Job
from slurm.site.site import Site
from slurm.sync.mirror import alone_with
from slurm.sync.mirror_state import MirrorState
from slurm.sync.tail_copy import grow

LOG_FILE = "train.log"  # the name that every job's log has in the folder it works in


@dataclass(frozen=True)
class PassState:
    """How far a pass on a cluster is: pictures, its job in words, whether the job is over.

    `said` is the last line of the log of a job that is over before the pass is complete.
    """

    done: int
    total: int
    words: str
    over: bool
    said: str = ""

    @property
    def complete(self) -> bool:
        """Whether every picture has its line here."""
        return self.done >= self.total


class PassMirror:
    """Keeps a pass here like the one on the cluster. One thread at a time."""

    def __init__(self, site: Site, folder: PassFolder) -> None:
        record = read_record(folder.path)
        if record is None:
            raise HostError(f"The pass '{clean(folder.path.name)}' was never submitted.")
        self.site = site
        self.folder = folder
        self.record: JobRecord = record

    def refresh(self) -> bool:
        """Copy what is new. While another process copies the same pass, False is returned.

        Raises `HostError` when the host does not answer; the next call goes on from there.
        """
        if self.site.shared:
            return True
        with alone_with(self.folder.path) as alone:
            if alone:
                self._copy()
        return alone

    def look(self) -> PassState:
        """Copy what is new, ask after the job, and return how far the pass is.

        Raises `HostError` when the cluster does not answer.
        """
        self._follow_successor()
        job = ask_job(self.site.host, self.record)
        return self.heed(job)

    def heed(self, job: Job | None) -> PassState:
        """Return how far the pass is, its job being as it was just seen (None: not known)."""
        over = job is None or job.state.ended
        now = time.time()
        changes: dict[str, Any] = {}
        if job is not None:
            code = kept_code(self.record.exit_code, job.exit_code)
            changes = {"state": job.state.name, "reason": job.reason, "exit_code": code}
        self.record = write_record(self.folder.path, self.record.changed(seen_at=now, **changes))
        copied = self.refresh()
        if self._follow_successor():
            over = False
        done, total = self.folder.state()
        words = job.state.words if job else "gone from the queue"
        said = self._last_line() if over and done < total else ""
        return PassState(done, total, words, over and copied, said)

    def _copy(self) -> None:
        host, there, here = self.site.host, self.record.run_dir, self.folder.path
        state = MirrorState.load(here)

        def save() -> None:
            state.save(here)

        attempts = host.read(f"{there}/{ATTEMPTS_FILE}", 0, CHUNK)
        if attempts:
            (here / ATTEMPTS_FILE).write_bytes(attempts)
        grow(host, f"{there}/{FOUND}", here / FOUND, state.events, save, whole_lines=True)
        if self.record.log:
            if state.log_path != self.record.log:
                (here / LOG_FILE).unlink(missing_ok=True)
                state.log, state.log_path = type(state.log)(), self.record.log
            grow(host, self.record.log, here / LOG_FILE, state.log, save)
        save()

    def _follow_successor(self) -> bool:
        """Turn to the job that goes on where the known one ended; return whether there is one."""
        nexts = [a.job for a in self._attempts() if a.what == "next"]
        if not nexts or nexts[-1] == self.record.job_id:
            return False
        log = f"{self.site.log_dir}/job_{nexts[-1]}.log"
        self.record = write_record(self.folder.path, self.record.changed(job_id=nexts[-1], log=log))
        return True

    def _attempts(self) -> list[Attempt]:
        with contextlib.suppress(OSError):
            found = read_attempts((self.folder.path / ATTEMPTS_FILE).read_bytes())
            return [attempt for attempt in found if attempt.token == self.record.token]
        return []

    def _last_line(self) -> str:
        log = Path(self.record.log) if self.site.shared else self.folder.path / LOG_FILE
        with contextlib.suppress(OSError):
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
            return next((clean(line)[:300] for line in reversed(lines) if line.strip()), "")
        return ""
