"""A machine over SSH: one connection, many channels, and no text of others in a shell line."""

from __future__ import annotations

import contextlib
import secrets
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import paramiko

from core.common.temporary import file_beside, sweep
from core.common.text import clean
from slurm.hosts.base import Completed, HostError, NeedsPerson, NotConnected
from slurm.hosts.host_key import Transport, check_host_key, known_keys
from slurm.hosts.ssh_channels import Room
from slurm.hosts.ssh_command import TIMED_OUT, command_line, talk
from slurm.hosts.ssh_config import read_target
from slurm.hosts.ssh_login import Asker, LoginFailed, Nobody, log_in

T = TypeVar("T")

KEEPALIVE_S = 30
_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 60.0
# How long to wait for another channel to close where the server takes no more, at least; how often
# one is tried then; how long a server may take to open one.
_ROOM_S, _AGAIN_S, _OPEN_S = 10.0, 0.2, 30.0


class SshHost:
    """A host over SSH. Safe to use from several threads.

    Connects at the first use. A cut connection is made again by the next use, after a wait that
    doubles from one second to a minute, unless a person had to answer for the login (a one-time
    code): then only `connect` does it, so that nobody is asked in a loop. `prelude` is a shell
    snippet of the person's own that runs before every command (`module load slurm`).
    """

    def __init__(
        self,
        spec: str,
        *,
        asker: Asker | None = None,
        config: Path | None = None,
        prelude: str = "",
    ) -> None:
        self.name = spec
        self.target = read_target(spec, config)
        self._asker: Asker = asker or Nobody()
        self._config = config
        self._prelude = prelude
        self._lock = threading.RLock()
        self._room = Room()
        self._transport: paramiko.Transport | None = None
        self._jump: SshHost | None = None
        self._sftp: paramiko.SFTPClient | None = None
        self._sftp_lock = threading.Lock()
        # paramiko keeps one refusal at a time: of two at once it tells one as a broken connection.
        self._opening = threading.Lock()
        self._needs_person = False
        self._wait = 0.0
        self._not_before = 0.0
        self._last_error = ""
        self.last_answer: float | None = None

    # The connection

    @property
    def connected(self) -> bool:
        """Whether there is a connection that is not known to be cut."""
        transport = self._transport
        return transport is not None and transport.is_active() and transport.is_authenticated()

    def connect(self) -> None:
        """Connect now, asking the person what the server asks; does nothing when connected.

        Raises `HostError`: `HostKeyChanged`, `LoginFailed`, or that the host cannot be reached.
        """
        with self._lock:
            if self.connected:
                return
            self._drop()
            try:
                self._needs_person = self._open()
            except HostError as error:
                self._drop()
                self._wait = min(_LONGEST_WAIT_S, max(_FIRST_WAIT_S, self._wait * 2))
                self._not_before = time.monotonic() + self._wait
                self._last_error = error.message
                # A login that failed is not tried again by itself: accounts get locked for less.
                self._needs_person = self._needs_person or isinstance(error, LoginFailed)
                raise
            self._wait, self._not_before, self._last_error = 0.0, 0.0, ""
            self.last_answer = time.time()

    def close(self) -> None:
        """Close the connection; the next use opens it again."""
        with self._lock:
            self._drop()

    def _ready(self) -> paramiko.Transport:
        with self._lock:
            if not self.connected:
                if self._needs_person:
                    raise NeedsPerson(
                        self._last_error or f"The connection to {clean(self.name)} was cut.",
                        "Connect again yourself: its login may ask you for a code or password.",
                    )
                left = self._not_before - time.monotonic()
                if left > 0:
                    raise NotConnected(
                        self._last_error or f"{clean(self.name)} is out of reach.",
                        f"Trying again in {left:.0f} s.",
                    )
                self.connect()
            assert self._transport is not None
            return self._transport

    def _open(self) -> bool:
        """Open and log in; return whether a person had to answer."""
        target = self.target
        sock = self._socket()
        transport = Transport(sock)
        # A server has several keys; ask first for one that we know.
        transport.known = known_keys(target)
        self._transport = transport
        transport.banner_timeout = transport.auth_timeout = target.connect_timeout + 45
        try:
            transport.start_client(timeout=target.connect_timeout)
            key = transport.get_remote_server_key()
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise NotConnected(
                f"{clean(self.name)} did not answer as an SSH server:"
                f" {clean(str(error)) or 'the connection was closed'}.",
                "It may be overloaded or limit new connections; try again in a minute.",
            ) from None
        address = sock.getpeername()[0] if isinstance(sock, socket.socket) else None
        trusted = check_host_key(target, key, self._asker, address)
        asked = log_in(transport, target, self._asker, passwords=trusted)
        transport.set_keepalive(KEEPALIVE_S)
        return asked or (self._jump is not None and self._jump._needs_person)

    def _socket(self) -> socket.socket | paramiko.Channel | paramiko.ProxyCommand:
        target = self.target
        if target.jumps:
            # Each jump is reached by way of the ones before it.
            last = SshHost(target.jumps[-1], asker=self._asker, config=self._config)
            if len(target.jumps) > 1:
                last.target = replace(last.target, jumps=target.jumps[:-1])
            last.connect()
            self._jump = last
            assert last._transport is not None
            try:
                return last._transport.open_channel(
                    "direct-tcpip",
                    (target.hostname, target.port),
                    ("127.0.0.1", 0),
                    timeout=target.connect_timeout,
                )
            except paramiko.SSHException as error:
                raise NotConnected(
                    f"{clean(last.name)} cannot reach {clean(target.hostname)}:{target.port}:"
                    f" {clean(str(error))}.",
                    "Check ProxyJump and the host name.",
                ) from None
        if target.proxy_command:
            return paramiko.ProxyCommand(target.proxy_command)
        try:
            return socket.create_connection((target.hostname, target.port), target.connect_timeout)
        except (OSError, UnicodeError) as error:
            # A name of the wrong length or letters is an error of its encoding.
            why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise NotConnected(
                f"{clean(target.hostname)}:{target.port} cannot be reached: {clean(why)}.",
                "Check the name, the network and the VPN.",
            ) from None

    def _drop(self) -> None:
        transport, jump = self._transport, self._jump
        self._transport = self._jump = self._sftp = None
        self._room = Room()
        if transport is not None:
            transport.close()
        if jump is not None:
            jump.close()

    @contextlib.contextmanager
    def _answering(self, what: str) -> Iterator[None]:
        """Turn what goes wrong on the wire into a `HostError`, and note a cut connection."""
        try:
            yield
        except TimeoutError:
            # A peer that is gone without a word looks just like this: do not keep the connection.
            self._drop()
            raise NotConnected(
                f"{clean(self.name)} did not answer in time ({what}).",
                "It may be busy; it is asked again at the next look.",
            ) from None
        except paramiko.ChannelException as error:
            raise HostError(
                f"{clean(self.name)} refused one more channel: {clean(str(error))}.",
                "Its MaxSessions is small; close other sessions over this connection.",
            ) from None
        except (paramiko.SSHException, EOFError, ConnectionError) as error:
            self._drop()
            raise NotConnected(
                f"The connection to {clean(self.name)} was cut ({what}"
                f"{': ' + clean(str(error)) if str(error) else ''}).",
                "It is made again at the next use.",
            ) from None
        self.last_answer = time.time()

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
        transport = self._ready()
        room = self._room
        with self._answering(str(argv[0])):
            channel = self._open_channel(transport, room, timeout)
            try:
                channel.settimeout(timeout)
                channel.exec_command(line)
                stdout, stderr = talk(channel, stdin, time.monotonic() + timeout)
                code = channel.recv_exit_status()
            finally:
                channel.close()
                room.give()
        # Login shells print banners and module messages; the command's output starts at the mark.
        _, found, output = stdout.partition(f"{mark}\n".encode())
        if not found:
            raise HostError(
                f"No command could be run on {clean(self.name)}:"
                f" {clean((stderr or stdout).decode(errors='replace'))[:300]}.",
                "Check the login shell there, and the profile's commands before each command.",
            )
        if code == TIMED_OUT:
            raise HostError(
                f"'{clean(str(argv[0]))}' did not answer in {timeout:g} s on {clean(self.name)}.",
                "Try again later; the machine or its file system may be busy.",
            )
        return Completed(tuple(argv), code, output, stderr)

    def _open_channel(
        self, transport: paramiko.Transport, room: Room, timeout: float
    ) -> paramiko.Channel:
        """Open a channel in a place of `room`, waiting where the server takes no more of them."""
        until = time.monotonic() + max(timeout, _ROOM_S)
        while True:
            while not room.take(_AGAIN_S):
                self._close_idle_sftp(room)
                if time.monotonic() > until:
                    raise HostError(
                        f"{clean(self.name)} takes no more than {room.most} commands at a time,"
                        " and those under way took too long.",
                        "It is asked again at the next look.",
                    )
            try:
                with self._opening:
                    return transport.open_session(timeout=min(timeout, _OPEN_S))
            except paramiko.ChannelException:
                room.refused()
                if time.monotonic() > until:
                    raise
                # What we closed last, the server may not have closed yet.
                time.sleep(_AGAIN_S)
            except BaseException:
                room.give()
                raise

    # Files

    def read(self, path: str, offset: int, limit: int) -> bytes:
        """See `Host.read`."""

        def act(sftp: paramiko.SFTPClient) -> bytes:
            try:
                with sftp.open(path, "rb") as file:
                    file.seek(offset)
                    return file.read(limit)
            except FileNotFoundError:
                return b""

        return self._with_sftp(f"reading {path}", act)

    def size(self, path: str) -> int | None:
        """See `Host.size`."""

        def act(sftp: paramiko.SFTPClient) -> int | None:
            try:
                return sftp.stat(path).st_size
            except FileNotFoundError:
                return None

        return self._with_sftp(f"looking at {path}", act)

    def put(self, local: Path, remote: str) -> None:
        """See `Host.put`."""
        part = f"{remote}.{secrets.token_hex(4)}.part"
        mode = stat.S_IMODE(local.stat().st_mode)

        def act(sftp: paramiko.SFTPClient) -> None:
            try:
                sftp.put(str(local), part, confirm=True)
                sftp.chmod(part, mode)
                sftp.posix_rename(part, remote)
            except OSError:
                with contextlib.suppress(OSError):
                    sftp.remove(part)
                raise

        self._with_sftp(f"writing {remote}", act)

    def get(self, remote: str, local: Path) -> None:
        """See `Host.get`."""
        local.parent.mkdir(parents=True, exist_ok=True)
        sweep(local.parent)
        with file_beside(local) as part:
            self._with_sftp(f"fetching {remote}", lambda sftp: sftp.get(remote, str(part)))

    def _with_sftp(self, what: str, act: Callable[[paramiko.SFTPClient], T]) -> T:
        transport = self._ready()
        # One SFTP channel, one at a time on it: a server may allow few.
        with self._sftp_lock, self._answering(what):
            sftp = self._sftp
            if sftp is None:
                sftp = self._sftp = self._open_sftp(transport)
            channel = sftp.get_channel()
            if channel is not None:
                channel.settimeout(60.0)
            try:
                return act(sftp)
            except FileNotFoundError:
                raise FileNotFoundError(f"{self.name}: {what}") from None
            except (TimeoutError, ConnectionError, EOFError):
                raise
            except OSError as error:
                # paramiko says "Socket is closed" as a bare OSError.
                if not self.connected or "closed" in str(error).lower():
                    raise EOFError from None
                raise HostError(
                    f"{clean(self.name)}: {clean(what)} failed: {clean(str(error))}.",
                    "Check the path, the permissions and the space there.",
                ) from None

    def _open_sftp(self, transport: paramiko.Transport) -> paramiko.SFTPClient:
        room = self._room
        channel = self._open_channel(transport, room, _OPEN_S)
        try:
            channel.settimeout(_OPEN_S)
            channel.invoke_subsystem("sftp")
            return paramiko.SFTPClient(channel)
        except BaseException:
            channel.close()
            room.give()
            raise

    def _close_idle_sftp(self, room: Room) -> None:
        """Close the SFTP channel if nobody uses it now; the next use opens it again."""
        if not self._sftp_lock.acquire(blocking=False):
            return
        try:
            if self._sftp is not None and room is self._room:
                self._sftp.close()
                self._sftp = None
                room.give()
        finally:
            self._sftp_lock.release()
