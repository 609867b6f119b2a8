"""A machine over the system's own `ssh`: for Kerberos, hardware keys, and masters that are open.

paramiko has no Kerberos any more; what `ssh` can do, this host can. Nothing is asked for: who has
to answer something logs in once in a terminal, and the master connection stays for us. Where the
person's configuration names no `ControlPath`, there is a master of our own, so that not every
command is a login; it ends with us, however we end.
"""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from core.common.temporary import file_beside, sweep
from core.common.text import clean
from slurm.hosts.base import Completed, HostError, NeedsPerson, NotConnected
from slurm.hosts.ssh_command import TIMED_OUT, command_line

# ssh(1), EXIT STATUS: 255 is an error of ssh's own.
_SSH_FAILED = 255
_CHUNK = 8 * 1024 * 1024
_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 60.0
_LOGIN_S = 60.0
_OPTIONS = (
    "BatchMode=yes", "ConnectTimeout=15", "ServerAliveInterval=30", "ServerAliveCountMax=3",
    "EscapeChar=none", "RequestTTY=no", "ClearAllForwardings=yes", "LogLevel=ERROR",
)  # fmt: skip
_CUT = re.compile(rb"closed by remote host|Broken pipe|Connection reset|not responding", re.I)
_LOG_IN = ("Permission denied", "Too many authentication", "No Kerberos credentials")
_KEY = ("Host key verification failed", "REMOTE HOST IDENTIFICATION HAS CHANGED")

_MISSING = 3
_READ = f'[ -f "$1" ] || exit {_MISSING}; tail -c "+$2" -- "$1" | head -c "$3"'
_SIZE = f'[ -e "$1" ] || exit {_MISSING}; stat -Lc %s -- "$1"'
_PUT = (
    'cat >"$1" && [ "$(wc -c <"$1")" -eq "$3" ] && chmod "$4" "$1" && mv -f -- "$1" "$2" '
    '|| { rm -f -- "$1"; exit 1; }'
)


class OpenSshHost:
    """A host that the system's `ssh` reaches. Safe to use from several threads.

    After a failure the next try comes after a wait that doubles from one second to a minute; one
    that a person has to answer for is tried again by `connect` only. `config` is handed to `ssh`
    instead of the person's own.
    """

    def __init__(self, spec: str, *, config: Path | None = None, prelude: str = "") -> None:
        if spec.startswith("-") or not re.fullmatch(r"[^\s]+", spec):
            raise HostError(f"'{clean(spec)}' is no SSH host.", "Write host or user@host.")
        self.name = spec
        # `user@host:port` is a URI to ssh; an alias is not.
        self._target = f"ssh://{spec}" if re.fullmatch(r"[^:]+:\d+", spec) else spec
        self._config = ["-F", str(config)] if config is not None else []
        self._prelude = prelude
        self._lock = threading.Lock()
        # Whether the person's configuration has masters: not looked at yet.
        self._theirs: bool | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._master: subprocess.Popen[bytes] | None = None
        self._needs_person = False
        self._wait = 0.0
        self._not_before = 0.0
        self._last_error = ""

    def connect(self) -> None:
        """Try now, whatever failed before. Raises `HostError`."""
        self._needs_person = False
        self._not_before = 0.0
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

    def _ready(self) -> list[str]:
        """Return how ssh is called, with a master of ours if the person has none."""
        if self._needs_person:
            raise NeedsPerson(self._last_error, self._log_in_hint())
        left = self._not_before - time.monotonic()
        if left > 0:
            raise NotConnected(self._last_error, f"Trying again in {left:.0f} s.")
        with self._lock:
            if self._theirs is None:
                self._theirs = self._has_masters()
            if self._theirs:
                return self._ssh()
            if self._folder is None:
                # A socket's path holds about 100 characters, so not in a deep folder; 0700.
                base = os.environ.get("XDG_RUNTIME_DIR")
                there = base if base and Path(base).is_dir() else "/tmp"
                self._folder = tempfile.TemporaryDirectory(prefix="batman-", dir=there)
            socket = Path(self._folder.name) / "master"
            if self._master is None or self._master.poll() is not None or not socket.exists():
                self._end_master()
                self._start_master(socket)
            return self._ssh("ControlMaster=no", f"ControlPath={socket}")

    def _has_masters(self) -> bool:
        try:
            told = subprocess.run(
                ["ssh", *self._config, "-G", "--", self._target], stdin=subprocess.DEVNULL,
                capture_output=True, text=True, errors="replace", timeout=30, check=False,
            )  # fmt: skip
        except (OSError, subprocess.SubprocessError) as error:
            raise HostError(
                f"ssh cannot be run here: {clean(str(error))}.",
                "Install OpenSSH's client, or leave via out of the cluster's profile.",
            ) from None
        return re.search(r"^controlpath (?!none$)", told.stdout, re.MULTILINE) is not None

    def _start_master(self, socket: Path) -> None:
        """Log in once; the connection ends when its input does, which is when we are gone."""
        words = self._ssh("ControlMaster=yes", f"ControlPath={socket}", "ControlPersist=no")
        with tempfile.TemporaryFile() as said:
            master = subprocess.Popen(
                [*words, "--", self._target, "exec cat"], stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL, stderr=said, start_new_session=True,
            )  # fmt: skip
            until = time.monotonic() + _LOGIN_S
            while not socket.exists() and master.poll() is None and time.monotonic() < until:
                time.sleep(0.02)
            self._master = master
            if socket.exists():
                return
            self._end_master()
            said.seek(0)
            raise self._said(said.read() or b"no answer in time", "logging in")

    def _end_master(self) -> None:
        master, self._master = self._master, None
        if master is None:
            return
        with suppress(OSError):
            assert master.stdin is not None
            master.stdin.close()
        try:
            master.wait(2)
        except subprocess.TimeoutExpired:
            master.kill()
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
        mark = secrets.token_hex(8)
        line = command_line(argv, mark, timeout, cwd, env or {}, self._prelude)
        words = [*self._ready(), "--", self._target, line]
        what = clean(str(argv[0]))
        try:
            done = subprocess.run(
                words, input=stdin, capture_output=True, timeout=timeout + 40, check=False
            )
        except subprocess.TimeoutExpired:
            raise self._failed(f"{clean(self.name)} did not answer in time ({what}).") from None
        except OSError as error:
            raise HostError(f"ssh cannot be run here: {error.strerror}.") from None
        _, found, output = done.stdout.partition(f"{mark}\n".encode())
        if done.returncode == _SSH_FAILED and (not found or _CUT.search(done.stderr)):
            raise self._said(done.stderr, what)
        if not found:
            said = (done.stderr or done.stdout).decode(errors="replace")
            raise HostError(
                f"No command could be run on {clean(self.name)}: {clean(said)[:300]}.",
                "Check the login shell there, and the profile's commands before each command.",
            )
        self._wait = 0.0
        if done.returncode == TIMED_OUT:
            raise HostError(
                f"'{what}' did not answer in {timeout:g} s on {clean(self.name)}.",
                "Try again later; the machine or its file system may be busy.",
            )
        return Completed(tuple(argv), done.returncode, output, done.stderr)

    def _said(self, stderr: bytes, what: str) -> HostError:
        """Return the error for what ssh said when it failed."""
        text = stderr.decode(errors="replace")
        lines = [clean(line.strip()) for line in text.splitlines() if line.strip()]
        last = lines[-1] if lines else "no reason given"
        if any(word in text for word in _KEY):
            return self._person(f"The host key of {clean(self.name)} is not trusted: {last}.")
        if any(word in text for word in _LOG_IN):
            return self._person(f"{clean(self.name)} did not let us in: {last}.")
        return self._failed(f"The connection to {clean(self.name)} failed ({what}): {last}.")

    def _person(self, message: str) -> NeedsPerson:
        self._needs_person, self._last_error = True, message
        return NeedsPerson(message, self._log_in_hint())

    def _log_in_hint(self) -> str:
        return (
            f"Log in once in a terminal with: ssh {clean(self.name)} (kinit before, where tickets"
            " are used), then connect again."
        )

    def _failed(self, message: str) -> NotConnected:
        self._wait = min(_LONGEST_WAIT_S, max(_FIRST_WAIT_S, self._wait * 2))
        self._not_before = time.monotonic() + self._wait
        self._last_error = message
        return NotConnected(message, "It is tried again at the next use.")

    # Files

    def read(self, path: str, offset: int, limit: int) -> bytes:
        """See `Host.read`."""
        argv = ["sh", "-c", _READ, "sh", path, str(offset + 1), str(limit)]
        done = self.run(argv, timeout=120)
        if done.code == _MISSING:
            return b""
        self._check(done, f"reading {path}")
        return done.stdout

    def size(self, path: str) -> int | None:
        """See `Host.size`."""
        done = self.run(["sh", "-c", _SIZE, "sh", path])
        if done.code == _MISSING:
            return None
        self._check(done, f"looking at {path}")
        return int(done.text)

    def put(self, local: Path, remote: str) -> None:
        """See `Host.put`."""
        data = local.read_bytes()
        mode = f"{local.stat().st_mode & 0o777:o}"
        part = f"{remote}.{secrets.token_hex(4)}.part"
        argv = ["sh", "-c", _PUT, "sh", part, remote, str(len(data)), mode]
        self._check(self.run(argv, stdin=data, timeout=300), f"writing {remote}")

    def get(self, remote: str, local: Path) -> None:
        """See `Host.get`."""
        size = self.size(remote)
        if size is None:
            raise FileNotFoundError(f"{self.name}: fetching {remote}")
        local.parent.mkdir(parents=True, exist_ok=True)
        sweep(local.parent)
        with file_beside(local) as part, part.open("wb") as file:
            while file.tell() < size:
                data = self.read(remote, file.tell(), min(_CHUNK, size - file.tell()))
                if not data:
                    raise FileNotFoundError(f"{self.name}: {remote} became shorter")
                file.write(data)

    def _check(self, done: Completed, what: str) -> None:
        if done.code:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            raise HostError(
                f"{clean(self.name)}: {clean(what)} failed:"
                f" {clean(said[-1])[:200] if said else f'code {done.code}'}.",
                "Check the path, the permissions and the space there.",
            )
