"""Files by plain commands, for where there is no SFTP: slower, and each content checked by its sum.

What a start-up file prints between the bytes of a file, or reads away from what is sent, is found
out by the SHA-256 sum that the other side tells of what it sent or got.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from core.common.temporary import file_beside, sweep
from core.common.text import clean
from slurm.hosts.base import Completed, HostError

_PIECE = 256 * 1024
_READ_S, _SIZE_S = 120.0, 30.0
_MISSING = 3

# The sum is of the very bytes that are sent, for the file may grow meanwhile. `| cat` makes a pipe
# of what may be a socket, which /dev/fd could not open again.
_TOLD = "{ %s | tee /dev/fd/4 | sha256sum >&2; } 4>&1 | cat"
_READ = (
    f'[ -f "$1" ] || exit {_MISSING}; exec 3<"$1" || exit 1; '
    + _TOLD % 'tail -c "+$2" <&3 | head -c "$3"'
)
# Seven times as fast as sha256sum(1), which does not use the processor's own SHA.
_SUMMING = """
import hashlib, os
digest = hashlib.sha256()
while True:
    data = os.read(3, 1 << 20)
    if not data:
        break
    digest.update(data)
    view = memoryview(data)
    while view:
        view = view[os.write(1, view):]
os.write(2, digest.hexdigest().encode() + b"  -\\n")
"""
_GET = (
    f'[ -f "$1" ] || exit {_MISSING}; exec 3<"$1" || exit 1; '
    f"command -v python3 >/dev/null 2>&1 && exec python3 -I -S -c '{_SUMMING}'; "
    + _TOLD
    % "cat <&3"
)
_SIZE = f'[ -e "$1" ] || exit {_MISSING}; stat -Lc %s -- "$1"'
_PUT = (
    'cat >"$1" && { [ "$(sha256sum <"$1")" = "$3  -" ] || { echo "it arrived damaged" >&2; false; }'
    '; } && chmod "$4" "$1" && mv -f -- "$1" "$2" || { rm -f -- "$1"; exit 1; }'
)
_SUM = re.compile(rb"\A([0-9a-f]{64})  -\n\Z")


class Commands(Protocol):
    """What of a host is needed for its files."""

    name: str

    def run(self, argv: Sequence[str], *, timeout: float = 30.0) -> Completed:
        """See `Host.run`."""
        ...

    def stream(
        self,
        argv: Sequence[str],
        *,
        source: Iterable[bytes] = (),
        sink: Callable[[bytes], object] | None = None,
    ) -> Completed:
        """See `Host.stream`."""
        ...


def read(host: Commands, path: str, offset: int, limit: int) -> bytes:
    """See `Host.read`."""
    done = host.run(["sh", "-c", _READ, "sh", path, str(offset + 1), str(limit)], timeout=_READ_S)
    if done.code == _MISSING:
        return b""
    _check(host, done, f"reading {path}")
    _compare(host, done, hashlib.sha256(done.stdout).hexdigest(), f"reading {path}")
    return done.stdout


def size(host: Commands, path: str) -> int | None:
    """See `Host.size`."""
    done = host.run(["sh", "-c", _SIZE, "sh", path], timeout=_SIZE_S)
    if done.code == _MISSING:
        return None
    _check(host, done, f"looking at {path}")
    return int(done.text)


def put(host: Commands, local: Path, remote: str) -> None:
    """See `Host.put`."""
    with local.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    mode = f"{local.stat().st_mode & 0o777:o}"
    part = f"{remote}.{secrets.token_hex(4)}.part"
    argv = ["sh", "-c", _PUT, "sh", part, remote, digest, mode]
    _check(host, host.stream(argv, source=_pieces(local)), f"writing {remote}")


def get(host: Commands, remote: str, local: Path) -> None:
    """See `Host.get`."""
    local.parent.mkdir(parents=True, exist_ok=True)
    sweep(local.parent)
    with file_beside(local) as part, part.open("wb") as file:
        digest = hashlib.sha256()

        def take(data: bytes) -> None:
            digest.update(data)
            file.write(data)

        done = host.stream(["sh", "-c", _GET, "sh", remote], sink=take)
        if done.code == _MISSING:
            raise FileNotFoundError(f"{host.name}: fetching {remote}")
        _check(host, done, f"fetching {remote}")
        _compare(host, done, digest.hexdigest(), f"fetching {remote}")


def _pieces(file: Path) -> Iterator[bytes]:
    with file.open("rb") as opened:
        while piece := opened.read(_PIECE):
            yield piece


def _check(host: Commands, done: Completed, what: str) -> None:
    if done.code:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise HostError(
            f"{clean(host.name)}: {clean(what)} failed:"
            f" {clean(said[-1])[:200] if said else f'code {done.code}'}.",
            "Check the path, the permissions and the space there.",
        )


def _compare(host: Commands, done: Completed, digest: str, what: str) -> None:
    """Raise `HostError` unless what came has the sum that was told of it."""
    told = _SUM.match(done.stderr)
    if told is not None and told[1].decode() == digest:
        return
    said = done.stderr.decode(errors="replace").strip().splitlines()
    if told is None and said:
        why = clean(said[0])[:200]
    else:
        why = "it arrived damaged, as if something there printed in between"
    raise HostError(
        f"{clean(host.name)}: {clean(what)} failed: {why}.",
        "Check the file, the disk and the shell's start-up files there.",
    )
