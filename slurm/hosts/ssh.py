"""A machine over SSH: one connection, many channels, and no text of others in a shell line."""

from __future__ import annotations

import contextlib
import logging
import secrets
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import paramiko

from core.common.temporary import file_beside, sweep
from core.common.text import clean
from slurm.hosts import command_files
from slurm.hosts.base import Completed, HostError, NotConnected, Unreachable
from slurm.hosts.host_key import Transport, check_host_key, known_keys
from slurm.hosts.login.reconnect import Reconnect
from slurm.hosts.login.way import jumps_of
from slurm.hosts.pump import Clock
from slurm.hosts.sftp import NoSftp, Sftp
from slurm.hosts.ssh_channels import Room
from slurm.hosts.ssh_command import Asked, begin, ended_early, talk
from slurm.hosts.ssh_config import SshTarget, check_spec, read_target
from slurm.hosts.ssh_login import Asker, LoginFailed, Nobody, log_in

T = TypeVar("T")

# What goes wrong is told by our errors; without a handler it would come as tracebacks as well.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

KEEPALIVE_S = 30
# How long to wait for another channel to close where the server takes no more, at least; how often
# one is tried then; how long a server may take to open one.
_ROOM_S, _AGAIN_S, _OPEN_S = 10.0, 0.2, 30.0
# Larger files come as one stream of a command: SFTP asks for every 32 kB, and waits for answers.
_BY_STREAM = 4 * 1024 * 1024
# What a server may send on a channel before we take it: on a line of 100 ms there and back
# paramiko's 2 MB are 20 MB a second.
_WINDOW = 8 * 1024 * 1024
# How long the end of a connection may lag behind that of its channels.
_CUT_S = 0.3


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
        check_spec(spec)
        self.name = spec
        self._asker: Asker = asker or Nobody()
        self._config = config
        self._prelude = prelude
        self._lock = threading.RLock()
        self._room = Room()
        self._transport: paramiko.Transport | None = None
        self._jump: SshHost | None = None
        self._sftp = Sftp()
        self.last_answer: float | None = None

    @cached_property
    def target(self) -> SshTarget:
        """Where it leads; asked of ssh, or read, at the first use. Raises `HostError`."""
        return read_target(self.name, self._config)

    @cached_property
    def _reconnect(self) -> Reconnect:
        target = self.target
        # What a ProxyCommand of ssh's logs in to is none of our own jumps, and counts as well.
        through = []
        for jump in jumps_of("", target.proxy_command or ""):
            host = read_target(jump, self._config)
            through.append((jump, f"{host.hostname}:{host.port}"))
        place = f"{target.hostname}:{target.port}"
        return Reconnect(self.name, place, self._asker, through)

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
            target = self.target
            try:
                # By way of others, whose logins are counted as their own.
                jump = self._jump_to(target)
                with self._reconnect.login():
                    asked = self._open(target, jump)
            except HostError as error:
                self._drop()
                # A login that failed is not tried again by itself: accounts get locked for less.
                if isinstance(error, LoginFailed):
                    self._reconnect.needs_person = True
                raise
            self._reconnect.needs_person = asked
            self.last_answer = time.time()

    def close(self) -> None:
        """Close the connection; the next use opens it again."""
        with self._lock:
            self._drop()

    def _ready(self) -> paramiko.Transport:
        with self._lock:
            if not self.connected:
                self._reconnect.check(
                    lambda: "Connect again yourself: its login may ask you for a code or password."
                )
                self.connect()
            assert self._transport is not None
            return self._transport

    def _open(self, target: SshTarget, jump: SshHost | None) -> bool:
        """Open and log in; return whether a person had to answer."""
        sock = self._socket(target, jump)
        transport = Transport(sock, default_window_size=_WINDOW)
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
        return asked or (jump is not None and jump._reconnect.needs_person)

    def _jump_to(self, target: SshTarget) -> SshHost | None:
        """Connect to the last host on the way, each by way of the ones before it."""
        if not target.jumps:
            return None
        last = SshHost(target.jumps[-1], asker=self._asker, config=self._config)
        if len(target.jumps) > 1:
            last.target = replace(last.target, jumps=target.jumps[:-1])
        try:
            last.connect()
        except NotConnected as error:
            self._reconnect.failed(error)
            raise
        self._jump = last
        return last

    def _socket(
        self, target: SshTarget, jump: SshHost | None
    ) -> socket.socket | paramiko.Channel | paramiko.ProxyCommand:
        if jump is not None:
            assert jump._transport is not None
            try:
                return jump._transport.open_channel(
                    "direct-tcpip",
                    (target.hostname, target.port),
                    ("127.0.0.1", 0),
                    timeout=target.connect_timeout,
                )
            except paramiko.SSHException as error:
                raise Unreachable(
                    f"{clean(jump.name)} cannot reach {clean(target.hostname)}:{target.port}:"
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
            raise Unreachable(
                f"{clean(target.hostname)}:{target.port} cannot be reached: {clean(why)}.",
                "Check the name, the network and the VPN.",
            ) from None

    def _drop(self) -> None:
        transport, jump = self._transport, self._jump
        self._transport = self._jump = None
        self._room, self._sftp = Room(), Sftp()
        if transport is not None:
            transport.close()
        if jump is not None:
            jump.close()

    def _lives(self, transport: paramiko.Transport) -> bool:
        """Whether the connection is there, although something on it went wrong."""
        # Its channels are closed a moment before it is known to be cut itself.
        transport.join(_CUT_S)
        return transport.is_active()

    @contextlib.contextmanager
    def _answering(self, what: str, transport: paramiko.Transport) -> Iterator[None]:
        """Turn what goes wrong on the wire into a `HostError`, and note a cut connection.

        One that only refuses something is kept: logging in again would change nothing.
        """
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
            if self._lives(transport):
                raise ended_early(self.name, what) from None
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
        asked = Asked(argv, self._prelude, timeout=timeout, cwd=cwd, env=env)
        # A few seconds more than the host's own limit, whose end says more.
        stderr = self._talk(asked, [stdin], lambda: Clock(timeout + 10), str(argv[0]), timeout)
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
        stderr = self._talk(asked, source, lambda: Clock(idle, idle=True), str(argv[0]), idle)
        return asked.completed(stderr, self.name)

    def _talk(
        self,
        asked: Asked,
        source: Iterable[bytes],
        clock: Callable[[], Clock],
        what: str,
        seconds: float,
    ) -> bytes:
        """Run `asked`, which gets the output, and return its standard error.

        Its `clock` begins when it does: the login before it may have to wait for most of a minute.
        """
        transport = self._ready()
        room = self._room
        with self._answering(what, transport):
            channel = self._open_channel(transport, room, seconds)
            try:
                channel.settimeout(seconds)
                begin(channel, asked.line)
                return talk(channel, source, asked.framed.feed, clock())
            finally:
                channel.close()
                room.give()

    def _open_channel(
        self, transport: paramiko.Transport, room: Room, timeout: float
    ) -> paramiko.Channel:
        """Open a channel in a place of `room`, waiting where the server takes no more of them."""
        until = time.monotonic() + max(timeout, _ROOM_S)
        while True:
            while not room.take(_AGAIN_S):
                if room is self._room:
                    self._sftp.close_idle()
                if time.monotonic() > until:
                    raise HostError(
                        f"{clean(self.name)} takes no more than {room.most} commands at a time,"
                        " and those under way took too long.",
                        "It is asked again at the next look.",
                    )
            try:
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

    @property
    def files_by(self) -> str:
        """See `Host.files_by`."""
        if self._sftp.refused:
            return f"files go by commands, slower: no SFTP ({self._sftp.refused})"
        return "files go by SFTP"

    def read(self, path: str, offset: int, limit: int) -> bytes:
        """See `Host.read`."""

        def act(sftp: paramiko.SFTPClient) -> bytes:
            try:
                with sftp.open(path, "rb") as file:
                    file.seek(offset)
                    return file.read(limit)
            except FileNotFoundError:
                return b""

        return self._with_sftp(
            f"reading {path}", act, lambda: command_files.read(self, path, offset, limit)
        )

    def size(self, path: str) -> int | None:
        """See `Host.size`."""

        def act(sftp: paramiko.SFTPClient) -> int | None:
            try:
                return sftp.stat(path).st_size
            except FileNotFoundError:
                return None

        return self._with_sftp(f"looking at {path}", act, lambda: command_files.size(self, path))

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

        self._with_sftp(f"writing {remote}", act, lambda: command_files.put(self, local, remote))

    def get(self, remote: str, local: Path) -> None:
        """See `Host.get`."""

        def act(sftp: paramiko.SFTPClient) -> bool:
            if (sftp.stat(remote).st_size or 0) > _BY_STREAM:
                return False
            local.parent.mkdir(parents=True, exist_ok=True)
            sweep(local.parent)
            with file_beside(local) as part:
                sftp.get(remote, str(part))
            return True

        if not self._with_sftp(f"fetching {remote}", act, lambda: False):
            command_files.get(self, remote, local)

    def _with_sftp(
        self, what: str, act: Callable[[paramiko.SFTPClient], T], instead: Callable[[], T]
    ) -> T:
        """Return what `act` does by SFTP, or `instead` does where the server has none."""
        transport = self._ready()
        room, sftp = self._room, self._sftp

        def open_channel() -> tuple[paramiko.Channel, Callable[[], None]]:
            return self._open_channel(transport, room, _OPEN_S), room.give

        def told_apart(client: paramiko.SFTPClient) -> T:
            try:
                return act(client)
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

        try:
            with self._answering(what, transport):
                return sftp.use(open_channel, lambda: self._lives(transport), told_apart)
        except NoSftp:
            return instead()
