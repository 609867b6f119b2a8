"""Sending to a host that has no python3: one tar stream, unpacked and checked when it is there.

It is written at its own offset of a stream that is the same each time: sending a part twice, or two
people sending the same at once, changes nothing. One command tells what is there, takes the rest,
unpacks it and gives it its name, so that a long line is waited for three times.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

from core.common.errors import Cancelled as WasCancelled
from core.common.progress import Cancelled, Progress, Report
from slurm.hosts import Completed, Host, NotConnected
from slurm.sync.pack import MANIFEST, Pack
from slurm.sync.patience import Patience, damaged, no_room, refused
from slurm.sync.tar_stream import TarStream

# It is one stream that waits for nobody; the other side tells after so much that it has written it.
CHUNK = 4 * 1024 * 1024
# What is read at once.
_PIECE = 512 * 1024
_DD_BLOCK = 64 * 1024
# What dd takes, unpacking and checking may need long on a busy file system: so often it tells that
# it is alive.
_ALIVE_S = 20

# Of `dd`'s count only whole blocks: the last one of the stream may be a part of one. `mv -T` fails
# where somebody else was faster, which is as good; what others left who were cut off goes then. A
# `sleep` outlives its loop, and must not hold the output open. A line's end may be that of the
# output, and is passed on with the blank behind it.
_SEND = f"""
target=$1 digest=$2 each=$3
through() {{
  rm -f -- "$target.part"
  rm -rf -- "$target".unpack.??????
  echo done
  exit 0
}}
if [ -d "$target" ]; then echo whole; through; fi
mkdir -p -- "${{target%/*}}" || exit 1
[ -f "$target.part" ] && wc -c < "$target.part" || echo 0
df -Pk -- "${{target%/*}}" 2>/dev/null | awk 'NR == 2 {{ print $4 }}'
printf '.\\n '
read -r at size || exit 0
while :; do
  said=$(LC_ALL=C dd of="$target.part" bs={_DD_BLOCK} count="$each" conv=notrunc iflag=fullblock \
    seek="$at" 2>&1) || {{ echo "$said" >&2; exit 1; }}
  at=$((at + ${{said%%+*}}))
  printf '%s\\n ' "$at"
  [ "${{said%%+*}}" = "$each" ] || break
done
[ -d "$target" ] && through
[ "$(wc -c < "$target.part")" -ge "$size" ] || exit 0
place=$(mktemp -d -- "$target.unpack.XXXXXX") || exit 1
( while sleep {_ALIVE_S} >/dev/null 2>&1; do echo .; done ) & alive=$!
trap 'kill "$alive" 2>/dev/null; rm -rf -- "$place"' EXIT
tar -xf "$target.part" -C "$place" && cd -- "$place" \
  && echo "$digest  {MANIFEST}" | sha256sum -c --status && sha256sum -c --status {MANIFEST} \
  || {{ [ -d "$target" ] && through; rm -f -- "$target.part"; exit 9; }}
chmod u=rwx,go=rx "$place"
mv -T -- "$place" "$target" 2>/dev/null || [ -d "$target" ] || exit 1
through
"""
_BROKEN = 9


class _Stopped(Exception):
    """Sending was broken off."""


def send_tar(
    host: Host,
    pack: Pack,
    target: str,
    what: str,
    report: Report,
    cancelled: Cancelled,
    patience_s: float,
) -> bool:
    """See `slurm.sync.upload.send`."""
    stream = TarStream(pack)
    patience = Patience(patience_s, cancelled)
    broken, sent = 0, False
    while True:
        sending = _Sending(host, stream, target, what, report, cancelled)
        try:
            done = sending.run(pack.digest)
        except NotConnected as error:
            # How much arrived, the host tells when it is back.
            patience.wait(error, sending.offset)
            continue
        if sending.whole:
            return sent
        sent = True
        if sending.done:
            report(Progress(f"sending {what}", stream.size, stream.size))
            return True
        if done.code not in (0, _BROKEN) or not sending.answered:
            raise refused(host, target, done.stderr)
        broken += 1
        if broken > 1:
            pack.forget()
            raise damaged(host, what)


class _Sending:
    """One sending of a stream. `offset` is from where on it is sent, -1 before that is known."""

    def __init__(
        self,
        host: Host,
        stream: TarStream,
        target: str,
        what: str,
        report: Report,
        cancelled: Cancelled,
    ) -> None:
        self._host, self._stream, self._target, self._what = host, stream, target, what
        self._report, self._cancelled = report, cancelled
        self._held = bytearray()
        self._facts: list[bytes] = []
        self._known, self._stop = threading.Event(), threading.Event()
        self.answered = self.whole = self.done = False
        self.offset = -1

    def run(self, digest: str) -> Completed:
        """Send. Raises HostError, BatmanError where there is no room, and `Cancelled`."""
        argv = ["sh", "-c", _SEND, "sh", self._target, digest, str(max(1, CHUNK // _DD_BLOCK))]
        try:
            return self._host.stream(argv, source=self._pieces(), sink=self._hear)
        finally:
            self._stop.set()
            self._known.set()

    def _hear(self, data: bytes) -> None:
        self._held += data
        *lines, rest = bytes(self._held).split(b"\n")
        self._held[:] = rest
        for line in map(bytes.strip, lines):
            if line in (b"whole", b"done"):
                self.whole = self.whole or line == b"whole"
                self.done = True
            elif self.answered:
                if line.isdigit():
                    self._tell(int(line) * _DD_BLOCK)
            elif line == b".":
                self.answered = True
                self._plan()
            else:
                self._facts.append(line)

    def _plan(self) -> None:
        """Choose from where on it is sent. Raises BatmanError where there is no room for it."""
        there, free = int(self._facts[0]), self._facts[1:2]
        size = self._stream.size
        # The stream and what it is unpacked to lie side by side for a moment.
        needed = 2 * size - there
        if free and free[0].isdigit() and needed > int(free[0]) * 1024:
            raise no_room(self._host, self._target, self._what, needed, int(free[0]) * 1024)
        # Whole blocks only: the last one may be torn.
        self.offset = min(there, size) // _DD_BLOCK * _DD_BLOCK if there < size else size
        self._tell(self.offset)
        self._known.set()

    def _tell(self, done: int) -> None:
        size = self._stream.size
        self._report(Progress(f"sending {self._what}", min(done, size), size))

    def _pieces(self) -> Iterator[bytes]:
        """Yield where it begins, once that is known, and the stream from there on."""
        while not self._known.wait(0.2):
            if self._cancelled():
                raise WasCancelled("Sending was cancelled; what is there stays there.")
        at = self.offset
        if self._stop.is_set() or at < 0:
            raise _Stopped
        yield f"{at // _DD_BLOCK} {self._stream.size}\n".encode()
        while at < self._stream.size:
            if self._stop.is_set():
                raise _Stopped
            if self._cancelled():
                raise WasCancelled("Sending was cancelled; what is there stays there.")
            data = self._stream.read(at, _PIECE)
            at += len(data)
            yield data
