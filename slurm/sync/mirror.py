"""A run on a cluster, copied here as it grows, so that everything that reads a run reads it too.

Events and the log are appended to from where they were; every other file comes whole. On a login
node the run folder is the job's own and nothing is copied: only the job is asked after.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import msgspec

from core.common.errors import BadName
from core.common.files import safe_relative, write_json
from core.common.text import clean
from core.common.workspace import Workspace
from core.training.live.follow import RunFollower
from core.training.live.tail import CHUNK, LogTail
from core.training.run.events import EventWriter, Failed, Stopped
from core.training.run.run import EVENTS_FILE, Run
from core.training.run.worker_process import (
    ENDED,
    WORKER_FILE,
    decode_worker,
    mark_again,
    read_worker,
)
from slurm.hosts import HostError, NeedsPerson
from slurm.job.attempts import FILE as ATTEMPTS_FILE
from slurm.job.attempts import Attempt, read_attempts
from slurm.job.end_codes import kept_code
from slurm.job.record import JobRecord, earlier_log, read_record, write_record
from slurm.queue.job_status import ask_job
from slurm.queue.jobs import Job, Place
from slurm.queue.line import LINE_S, ask_place, wait_of
from slurm.site.site import Site
from slurm.sync.listing import Listing, list_folder
from slurm.sync.mirror_state import MirrorState
from slurm.sync.tail_copy import Grown, grow

# Whole files that come back: results, the best weights, pictures, TensorBoard's events.
_ALWAYS = re.compile(r"results\.json|attempts\.jsonl|best\.pth|val_images/[^/]+|tensorboard/[^/]+")
_LAST = re.compile(r"checkpoint_last\.pth")
_ALL = re.compile(r"checkpoint_(last|epoch_\d+)\.pth")
# Weights change with every better epoch; while training goes on they come this seldom.
WEIGHTS_EVERY_S = 300.0
LOCK_FILE = ".mirror.lock"


class Mirror:
    """Keeps a run here like the one on the cluster. One thread at a time.

    Which resumable checkpoints come too was chosen at the submission. `grace_s` after
    its job is over, a trainer that has not told its end is taken to have died.
    """

    grace_s = 10.0

    def __init__(self, site: Site, run: Run) -> None:
        record = read_record(run.path)
        if record is None:
            raise HostError(f"The run '{clean(run.name)}' was never submitted.")
        self.site = site
        self.run = run
        self.record: JobRecord = record
        self._extra = {"last": _LAST, "all": _ALL}.get(record.checkpoints)
        self._state = MirrorState.load(run.path)
        self._weights_at = 0.0
        self._over_since: float | None = None
        self._placed_at = -LINE_S
        self._place: Place | None = None

    @property
    def over(self) -> bool:
        """Whether the job was over at the last look."""
        return self._over_since is not None

    def refresh(self, *, everything: bool = False, listed: Listing | None = None) -> bool:
        """Copy what is new; with `everything` weights too, however lately they came.

        `listed` is what is in its folder there, for whoever has just asked for many. While another
        process copies the same run, nothing is done, and False is returned. Raises `HostError` when
        the host does not answer; the next call goes on from there.
        """
        if self.site.shared:
            return True
        with self._alone() as alone:
            if alone:
                self._copy(listed, everything=everything)
        return alone

    def begin_log(self) -> bool:
        """Let the run's log here be that of its job: what an earlier job wrote is set aside.

        Returns whether it is; while another process copies the run, or the host does not answer,
        it is not.
        """
        with contextlib.suppress(HostError), self._alone() as alone:
            if alone and self.record.log:
                self._set_log_aside()
                return True
        return False

    @contextlib.contextmanager
    def _alone(self) -> Iterator[bool]:
        """Hold the run's lock and yield whether we got it, knowing how far others have come.

        A run that was submitted again since is another mirror's.
        """
        with alone_with(self.run.path) as alone:
            record = read_record(self.run.path)
            if alone and record is not None and record.token == self.record.token:
                self.record = self.record.changed(job_id=record.job_id, log=record.log)
                self._state = MirrorState.load(self.run.path)
                yield True
            else:
                yield False

    def _set_log_aside(self) -> None:
        state, log = self._state, self.run.log_file
        if state.log_path == self.record.log:
            return
        if state.log_path:
            # What the earlier job wrote last.
            grow(self.site.host, state.log_path, log, state.log, lambda: state.save(self.run.path))
        # Earlier versions did not note whose log it is.
        if state.log_path or not state.log.there:
            if log.is_file() and log.stat().st_size:
                log.replace(log.with_name(earlier_log(self.record.job_id)))
            state.log = Grown()
        state.log_path = self.record.log
        state.save(self.run.path)

    def _copy(self, known: Listing | None, *, everything: bool) -> None:
        found = known or self._list()
        listed = found.files
        # Who trains comes before what they say, or a new start looks like an old end.
        self._fetch_worker(listed.get(WORKER_FILE))
        host, folder, state = self.site.host, self.record.run_dir, self._state

        def save() -> None:
            state.save(self.run.path)

        grow(
            host, f"{folder}/{EVENTS_FILE}", self.run.events_file, state.events, save,
            whole_lines=True, size=int(listed[EVENTS_FILE][0]) if EVENTS_FILE in listed else None,
        )  # fmt: skip
        if self.record.log:
            self._set_log_aside()
            grow(host, self.record.log, self.run.log_file, state.log, save, size=found.log)
        if self.run.state() in ENDED:
            # What it wrote before it told of its end may be newer than the list.
            everything, listed = True, self._list().files
        weights = everything or time.monotonic() - self._weights_at > WEIGHTS_EVERY_S
        self._fetch(listed, lambda name: weights or not name.endswith(".pth"))
        if weights:
            self._weights_at = time.monotonic()
        if self._ended_there():
            mark_again(self.run.path, False)
        save()

    def look(self) -> Job | None:
        """Ask after the job, note in the run what it means, and return the job if it is known.

        Raises `HostError` when the cluster does not answer.
        """
        self.follow_successor()
        job = ask_job(self.site.host, self.record)
        if job is not None and job.state.waiting:
            if time.monotonic() - self._placed_at > LINE_S:
                self._placed_at = time.monotonic()
                self._place = ask_place(self.site.host, job)
            job = replace(job, place=self._place)
        return self.heed(job)

    def heed(self, job: Job | None) -> Job | None:
        """Note in the run what its job, as it was just seen, means for it, and return the job.

        For whoever has asked the queue anyway; None is a job that is not known any more. Raises
        `HostError` when the last of an ended run cannot be fetched.
        """
        now = time.time()
        if job is None:
            self.record = self.record.changed(seen_at=now, wait=None)
        else:
            code = kept_code(self.record.exit_code, job.exit_code)
            self.record = self.record.changed(
                state=job.state.name, reason=job.reason, exit_code=code, seen_at=now,
                restarts=max(self._restarts(), job.restarts),
                wait=wait_of(job, self.record.cluster, now),
            )  # fmt: skip
        if job is None or job.state.ended:
            self._over_since = self._over_since or time.monotonic()
            self._settle(job)
        else:
            self._over_since = None
            # Between two starts: its stop was no end.
            if job.state.waiting and self.run.state() == "stopped":
                mark_again(self.run.path, True)
        write_record(self.run.path, self.record)
        return job

    # What the job means for the run

    def _settle(self, job: Job | None) -> None:
        """The job is over: take the last of it, and say how it ended if the trainer could not."""
        if not self.refresh(everything=True) or self._successor() != self.record.job_id:
            return
        if self.run.state() in ("finished", "failed"):
            return
        worker = read_worker(self.run.path)
        if worker is not None and worker.again:
            mark_again(self.run.path, False)
        if self.run.state() in ENDED and self.run.state() != "lost":
            return
        # What the node wrote last may take a moment to be seen from here.
        assert self._over_since is not None
        if time.monotonic() - self._over_since < self.grace_s:
            return
        snapshot = RunFollower(self.run.path).poll()
        writer = EventWriter(self.run.events_file)
        if job is not None and job.state.name == "CANCELLED":
            writer.write(Stopped(epoch=snapshot.epoch, step=snapshot.step, reason="cancelled"))
        else:
            words = job.state.words if job else "is gone from the queue"
            why = f" ({job.why})" if job and job.why else ""
            lines = [line for line in LogTail(self.run.log_file).poll() if line.strip()]
            last = f"Its log ends with: {lines[-1][:300]}" if lines else "It left no log."
            go_on = "" if snapshot.step == 0 else " Go on with batman submit --resume."
            writer.write(
                Failed(
                    kind="job",
                    message=f"Job {self.record.job_id} {words}{why}"
                    + (" before training began." if snapshot.started is None else "."),
                    hint=last + go_on,
                )
            )
        writer.close()

    def _restarts(self) -> int:
        begins = [a for a in self._attempts() if a.what == "begin"]
        return max(0, len(begins) - 1)

    def _attempts(self) -> list[Attempt]:
        try:
            found = read_attempts((self.run.path / ATTEMPTS_FILE).read_bytes())
        except OSError:
            return []
        return [attempt for attempt in found if attempt.token == self.record.token]

    def _ended_there(self) -> bool:
        """Tell whether the last thing that the run's job has noted is that it is over."""
        attempts = self._attempts()
        return bool(attempts) and attempts[-1].what == "end"

    def _successor(self) -> str:
        """Return the number of the job that trains the run now."""
        nexts = [a.job for a in self._attempts() if a.what == "next"]
        return nexts[-1] if nexts else self.record.job_id

    def follow_successor(self) -> bool:
        """Turn to the job that goes on where the known one ended; return whether there is one."""
        number = self._successor()
        if number == self.record.job_id:
            return False
        log = f"{self.site.log_dir}/job_{number}.log"
        self.record = write_record(self.run.path, self.record.changed(job_id=number, log=log))
        return True

    # Copying

    def _list(self) -> Listing:
        return list_folder(self.site.host, self.record.run_dir)

    def _fetch_worker(self, facts: list[float] | None) -> None:
        """Fetch who trains the run. A node may be called as this machine is, and is not it."""
        if facts is None or self._state.files.get(WORKER_FILE) == facts:
            return
        data = self.site.host.read(f"{self.record.run_dir}/{WORKER_FILE}", 0, CHUNK)
        worker = decode_worker(data)
        if worker is None:
            return
        if worker.pid:
            worker = msgspec.structs.replace(worker, host=f"{worker.host} of {self.site.name}")
        # Until its job says that it is the end, a stop may be one before a requeue.
        worker = msgspec.structs.replace(worker, again=worker.again or not self._ended_there())
        write_json(self.run.path / WORKER_FILE, msgspec.to_builtins(worker))
        self._state.files[WORKER_FILE] = facts

    def _fetch(self, listed: dict[str, list[float]], wanted: Callable[[str], bool]) -> None:
        """Fetch the whole files that changed; what is renamed away meanwhile comes next time."""
        for name, facts in listed.items():
            if not (_ALWAYS.fullmatch(name) or (self._extra and self._extra.fullmatch(name))):
                continue
            if not wanted(name) or self._state.files.get(name) == facts:
                continue
            try:
                target = self.run.path / safe_relative(name)
            except BadName:
                continue
            with contextlib.suppress(FileNotFoundError):
                self.site.host.get(f"{self.record.run_dir}/{name}", target)
                self._state.files[name] = facts


@contextlib.contextmanager
def alone_with(run_dir: Path) -> Iterator[bool]:
    """Hold the lock of a folder and yield whether we got it: two that copy would double lines."""
    with (run_dir / LOCK_FILE).open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        except OSError:  # a file system without locks
            yield True
        else:
            yield True


@contextlib.contextmanager
def mirroring(mirror: Mirror, workspace: Workspace | None = None) -> Iterator[Mirror]:
    """Keep a run mirrored by a thread for as long as the `with` lasts, and once more at its end.

    Errors of a host that is out of reach are waited out. With a workspace the log is also found at
    `logs/job_<number>.log`, as on a login node.
    """
    stop = threading.Event()
    if workspace is not None:
        link_log(mirror, workspace)
    thread = threading.Thread(
        target=_keep, args=(mirror, stop, workspace), name="mirror", daemon=True
    )
    thread.start()
    try:
        yield mirror
    finally:
        stop.set()
        thread.join(timeout=30)
        if not thread.is_alive():
            with contextlib.suppress(HostError):
                mirror.refresh(everything=True)


# The folder is looked at this often; the queue as seldom as the profile says.
_REFRESH_S = 3.0


def _keep(mirror: Mirror, stop: threading.Event, workspace: Workspace | None) -> None:
    next_look = 0.0
    while not stop.is_set():
        with contextlib.suppress(HostError):
            try:
                mirror.refresh()
                if time.monotonic() >= next_look:
                    if mirror.follow_successor() and workspace is not None:
                        link_log(mirror, workspace)
                    mirror.look()
                    pause = mirror.site.profile.poll_seconds
                    next_look = time.monotonic() + (mirror.grace_s if mirror.over else pause)
            except NeedsPerson:
                return
        stop.wait(_REFRESH_S)


def link_log(mirror: Mirror, workspace: Workspace) -> None:
    """Let the run's log be found in the workspace's `logs` folder too, under the job's number."""
    if mirror.site.shared or not mirror.record.job_id:
        return
    if not mirror.begin_log():
        return
    log = mirror.run.log_file
    target = workspace.logs_dir / f"job_{mirror.record.job_id}.log"
    target.parent.mkdir(parents=True, exist_ok=True)
    log.touch()
    with contextlib.suppress(FileExistsError, OSError):
        os.link(log, target)
