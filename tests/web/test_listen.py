"""Ports and sockets: what is taken, what is refused, and who may open a socket."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from serving import Start

from core.common.errors import BatmanError
from web.listen import listen_port, listen_socket, remove_socket

LINUX = sys.platform.startswith("linux")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A private folder with a path short enough for a socket."""
    made = Path(tempfile.mkdtemp(prefix="door-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_a_socket_is_its_owners_alone(folder: Path) -> None:
    path = folder / "new" / "batman.sock"
    before = os.umask(0)
    try:
        opened = listen_socket(path)
    finally:
        os.umask(before)
    assert stat.S_ISSOCK(path.lstat().st_mode)
    assert mode(path) == 0o600
    assert mode(path.parent) == 0o700
    remove_socket(path, opened)
    assert not path.exists()


def test_the_umask_is_put_back(folder: Path) -> None:
    before = os.umask(0o027)
    try:
        listen_socket(folder / "a").close()
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)


@pytest.mark.parametrize("kind", ["file", "folder", "link", "dangling"])
def test_what_is_no_socket_stays(folder: Path, kind: str) -> None:
    path = folder / "batman.sock"
    other = folder / "other"
    if kind == "file":
        path.write_text("mine")
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(other)
        if kind == "link":
            with socket.socket(socket.AF_UNIX) as stale:
                stale.bind(str(other))
    with pytest.raises(BatmanError, match="no socket of yours"):
        listen_socket(path)
    assert path.is_symlink() or path.read_text() == "mine" if kind != "folder" else path.is_dir()
    assert other.exists() == (kind == "link")


def test_a_stale_socket_is_replaced_and_a_live_one_is_not(folder: Path) -> None:
    path = folder / "batman.sock"
    first = listen_socket(path)
    with pytest.raises(BatmanError, match="listens at"):
        listen_socket(path)
    first.close()  # as after kill -9: the socket is there and nobody listens
    assert path.exists()
    second = listen_socket(path)
    remove_socket(path, first)
    assert path.exists(), "a server that ends takes only its own socket away"
    remove_socket(path, second)
    assert not path.exists()


@pytest.mark.skipif(not LINUX, reason="needs /proc/locks, to see who waits")
def test_of_two_who_start_at_once_the_second_waits(folder: Path) -> None:
    """Else the second may take away, as stale, the socket that the first has just made."""
    script = (
        "import sys; from pathlib import Path; from web.listen import listen_socket\n"
        "opened = listen_socket(Path(sys.argv[1])); print('listening', flush=True)"
    )
    handle = os.open(folder, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)  # the first, between looking and binding
    second = subprocess.Popen(
        [sys.executable, "-c", script, str(folder / "batman.sock")],
        stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    waiting = re.compile(rf"-> FLOCK .* {second.pid} ")
    while second.poll() is None and not waiting.search(Path("/proc/locks").read_text()):
        time.sleep(0.02)
    assert second.poll() is None, "it did not wait"
    assert list(folder.iterdir()) == []
    os.close(handle)
    assert second.communicate(timeout=30)[0] == "listening\n"


@pytest.mark.parametrize("bits", [0o755, 0o750, 0o711, 0o777])
def test_a_folder_that_others_may_enter_is_refused(folder: Path, bits: int) -> None:
    folder.chmod(bits)
    with pytest.raises(BatmanError) as error:
        listen_socket(folder / "batman.sock")
    assert "chmod 700" in error.value.hint
    assert list(folder.iterdir()) == []


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to give a folder to somebody else")
def test_a_folder_of_somebody_else_is_refused(folder: Path) -> None:
    os.chown(folder, 65534, 65534)
    with pytest.raises(BatmanError, match="another user"):
        listen_socket(folder / "batman.sock")


def test_paths_that_cannot_be(folder: Path) -> None:
    with pytest.raises(BatmanError, match="too long"):
        listen_socket(folder / ("x" * 120))
    (folder / "file").write_text("")
    with pytest.raises(BatmanError, match="No socket can be made"):
        listen_socket(folder / "file" / "batman.sock")


def test_a_port_that_is_taken_in_one_family_is_taken() -> None:
    """A browser that goes to `localhost` may reach ::1, where somebody else would listen."""
    first = listen_port("127.0.0.1", 0)
    port = int(first[0].getsockname()[1])
    with pytest.raises(BatmanError, match="taken already"):
        listen_port("localhost", port)
    first[0].close()
    try:
        other = listen_port("::1", port)
    except BatmanError:
        pytest.skip("no IPv6 on this machine")
    with pytest.raises(BatmanError, match="taken already"):
        listen_port("localhost", port)
    other[0].close()
    for opened in listen_port("localhost", port):
        opened.close()


@pytest.mark.parametrize("host", ["no-such-host.invalid", "192.0.2.1", "a" * 300, "x..y"])
def test_addresses_that_are_not_ours(host: str) -> None:
    with pytest.raises(BatmanError) as error:
        listen_port(host, 5173)
    assert "localhost" in error.value.hint


def test_an_address_that_this_machine_lacks_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """`localhost` is ::1 too, and a container may have no IPv6."""

    class Socket(socket.socket):
        def bind(self, address: Any) -> None:
            if self.family == socket.AF_INET6:
                raise OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")
            super().bind(address)

    monkeypatch.setattr("web.listen.socket.socket", Socket)
    [only] = listen_port("localhost", 0)
    assert only.getsockname()[0] == "127.0.0.1"
    only.close()


async def test_the_app_through_a_socket(start: Start, folder: Path) -> None:
    path = folder / "batman.sock"
    served = start("--socket", str(path))
    assert mode(path) == 0o600
    printed = "\n".join(served.printed)
    assert f"ssh -L {served.port}:{path} " in printed
    assert served.link.startswith(f"http://localhost:{served.port}/?token=")
    with (
        pytest.raises(OSError, match="refused"),
        socket.create_connection(("127.0.0.1", served.port)),
    ):
        pass
    connector = aiohttp.UnixConnector(str(path))
    jar = aiohttp.CookieJar(unsafe=True)
    async with (
        asyncio.timeout(60),
        aiohttp.ClientSession(connector=connector, cookie_jar=jar) as session,
    ):
        async with session.get(served.address) as answer:
            assert answer.status == 401
        async with session.get(served.link) as answer:
            assert answer.status == 200
        async with session.ws_connect(f"{served.address}/ws?width=90&height=30") as browser:
            seen = b""
            while b"night-watch" not in seen:
                message = await browser.receive()
                assert message.type in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT)
                seen += message.data if isinstance(message.data, bytes) else b""
    served.process.terminate()
    assert served.wait() == 0
    assert not path.exists()


ASK = """
import socket, sys
with socket.socket(socket.AF_UNIX) as end:
    end.connect(sys.argv[1])
    end.sendall(b"GET / HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n")
    print(end.recv(12).decode())
"""


@pytest.mark.skipif(os.getuid() != 0 or not LINUX, reason="needs root, to be two users")
def test_another_user_is_refused_even_where_the_folder_lets_them(
    start: Start, folder: Path
) -> None:
    path = folder / "batman.sock"
    start("--socket", str(path))

    def ask() -> str:
        # Not this environment's Python, which lies where another user may not look.
        done = subprocess.run(
            ["/usr/bin/python3", "-I", "-c", ASK, path],
            user=65534, group=65534, extra_groups=[], capture_output=True, text=True,
            cwd="/", timeout=60, check=False,
        )  # fmt: skip
        return done.stdout.strip() or done.stderr.strip().splitlines()[-1]

    assert "Permission denied" in ask()
    path.chmod(0o666)
    folder.chmod(0o711)
    assert ask() == "HTTP/1.1 403"
    folder.chmod(0o700)
