"""The app in a browser, request by request: the guide's script, its page, what a visitor gets."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import psutil
import pytest
from aiohttp import web
from serving import Served, Start
from yarl import URL

from web.app_server import AppServer
from web.door import Door

Session = aiohttp.ClientSession
Socket = aiohttp.ClientWebSocketResponse
BINARY, TEXT = aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT


@contextlib.asynccontextmanager
async def visiting(served: Served) -> AsyncIterator[Session]:
    """A client that has come in through the link; its apps are gone when it is."""
    jar = aiohttp.CookieJar(unsafe=True)
    async with asyncio.timeout(60), Session(cookie_jar=jar) as session:
        async with session.get(served.link) as answer:
            assert answer.status == 200
            assert "token" not in str(answer.url)
        yield session
        await session.close()
        await gone(served.apps())


async def drawn(socket: Socket, wanted: bytes) -> bytes:
    """Read what the app draws until `wanted` is in it, and return it."""
    seen = b""
    while wanted not in seen:
        message = await socket.receive()
        assert message.type in (BINARY, TEXT), message
        if message.type is BINARY:
            seen += message.data
        else:
            assert message.json()[0] != "ended", message.data
    return seen


async def told(socket: Socket, wanted: str) -> object:
    """Read on until the page is told something of the kind `wanted`, and return that."""
    while True:
        message = await socket.receive()
        assert message.type in (BINARY, TEXT), message
        if message.type is TEXT:
            kind, content = message.json()
            if kind == wanted:
                return content


async def ended(socket: Socket) -> dict[str, str]:
    """Return what the page is told at the end, after which the websocket closes."""
    content = await told(socket, "ended")
    assert isinstance(content, dict)
    assert (await socket.receive()).type in (
        aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSING,
    )  # fmt: skip
    return content


def terminal(session: Session, served: Served) -> contextlib.AbstractAsyncContextManager[Socket]:
    return session.ws_connect(f"{served.address}/ws?width=100&height=30")


async def gone(processes: list[psutil.Process]) -> None:
    """Wait until all have ended."""
    _, alive = await asyncio.to_thread(psutil.wait_procs, processes, 30)
    assert not alive


async def test_the_guides_script_shows_the_app(start: Start) -> None:
    served = start()
    assert served.link.startswith(f"http://localhost:{served.port}/?token=")
    async with visiting(served) as session, terminal(session, served) as browser:
        assert b"Projects" in await drawn(browser, b"night-watch")
        await browser.send_json(["stdin", "2"])
        await drawn(browser, b"No runs here yet")
        await browser.send_json(["resize", {"width": 60, "height": 20}])
        await browser.send_json(["ping", "12"])
        assert await told(browser, "pong") == "12"


async def test_the_plain_address_says_how_to_get_in(running: Served) -> None:
    async with Session() as session, session.get(running.address) as answer:
        assert answer.status == 401
        text = await answer.text()
    assert "the terminal where it runs" in text
    assert f"http://localhost:{running.port}/?token=…" in text


async def test_the_page_asks_nobody_else(running: Served) -> None:
    """textual-serve's own page takes a font from Google."""
    async with visiting(running) as session:
        async with session.get(running.address) as answer:
            pages = [await answer.text()]
        for path in re.findall(r'(?:href|src)="([a-z][^":]*)"', pages[0]):
            async with session.get(f"{running.address}/{path}") as answer:
                assert answer.status == 200, path
                assert answer.headers["Cache-Control"] == "private, no-cache"
                if path.endswith(("css", "html")):
                    pages.append(await answer.text())
    assert len(pages) == 4
    for text in pages:
        assert not re.search(r"(href|src)=\"https?:|url\([\"']?(https?:)?//|@import", text)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/", 405),
        ("POST", "/ws", 405),
        ("PUT", "/static/app.js", 405),
        ("GET", "/static/", 403),
        ("GET", "/textual/", 403),
        ("GET", "/static/../app_server.py", 404),
        ("GET", "/static/%2e%2e/app_server.py", 404),
        ("GET", "/static/..%2fserver.py", 404),
        ("GET", "/static/%2e%2e%2f%2e%2e%2fpyproject.toml", 404),
        ("GET", "/textual/..%2fserver.py", 404),
        ("GET", "/static//etc/passwd", 404),
        ("GET", "/static/%2fetc%2fpasswd", 404),
        ("GET", "/static/app.js%00.css", 404),
        ("GET", "/download/x", 404),
        ("GET", "/download/..%2f..%2fetc%2fpasswd", 404),
        ("GET", "/etc/passwd", 404),
        ("GET", "/ws", 400),
        pytest.param("GET", "/" + "x" * 20_000, 400, id="a path too long"),
    ],
)
async def test_what_a_visitor_does_not_get(
    running: Served, method: str, path: str, status: int
) -> None:
    async with visiting(running) as session:
        url = URL(running.address + path, encoded=True)
        async with session.request(method, url) as answer:
            text = await answer.text(errors="replace")
    assert "root:" not in text
    assert "import " not in text
    assert answer.status == status


async def test_the_websocket_is_behind_the_door(running: Served) -> None:
    async def refused(session: Session, status: int, **headers: str) -> None:
        with pytest.raises(aiohttp.WSServerHandshakeError) as error:
            await session.ws_connect(f"{running.address}/ws", headers=headers)
        assert error.value.status == status

    async with Session() as stranger:
        await refused(stranger, 401)
    async with visiting(running) as session:
        await refused(session, 403, Origin="http://evil.example")
        await refused(session, 403, Origin=f"http://localhost:{running.port + 1}")
        await refused(session, 403, Host="evil.example")
    assert running.apps() == []


# Draws a line as an app does, and stays until its input ends.
SMALL = """
import os, sys
os.write(1, b"__GANGLION__\\nD\\0\\0\\0\\x08Projects")
sys.stdin.buffer.read()
"""


@contextlib.asynccontextmanager
async def serving(app: str) -> AsyncIterator[tuple[Door, str, int]]:
    """Serve the Python source `app` to one visitor, in this process: the door, host and port."""
    door = Door()
    server = AppServer(door, [sys.executable, "-c", app], dict(os.environ), 1)
    runner = web.AppRunner(server.app, access_log=None, shutdown_timeout=5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0]
    try:
        yield door, host, port
    finally:
        await runner.cleanup()


async def refused_message(browser: Socket, message: str) -> None:
    """Send a message and see the websocket close because of it."""
    await browser.send_str(message)
    while (answer := await browser.receive()).type in (BINARY, TEXT):
        pass
    assert (answer.type, answer.data) == (aiohttp.WSMsgType.CLOSE, 1008)


@pytest.mark.parametrize(
    "message",
    [
        "[]", "x", "{}", "7", '["stdin"]', '["stdin", 7]', '["resize", {"width": 80}]',
        '["resize", [80, 24]]', pytest.param("[" * 100_000, id="deep"), '["ping", null]',
    ],
)  # fmt: skip
async def test_a_message_that_no_page_sends_closes_the_websocket(message: str) -> None:
    jar = aiohttp.CookieJar(unsafe=True)
    async with (
        asyncio.timeout(60),
        serving(SMALL) as (door, host, port),
        Session(cookie_jar=jar) as session,
    ):
        async with session.get(door.link(f"http://{host}:{port}")) as answer:
            assert answer.status == 200
        async with session.ws_connect(f"http://{host}:{port}/ws") as browser:
            await drawn(browser, b"Projects")
            await refused_message(browser, message)
        await children("GANGLION", 0)


async def test_such_a_message_ends_the_app(running: Served) -> None:
    async with visiting(running) as session, terminal(session, running) as browser:
        await drawn(browser, b"night-watch")
        apps = running.apps()
        await refused_message(browser, "[]")
        await gone(apps)


async def test_sizes_that_no_terminal_has_are_passed_over(running: Served) -> None:
    async with visiting(running) as session:
        url = f"{running.address}/ws?width=NaN&height=-3"
        async with session.ws_connect(url) as browser:
            await drawn(browser, b"Projects")
            for size in (0, -1, 10**9, None, "x", 1e400):
                await browser.send_json(["resize", {"width": size, "height": 24}])
            await browser.send_json(["ping", "still here"])
            assert await told(browser, "pong") == "still here"


async def test_a_message_too_long_closes_the_websocket(running: Served) -> None:
    async with visiting(running) as session, terminal(session, running) as browser:
        await drawn(browser, b"Projects")
        apps = running.apps()
        await browser.send_json(["stdin", "x" * (1 << 20)])
        while (answer := await browser.receive()).type in (BINARY, TEXT):
            pass
        assert (answer.type, answer.data) == (aiohttp.WSMsgType.CLOSE, 1009)
        await gone(apps)


async def test_two_servers_side_by_side(start: Start) -> None:
    first, second = start(), start()
    jar = aiohttp.CookieJar(unsafe=True)
    async with asyncio.timeout(60), Session(cookie_jar=jar) as session:
        for served in (first, second):
            async with session.get(served.link) as answer:
                assert answer.status == 200
        for served in (first, second):
            async with session.get(served.address) as answer:
                assert answer.status == 200
        async with session.get(f"{first.address}/?token={second.token}") as answer:
            assert answer.status == 401


async def test_the_token_is_nowhere_but_in_the_link(start: Start, tmp_path: Path) -> None:
    served = start()
    async with visiting(served) as session, terminal(session, served) as browser:
        await drawn(browser, b"night-watch")
        async with session.get(f"{served.address}/?token={served.token}x") as answer:
            assert answer.status == 401
        processes = [psutil.Process(served.process.pid), *served.apps()]
        assert len(processes) > 1
        for process in processes:
            assert served.token not in " ".join(process.cmdline())
            assert served.token not in str(process.environ())
    served.process.send_signal(signal.SIGINT)
    assert served.wait() == 0
    assert "\n".join(served.printed).count(served.token) == 2  # of the app and of the page
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert served.token.encode() not in file.read_bytes(), file


async def test_a_link_ends_with_its_server(start: Start) -> None:
    first, second = start(), start()
    assert first.token != second.token
    async with Session() as session, session.get(f"{second.address}/?token={first.token}") as no:
        assert no.status == 401
        assert "another start of the server" in await no.text()


async def test_a_full_house_says_so_and_a_place_that_is_left_is_taken(start: Start) -> None:
    served = start("--visitors", "1")
    async with visiting(served) as session:
        async with terminal(session, served) as browser:
            await drawn(browser, b"night-watch")
            async with terminal(session, served) as second:
                told_full = await ended(second)
            assert told_full["title"] == "All places are taken"
            assert "1 visitor at once" in told_full["text"]
            assert "--visitors 2" in told_full["hint"]
            assert len(served.apps()) == 1
            leaving = served.apps()
        # As at a reload: the new page asks while the old one's app is still ending.
        async with terminal(session, served) as browser:
            await drawn(browser, b"night-watch")
            assert len(served.apps()) == 1
        await gone(leaving)


# Ends only when the file that it is told of is there.
SLOW = (
    SMALL
    + """
import pathlib, time
while not pathlib.Path(os.environ["MAY_END"]).exists():
    time.sleep(0.01)
"""
)


async def test_who_is_slow_to_leave_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reload of the only visitor, whose app takes longer to end than a place is waited for."""
    monkeypatch.setattr("web.app_server._TURN_S", 0.02)
    monkeypatch.setenv("MAY_END", str(tmp_path / "end"))
    jar = aiohttp.CookieJar(unsafe=True)
    async with (
        asyncio.timeout(60),
        serving(SLOW) as (door, host, port),
        Session(cookie_jar=jar) as session,
    ):
        async with session.get(door.link(f"http://{host}:{port}")) as answer:
            assert answer.status == 200
        async with session.ws_connect(f"http://{host}:{port}/ws") as browser:
            await drawn(browser, b"Projects")
            async with session.ws_connect(f"http://{host}:{port}/ws") as other:
                assert (await ended(other))["title"] == "All places are taken"
        async with session.ws_connect(f"http://{host}:{port}/ws") as again:
            with pytest.raises(TimeoutError):  # ten times as long as who is not leaving is given
                await again.receive(timeout=0.2)
            (tmp_path / "end").touch()
            await drawn(again, b"Projects")


async def test_leaving_ends_the_app(running: Served) -> None:
    async with visiting(running) as session:
        async with terminal(session, running) as browser:
            await drawn(browser, b"night-watch")
            apps = running.apps()
            assert len(apps) == 1
        await gone(apps)


async def test_an_app_that_is_killed_says_so_on_the_page(running: Served) -> None:
    async with visiting(running) as session, terminal(session, running) as browser:
        await drawn(browser, b"night-watch")
        [app] = running.apps()
        app.kill()
        message = await ended(browser)
    assert message["title"] == "The app ended unexpectedly"
    assert "SIGKILL" in message["text"]
    assert "reload" in message["hint"]


async def test_an_app_that_is_left_says_so_on_the_page(running: Served) -> None:
    async with visiting(running) as session, terminal(session, running) as browser:
        await drawn(browser, b"night-watch")
        await browser.send_json(["stdin", "\x11"])
        message = await ended(browser)
    assert message["title"] == "Batman is closed"


async def test_a_screenshot_reaches_the_browser_once(running: Served) -> None:
    """The palette's Screenshot: what the app hands over is saved by the browser."""
    async with visiting(running) as session, terminal(session, running) as browser:
        await drawn(browser, b"night-watch")
        await browser.send_json(["stdin", "\x10"])
        await drawn(browser, b"Search")
        await browser.send_json(["stdin", "Screenshot"])
        await drawn(browser, b"creenshot")
        await asyncio.sleep(0)
        await browser.send_json(["stdin", "\r"])
        key = await told(browser, "deliver_file_start")
        url = f"{running.address}/download/{key}"
        async with session.get(url) as answer:
            assert answer.status == 200
            assert answer.headers["Content-Disposition"].startswith("attachment; filename=")
            assert answer.headers["Content-Type"] == "application/octet-stream"
            picture = await answer.read()
        async with session.get(url) as answer:
            assert answer.status == 404
    assert b"<svg" in picture
    assert picture.rstrip().endswith(b"</svg>")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_a_signal_ends_the_server_and_its_apps(start: Start, number: signal.Signals) -> None:
    served = start()
    async with visiting(served) as session, terminal(session, served) as browser:
        await drawn(browser, b"night-watch")
        async with terminal(session, served) as second:
            await drawn(second, b"night-watch")
            apps = served.apps()
            assert len(apps) == 2
            served.process.send_signal(number)
            for socket in (browser, second):
                message = await ended(socket)
                assert message["title"] == "Batman is no longer served"
    assert await asyncio.to_thread(served.wait) == 0
    assert [app for app in apps if app.is_running() and app.status() != "zombie"] == []
    assert "Traceback" not in "\n".join(served.printed)


@pytest.mark.parametrize("moment", ["drawn", "starting"])
async def test_a_killed_server_leaves_no_app(start: Start, moment: str) -> None:
    served = start()
    async with visiting(served) as session, terminal(session, served) as browser:
        if moment == "drawn":
            await drawn(browser, b"night-watch")
        while not (apps := served.apps()):
            await asyncio.sleep(0.01)
        os.kill(served.process.pid, signal.SIGKILL)
        await gone(apps)


FLOOD = """
import os
os.write(1, b"__GANGLION__\\n")
while True:
    os.write(1, b"D" + (1 << 16).to_bytes(4, "big") + os.urandom(1 << 16))
"""


async def test_a_browser_that_does_not_read_holds_nothing_up() -> None:
    """A laptop asleep: its connection is there, what is sent to it is taken by nobody."""
    jar = aiohttp.CookieJar(unsafe=True)
    async with asyncio.timeout(60), Session(cookie_jar=jar) as session:
        async with serving(FLOOD) as (door, host, port):
            async with session.get(door.link(f"http://{host}:{port}")) as answer:
                assert answer.status == 200
            cookie = "; ".join(f"{item.key}={item.value}" for item in jar)
            reader, writer = await asyncio.open_connection(host, port, limit=1 << 10)
            writer.write(
                f"GET /ws HTTP/1.1\r\nHost: {host}:{port}\r\nCookie: {cookie}\r\n"
                "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
            )
            assert b"101" in await reader.readline()
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            [app] = await children("urandom", 1)
            # It waits to be read: what it used of the processor no longer grows.
            used = -1.0
            while (now := sum(app.cpu_times()[:2])) != used:
                used = now
                await asyncio.sleep(0.5)
        assert await children("urandom", 0) == []
        writer.transport.abort()


async def children(word: str, wanted: int) -> list[psutil.Process]:
    """Wait until so many children of this process have `word` in their source, and return them."""

    def is_one(process: psutil.Process) -> bool:
        try:
            return word in " ".join(process.cmdline())
        except psutil.Error:  # it has just ended
            return False

    while True:
        found = [process for process in psutil.Process().children() if is_one(process)]
        if len(found) == wanted:
            return found
        await asyncio.sleep(0.02)
