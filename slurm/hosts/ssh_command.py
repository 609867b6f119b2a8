"""One command over SSH: the line that is sent, and its own output among what shells print.

Start-up files print greetings, and some print once more when they end; a command's output is what
stands between two marks, on standard output and on standard error alike.
"""

from __future__ import annotations

import base64
import contextlib
import re
import secrets
import select
import shlex
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from core.common.text import clean
from core.late import late
from slurm.hosts.base import Completed, HostError
from slurm.hosts.pump import Clock

if TYPE_CHECKING:
    import paramiko
else:
    paramiko = late("paramiko")

# More than a channel's window holds: of what it keeps, paramiko moves the rest for each part taken.
_BLOCK = 4 * 1024 * 1024
# Of what a shell prints before a command that never comes, as much as an error needs.
_NOISE = 64 * 1024
# What of a piece paramiko makes one packet of: OpenSSH takes 32 kB, less what it keeps free of it.
_PACKET = 32 * 1024 - 64

# coreutils' timeout(1) exits with this when it ended the command.
TIMED_OUT = 124


def command_line(
    argv: Sequence[str],
    mark: str,
    timeout: float | None,
    cwd: str | None,
    env: Mapping[str, str],
    prelude: str,
) -> str:
    """Return a line that any login shell, tcsh and fish among them, passes on untouched.

    The script is base64, so that no quoting rule of the outer shell meets an argument; inside,
    `sh` gets each argument quoted. Closing a channel leaves the remote process alive, so the host
    itself ends it when its time is up; without a `timeout` it ends by itself, or with its input.
    """
    for name in env:
        if not name.replace("_", "a").isalnum():
            raise ValueError(f"no such environment variable: {name!r}")
    command = " ".join(shlex.quote(part) for part in argv)
    if timeout is not None:
        # Said once: the question for the queue is 3 kB, asked all day.
        command = (
            f"set -- {command}; if command -v timeout >/dev/null 2>&1;"
            f' then timeout -k 5 {timeout:.0f} "$@"; else "$@"; fi'
        )
    script = "\n".join([
        *([prelude] if prelude else []),
        *([f"cd -- {shlex.quote(cwd)} || exit 126"] if cwd else []),
        *(f"export {name}={shlex.quote(value)}" for name, value in env.items()),
        f"printf '%s\\n' {mark} >&2",
        f"printf '%s\\n' {mark}",
        command,
        "code=$?",
        f"printf '\\n%s\\n' {mark} >&2",
        f"printf '\\n%s %s\\n' {mark} $code",
        "exit $code",
    ])  # fmt: skip
    return packed_line(script)


def packed_line(script: str) -> str:
    """Return a line that has `sh` run a script, whatever the login shell makes of quotes."""
    packed = base64.b64encode(script.encode()).decode()
    return f"/bin/sh -c 'eval \"$(echo {packed} | base64 -d)\"'"


class Framed:
    """Standard output as it comes: what stands between the marks goes to `sink`, at once.

    `noise` is what came before the first mark, `code` the exit code behind the second one, None as
    long as it has not come.
    """

    def __init__(self, mark: str, sink: Callable[[bytes], object]) -> None:
        self._begin = f"{mark}\n".encode()
        self._end = re.compile(rb"\n%s (\d+)\n" % mark.encode())
        # What may be the beginning of the end: the mark as far as it came, or a code behind it.
        nested = "".join(f"(?:{letter}" for letter in mark) + ")?" * len(mark)
        self._may_end = re.compile(rf"\n(?:{mark} \d*|{nested})\Z".encode())
        # With a code of three digits.
        self._longest = len(mark) + 8
        self._sink = sink
        self._held = b""
        self.begun = False
        self.noise = b""
        self.code: int | None = None

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        if self.code is not None:
            return
        self._held += data
        if not self.begun:
            before, found, rest = self._held.partition(self._begin)
            self.noise = before[-_NOISE:]
            if not found:
                self._held = self._held[-_NOISE:]
                return
            self.begun, self._held = True, rest
        end = self._end.search(self._held)
        if end is not None:
            self.code = int(end[1])
            self._pass_on(end.start())
            self._held = b""
        else:
            may = self._may_end.search(self._held, max(0, len(self._held) - self._longest))
            self._pass_on(len(self._held) if may is None else may.start())

    def _pass_on(self, length: int) -> None:
        if length:
            self._sink(self._held[:length])
            self._held = self._held[length:]


def own_errors(stderr: bytes, mark: str) -> bytes:
    """Return what the command itself wrote to standard error."""
    _, found, rest = stderr.partition(f"{mark}\n".encode())
    return rest.rpartition(f"\n{mark}\n".encode())[0] if found else stderr


def told(framed: Framed, stderr: bytes, name: str, what: str, timeout: float | None = None) -> int:
    """Return a command's exit code. Raises `HostError` for one that never began, or had no end."""
    if not framed.begun:
        said = (stderr or framed.noise).decode(errors="replace")
        raise HostError(
            f"No command could be run on {clean(name)}: {clean(said.strip())[:300]}.",
            "Check the login shell there, and the profile's commands before each command.",
        )
    if framed.code is None:
        raise ended_early(name, what)
    if framed.code == TIMED_OUT and timeout is not None:
        raise HostError(
            f"'{clean(what)}' did not answer in {timeout:g} s on {clean(name)}.",
            "Try again later; the machine or its file system may be busy.",
        )
    return framed.code


class Asked:
    """A command as it is sent to a host, `line`, and its answer, whose output `framed` takes.

    `prelude` runs before it, in the same shell; the others are those of `Host.run`. What it prints
    goes to `sink`, or is kept for `completed`.
    """

    def __init__(
        self,
        argv: Sequence[str],
        prelude: str,
        *,
        timeout: float | None = None,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        sink: Callable[[bytes], object] | None = None,
    ) -> None:
        self._argv, self._timeout = tuple(argv), timeout
        self._mark = secrets.token_hex(8)
        self._out = bytearray()
        self.line = command_line(argv, self._mark, timeout, cwd, env or {}, prelude)
        self.framed = Framed(self._mark, sink or self._out.extend)

    def completed(self, stderr: bytes, name: str) -> Completed:
        """Return what came of it, with all of its standard error. Raises as `told` does."""
        errors = own_errors(stderr, self._mark)
        code = told(self.framed, errors, name, str(self._argv[0]), self._timeout)
        return Completed(self._argv, code, bytes(self._out), errors)


def ended_early(name: str, what: str) -> HostError:
    """Return the error for what ended without telling how, while the connection is well."""
    return HostError(
        f"{clean(name)} ended it before it was over ({clean(what)}).",
        "Its memory or time may be limited there, or the server allows no commands.",
    )


def begin(channel: paramiko.Channel, line: str) -> None:
    """Have a command run on a new channel, and do not wait until the server says that it does.

    What is sent next comes behind it. A server that refuses it closes the channel, as paramiko
    does then. RFC 4254, 6.5, has the message.
    """
    message = paramiko.Message()
    message.add_byte(paramiko.common.cMSG_CHANNEL_REQUEST)
    message.add_int(channel.remote_chanid)
    message.add_string("exec")
    message.add_boolean(True)
    message.add_string(line)
    channel.get_transport()._send_user_message(message)  # type: ignore[attr-defined]


def talk(
    channel: paramiko.Channel,
    source: Iterable[bytes],
    sink: Callable[[bytes], object],
    clock: Clock,
) -> bytes:
    """Send `source`, hand standard output to `sink`, and return standard error, until the end.

    Raises `TimeoutError`, `EOFError` where the command's end is not told, and whatever `source` or
    `sink` raise.
    """
    err = bytearray()
    failed: list[BaseException] = []
    # Written by a thread, since a command may want to be read before it reads on.
    feeder = threading.Thread(
        target=_feed, args=(channel, source, clock, failed), daemon=True, name="feeder"
    )
    feeder.start()
    while not failed:
        # Readable is: output, an error output, or the end.
        select.select([channel], [], [], min(1.0, clock.left))
        moved = False
        while channel.recv_ready():
            sink(channel.recv(_BLOCK))
            moved = True
        while channel.recv_stderr_ready():
            err += channel.recv_stderr(_BLOCK)
            moved = True
        if moved:
            clock.moved()
            continue
        if not failed and (channel.eof_received or channel.closed):
            # The status may come just after the end of the output.
            if not channel.status_event.wait(clock.left):
                raise TimeoutError
            if not channel.exit_status_ready() or channel.exit_status < 0:
                raise EOFError
            return bytes(err)
        if not clock.left:
            raise TimeoutError
    raise failed[0]


def _feed(
    channel: paramiko.Channel,
    source: Iterable[bytes],
    clock: Clock,
    failed: list[BaseException],
) -> None:
    try:
        for piece in source:
            # The command may end without reading all of it.
            with contextlib.suppress(OSError, paramiko.SSHException):
                _send(channel, piece)
                clock.moved()
                continue
            return
        with contextlib.suppress(OSError, paramiko.SSHException):
            channel.shutdown_write()
    except BaseException as error:  # of the source: told by whoever asked for it
        failed.append(error)
        # Which ends the wait for its output.
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            channel.close()


def _send(channel: paramiko.Channel, piece: bytes) -> None:
    """Send all of `piece`; paramiko's own `sendall` copies the rest of it for each packet."""
    at = 0
    while at < len(piece):
        at += channel.send(piece[at : at + _PACKET])
