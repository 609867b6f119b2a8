"""One command over an SSH channel: the line that is sent, and what comes back."""

from __future__ import annotations

import base64
import contextlib
import select
import shlex
import threading
import time
from collections.abc import Mapping, Sequence

import paramiko

_BLOCK = 64 * 1024

# coreutils' timeout(1) exits with this when it ended the command.
TIMED_OUT = 124


def command_line(
    argv: Sequence[str],
    mark: str,
    timeout: float,
    cwd: str | None,
    env: Mapping[str, str],
    prelude: str,
) -> str:
    """Return a line that any login shell, tcsh and fish among them, passes on untouched.

    The script is base64, so that no quoting rule of the outer shell meets an argument; inside,
    `sh` gets each argument quoted. Closing a channel leaves the remote process alive, so the host
    itself ends it when its time is up.
    """
    for name in env:
        if not name.replace("_", "a").isalnum():
            raise ValueError(f"no such environment variable: {name!r}")
    command = " ".join(shlex.quote(part) for part in argv)
    script = "\n".join([
        *([prelude] if prelude else []),
        *([f"cd -- {shlex.quote(cwd)} || exit 126"] if cwd else []),
        *(f"export {name}={shlex.quote(value)}" for name, value in env.items()),
        f"printf '%s\\n' {mark}",
        f"if command -v timeout >/dev/null 2>&1; then exec timeout -k 5 {timeout:.0f} {command};",
        f"else exec {command}; fi",
    ])  # fmt: skip
    packed = base64.b64encode(script.encode()).decode()
    return f"sh -c 'eval \"$(echo {packed} | base64 -d)\"'"


def talk(channel: paramiko.Channel, stdin: bytes, deadline: float) -> tuple[bytes, bytes]:
    """Send input and collect both outputs until the command ends. Raises `TimeoutError`."""
    out, err = bytearray(), bytearray()
    # Written by a thread, since a command may want to be read before it reads on.
    feeder = threading.Thread(target=_feed, args=(channel, stdin), daemon=True)
    feeder.start()
    # A few seconds more than the host's own limit, whose end says more.
    deadline += 10
    while True:
        # Readable is: output, an error output, or the end.
        select.select([channel], [], [], max(0.0, min(1.0, deadline - time.monotonic())))
        moved = False
        while channel.recv_ready():
            out += channel.recv(_BLOCK)
            moved = True
        while channel.recv_stderr_ready():
            err += channel.recv_stderr(_BLOCK)
            moved = True
        if moved:
            continue
        if channel.eof_received or channel.closed:
            # The status may come just after the end of the output; without one the link was cut.
            if not channel.status_event.wait(max(0.0, deadline - time.monotonic())):
                raise TimeoutError
            if not channel.exit_status_ready() or channel.exit_status < 0:
                raise EOFError
            return bytes(out), bytes(err)
        if time.monotonic() > deadline:
            raise TimeoutError


def _feed(channel: paramiko.Channel, stdin: bytes) -> None:
    # The command may end without reading all of it.
    with contextlib.suppress(OSError, paramiko.SSHException):
        channel.sendall(stdin)
        channel.shutdown_write()
