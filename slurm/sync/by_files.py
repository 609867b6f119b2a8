"""Sending file by file to a host that has python3, over several channels side by side.

Nothing waits for an answer but the first: each channel has one command (`receive.py`) that checks
and writes the files as they come. SSH lets two megabytes be under way on a channel, so that several
are faster where the line is long. A sending waits three times for the line there and back: until
a channel is open, for what is there, and for the last byte to be written, which the answer to it
tells together with the folder's name. What a cut left is not sent again; what of it the host has no
note of (`receiver/notes.py`) is looked through beside the sending of the rest.
"""

from __future__ import annotations

import os
import queue
import secrets
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

from core.common.errors import Cancelled as WasCancelled
from core.common.progress import Cancelled, Progress, Report
from slurm.hosts import Completed, Host, HostError, NotConnected
from slurm.sync.pack import MANIFEST, Pack, PackedFile
from slurm.sync.patience import Patience, damaged, no_room, persist, refused
from slurm.sync.receiver import receive
from slurm.sync.receiver.program import program

# The other side tells after so much that it has written it.
CHUNK = 4 * 1024 * 1024
# What is handed to the connection at once.
_PIECE = 512 * 1024
# Of six channels that one connection may have, the others are for what else is done meanwhile.
_LANES = 4
# A channel more for each so much: it costs processes on both sides, 0.05 s of a processor. On a
# short line one is faster than what is behind it. An answer takes two journeys and the start of a
# command, measured as 0.03 to 0.05 s without a line and 0.07 to 0.09 s with 20 ms there and back:
# later than this the line is long, or the host is busy.
_FAR_S = 0.06
# Later than this they are opened while the answer is still on its way.
_SOON_S = 0.12
_WORTH_A_LANE, _WORTH_IT_NEAR = 16 * 1024 * 1024, 64 * 1024 * 1024
# A server that takes one session may have given it to another channel than the first, which then
# waits no longer for the first to begin. Python takes less to start, on most file systems.
_GIVE_WAY_S = 3.0
# So often it is looked whether somebody cancelled.
_LOOK_S = 0.2
_FINISH_TIMEOUT_S = 600.0
# So often may others who send the same take away what one was to go on from.
_OTHERS = 20

_PYTHON = """
for python in python3 /usr/libexec/platform-python; do
  command -v "$python" >/dev/null 2>&1 && exec "$python" -I -S -c "$@"
done
exit 127
"""


@dataclass
class _There:
    """What a host has: bytes that are free, whole files by name, beginnings of large ones by sum.

    Both with their sizes.
    """

    free: int
    files: dict[str, int]
    begun: dict[str, int]


class _Answer(Enum):
    """What came of one sending."""

    NO_PYTHON = "nothing can be asked of the host so"
    WHOLE = "it was there already"
    DONE = "the folder is there"
    TAKEN = "all is there, without its name"
    BROKEN = "some of it is not what was meant"
    GONE = "what it was to go on from is not there any more"


class _Stopped(Exception):
    """Sending was broken off by another channel, or by whoever asked for it."""


class _GaveWay(Exception):
    """A channel was closed for the first one, which the server may not take beside it."""


def send_files(
    host: Host,
    pack: Pack,
    target: str,
    what: str,
    report: Report,
    cancelled: Cancelled,
    patience_s: float,
) -> bool | None:
    """See `slurm.sync.upload.send`; None, and nothing done, where the host has no python3."""
    stage = f"sending {what}"
    patience = Patience(patience_s, cancelled)
    sent, broken, gone = False, 0, 0
    # What was there and is not as it should be.
    bad: set[str] = set()
    while True:
        sending = _Sending(host, pack, target, what, bad)
        try:
            answer = sending.run(lambda done: report(Progress(stage, done, pack.size)), cancelled)
        except NotConnected as error:
            # How much arrived, the host tells when it is back.
            patience.wait(error, sending.have)
            continue
        if answer is _Answer.NO_PYTHON:
            return None
        if answer is _Answer.WHOLE:
            return sent
        sent = True
        if answer is _Answer.TAKEN:
            # It has no name yet where a channel was not to be had.
            argv = _command("finish", target, pack.digest)
            done = persist(
                lambda argv=argv: host.run(argv, timeout=_FINISH_TIMEOUT_S),  # type: ignore[misc]
                cancelled,
                patience_s,
            )
            if done.code == 0:
                answer = _Answer.DONE
            elif done.code != receive.DAMAGED:
                raise refused(host, target, done.stderr)
        if answer is _Answer.DONE:
            report(Progress(stage, pack.size, pack.size))
            return True
        bad |= sending.bad
        if answer is _Answer.GONE and gone < _OTHERS:
            # Another who sends the same came further with it, and is asked after again.
            gone += 1
            continue
        broken += 1
        if broken > 1:
            pack.forget()
            raise damaged(host, what)


def _command(*words: str) -> list[str]:
    return ["sh", "-c", _PYTHON, "sh", program(), *words]


class _Told:
    """What the host tells on the channel of the question, as it comes: `there`, then lines.

    `wrong` is whether it is no answer of ours, `whole` whether the folder is there already.
    """

    def __init__(self) -> None:
        self._held = bytearray()
        # When the command over there began to answer, before it looked at what is there.
        self.ready_at: float | None = None
        self.wrong = self.whole = False
        self.there: _There | None = None

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes; return those behind the answer."""
        if self.wrong or self.there is not None:
            return b"" if self.wrong else data
        held = self._held
        held += data
        if self.ready_at is None:
            begin = bytes(held[: len(receive.READY)])
            self.wrong = not receive.READY.startswith(begin)
            if self.wrong or len(begin) < len(receive.READY):
                return b""
            self.ready_at = time.monotonic()
            del held[: len(begin)]
        first, end, rest = bytes(held).partition(b"\n")
        if end and first == b"whole":
            self.whole = True
        elif end:
            free, length = map(int, first.split())
            if len(rest) >= length:
                self.there = _read_there(free, rest[:length])
                return rest[length:]
        return b""

    @property
    def answered(self) -> bool:
        """Whether it is known what is there."""
        return self.wrong or self.whole or self.there is not None


def _read_there(free: int, packed: bytes) -> _There:
    there = _There(free, {}, {})
    for entry in zlib.decompress(packed[:-1]).split(b"\0")[:-1]:
        kind, size, word = entry.split(b" ", 2)
        name = word.decode(errors="surrogateescape")
        if kind == b"f":
            there.files[name] = int(size)
        else:
            there.begun[name] = max(int(size), there.begun.get(name, 0))
    return there


class _Sending:
    """One sending, from the question of what is there on, over channels side by side.

    The first channel asks, sends the manifest, and has what was there looked through; files named
    `bad` are sent whatever is there. `have` is how many bytes were there, -1 before that is known.
    """

    def __init__(self, host: Host, pack: Pack, target: str, what: str, bad: set[str]) -> None:
        self._host, self._pack, self._target, self._what = host, pack, target, what
        self._distrusted = frozenset(bad)
        self.bad: set[str] = set()
        self.have = -1
        # What is to be sent, and of large files from which byte on, once that is known.
        self._known = threading.Event()
        self._left: deque[PackedFile] = deque()
        self._begun: dict[str, int] = {}
        self._first: list[bytes | PackedFile] = []
        self._lanes = 0
        self._began = time.monotonic()
        self._soon = self._began + _SOON_S
        self._stop = threading.Event()
        self._token = secrets.token_hex(8)
        self._told = _Told()
        self._news: queue.SimpleQueue[tuple[int, _Told | bytes | Completed | BaseException]] = (
            queue.SimpleQueue()
        )
        self._jobs: list[threading.Thread] = []
        # Of the others that gave way, and since when one of them waits for the first.
        self._gave_way = 0
        self._waits_since: float | None = None
        self._sent: dict[int, int] = {}

    def run(self, report: Callable[[int], object], cancelled: Cancelled) -> _Answer:
        """Send; `report` hears how many bytes are there.

        Raises HostError, `NotConnected` among them, BatmanError for a file here or too little room
        there, and `Cancelled`.
        """
        try:
            self._start(1)
            return self._follow(report, cancelled)
        finally:
            self._stop.set()
            self._known.set()
            for job in self._jobs:
                job.join()

    def _start(self, lanes: int) -> None:
        """Have at least so many channels."""
        while self._living < lanes:
            lane = len(self._jobs)
            job = threading.Thread(
                target=self._lane, args=(lane,), daemon=True, name=f"lane {lane}"
            )
            self._jobs.append(job)
            job.start()

    @property
    def _living(self) -> int:
        return len(self._jobs) - self._gave_way

    def _plan(self, there: _There) -> None:
        """Choose what is sent. Raises BatmanError where there is no room for it."""
        missing: list[PackedFile] = []
        for file in self._pack.contents:
            size = there.files.get(file.name)
            if size == file.size and file.name not in self._distrusted:
                continue
            if size is not None:
                self._first.append(b"not " + os.fsencode(file.name) + b"\n")
            missing.append(file)
        self._begun = {
            file.name: min(there.begun.get(file.digest, 0), file.size) for file in missing
        }
        needed = sum(file.size for file in missing)
        if needed > there.free:
            raise no_room(self._host, self._target, self._what, needed, there.free)
        begun = sum(self._begun.values())
        self.have = self._pack.size - needed + begun
        # By the manifest what was there is looked through, so that it comes first.
        if missing and missing[0].name == MANIFEST:
            self._first.append(missing.pop(0))
        self._left.extend(missing)
        assert self._told.ready_at is not None
        far = self._told.ready_at > self._began + min(_FAR_S, _SOON_S)
        self._start(_lanes(needed - begun, far=far))
        self._lanes = self._living
        self._known.set()

    def _follow(self, report: Callable[[int], object], cancelled: Cancelled) -> _Answer:
        written: dict[int, int] = {}
        unused: BaseException | None = None
        broken = done = gone = False
        ended = 0
        while ended < len(self._jobs):
            if cancelled():
                raise WasCancelled("Sending was cancelled; what is there stays there.")
            waiting = not self._known.is_set() and len(self._jobs) == 1
            try:
                wait = max(0.0, self._soon - time.monotonic()) if waiting else _LOOK_S
                lane, news = self._news.get(timeout=min(wait, _LOOK_S))
            except queue.Empty:
                if waiting and time.monotonic() >= self._soon:
                    self._start(_lanes(self._pack.size, far=True))
                continue
            if isinstance(news, _Told):
                if news.there is None:
                    return _Answer.WHOLE if news.whole else _Answer.NO_PYTHON
                self._plan(news.there)
                report(self.have)
            elif isinstance(news, bytes):
                if news == b"done":
                    done = True
                elif news.startswith(b"bad "):
                    self.bad.add(os.fsdecode(news[4:]))
                else:
                    written[lane] = int(news)
                    report(self.have + sum(written.values()))
            else:
                ended += 1
                if isinstance(news, _GaveWay):
                    self._gave_way += 1
                elif isinstance(news, BaseException):
                    if (
                        isinstance(news, NotConnected)
                        or not isinstance(news, HostError)
                        or lane in self._sent
                        or not lane
                    ):
                        raise news
                    # No channel for it: the others send its share.
                    unused = news
                elif not self._told.answered:
                    if not lane:
                        return self._without_answer(news)
                elif news.code == receive.GONE:
                    gone = True
                elif news.code == receive.DAMAGED:
                    broken = True
                elif news.code:
                    raise refused(self._host, self._target, news.stderr)
                elif written.get(lane, 0) != self._sent.get(lane, 0):
                    broken = True
        if done:
            return _Answer.DONE
        if self._left and not broken and not gone and unused is not None:
            raise unused
        if broken or self.bad:
            return _Answer.BROKEN
        return _Answer.GONE if gone else _Answer.TAKEN

    def _without_answer(self, ended: Completed) -> _Answer:
        if self._told.ready_at is not None:
            raise refused(self._host, self._target, ended.stderr)
        return _Answer.NO_PYTHON

    def _lane(self, lane: int) -> None:
        held = bytearray()

        def sink(data: bytes) -> None:
            if not lane:
                answered = self._told.answered
                data = self._told.feed(data)
                if self._told.answered and not answered:
                    self._news.put((lane, self._told))
            held.extend(data)
            *lines, rest = bytes(held).split(b"\0")
            if lines:
                held[:] = rest
                for line in lines:
                    self._news.put((lane, line))

        # One that goes on with what another left writes under a name of its own.
        argv = [self._target, self._token, str(CHUNK)]
        argv = ["take", *argv, str(lane)] if lane else ["send", *argv, self._pack.digest]
        try:
            done = self._host.stream(_command(*argv), source=self._pieces(lane), sink=sink)
            self._news.put((lane, done))
        except BaseException as error:
            self._news.put((lane, error))

    def _let_the_first_begin(self) -> None:
        """Wait until it is known what is there. Raises `_GaveWay` where this keeps it from that."""
        since = self._waits_since = self._waits_since or time.monotonic()
        known = self._known.wait(max(0.0, since + _GIVE_WAY_S - time.monotonic()))
        if not known and self._told.ready_at is None:
            raise _GaveWay

    def _pieces(self, lane: int) -> Iterator[bytes]:
        """Yield files that no other channel has taken, each behind the line that tells of it."""
        if lane:
            self._let_the_first_begin()
        self._known.wait()
        first = [] if lane else self._first
        held: list[bytes] = []
        length = 0
        while not self._stop.is_set():
            try:
                file = first.pop(0) if first else self._left.popleft()
            except IndexError:
                break
            if isinstance(file, bytes):
                held.append(file)
                continue
            at = self._begun[file.name] if file.size > receive.SMALL else 0
            self._sent[lane] = self._sent.get(lane, 0) + file.size - at
            line = f"{file.size} {at} {file.digest} {file.name}\n"
            held.append(line.encode(errors="surrogateescape"))
            while at < file.size or held:
                if at < file.size:
                    held.append(file.read(at, _PIECE))
                    at += len(held[-1])
                    length += len(held[-1])
                if at < file.size or length >= _PIECE:
                    yield b"".join(held)
                    held, length = [], 0
                    if self._stop.is_set():
                        raise _Stopped
                else:
                    break
        if self._stop.is_set():
            raise _Stopped
        held.append(f"end {self._lanes} {self._pack.digest}\n".encode())
        yield b"".join(held)


def _lanes(size: int, *, far: bool) -> int:
    """Return how many channels so many bytes are worth."""
    return min(_LANES, 1 + size // (_WORTH_A_LANE if far else _WORTH_IT_NEAR))
