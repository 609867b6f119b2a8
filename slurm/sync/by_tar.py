"""Sending to a host that has no python3: one tar stream, unpacked and checked when it is there.

It is written at its own offset of a stream that is the same each time: sending a part twice, or two
people sending the same at once, changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from core.common.errors import Cancelled as WasCancelled
from core.common.progress import Cancelled, Progress, Report
from slurm.hosts import Host, NeedsPerson, NotConnected
from slurm.sync.pack import MANIFEST, Pack
from slurm.sync.patience import damaged, no_room, persist, refused
from slurm.sync.tar_stream import TarStream

# It is one stream that waits for nobody; the other side tells after so much that it has written it.
CHUNK = 4 * 1024 * 1024
# What is read at once.
_PIECE = 512 * 1024
_DD_BLOCK = 64 * 1024
# Unpacking and checking a large data set on a busy file system.
_UNPACK_TIMEOUT_S = 3600.0

_STATE = """
[ -d "$1" ] && { echo whole; exit; }
mkdir -p -- "${1%/*}" || exit 1
[ -f "$1.part" ] && wc -c < "$1.part" || echo 0
df -Pk -- "${1%/*}" 2>/dev/null | awk 'NR == 2 { print $4 }'
"""

# Of `dd`'s count only whole blocks: the last one of the stream may be a part of one.
_TAKE = f"""
at=$2
while :; do
  said=$(LC_ALL=C dd of="$1" bs={_DD_BLOCK} count="$3" conv=notrunc iflag=fullblock \\
    seek="$at" 2>&1) || {{ echo "$said" >&2; exit 1; }}
  at=$((at + ${{said%%+*}}))
  echo "$at"
  [ "${{said%%+*}}" = "$3" ] || exit 0
done
"""

# `mv -T` fails where somebody else was faster, which is as good.
_UNPACK = f"""
[ -d "$1" ] && {{ rm -f -- "$1.part"; exit 0; }}
place=$(mktemp -d -- "$1.XXXXXX") || exit 1
trap 'rm -rf -- "$place"' EXIT
tar -xf "$1.part" -C "$place" && cd -- "$place" \\
  && echo "$2  {MANIFEST}" | sha256sum -c --status && sha256sum -c --status {MANIFEST} \\
  || {{ rm -f -- "$1.part"; exit 9; }}
chmod u=rwx,go=rx "$place"
mv -T -- "$place" "$1" 2>/dev/null || [ -d "$1" ] || exit 1
rm -f -- "$1.part"
"""
_BROKEN = 9


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
    for _ in range(2):
        if not _send_parts(host, stream, target, what, report, cancelled, patience_s):
            return False
        argv = ["sh", "-c", _UNPACK, "sh", target, pack.digest]
        done = persist(
            lambda argv=argv: host.run(argv, timeout=_UNPACK_TIMEOUT_S),  # type: ignore[misc]
            cancelled,
            patience_s,
        )
        if done.code == 0:
            return True
        if done.code != _BROKEN:
            raise refused(host, target, done.stderr)
    pack.forget()
    raise damaged(host, what)


def _send_parts(
    host: Host,
    stream: TarStream,
    target: str,
    what: str,
    report: Report,
    cancelled: Cancelled,
    patience_s: float,
) -> bool:
    """Send what is missing of the stream; return False if the folder is there already."""
    stage = f"sending {what}"
    furthest, since = -1, time.monotonic()

    def pieces(at: int) -> Iterator[bytes]:
        while at < stream.size:
            if cancelled():
                raise WasCancelled("Sending was cancelled; what is there stays there.")
            data = stream.read(at, _PIECE)
            at += len(data)
            yield data

    def written(told: bytes) -> None:
        for word in told.split()[-1:]:
            if word.isdigit():
                report(Progress(stage, min(int(word) * _DD_BLOCK, stream.size), stream.size))

    while True:
        state = persist(lambda: _state(host, target), cancelled, patience_s)
        if state is None:
            return False
        there, free = state
        # Whole blocks only: the last one may be torn.
        offset = (
            min(there, stream.size) // _DD_BLOCK * _DD_BLOCK if there < stream.size else stream.size
        )
        # The stream and what it is unpacked to lie side by side for a moment.
        needed = 2 * stream.size - there
        if free is not None and needed > free:
            raise no_room(host, target, what, needed, free)
        if offset < stream.size:
            report(Progress(stage, offset, stream.size))
            argv = ["sh", "-c", _TAKE, "sh", f"{target}.part", str(offset // _DD_BLOCK),
                    str(max(1, CHUNK // _DD_BLOCK))]  # fmt: skip
            try:
                done = host.stream(argv, source=pieces(offset), sink=written)
            except NeedsPerson:
                raise
            except NotConnected:
                # How much arrived, the host tells when it is back.
                if offset > furthest:
                    furthest, since = offset, time.monotonic()
                elif time.monotonic() - since > patience_s:
                    raise
                continue
            if done.code:
                raise refused(host, target, done.stderr)
        report(Progress(stage, stream.size, stream.size))
        return True


def _state(host: Host, target: str) -> tuple[int, int | None] | None:
    """Return the bytes that are there and those that are free, None if the folder is whole."""
    done = host.run(["sh", "-c", _STATE, "sh", target])
    words = done.text.split()
    if words[:1] == ["whole"]:
        return None
    if done.code or not words or not words[0].isdigit():
        raise refused(host, target, done.stderr)
    free = int(words[1]) * 1024 if len(words) > 1 and words[1].isdigit() else None
    return int(words[0]), free
