"""Sending content to a cluster once: packed, resumed where it broke off, checked, shared by runs.

What is sent lies under the name of its content, so that what is there already is not sent again.
A part is written at its own offset of a stream that is the same each time: sending a part twice,
or two people sending the same at once, changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from core.common.errors import BatmanError
from core.common.errors import Cancelled as WasCancelled
from core.common.progress import Cancelled, Progress, Report, never, nothing
from core.common.text import clean, size
from slurm.hosts import Host, HostError, NeedsPerson, NotConnected
from slurm.sync.tar_stream import MANIFEST, Pack

T = TypeVar("T")

# Large enough for the way there and back to be little of it, small enough to lose.
CHUNK = 4 * 1024 * 1024
_DD_BLOCK = 64 * 1024
# How long a host may be out of reach before sending is given up; what is there stays there.
PATIENCE_S = 600.0
_CHUNK_TIMEOUT_S = 300.0
# Unpacking and checking a large data set on a busy file system.
_UNPACK_TIMEOUT_S = 3600.0

_STATE = """
[ -d "$1" ] && { echo whole; exit; }
mkdir -p -- "${1%/*}" || exit 1
[ -f "$1.part" ] && wc -c < "$1.part" || echo 0
df -Pk -- "${1%/*}" 2>/dev/null | awk 'NR == 2 { print $4 }'
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


def send(
    host: Host,
    pack: Pack,
    target: str,
    what: str = "data set",
    report: Report = nothing,
    cancelled: Cancelled = never,
    patience_s: float = PATIENCE_S,
) -> bool:
    """Make `pack` the folder `target` on the host; return whether anything had to be sent.

    A host that goes out of reach is waited for. `report` hears bytes of the stage `sending <what>`.
    Raises HostError when it stays out of reach, BatmanError when there is no room, or `Cancelled`;
    the next call goes on where this one ended.
    """
    for _ in range(2):
        if not _send_parts(host, pack, target, what, report, cancelled, patience_s):
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
            raise _refused(host, target, done.stderr)
    raise BatmanError(
        f"The {what} arrived damaged on {clean(host.name)} twice.",
        "A file changed while it was sent, or the disk there is full or broken.",
    )


def _send_parts(
    host: Host,
    pack: Pack,
    target: str,
    what: str,
    report: Report,
    cancelled: Cancelled,
    patience_s: float,
) -> bool:
    """Send what is missing of the stream; return False if the folder is there already."""
    stage = f"sending {what}"
    furthest, since = -1, time.monotonic()
    while True:
        state = persist(lambda: _state(host, target), cancelled, patience_s)
        if state is None:
            return False
        there, free = state
        # Whole blocks only: the last one may be torn.
        offset = min(there, pack.size) // _DD_BLOCK * _DD_BLOCK if there < pack.size else pack.size
        # The stream and what it is unpacked to lie side by side for a moment.
        needed = 2 * pack.size - there
        if free is not None and needed > free:
            raise BatmanError(
                f"There is no room for the {what} on {clean(host.name)}: it needs"
                f" {size(needed)}, and {size(free)} are free at {clean(target)}.",
                "Choose another workspace in the cluster's profile, or make room.",
            )
        try:
            while offset < pack.size:
                if cancelled():
                    raise WasCancelled("Sending was cancelled; what is there stays there.")
                report(Progress(stage, offset, pack.size))
                data = pack.read(offset, CHUNK)
                done = host.run(
                    ["dd", f"of={target}.part", f"bs={_DD_BLOCK}", "conv=notrunc",
                     "iflag=fullblock", f"seek={offset // _DD_BLOCK}"],
                    stdin=data,
                    timeout=_CHUNK_TIMEOUT_S,
                )  # fmt: skip
                if done.code:
                    raise _refused(host, target, done.stderr)
                offset += len(data)
        except NeedsPerson:
            raise
        except NotConnected:
            # How much arrived, the host tells when it is back.
            if offset > furthest:
                furthest, since = offset, time.monotonic()
            elif time.monotonic() - since > patience_s:
                raise
            continue
        report(Progress(stage, pack.size, pack.size))
        return True


def _state(host: Host, target: str) -> tuple[int, int | None] | None:
    """Return the bytes that are there and those that are free, None if the folder is whole."""
    done = host.run(["sh", "-c", _STATE, "sh", target])
    words = done.text.split()
    if words[:1] == ["whole"]:
        return None
    if done.code or not words or not words[0].isdigit():
        raise _refused(host, target, done.stderr)
    free = int(words[1]) * 1024 if len(words) > 1 and words[1].isdigit() else None
    return int(words[0]), free


def persist(action: Callable[[], T], cancelled: Cancelled, patience_s: float = PATIENCE_S) -> T:
    """Return what `action` returns, again and again while the host is out of reach.

    The host's own back-off says how often it is really tried. Raises its last error when patience
    ends, at once where a person has to log in, and `Cancelled`.
    """
    until = time.monotonic() + patience_s
    while True:
        try:
            return action()
        except NeedsPerson:
            raise
        except NotConnected:
            if time.monotonic() > until:
                raise
            if cancelled():
                raise WasCancelled("Cancelled while the host was out of reach.") from None
            time.sleep(0.25)


def _refused(host: Host, target: str, stderr: bytes) -> HostError:
    lines = stderr.decode(errors="replace").strip().splitlines()
    return HostError(
        f"{clean(host.name)} cannot write '{clean(target)}':"
        f" {clean(lines[-1])[:200] if lines else 'no reason given'}.",
        "Check the workspace in the cluster's profile, its permissions and quota.",
    )
