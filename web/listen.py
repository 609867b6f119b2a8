"""Where a server listens: a port of this machine, or a unix socket that only its owner opens."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from core.common.errors import BatmanError
from core.common.text import clean

_BACKLOG = 128
# What a name leads to and this machine does not have, such as ::1 where there is no IPv6.
_ABSENT = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT)


def listen_port(host: str, port: int) -> list[socket.socket]:
    """Return listening sockets for every address of `host`, all at `port`.

    An address that is taken is an error even if another is free: to a browser `localhost` is
    127.0.0.1 and ::1, whatever /etc/hosts says (RFC 6761, 6.3), and it must not reach somebody
    else's server at one of them. Raises BatmanError.
    """
    found: list[tuple[Any, ...]] = []
    try:
        for name in ("127.0.0.1", "::1") if host == "localhost" else (host.strip("[]"),):
            found += socket.getaddrinfo(
                name, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )
    except (OSError, UnicodeError) as error:
        raise BatmanError(
            f"'{clean(host)}' is no address of this machine: {clean(str(error))}.",
            "Give --host localhost, or an address that this machine has.",
        ) from None
    sockets: list[socket.socket] = []
    problem: OSError | None = None
    for family, kind, protocol, _, address in dict.fromkeys(found):
        try:
            opened = socket.socket(family, kind, protocol)
        except OSError as error:
            problem = error
            continue
        try:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            opened.bind(address)
            opened.listen(_BACKLOG)
        except OSError as error:
            opened.close()
            problem = error
            if error.errno in _ABSENT:
                continue
            for other in sockets:
                other.close()
            raise _refused(host, port, error) from None
        sockets.append(opened)
    if not sockets:
        raise _refused(host, port, problem)
    return sockets


def _refused(host: str, port: int, error: OSError | None) -> BatmanError:
    if error is not None and error.errno == errno.EADDRINUSE:
        return BatmanError(
            f"Port {port} of {clean(host)} is taken already.",
            "Is Batman served there already? Else choose another with --port.",
        )
    if error is not None and error.errno in (errno.EACCES, errno.EPERM):
        return BatmanError(
            f"Port {port} of {clean(host)} may not be used.", "Choose one above 1023 with --port."
        )
    reason = clean(os.strerror(error.errno or 0)) if error is not None else "no address"
    return BatmanError(
        f"Nothing can listen at {clean(host)}, port {port}: {reason}.",
        "Give --host localhost, or an address that this machine has.",
    )


def listen_socket(path: Path) -> socket.socket:
    """Return a listening unix socket at `path`, which its owner alone may open.

    The folder is made, mode 0700, if it is missing; one that others may enter or that is not ours
    is refused, and so is anything at `path` that is no socket of ours or that a server listens at.
    A socket that nobody listens at any more is replaced. Raises BatmanError.
    """
    shown = clean(str(path))
    try:
        with _locked(path.parent):
            _make_way(path)
            opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            # The mode must be right from the first moment on, not after a chmod.
            before = os.umask(0o177)
            try:
                opened.bind(str(path))
                opened.listen(_BACKLOG)
            except BaseException:
                opened.close()
                raise
            finally:
                os.umask(before)
            return opened
    except OSError as error:
        if "too long" in str(error):
            raise BatmanError(
                f"The path '{shown}' is too long for a socket.",
                "A socket's path has about 100 characters at most: choose a shorter one.",
            ) from None
        raise BatmanError(
            f"No socket can be made at '{shown}': {clean(os.strerror(error.errno or 0))}.",
            "Choose a path in a folder of your own, such as $XDG_RUNTIME_DIR/batman.sock.",
        ) from None


def remove_socket(path: Path, opened: socket.socket) -> None:
    """Close `opened` and remove `path`, unless another server has taken the path since."""
    opened.close()
    with contextlib.suppress(OSError, BatmanError), _locked(path.parent):
        if path.is_socket() and not _alive(path):
            path.unlink()


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold `folder`, which is made if missing and must be ours alone, against a second starter."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        found = os.fstat(handle)
        shown = clean(str(folder))
        if found.st_uid != os.getuid():
            raise BatmanError(
                f"The folder '{shown}' belongs to another user.",
                "Choose a path in a folder of your own for the socket.",
            )
        if found.st_mode & 0o077:
            raise BatmanError(
                f"Others may enter the folder '{shown}'.",
                f"Close it with: chmod 700 '{shown}', or choose another for the socket.",
            )
        with contextlib.suppress(OSError):  # some network file systems have no locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _make_way(path: Path) -> None:
    """Remove a socket that nobody listens at. Raises BatmanError for anything else there."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    shown = clean(str(path))
    if not stat.S_ISSOCK(found.st_mode) or found.st_uid != os.getuid():
        raise BatmanError(
            f"'{shown}' is there and is no socket of yours.", "Choose another path for the socket."
        )
    if _alive(path):
        raise BatmanError(
            f"A server listens at '{shown}' already.",
            "Use its link, or choose another path for the socket.",
        )
    path.unlink()


def _alive(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(5)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            return True  # full, slow or not ours to judge: somebody is there
    return True
