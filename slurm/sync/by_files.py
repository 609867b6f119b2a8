"""Sending file by file to a host that has python3, over several channels side by side.

Nothing waits for an answer: each channel has one command (`receive.py`) that checks and writes the
files as they come. SSH lets two megabytes be under way on a channel, so that several are faster
where the line is long. What a cut leaves is asked for by one command, looked through beside the
sending of the rest, and not sent again.
"""

from __future__ import annotations

import queue
import secrets
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from core.common.errors import Cancelled as WasCancelled
from core.common.progress import Cancelled, Progress, Report
from slurm.hosts import Completed, Host, HostError, NeedsPerson, NotConnected
from slurm.sync import receive
from slurm.sync.pack import Pack, PackedFile
from slurm.sync.patience import damaged, no_room, persist, refused

# The other side tells after so much that it has written it.
CHUNK = 4 * 1024 * 1024
# What is handed to the connection at once.
_PIECE = 512 * 1024
# Of six channels that one connection may have, the others are for what else is done meanwhile.
_LANES = 4
# A channel more for each so much: a new one costs two journeys of the line.
_WORTH_A_LANE = 8 * 1024 * 1024
_FINISH_TIMEOUT_S = 600.0

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


class _Whole(Exception):
    """The folder is there already."""


class _Stopped(Exception):
    """Sending was broken off by another channel, or by whoever asked for it."""


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
    furthest, since, broken = -1, time.monotonic(), 0
    sent = False
    while True:
        try:
            there = persist(lambda: _state(host, target), cancelled, patience_s)
        except _Whole:
            return sent
        if there is None:
            return None
        missing: list[PackedFile] = []
        kept: list[PackedFile] = []
        for file in pack.contents:
            (kept if there.files.get(file.name) == file.size else missing).append(file)
        begun = {file.name: min(there.begun.get(file.digest, 0), file.size) for file in missing}
        needed = sum(file.size for file in missing)
        if needed > there.free:
            raise no_room(host, target, what, needed, there.free)
        have = pack.size - needed + sum(begun.values())
        report(Progress(stage, have, pack.size))
        sending = _Sending(host, target, missing, begun, kept)

        def written(done: int, before: int = have) -> None:
            report(Progress(stage, before + done, pack.size))

        try:
            bad = sending.run(written, cancelled)
        except NeedsPerson:
            raise
        except NotConnected:
            # How much arrived, the host tells when it is back.
            if have > furthest:
                furthest, since = have, time.monotonic()
            elif time.monotonic() - since > patience_s:
                raise
            continue
        sent = True
        if not bad:
            report(Progress(stage, pack.size, pack.size))
            argv = _command("finish", target, pack.digest)
            done = persist(
                lambda argv=argv: host.run(argv, timeout=_FINISH_TIMEOUT_S),  # type: ignore[misc]
                cancelled,
                patience_s,
            )
            if done.code == 0:
                return True
            if done.code != receive.DAMAGED:
                raise refused(host, target, done.stderr)
        broken += 1
        if broken > 1:
            pack.forget()
            raise damaged(host, what)


def _command(*words: str) -> list[str]:
    return ["sh", "-c", _PYTHON, "sh", _program(), *words]


def _program() -> str:
    return Path(receive.__file__).read_text(encoding="utf-8")


def _state(host: Host, target: str) -> _There | None:
    """Return what is there; None where nothing can be asked of it so. Raises `_Whole`."""
    done = host.run(_command("state", target))
    before, ready, rest = done.stdout.partition(receive.READY)
    if before or not ready:
        return None
    if done.code:
        raise refused(host, target, done.stderr)
    first, _, packed = rest.partition(b"\n")
    if first == b"whole":
        raise _Whole
    there = _There(int(first), {}, {})
    for entry in zlib.decompress(packed).split(b"\0")[:-1]:
        kind, size, word = entry.split(b" ", 2)
        name = word.decode(errors="surrogateescape")
        if kind == b"f":
            there.files[name] = int(size)
        else:
            there.begun[name] = max(int(size), there.begun.get(name, 0))
    return there


class _Sending:
    """The sending of `missing` files, side by side; `begun` has what is there of each.

    The files `kept`, there from before, are looked through meanwhile.
    """

    def __init__(
        self,
        host: Host,
        target: str,
        missing: list[PackedFile],
        begun: dict[str, int],
        kept: list[PackedFile],
    ) -> None:
        self._host, self._target = host, target
        self._begun, self._kept = begun, kept
        self._left = deque(missing)
        self._stop = threading.Event()
        self._told: queue.SimpleQueue[tuple[int, int | Completed | BaseException]] = (
            queue.SimpleQueue()
        )
        self._sent: dict[int, int] = {}
        self._bad = bytearray()
        size = sum(file.size - begun[file.name] for file in missing)
        self._lanes = min(_LANES, 1 + size // _WORTH_A_LANE) if missing else 0

    def run(self, report: Callable[[int], object], cancelled: Cancelled) -> bool:
        """Send; `report` hears how many bytes are written. Return whether some arrived damaged.

        Raises HostError, `NotConnected` among them, BatmanError for a file here, and `Cancelled`.
        """
        jobs = [threading.Thread(target=self._lane, args=(at,), daemon=True, name=f"lane {at}")
                for at in range(self._lanes)]  # fmt: skip
        if self._kept:
            jobs.append(threading.Thread(target=self._check, daemon=True, name="check"))
        for job in jobs:
            job.start()
        try:
            return self._follow(len(jobs), report, cancelled)
        finally:
            self._stop.set()
            for job in jobs:
                job.join()

    def _follow(self, running: int, report: Callable[[int], object], cancelled: Cancelled) -> bool:
        written = dict.fromkeys(range(self._lanes), 0)
        unused: BaseException | None = None
        broken = False
        while running:
            if cancelled():
                raise WasCancelled("Sending was cancelled; what is there stays there.")
            try:
                lane, news = self._told.get(timeout=0.2)
            except queue.Empty:
                continue
            if isinstance(news, int):
                written[lane] = news
                report(sum(written.values()))
                continue
            running -= 1
            if isinstance(news, BaseException):
                if (
                    isinstance(news, NotConnected)
                    or not isinstance(news, HostError)
                    or lane in self._sent
                    or lane < 0
                ):
                    raise news
                # No channel for it: the others send its share.
                unused = news
            elif news.code in (receive.DAMAGED, receive.GONE):
                broken = True
            elif news.code:
                raise refused(self._host, self._target, news.stderr)
            elif lane >= 0 and written[lane] != self._sent.get(lane, 0):
                broken = True
        if self._left and not broken and unused is not None:
            raise unused
        return broken or bool(self._bad)

    def _lane(self, lane: int) -> None:
        held = bytearray()

        def sink(data: bytes) -> None:
            held.extend(data)
            lines, found, _ = bytes(held).rpartition(b"\n")
            if found:
                del held[: len(lines) + 1]
                self._told.put((lane, int(lines.split()[-1])))

        # One that goes on with what another left writes under a name of its own.
        argv = _command("take", self._target, secrets.token_hex(8), str(CHUNK))
        try:
            self._told.put((lane, self._host.stream(argv, source=self._pieces(lane), sink=sink)))
        except BaseException as error:
            self._told.put((lane, error))

    def _check(self) -> None:
        lines = "".join(f"{file.digest} {file.name}\n" for file in self._kept)
        source = [lines.encode(errors="surrogateescape")]
        argv = _command("check", self._target)
        try:
            self._told.put((-1, self._host.stream(argv, source=source, sink=self._bad.extend)))
        except BaseException as error:
            self._told.put((-1, error))

    def _pieces(self, lane: int) -> Iterator[bytes]:
        """Yield files that no other channel has taken, each behind the line that tells of it."""
        held: list[bytes] = []
        length = 0
        while not self._stop.is_set():
            try:
                file = self._left.popleft()
            except IndexError:
                break
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
        yield b"".join(held)
