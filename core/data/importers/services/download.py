"""Files over HTTP: whole or not there, resumed where they stopped, checked, many at a time.

A file grows as `NAME.part` beside its target and is renamed when it is complete and its checksum
fits. `NAME.part.json` says which version of the file the part belongs to, so that a later process
goes on where a killed one stopped, and starts over when the server has another file by then.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import http.client
import json
import os
import random
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import IO, Any, NoReturn

from core.common.errors import BatmanError, Cancelled
from core.common.text import clean, size
from core.data.importers.services.http_request import (
    DownloadFailed,
    check_address,
    opener,
    published_md5,
    reason_of,
    span,
)

THREADS = 16
_CHUNK = 1 << 16
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
_POLL_S = 0.05
GRACE_S = 2.0
"""Seconds that threads get to finish when a download is stopped."""


@dataclass(frozen=True)
class Patience:
    """How long to wait for a server, and how often to ask again.

    `timeout_s` is for connecting and for each read; the wait before the n-th new try is
    `first_wait_s` doubled n-1 times, at most 30 s, less a random part so that threads do not
    come back all at once. A try that got further counts as a first one.
    """

    tries: int = 5
    first_wait_s: float = 1.0
    timeout_s: float = 30.0


PATIENCE = Patience()


@dataclass(frozen=True)
class Job:
    """One file of many: where it is and where it goes."""

    url: str
    target: Path


def download(
    url: str,
    target: Path,
    *,
    md5: str | None = None,
    progress: Callable[[int, int | None], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    patience: Patience = PATIENCE,
    shown: str | None = None,
) -> Path:
    """Bring `url` to `target` and return `target`; at once when it is there already.

    `md5` is the hexadecimal checksum the file must have; without it, one that the server publishes
    is used (a `Content-MD5` header, or the ETag of an object that Amazon S3 keeps in one part).
    `progress` is told bytes so far and in all. `shown` names the address in messages when it holds
    a secret. Raises `DownloadFailed` after the last try, and `Cancelled`; the part stays, and the
    next call goes on from it.
    """
    if target.exists():
        return target
    check_address(url, shown or url)
    fetch = _Fetch(
        url=url,
        target=target,
        md5=md5.lower() if md5 else None,
        progress=progress or (lambda done, total: None),
        cancelled=cancelled or (lambda: False),
        patience=patience,
        shown=clean(shown or url),
    )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        fetch.run()
    except OSError as error:
        raise _disk_error(error, target) from error
    return target


def download_many(
    jobs: Iterable[Job],
    *,
    threads: int = THREADS,
    done: Callable[[Job, DownloadFailed | None], None],
    cancelled: Callable[[], bool] | None = None,
    patience: Patience = PATIENCE,
) -> None:
    """Bring many files, `threads` at a time.

    `done` is called once a job, one call at a time, with what went wrong or None; what it raises
    stops everything and comes out here. A file that the server refuses (403, 404, 410) is reported
    to `done`; any other failure stops everything and is raised. Raises `Cancelled`.
    """
    waiting = iter(jobs)
    lock = threading.Lock()
    stop, left = threading.Event(), threading.Event()
    failures: list[BaseException] = []

    def stopped() -> bool:
        return stop.is_set() or (cancelled is not None and cancelled())

    def work() -> None:
        try:
            while not stopped():
                with lock:
                    job = next(waiting, None)
                if job is None:
                    return
                refused: DownloadFailed | None = None
                try:
                    download(job.url, job.target, cancelled=stopped, patience=patience)
                except DownloadFailed as error:
                    if error.status not in (403, 404, 410):
                        raise
                    refused = error
                with lock:
                    if left.is_set():
                        return
                    done(job, refused)
        except BaseException as error:
            with lock:
                failures.append(error)
            stop.set()

    # Daemons, so that one that waits for a silent server holds nobody up: not the end of the
    # process, and not a person who stopped it. It finds `stop` set when the server answers.
    crew = [
        threading.Thread(target=work, name=f"download-{number}", daemon=True)
        for number in range(threads)
    ]
    for thread in crew:
        thread.start()
    try:
        while not stopped() and (alive := [thread for thread in crew if thread.is_alive()]):
            alive[0].join(_POLL_S)
    finally:
        # Also when Ctrl+C arrives, which it does here, in the main thread.
        stop.set()
        until = time.monotonic() + GRACE_S
        for thread in crew:
            thread.join(max(0.0, until - time.monotonic()))
        with lock:
            left.set()
    told = [error for error in failures if not isinstance(error, Cancelled)]
    if told:
        raise told[0]
    if failures or (cancelled is not None and cancelled()):
        raise Cancelled("The download was stopped.", "The same command goes on where it stopped.")


class _Again(Exception):
    """A try that failed in a way that may pass: why, and how long the server asks to wait."""

    def __init__(self, reason: str, status: int = 0, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.wait_s = wait_s


@dataclass
class _Fetch:
    url: str
    target: Path
    md5: str | None
    progress: Callable[[int, int | None], None]
    cancelled: Callable[[], bool]
    patience: Patience
    shown: str

    @property
    def part(self) -> Path:
        return self.target.with_name(self.target.name + ".part")

    @property
    def note(self) -> Path:
        return self.target.with_name(self.target.name + ".part.json")

    def run(self) -> None:
        with self._own_part() as file:
            if file is None:
                return
            tries = 0
            furthest = file.seek(0, os.SEEK_END)
            while True:
                try:
                    self._try(file)
                    break
                except _Again as error:
                    # Getting further counts; getting as far again and again does not.
                    have = file.seek(0, os.SEEK_END)
                    tries = 1 if have > furthest else tries + 1
                    furthest = max(furthest, have)
                    if tries >= self.patience.tries:
                        raise DownloadFailed(
                            f"{self.shown} could not be downloaded: {clean(error.reason)}.",
                            "Check the network and run the same command again:"
                            " it goes on where it stopped.",
                            error.status,
                        ) from None
                    self._wait(max(self._back_off(tries), error.wait_s))
            self.part.replace(self.target)
            self.note.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _own_part(self) -> Iterator[IO[bytes] | None]:
        """Open the part for this process alone, or give None when another one finished it."""
        while True:
            with self.part.open("ab+") as file:
                self._lock(file)
                if self.target.exists():
                    if self._is_part(file):
                        self.part.unlink(missing_ok=True)
                    yield None
                    return
                # Whoever held it before may have renamed it: then this is a file to leave alone.
                if self._is_part(file):
                    yield file
                    return

    def _is_part(self, file: IO[bytes]) -> bool:
        try:
            return os.path.samestat(os.fstat(file.fileno()), self.part.stat())
        except FileNotFoundError:
            return False

    def _lock(self, file: IO[bytes]) -> None:
        while True:
            try:
                fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                    return  # a file system without locks
                self._wait(_POLL_S)
            else:
                return

    def _try(self, file: IO[bytes]) -> None:
        have = file.seek(0, os.SEEK_END)
        headers = {"User-Agent": "batman-tui", "Accept-Encoding": "identity"}
        known = self._read_note() if have else None
        if have and (known is None or known.get("of") != self._mark()):
            file.truncate(have := 0)
        elif have and known is not None:
            headers |= {"Range": f"bytes={have}-", "If-Range": str(known["validator"])}
        request = urllib.request.Request(self.url, headers=headers)
        try:
            response = opener().open(request, timeout=self.patience.timeout_s)
        except urllib.error.HTTPError as error:
            with error:
                self._refused(error, file, have)
        except (OSError, http.client.HTTPException) as error:
            raise _Again(reason_of(error)) from None
        with response:
            self._receive(response, file, have)

    def _refused(self, error: urllib.error.HTTPError, file: IO[bytes], have: int) -> NoReturn:
        if error.code == 416 and have:
            # The part is as long as the file, or longer: start over, and find out which.
            file.truncate(0)
            raise _Again("the server has a shorter file now", 416)
        # Not the words that came: those of a redirect hold the address, key and all.
        reason = f"HTTP {error.code} {http.client.responses.get(error.code, '')}".strip()
        if error.code in _RETRIED:
            after = str(error.headers.get("Retry-After", ""))
            raise _Again(reason, error.code, min(float(after), 60.0) if after.isdigit() else 0.0)
        hint = {
            401: "The server wants a login; check the address.",
            403: "The server refuses it; check the address.",
            404: "There is no such file there; check the address.",
        }.get(error.code, "Check the address.")
        raise DownloadFailed(
            f"{self.shown} could not be downloaded: {reason}.", hint, error.code
        ) from None

    def _receive(self, response: Any, file: IO[bytes], have: int) -> None:
        answer: Message = response.headers
        start, total = span(response.status, answer)
        if start != have:
            file.truncate(0)
            if start:
                raise _Again("the server sent another part than asked for")
            have = 0
        published = self.md5 or published_md5(answer)
        self._write_note(answer)
        digest = hashlib.md5(usedforsecurity=False)
        _hash_start(file, digest, have)
        self.progress(have, total)
        while chunk := _read(response):
            if self.cancelled():
                file.flush()
                raise Cancelled(
                    "The download was stopped.", "The same command goes on where it stopped."
                )
            file.write(chunk)
            digest.update(chunk)
            have += len(chunk)
            self.progress(have, total)
        file.flush()
        if total is not None and have < total:
            raise _Again(f"it broke off after {size(have)} of {size(total)}")
        if (total is not None and have > total) or (published and digest.hexdigest() != published):
            file.truncate(0)
            raise _Again("what arrived is damaged (its checksum is wrong)")
        os.fsync(file.fileno())

    def _read_note(self) -> dict[str, Any] | None:
        try:
            note = json.loads(self.note.read_bytes())
        except (OSError, ValueError, RecursionError):
            return None
        return note if isinstance(note, dict) and note.get("validator") else None

    def _write_note(self, answer: Message) -> None:
        # A weak validator (W/…) promises nothing about the bytes: RFC 9110, 13.1.5.
        etag = str(answer.get("ETag", ""))
        validator = etag if etag.startswith('"') else str(answer.get("Last-Modified", ""))
        self.note.write_text(json.dumps({"of": self._mark(), "validator": validator}))

    def _mark(self) -> str:
        # Not the address itself: it may hold a key, which must not reach the disk.
        return hashlib.sha256(self.url.encode()).hexdigest()

    def _back_off(self, tries: int) -> float:
        longest: float = min(30.0, self.patience.first_wait_s * 2 ** (tries - 1))
        return longest * random.uniform(0.5, 1.0)

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while True:
            if self.cancelled():
                raise Cancelled(
                    "The download was stopped.", "The same command goes on where it stopped."
                )
            left = until - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, _POLL_S))


def _disk_error(error: OSError, target: Path) -> BatmanError:
    hint = f"Check the space and permissions of '{clean(str(target.parent))}'."
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        hint = f"Make room where '{clean(str(target.parent))}' lies, or choose another folder."
    return DownloadFailed(
        f"'{clean(target.name)}' could not be written: {error.strerror or error}.", hint
    )


def _hash_start(file: IO[bytes], digest: Any, count: int) -> None:
    file.seek(0)
    while count > 0 and (chunk := file.read(min(count, 1 << 20))):
        digest.update(chunk)
        count -= len(chunk)
    file.seek(0, os.SEEK_END)


def _read(response: Any) -> bytes:
    """Read some of the answer; a broken connection is a reason to try again, not a full disk."""
    try:
        return bytes(response.read1(_CHUNK))
    except (OSError, http.client.HTTPException) as error:
        raise _Again(reason_of(error)) from None
