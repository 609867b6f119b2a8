"""A function that a job calls: evaluate, infer, export. Its results are a folder."""

from __future__ import annotations

import contextlib
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

from core.common.errors import BatmanError
from core.common.temporary import folder_beside, put_in_place
from core.common.text import clean
from slurm.client.job import Job, JobFailed
from slurm.client.session import Session
from slurm.hosts import HostError
from slurm.job.function import ANSWER, Call, read_answer, read_call
from slurm.job.record import write_record
from slurm.submit.function import fetch_answer

T = TypeVar("T")


class FunctionJob(Job[T], Generic[T]):
    """A job that calls a function; `load` makes its result of what it answered."""

    def __init__(
        self, session: Session, folder: Path, load: Callable[[dict[str, Any], Path], T]
    ) -> None:
        super().__init__(session, folder)
        self._load = load

    @property
    def output(self) -> Path:
        """Where its results lie on this machine, once they were taken."""
        return Path(self._call().here)

    def done(self) -> bool:
        """See `Job.done`."""
        if self._answer() is not None or self._record().fetched_at is not None:
            return True
        record = self._record()
        watched = self._session.look(record)
        job = self._session.job(watched, record)
        taken = watched.jobs.taken_at if watched.jobs and watched.view.error is None else None
        if not self._left(job, taken):
            return False
        try:
            fetch_answer(self._session.site, self.folder, record)
        except HostError:
            return False  # the next look
        state = job.state.name if job is not None else ""
        write_record(self.folder, self._record().changed(state=state, fetched_at=time.time()))
        return True

    def _call(self) -> Call:
        call = read_call(self.folder)
        if call is None:
            raise BatmanError(f"'{clean(str(self.folder))}' is no call of a function.")
        return call

    def _answer(self) -> dict[str, Any] | None:
        with contextlib.suppress(FileNotFoundError):
            return read_answer((self.folder / ANSWER).read_bytes())
        return None

    def _failure(self) -> JobFailed | None:
        answer = self._answer()
        if answer is not None and answer["event"] == "finished":
            return None
        if answer is not None:
            return JobFailed(str(answer.get("message", "")), str(answer.get("hint", "")))
        record = self._record()
        return JobFailed(
            f"Job {clean(record.job_id)} ended without an answer"
            f" ({record.state.lower() or 'gone from the queue'}).",
            f"Its log is {clean(record.log)} on {clean(self._session.profile.name)}.",
            self._last_words(),
        )

    def _take(self) -> T:
        answer, call = self._answer(), self._call()
        assert answer is not None
        here = Path(call.here)
        if call.output != call.here:
            self._fetch(call.output, here)
        return self._load(_moved(answer["result"], call.output, call.here), here)

    def _fetch(self, there: str, here: Path) -> None:
        """Bring the results here, as one stream; whole, or as it was."""
        with folder_beside(here) as working:
            packed = working / ".results.tar"
            with packed.open("wb") as file:
                argv = ["tar", "-C", there, "-cf", "-", "."]
                done = self._session.host.stream(argv, sink=file.write)
            if done.code:
                raise HostError(
                    f"The results cannot be read on {clean(self._session.host.name)}:"
                    f" {clean(done.stderr.decode(errors='replace').strip())[-200:]}."
                )
            try:
                _unpack(packed, working)
            except tarfile.TarError as error:
                raise HostError(
                    f"The results of {clean(self._session.host.name)} cannot be unpacked:"
                    f" {clean(str(error))}."
                ) from None
            packed.unlink()
            put_in_place(working, here)


def _unpack(packed: Path, folder: Path) -> None:
    """Unpack an archive of files and folders.

    Raises `tarfile.TarError` for what leads out of the folder and for what is neither.
    """
    with tarfile.open(packed) as archive:
        if hasattr(tarfile, "data_filter"):
            archive.extractall(folder, filter="data")
            return
        # Python before 3.11.4, as Debian 12 has it, knows no filter.
        top = folder.resolve()
        for member in archive:
            names = [member.name, *([member.linkname] if member.islnk() else [])]
            inside = all((top / name).resolve().is_relative_to(top) for name in names)
            if not inside or not (member.isreg() or member.isdir() or member.islnk()):
                raise tarfile.ExtractError(f"{member.name!r} is no file or folder of it")
            member.mode = member.mode & 0o755 | (0o700 if member.isdir() else 0o600)
            archive.extract(member, top)


def _moved(value: Any, there: str, here: str) -> Any:
    """Return what was answered with the results' place here for that on the cluster."""
    if isinstance(value, dict):
        return {key: _moved(one, there, here) for key, one in value.items()}
    if isinstance(value, list):
        return [_moved(one, there, here) for one in value]
    if isinstance(value, str) and (value == there or value.startswith(f"{there}/")):
        return here + value[len(there) :]
    return value
