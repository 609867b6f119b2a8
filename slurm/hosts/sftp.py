"""Files by SFTP, over one channel of an SSH connection, one at a time on it.

A start-up file that prints, or a server without the subsystem, makes it no SFTP: then `NoSftp` is
raised, and whoever asked goes by commands.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

import paramiko

from core.common.text import clean

T = TypeVar("T")

# How long a server may take to begin, and to answer later on.
_OPEN_S, _ANSWER_S = 30.0, 60.0


class NoSftp(Exception):
    """The server does not speak SFTP as it should; the connection is as good as before."""


class Sftp:
    """The SFTP channel of one connection. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._client: paramiko.SFTPClient | None = None
        self._give: Callable[[], None] = _nothing
        self.refused = ""
        """Why there is none, as far as is known; empty while it may be tried."""

    def use(
        self,
        open_channel: Callable[[], tuple[paramiko.Channel, Callable[[], None]]],
        alive: Callable[[], bool],
        act: Callable[[paramiko.SFTPClient], T],
    ) -> T:
        """Return what `act` does with the client; `open_channel` gives a channel and its room.

        `alive` tells whether the connection is. Raises `NoSftp`, the errors of `act`, and those of
        a connection that was cut.
        """
        with self._lock:
            for again in (True, False):
                if self.refused:
                    raise NoSftp(self.refused)
                try:
                    client = self._client or self._open(open_channel, alive)
                    return act(client)
                except paramiko.SFTPError as error:
                    self._close()
                    self._refuse(clean(str(error)))
                except paramiko.ChannelException:
                    raise
                except (EOFError, paramiko.SSHException):
                    # A server may end it, when it was idle for long; only once in a row.
                    self._close()
                    if not alive():
                        raise
                    if not again:
                        self._refuse("it ends at once")
        raise AssertionError("not reached")

    def close_idle(self) -> None:
        """Close the channel if nobody uses it now; the next use opens it again."""
        if self._lock.acquire(blocking=False):
            try:
                self._close()
            finally:
                self._lock.release()

    def _open(
        self,
        open_channel: Callable[[], tuple[paramiko.Channel, Callable[[], None]]],
        alive: Callable[[], bool],
    ) -> paramiko.SFTPClient:
        channel, give = open_channel()
        try:
            channel.settimeout(_OPEN_S)
            channel.invoke_subsystem("sftp")
            self._client = paramiko.SFTPClient(channel)
        except BaseException as error:
            channel.close()
            give()
            # SFTPError is none of SSHException's; a refused request closes the channel.
            if isinstance(error, (TimeoutError, paramiko.SSHException)) and alive():
                silent = isinstance(error, TimeoutError)
                self._refuse("it does not answer" if silent else "the server has none")
            raise
        channel.settimeout(_ANSWER_S)
        self._give = give
        return self._client

    def _refuse(self, why: str) -> None:
        self.refused = why
        raise NoSftp(why) from None

    def _close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._give()
        self._client, self._give = None, _nothing


def _nothing() -> None:
    pass
