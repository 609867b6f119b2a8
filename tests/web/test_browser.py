"""A real browser, Chromium: what a person sees at the door and behind it, and what it asks for."""

from __future__ import annotations

import asyncio
import contextlib
import io
import re
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
import pytest_asyncio
from aiohttp import web
from browsers import ARGUMENTS, CHROMIUM
from label_tab import make_project
from PIL import Image
from serving import Served, Start

from core.common.workspace import Workspace

api: Any = pytest.importorskip("playwright.async_api", reason="playwright is not installed")

AMBER = (0xF2, 0xB6, 0x32)  # themes/batman-dark.toml
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
    pytest.mark.asyncio(loop_scope="module"),  # that of the one browser
]


@dataclass
class Tab:
    """A page, all that it asked for, and what its terminal was sent."""

    page: api.Page
    asked: list[api.Request] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    received: str = ""

    def __post_init__(self) -> None:
        self.page.on("request", lambda request: self.asked.append(request))
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("websocket", lambda socket: socket.on("framereceived", self._frame))

    def _frame(self, content: str | bytes) -> None:
        text = content if isinstance(content, str) else content.decode(errors="replace")
        self.received += re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)

    async def drawn(self, wanted: str) -> None:
        """Wait until the app drew `wanted`."""
        async with asyncio.timeout(60):
            while wanted not in self.received:
                await asyncio.sleep(0.02)

    async def at_projects(self) -> None:
        """Wait until the app shows the projects, to which it is led.

        It opens where one was the last time, which may be what another test left.
        """
        await self.drawn("Projects")
        async with asyncio.timeout(60):
            while "night-watch" not in self.received:
                await self.page.keyboard.press("1")
                await asyncio.sleep(0.2)

    async def told(self) -> str:
        """Wait until the page says how it ended, and return that."""
        await self.page.wait_for_selector("#ended:not([hidden])")
        return str(await self.page.inner_text("#ended"))

    def complaints(self) -> list[str]:
        """What the page and its scripts said, without what textual.js and xterm.js say of times.

        On a busy machine xterm.js says by how much it was late.
        """
        usual = ("ping=", "CLOSED", "task queue exceeded allotted deadline")
        return [line for line in self.said if not line.startswith(usual)]

    async def colours(self) -> dict[tuple[int, int, int], int]:
        """Return how often each colour is on the page as it is shown."""
        picture = Image.open(io.BytesIO(await self.page.screenshot())).convert("RGB")
        colours: Any = picture.getcolors(1 << 24) or []
        return {colour: count for count, colour in colours}

    async def shown(self, colour: tuple[int, int, int], least: int) -> None:
        """Wait until so many pixels have the colour."""
        async with asyncio.timeout(30):
            while (await self.colours()).get(colour, 0) < least:
                await self.page.wait_for_timeout(50)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncIterator[api.Browser]:
    """One Chromium for all tests here."""
    async with api.async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield started
        await started.close()


@pytest_asyncio.fixture(loop_scope="module")
async def context(chromium: api.Browser, running: Served) -> AsyncIterator[api.BrowserContext]:
    """A browser as it is after the installation, no cookies, no history; its apps end with it."""
    made = await chromium.new_context(viewport={"width": 1280, "height": 720})
    made.set_default_timeout(60_000)
    yield made
    await made.close()
    await visitors(running, 0)


async def visitors(served: Served, count: int) -> list[psutil.Process]:
    """Wait until so many visitors' apps are there, and return them.

    Those of pages that were closed are there for a while.
    """
    async with asyncio.timeout(60):
        while len(apps := served.visitors()) != count:
            await asyncio.sleep(0.02)
    return apps


@contextlib.asynccontextmanager
async def site(html: str) -> AsyncIterator[int]:
    """Somebody else's server on this machine, and its port."""

    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(text=html, content_type="text/html")

    app = web.Application()
    app.router.add_get("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield int(runner.addresses[0][1])
    await runner.cleanup()


async def test_the_printed_link_shows_the_app(running: Served, context: api.BrowserContext) -> None:
    tab = Tab(await context.new_page())
    await tab.page.goto(running.link)
    await tab.at_projects()
    await tab.shown(AMBER, 200)

    # The keyboard is the app's from the start; the answer is drawn.
    before = await tab.page.screenshot()
    await tab.page.keyboard.press("2")
    await tab.drawn("No runs here yet")
    async with asyncio.timeout(30):
        while await tab.page.screenshot() == before:
            await tab.page.wait_for_timeout(50)

    # The token is neither in the address nor behind it, and no script can read the cookie.
    assert await tab.page.evaluate("location.href") == f"{running.address}/"
    assert await tab.page.evaluate("document.cookie") == ""
    assert running.token not in await tab.page.content()
    [cookie] = await context.cookies()
    assert cookie["name"] == f"batman-{running.port}"
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["expires"]) == (True, "Strict", -1)
    await tab.page.go_back()
    assert running.token not in tab.page.url

    # Nothing was asked of anybody else, and nobody was told where we came from.
    assert len(tab.asked) > 5
    for request in tab.asked:
        address = urlsplit(request.url)
        assert address.scheme == "data" or address.netloc == f"localhost:{running.port}", (
            request.url
        )
        assert "referer" not in await request.all_headers()
    assert tab.complaints() == []


async def test_without_the_link_the_page_says_how_to_get_in(
    running: Served, context: api.BrowserContext
) -> None:
    tab = Tab(await context.new_page())
    for address in (running.address, f"{running.address}/?token=wrong"):
        answer = await tab.page.goto(address)
        assert answer is not None
        assert answer.status == 401
        assert "the terminal where it runs" in await tab.page.inner_text("main")
        assert (await tab.colours()).get(AMBER, 0) > 200
    assert {urlsplit(request.url).netloc for request in tab.asked} <= {
        f"localhost:{running.port}", "",
    }  # fmt: skip


async def test_through_a_tunnel_at_another_port(
    running: Served, context: api.BrowserContext
) -> None:
    """`ssh -L PORT:localhost:5173`: the websocket is where the page is."""

    async def forward(
        near_in: asyncio.StreamReader, near_out: asyncio.StreamWriter
    ) -> None:  # fmt: skip
        far_in, far_out = await asyncio.open_connection("127.0.0.1", running.port)

        async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError):
                while data := await source.read(1 << 16):
                    target.write(data)
                    await target.drain()
            target.close()

        await asyncio.gather(pump(near_in, far_out), pump(far_in, near_out))

    tunnel = await asyncio.start_server(forward, "127.0.0.1", 0)
    port = int(tunnel.sockets[0].getsockname()[1])
    tab = Tab(await context.new_page())
    await tab.page.goto(f"http://localhost:{port}/?token={running.token}")
    await tab.at_projects()
    assert {urlsplit(request.url).netloc for request in tab.asked} <= {f"localhost:{port}", ""}
    assert [cookie["name"] for cookie in await context.cookies()] == [f"batman-{port}"]
    await tab.page.close()
    tunnel.close()


async def test_a_link_in_a_file_leads_in(
    running: Served, context: api.BrowserContext, tmp_path: Path
) -> None:
    """As with --open: the strict cookie must be sent although another page led here."""
    page = tmp_path / "open.html"
    page.write_text(f'<meta http-equiv="refresh" content="0; url={running.link}">')
    tab = Tab(await context.new_page())
    await tab.page.goto(page.as_uri())
    await tab.at_projects()
    assert tab.page.url == f"{running.address}/"
    await tab.page.go_back()
    assert running.token not in tab.page.url


FOREIGN = """<!DOCTYPE html><script>
window.seen = {};
const socket = new WebSocket("ws://localhost:%(port)d/ws?width=80&height=24");
socket.onopen = () => { seen.socket = "open"; };
socket.onclose = () => { seen.socket ??= "closed"; };
fetch("http://localhost:%(port)d/", {credentials: "include"})
  .then(() => { seen.read = "yes"; }, () => { seen.read = "no"; });
const script = document.createElement("script");
script.src = "http://localhost:%(port)d/static/app.js";
script.onload = () => { seen.script = "yes"; };
script.onerror = () => { seen.script = "no"; };
document.head.append(script);
</script><iframe src="http://localhost:%(port)d/"></iframe>"""


@pytest.mark.parametrize("host", ["localhost", "evil.localhost"])
async def test_a_page_of_another_origin_gets_nothing(
    running: Served, context: api.BrowserContext, host: str
) -> None:
    """Even one at another port of the same host, to which the browser sends our cookie."""
    ours = Tab(await context.new_page())
    await ours.page.goto(running.link)
    await ours.at_projects()
    apps = await visitors(running, 1)
    async with site(FOREIGN % {"port": running.port}) as port:
        theirs = Tab(await context.new_page())
        statuses: list[int] = []
        theirs.page.on("response", lambda answer: statuses.append(answer.status))
        await theirs.page.goto(f"http://{host}:{port}/")
        await theirs.page.wait_for_function("seen.socket && seen.read && seen.script")
        assert await theirs.page.evaluate("seen") == {
            "socket": "closed", "read": "no", "script": "no",
        }  # fmt: skip
        [frame] = theirs.page.frames[1:]
        assert "Batman" not in await frame.content() or "Asked for by" in await frame.content()
        assert await frame.query_selector("#terminal") is None
        assert set(statuses) <= {200, 403}
        assert statuses.count(200) == 1, "its own page"
    assert running.visitors() == apps


async def test_a_dead_app_says_so_and_opens_again(
    running: Served, context: api.BrowserContext
) -> None:
    tab = Tab(await context.new_page())
    await tab.page.goto(running.link)
    await tab.at_projects()
    [app] = await visitors(running, 1)
    app.kill()
    text = await tab.told()
    assert "ended unexpectedly" in text
    assert "SIGKILL" in text
    tab.received = ""
    await tab.page.keyboard.press("Enter")  # the button has the focus
    await tab.at_projects()
    await tab.shown(AMBER, 200)


async def test_a_full_house_and_a_server_that_ends(
    start: Start, context: api.BrowserContext
) -> None:
    served = start("--visitors", "1")
    first, second = Tab(await context.new_page()), Tab(await context.new_page())
    await first.page.goto(served.link)
    await first.at_projects()
    # A reload is the same visitor, not one too many.
    first.received = ""
    await first.page.reload()
    await first.at_projects()

    await second.page.goto(served.address)
    text = await second.told()
    assert "All places are taken" in text
    assert "--visitors 2" in text

    # Its button has the focus, and takes the place that is left.
    await first.page.close()
    await second.page.keyboard.press("Enter")
    await second.at_projects()

    apps = await visitors(served, 1)
    served.process.send_signal(signal.SIGTERM)
    await second.page.wait_for_function("document.body.innerText.includes('no longer served')")
    assert await asyncio.to_thread(served.wait) == 0
    assert psutil.wait_procs(apps, 0)[1] == []


async def test_a_killed_server_is_missed(start: Start, context: api.BrowserContext) -> None:
    served = start()
    tab = Tab(await context.new_page())
    await tab.page.goto(served.link)
    await tab.at_projects()
    apps = served.apps()
    served.process.kill()
    text = await tab.told()
    assert "The connection ended" in text
    assert "start it again" in text
    assert (await asyncio.to_thread(psutil.wait_procs, apps, 30))[1] == []


async def test_pictures_are_in_the_pages_own_pixels(
    workspace: Workspace, start: Start, context: api.BrowserContext
) -> None:
    make_project(workspace.projects_dir)
    tab = Tab(await context.new_page())
    await tab.page.goto(start().link)
    await tab.at_projects()
    await tab.shown(AMBER, 200)
    await tab.page.keyboard.press("v")
    image = tab.page.locator(".app-picture")
    await image.wait_for()
    # What is shown has all its pixels, lies over the cells that it has, and has its boxes.
    await tab.page.wait_for_function(
        "() => document.querySelector('.app-picture')?.naturalWidth > 0"
    )
    box = await image.bounding_box()
    assert box is not None
    natural = await image.evaluate("image => [image.naturalWidth, image.naturalHeight]")
    assert natural[0] / natural[1] == pytest.approx(640 / 480, abs=0.02)
    assert box["width"] > 200
    # As cells are on this page, wider or narrower than twice as high as wide.
    assert box["width"] / box["height"] == pytest.approx(640 / 480, rel=0.05)
    async with asyncio.timeout(30):
        while len(await tab.colours()) < 20:
            await tab.page.wait_for_timeout(50)
    # A dialog is not under it, and it comes back.
    await tab.page.keyboard.press("F1")
    await image.wait_for(state="detached")
    await tab.page.keyboard.press("Escape")
    await image.wait_for()
    # Looking closer replaces it; leaving takes it away.
    before = await image.get_attribute("src")
    await tab.page.keyboard.press("z")
    await tab.page.keyboard.press("+")
    async with asyncio.timeout(30):
        while await image.count() != 1 or await image.get_attribute("src") == before:
            await tab.page.wait_for_timeout(50)
    closer = await image.get_attribute("src")
    await tab.page.keyboard.press("Escape")
    await tab.page.keyboard.press("Escape")
    # The screen below has pictures of its own where there is room.
    await tab.page.wait_for_function(
        "gone => [...document.querySelectorAll('.app-picture')]"
        ".every(image => ![gone.closer, gone.before].includes(image.getAttribute('src')))",
        arg={"closer": closer, "before": before},
    )
    assert tab.complaints() == []
