"""A machine over the system's own `ssh`: for Kerberos, hardware keys, and masters that are open.

paramiko has no Kerberos any more; what `ssh` can do, this host can. Nothing is asked for: who has
to answer something logs in once in a terminal, and the master connection stays for us. Where the
person has no master open, there is one of our own, so that not every command is a login; it ends
with us, however we end.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache, cached_property
from pathlib import Path

from core.common.text import clean
from slurm.hosts import command_files
from slurm.hosts.base import Completed, HostError, NeedsPerson, NotConnected, Unreachable
from slurm.hosts.config.ask_ssh import ask_ssh
from slurm.hosts.login.reconnect import Reconnect, Waiter
from slurm.hosts.login.way import on_the_way, place
from slurm.hosts.pump import Clock, NotStarted, pump
from slurm.hosts.ssh_channels import Room
from slurm.hosts.ssh_command import Asked, Framed
from slurm.hosts.ssh_login import Nobody

# ssh(1), EXIT STATUS: 255 is an error of ssh's own.
_SSH_FAILED = 255
_LOGIN_S = 60.0
# How long a session may wait for others to end, at least, and how often it is tried then.
_ROOM_S, _AGAIN_S = 10.0, 0.2
_OPTIONS = (
    "BatchMode=yes", "ConnectTimeout=15", "ServerAliveInterval=30", "ServerAliveCountMax=3",
    "EscapeChar=none", "RequestTTY=no", "ClearAllForwardings=yes", "LogLevel=ERROR",
)  # fmt: skip
_GCM = "aes128-gcm@openssh.com"
_CUT = re.compile(rb"closed by remote host|Broken pipe|Connection reset|not responding", re.I)
# mux_client_request_session() of OpenSSH's mux.c, for a server that takes no more sessions.
_REFUSED = b"Session open refused by peer"
_UNREACHED = ("connect to host", "Could not resolve", "Network is unreachable", "No route to host")
_LOG_IN = ("Permission denied", "Too many authentication", "No Kerberos credentials")
_KEY = ("Host key verification failed", "REMOTE HOST IDENTIFICATION HAS CHANGED")
# The master ends when its input does, which is when we are gone, and this with the master.
_WHILE_WE_LIVE = """
exec 3<&0
"$@" </dev/null 3<&- & ssh=$!
{ cat <&3 >/dev/null; kill "$ssh"; } 2>/dev/null & watch=$!
exec 3<&-
wait "$ssh"
kill "$watch"
"""


class OpenSshHost:
    """A host that the system's `ssh` reaches. Safe to use from several threads.

    After a failure it is tried again as `Reconnect` says; one that a person has to answer for by
    `connect` only. `config` is handed to `ssh` instead of the person's own.
    """

    files_by = "files go by commands over ssh"

    def __init__(
        self,
        spec: str,
        *,
        asker: Waiter | None = None,
        config: Path | None = None,
        prelude: str = "",
    ) -> None:
        if spec.startswith("-") or not re.fullmatch(r"[^\s]+", spec):
            raise HostError(f"'{clean(spec)}' is no SSH host.", "Write host or user@host.")
        self.name = spec
        self._target = _uri(spec)
        self._waiter: Waiter = asker or Nobody()
        self._config = ["-F", str(config)] if config is not None else []
        self._prelude = prelude
        self._lock = threading.Lock()
        self._room = Room()
        # The master's that is used, theirs or ours.
        self._socket: str | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._master: subprocess.Popen[bytes] | None = None
        self.last_answer: float | None = None

    def connect(self) -> None:
        """Try now, whatever failed before. Raises `HostError`."""
        self._reconnect.needs_person = False
        self._start(at_once=True)
        self.run(["true"])

    def close(self) -> None:
        """End the master connection, if it is ours."""
        with self._lock:
            self._end_master()
            if self._folder is not None:
                self._folder.cleanup()
            self._folder = None

    def _ssh(self, *options: str) -> list[str]:
        words = [word for option in (*_OPTIONS, *options) for word in ("-o", option)]
        return ["ssh", *self._config, *words]

    @cached_property
    def _says(self) -> dict[str, str]:
        """What ssh's configuration says about the host, as far as it is needed."""
        return self._told_of(self._target)

    def _told_of(self, target: str) -> dict[str, str]:
        try:
            told = ask_ssh(["ssh", *self._config, "-G", "--", target])
        except NotStarted as error:
            raise HostError(
                f"ssh cannot be run here: {error}.",
                "Install OpenSSH's client, or leave via out of the cluster's profile.",
            ) from None
        return {name: values[0] for name, values in told.items()}

    @cached_property
    def _reconnect(self) -> Reconnect:
        # ssh logs in to the hosts on the way by itself, whoever else goes through them.
        through = on_the_way(self._says, lambda host: self._told_of(_uri(host)))
        return Reconnect(self.name, place(self._says, self.name), self._waiter, through)

    def _ready(self) -> list[str]:
        """Return how ssh is called over a master that is up, theirs or ours.

        Where a master refuses one more session, ssh logs in anew for the command; it may not.
        """
        if self._socket is None or not Path(self._socket).exists():
            self._start(at_once=False)
        return self._ssh("ControlMaster=no", f"ControlPath={self._socket}", "ProxyCommand=exit 255")

    def _start(self, *, at_once: bool) -> None:
        """Have a master connection: the person's own if it is open, else one of ours.

        Unless `at_once`, none is begun before it is time again.
        """
        with self._lock:
            theirs = self._says.get("controlpath", "none")
            if theirs != "none" and self._is_up(theirs):
                self._socket = theirs
                return
            if self._folder is None:
                # A socket's path holds about 100 characters, so not in a deep folder; 0700.
                base = os.environ.get("XDG_RUNTIME_DIR")
                there = base if base and Path(base).is_dir() else "/tmp"
                self._folder = tempfile.TemporaryDirectory(prefix="batman-", dir=there)
            socket = str(Path(self._folder.name) / "master")
            if self._master is not None and self._master.poll() is None and self._is_up(socket):
                self._socket = socket
                return
            if not at_once:
                self._reconnect.check(self._log_in_hint)
            self._end_master()
            with self._reconnect.login():
                self._start_master(socket)
            self._socket = socket
            self._room = Room()

    def _is_up(self, socket: str) -> bool:
        words = [*self._ssh(f"ControlPath={socket}"), "-O", "check", "--", self._target]
        return (
            Path(socket).exists()
            and not subprocess.run(
                words, stdin=subprocess.DEVNULL, capture_output=True, check=False
            ).returncode
        )

    def _start_master(self, socket: str) -> None:
        """Log in once, without a session; the connection ends when we do, however we do."""
        words = self._ssh(
            "ControlMaster=yes", f"ControlPath={socket}", "ControlPersist=no",
            *fast_ciphers(self._says.get("ciphers", "")),
        )  # fmt: skip
        with tempfile.TemporaryFile() as said:
            master = subprocess.Popen(
                ["sh", "-c", _WHILE_WE_LIVE, "sh", *words, "-N", "--", self._target],
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said,
                start_new_session=True,
            )  # fmt: skip
            until = time.monotonic() + _LOGIN_S
            while not Path(socket).exists() and master.poll() is None and time.monotonic() < until:
                time.sleep(0.02)
            self._master = master
            if Path(socket).exists():
                return
            self._end_master()
            said.seek(0)
            raise self._said(said.read() or b"no answer in time", "logging in")

    def _end_master(self) -> None:
        master, self._master, self._socket = self._master, None, None
        if master is None:
            return
        with suppress(OSError):
            assert master.stdin is not None
            master.stdin.close()
        try:
            master.wait(2)
        except subprocess.TimeoutExpired:
            os.killpg(master.pid, signal.SIGKILL)
            master.wait()

    # Commands

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: float = 30.0,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Completed:
        """See `Host.run`. The command is ended on the host too when the time is up."""
        asked = Asked(argv, self._prelude, timeout=timeout, cwd=cwd, env=env)
        stderr = self._talk(asked, [stdin], lambda: Clock(timeout + 40), argv[0])
        return asked.completed(stderr, self.name)

    def stream(
        self,
        argv: Sequence[str],
        *,
        source: Iterable[bytes] = (),
        sink: Callable[[bytes], object] | None = None,
        idle: float = 120.0,
    ) -> Completed:
        """See `Host.stream`."""
        asked = Asked(argv, self._prelude, sink=sink or len)
        stderr = self._talk(asked, source, lambda: Clock(idle, idle=True), argv[0])
        return asked.completed(stderr, self.name)

    def _talk(
        self,
        asked: Asked,
        source: Iterable[bytes],
        clock: Callable[[], Clock],
        what: str,
    ) -> bytes:
        """Run `asked`, which gets the output, and return its standard error."""
        framed = asked.framed
        again = _Again(source, framed)
        until = time.monotonic() + max(clock().seconds, _ROOM_S)
        while True:
            words = [*self._ready(), "--", self._target, asked.line]
            room = self._room
            if not room.take(max(0.0, until - time.monotonic())):
                raise self._no_room()
            refused = False
            try:
                code, errors = pump(words, again, framed.feed, clock())
                refused = code == _SSH_FAILED and not framed.begun and _REFUSED in errors
            except TimeoutError:
                error = NotConnected(
                    f"{clean(self.name)} did not answer in time ({clean(what)}).",
                    "It is tried again at the next use.",
                )
                raise self._lost(error) from None
            finally:
                (room.refused if refused else room.give)()
            if not refused:
                break
            if time.monotonic() > until:
                raise self._no_room()
            # What we closed last, the server may not have closed yet.
            time.sleep(_AGAIN_S)
        if code == _SSH_FAILED and (not framed.begun or _CUT.search(errors)):
            raise self._lost(self._said(errors, clean(what)))
        self.last_answer = time.time()
        return errors

    def _no_room(self) -> HostError:
        return HostError(
            f"{clean(self.name)} takes no more sessions over one connection, and those under way"
            " took too long.",
            "Its MaxSessions is small; close other sessions over this connection.",
        )

    def _lost(self, error: HostError) -> HostError:
        self._socket = None
        self._reconnect.failed(error)
        return error

    def _said(self, stderr: bytes, what: str) -> HostError:
        """Return the error for what ssh said when it failed."""
        text = stderr.decode(errors="replace")
        lines = [clean(line.strip()) for line in text.splitlines() if line.strip()]
        last = lines[-1] if lines else "no reason given"
        if any(word in text for word in _KEY):
            return self._person(f"The host key of {clean(self.name)} is not trusted: {last}.")
        if any(word in text for word in _LOG_IN):
            return self._person(f"{clean(self.name)} did not let us in: {last}.")
        kind = Unreachable if any(word in text for word in _UNREACHED) else NotConnected
        return kind(
            f"The connection to {clean(self.name)} failed ({what}): {last}.",
            "It is tried again at the next use.",
        )

    def _person(self, message: str) -> NeedsPerson:
        self._reconnect.needs_person = True
        return NeedsPerson(message, self._log_in_hint())

    def _log_in_hint(self) -> str:
        return (
            f"Log in once in a terminal with: ssh {clean(self.name)} (kinit before, where tickets"
            " are used), then connect again."
        )

    # Files

    def read(self, path: str, offset: int, limit: int) -> bytes:
        """See `Host.read`."""
        return command_files.read(self, path, offset, limit)

    def size(self, path: str) -> int | None:
        """See `Host.size`."""
        return command_files.size(self, path)

    def put(self, local: Path, remote: str) -> None:
        """See `Host.put`."""
        command_files.put(self, local, remote)

    def get(self, remote: str, local: Path) -> None:
        """See `Host.get`."""
        command_files.get(self, remote, local)


def fast_ciphers(allowed: str) -> list[str]:
    """Return the option that tries AES-GCM first, if it is among those that are `allowed`.

    OpenSSH tries ChaCha20 first, for processors that cannot reckon AES by themselves; where ours
    can, the same bytes take a quarter less of both with AES.
    """
    names = allowed.split(",")
    if _GCM not in names or not _reckons_aes():
        return []
    return [f"Ciphers={','.join([_GCM, *(name for name in names if name != _GCM)])}"]


@cache
def _reckons_aes() -> bool:
    with suppress(OSError):
        # proc(5): "flags" on x86, "Features" on ARM.
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            name, _, values = line.partition(":")
            if name.strip() in ("flags", "Features"):
                return "aes" in values.split()
    return False


def _uri(spec: str) -> str:
    """Return how ssh takes a host: `user@host:port` is a URI to it; an alias is not."""
    return f"ssh://{spec}" if re.fullmatch(r"[^:/]+:\d+", spec) else spec


class _Again:
    """An input that can be begun anew until its command has begun.

    Who fed a command that was refused may still wait for the next piece: it goes to the one that
    is fed now, as does an error of the source.
    """

    def __init__(self, source: Iterable[bytes], framed: Framed) -> None:
        self._rest = iter(source)
        self._framed = framed
        self._begun_with: list[bytes] = []
        self._turn = 0
        self._error: BaseException | None = None
        # One at a time asks the source, and nobody who can go on without it waits for that.
        self._asking = False
        self._changed = threading.Condition()

    def __iter__(self) -> Iterator[bytes]:
        with self._changed:
            self._turn += 1
            turn, at = self._turn, 0
            self._changed.notify_all()
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda at=at: turn != self._turn or self._has(at) or not self._asking  # type: ignore[misc]
                )
                if turn != self._turn:
                    return
                piece = self._begun_with[at] if self._has(at) else None
                if piece is None:
                    self._asking = True
            if piece is None:
                piece = self._ask(turn)
                if piece is None:
                    return
            at += 1
            yield piece

    def _has(self, at: int) -> bool:
        return at < len(self._begun_with)

    def _ask(self, turn: int) -> bytes | None:
        """Return the source's next piece, if it is for the feeder whose `turn` this is."""
        piece, error = None, self._error
        if error is None:
            try:
                piece = next(self._rest, None)
            except BaseException as raised:
                error = raised
        with self._changed:
            self._asking, self._error = False, error
            if piece is not None and (turn != self._turn or not self._framed.begun):
                self._begun_with.append(piece)
            self._changed.notify_all()
            if turn != self._turn:
                return None
        if error is not None:
            raise error
        return piece
