"""The door alone, before an application that knows nothing of it: who comes in, and how."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from core.common.errors import BatmanError
from web.door import HEADERS, Door, host_name


@dataclass
class House:
    """A running application behind a door."""

    door: Door
    port: int
    session: aiohttp.ClientSession
    reached: list[str]

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def token(self) -> str:
        return self.door.link("").partition("token=")[2]

    async def ask(
        self, path: str = "/", method: str = "GET", **headers: str
    ) -> aiohttp.ClientResponse:
        """Ask without following a redirect; header names have `_` for `-`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = await self.session.request(
            method, self.address + path, headers=named, allow_redirects=False
        )
        await answer.read()
        return answer

    async def cookie(self, host: str = "") -> str:
        """Exchange the token and return the cookie as `name=value`."""
        extra = {"Host": host} if host else {}
        answer = await self.ask(f"/?token={self.token}", **extra)
        assert answer.status == 303
        return answer.headers["Set-Cookie"].partition(";")[0]


async def build(*names: str) -> tuple[House, web.AppRunner]:
    """Start an application that notes what reached it, with one below it, behind a new door."""
    reached: list[str] = []

    async def note(request: web.Request) -> web.StreamResponse:
        reached.append(f"{request.method} {request.path_qs}")
        return web.Response(text="inside")

    async def talk(request: web.Request) -> web.StreamResponse:
        reached.append("websocket")
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str("inside")
        await socket.close()
        return socket

    below = web.Application()
    below.router.add_get("/crop", note)
    app = web.Application()
    app.router.add_get("/ws", talk)
    app.router.add_post("/save", note)
    app.router.add_get("/", note)
    app.router.add_get("/pictures/{name}", note)
    app.add_subapp("/label/", below)
    door = Door(names)
    door.join(app)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = int(runner.addresses[0][1])
    session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
    return House(door, port, session, reached), runner


@pytest.fixture
async def house() -> AsyncIterator[House]:
    made, runner = await build("batman.example.org")
    yield made
    await made.session.close()
    await runner.cleanup()


@pytest.mark.parametrize("path", ["/", "/label/crop", "/pictures/a.jpg", "/nothing", "/%2e%2e/x"])
async def test_nobody_comes_in_without_the_token(house: House, path: str) -> None:
    answer = await house.ask(path)
    assert answer.status == 401
    assert "the terminal where it runs" in await answer.text()
    assert answer.headers["WWW-Authenticate"]
    assert house.reached == []


@pytest.mark.parametrize("change", ["wrong", "", "é" * 43, "cut", "longer"])
async def test_a_wrong_token_is_refused(house: House, change: str) -> None:
    token = {"cut": house.token[:-1], "longer": house.token + "x"}.get(change, change)
    answer = await house.ask(f"/?token={token}")
    assert answer.status == 401
    assert "Set-Cookie" not in answer.headers
    assert "not valid" in await answer.text()
    # With the cookie too: a page that is opened with a token is either let in by it or not at all.
    answer = await house.ask(f"/?token={token}", Cookie=await house.cookie())
    assert answer.status == 401


async def test_the_token_becomes_a_cookie_and_leaves_the_address(house: House) -> None:
    answer = await house.ask(f"/pictures/a%20b.jpg?zoom=2&token={house.token}&q=%26")
    assert answer.status == 303
    assert answer.headers["Location"] == "./a%20b.jpg?zoom=2&q=%26"
    assert house.token not in answer.headers["Location"] + answer.headers["Set-Cookie"]
    parts = [part.strip() for part in answer.headers["Set-Cookie"].split(";")]
    assert parts[0].startswith(f"batman-{house.port}=")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(parts)
    assert "Secure" not in parts
    answer = await house.ask(Cookie=parts[0])
    assert (answer.status, await answer.text()) == (200, "inside")
    assert house.reached == ["GET /"]


async def test_a_redirect_stays_here(house: House) -> None:
    for path in ("//evil.example/", "//evil.example", "/\\evil.example", "/https:evil.example"):
        answer = await house.ask(f"{path}?token={house.token}")
        assert answer.headers.get("Location", "./").startswith("./"), path


async def test_a_link_on_another_page_leads_in(house: House) -> None:
    """A browser follows a redirect of a foreign page's link without our strict cookie."""
    answer = await house.ask(
        f"/?token={house.token}", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate",
        Sec_Fetch_Dest="document",
    )  # fmt: skip
    assert answer.status == 200
    assert '<meta http-equiv="refresh" content="0; url=./">' in await answer.text()
    assert answer.headers["Set-Cookie"].startswith(f"batman-{house.port}=")
    assert house.reached == []


async def test_a_cookie_of_another_port_or_server_is_none_of_ours(house: House) -> None:
    name, _, value = (await house.cookie()).partition("=")
    for wrong in (f"batman-{house.port + 1}={value}", f"{name}=x", f"{name}=", f"{name}={value}x"):
        assert (await house.ask(Cookie=wrong)).status == 401
    assert house.reached == []


async def test_two_servers_on_one_host_stay_apart() -> None:
    first, first_runner = await build()
    second, second_runner = await build()
    try:
        both = f"{await first.cookie()}; {await second.cookie()}"
        for house in (first, second):
            assert (await house.ask(Cookie=both)).status == 200
        assert (await first.ask(f"/?token={second.token}")).status == 401
        assert (await first.ask(Cookie=await second.cookie())).status == 401
    finally:
        for house, runner in ((first, first_runner), (second, second_runner)):
            await house.session.close()
            await runner.cleanup()


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:{port}", "localhost.evil.example", "evil-localhost",
        "localhost@evil.example", "evil.example@localhost", "127.0.0.2", "localhost:x", "0.0.0.0",
        "localhost:5173:1", "[::2]", "localhost,evil.example", "batman.example.org.", " ",
    ],
)  # fmt: skip
async def test_a_foreign_host_is_refused(house: House, host: str) -> None:
    cookie = await house.cookie()
    host = host.format(port=house.port)
    for path in ("/", f"/?token={house.token}", "/label/crop", "/nothing"):
        answer = await house.ask(path, Host=host, Cookie=cookie)
        assert answer.status == 403, path
        assert "Set-Cookie" not in answer.headers
    assert house.reached == []


async def test_a_request_needs_one_host(house: House) -> None:
    cookie = await house.cookie()
    for hosts in ("", f"Host: localhost:{house.port}\r\nHost: evil.example\r\n"):
        reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
        writer.write(f"GET / HTTP/1.1\r\n{hosts}Cookie: {cookie}\r\n\r\n".encode())
        status = int((await reader.readline()).split()[1])
        writer.close()
        assert status in (400, 403)
    assert house.reached == []


@pytest.mark.parametrize(
    "host", ["localhost:9000", "127.0.0.1:9000", "[::1]:9000", "LOCALHOST:9000", "localhost"]
)
async def test_a_tunnel_may_have_any_port(house: House, host: str) -> None:
    """`ssh -L 9000:localhost:5173`: the browser knows the port of its own end only."""
    cookie = await house.cookie(host)
    assert cookie.startswith(f"batman-{'9000' if '9000' in host else '80'}=")
    assert (await house.ask(Host=host, Cookie=cookie)).status == 200
    assert (await house.ask(Host=host, Origin=f"http://{host}", Cookie=cookie)).status == 200


async def test_a_proxy_with_https(house: House) -> None:
    proxied = {"Host": "batman.example.org", "X_Forwarded_Proto": "https"}
    answer = await house.ask(f"/?token={house.token}", **proxied)
    cookie, *rest = (part.strip() for part in answer.headers["Set-Cookie"].split(";"))
    assert cookie.startswith("batman-443=")
    assert "Secure" in rest
    proxied["Cookie"] = cookie
    assert (await house.ask(Origin="https://batman.example.org", **proxied)).status == 200
    for origin in ("http://batman.example.org", "https://batman.example.org:8443"):
        assert (await house.ask(Origin=origin, **proxied)).status == 403


FOREIGN = [
    "http://evil.example", "https://evil.example", "null", "http://localhost:1", "http://localhost",
    "http://127.0.0.1", "file://", "http://127.0.0.1:{port}.evil.example", "chrome-extension://x",
    "http://evil.example:{port}", "http://localhost:{port}", "", "http://u@127.0.0.1:{port}",
]  # fmt: skip


@pytest.mark.parametrize("origin", FOREIGN)
async def test_a_page_of_another_origin_is_refused(house: House, origin: str) -> None:
    cookie, origin = await house.cookie(), origin.format(port=house.port)
    for method, path in (("POST", "/save"), ("GET", "/"), ("DELETE", "/"), ("OPTIONS", "/save")):
        answer = await house.ask(path, method, Cookie=cookie, Origin=origin)
        assert answer.status == 403, (method, path)
        assert "Access-Control-Allow-Origin" not in answer.headers
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await house.session.ws_connect(
            f"{house.address}/ws", headers={"Cookie": cookie, "Origin": origin}
        )
    assert refused.value.status == 403
    assert house.reached == []


async def test_a_page_of_ours_may_post_and_open_the_websocket(house: House) -> None:
    ours = {"Cookie": await house.cookie(), "Origin": house.address}
    assert (await house.ask("/save", "POST", **ours)).status == 200
    async with house.session.ws_connect(f"{house.address}/ws", headers=ours) as socket:
        assert await socket.receive_str() == "inside"
    assert house.reached == ["POST /save", "websocket"]


async def test_the_websocket_needs_the_cookie_and_takes_no_token(house: House) -> None:
    for query in ("", "?token=wrong"):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await house.session.ws_connect(f"{house.address}/ws{query}")
        assert refused.value.status == 401
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await house.session.ws_connect(f"{house.address}/ws?token={house.token}")
    assert house.reached == []


async def test_a_post_is_not_let_in_by_a_token(house: House) -> None:
    answer = await house.ask(f"/save?token={house.token}", "POST")
    assert answer.status == 401
    assert house.reached == []


@pytest.mark.parametrize(
    ("site", "mode", "kind", "status"),
    [
        ("cross-site", "no-cors", "image", 403),
        ("same-site", "no-cors", "script", 403),
        ("same-site", "cors", "empty", 403),
        ("cross-site", "navigate", "iframe", 403),
        ("cross-site", "navigate", "document", 200),
        ("same-origin", "cors", "empty", 200),
        ("none", "navigate", "document", 200),
    ],
)
async def test_what_another_page_fetches_or_frames_is_refused(
    house: House, site: str, mode: str, kind: str, status: int
) -> None:
    """Another port of the same host is the same site: it has our cookie, and is not us."""
    answer = await house.ask(
        Cookie=await house.cookie(), Sec_Fetch_Site=site, Sec_Fetch_Mode=mode, Sec_Fetch_Dest=kind
    )
    assert answer.status == status


async def test_every_answer_keeps_to_itself(house: House) -> None:
    cookie = await house.cookie()
    answers = [
        await house.ask(),
        await house.ask(f"/?token={house.token}"),
        await house.ask("/?token=wrong"),
        await house.ask(Host="evil.example"),
        await house.ask(Cookie=cookie),
        await house.ask("/label/crop", Cookie=cookie),
        await house.ask("/nothing", Cookie=cookie),
        await house.ask("/save", Cookie=cookie),
    ]
    assert [answer.status for answer in answers] == [401, 303, 401, 403, 200, 200, 404, 405]
    for answer in answers:
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    assert HEADERS["Referrer-Policy"] == "no-referrer"
    assert HEADERS["Cache-Control"] == "no-store"
    assert "frame-ancestors 'none'" in HEADERS["Content-Security-Policy"]


async def test_what_a_refusal_repeats_is_text(house: House) -> None:
    answer = await house.ask("/<script>alert(1)</script>?token=<script>", Host="localhost")
    text = await answer.text()
    assert "<script" not in text
    assert not re.search(r"(src|href)=[\"'](?!data:)", text), "a refusal needs nothing else"


@pytest.mark.parametrize("part", ["path", "header"])
async def test_an_oversized_request_is_refused(house: House, part: str) -> None:
    big = "x" * 20_000
    extra: dict[str, Any] = {"X_Big": big} if part == "header" else {}
    path = f"/{big}" if part == "path" else "/"
    answer = await house.ask(path, Cookie=await house.cookie(), **extra)
    assert answer.status == 400
    assert house.reached == []


def test_tokens_are_long_and_new_each_time() -> None:
    links = {Door().link("http://localhost:1") for _ in range(50)}
    assert len(links) == 50
    assert all(len(link.partition("token=")[2]) >= 43 for link in links)  # 256 bits in base64


def test_a_host_by_another_spelling() -> None:
    assert host_name(" GPU-Box.Example ") == "gpu-box.example"
    assert host_name("fe80::1") == host_name("[FE80::1]") == "[fe80::1]"
    for wrong in ("http://x", "a/b", "a b", "", "x:80", "[::1]:80", "*", "a@b"):
        with pytest.raises(BatmanError) as error:
            Door([wrong])
        assert error.value.hint
