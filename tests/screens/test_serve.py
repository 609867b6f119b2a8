"""The app in a browser: the script of the guide, its page, and what a visitor's terminal gets."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.store import Project
from core.workspace import Workspace

aiohttp = pytest.importorskip("aiohttp", reason="the serve extra is not installed")

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """The port of a server for a workspace with one project."""
    workspace = Workspace(tmp_path)
    Project.create(workspace.project_path("night-watch")).close()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = int(free.getsockname()[1])
    server = subprocess.Popen(
        [ROOT / "scripts" / "run_dev.sh", "--port", str(number)],
        cwd=tmp_path, env={**os.environ, "TERM": "xterm-256color"}, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield number
    finally:
        server.terminate()
        server.wait(20)


async def page(session: Any, url: str) -> str:
    """Return the page as soon as the server answers."""
    while True:
        try:
            async with session.get(url) as answer:
                assert answer.status == 200
                return await answer.text()
        except aiohttp.ClientConnectorError:
            await asyncio.sleep(0.1)


async def test_the_guides_web_ui_shows_the_app(port: int) -> None:
    url = f"http://localhost:{port}"
    async with asyncio.timeout(60), aiohttp.ClientSession() as session:
        html = await page(session, url)
        assert f"ws://localhost:{port}/ws" in html
        drawn = b""
        async with session.ws_connect(f"{url}/ws?width=100&height=30") as browser:
            while b"night-watch" not in drawn:
                message = await browser.receive()
                assert message.type in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT)
                if message.type is aiohttp.WSMsgType.BINARY:
                    drawn += message.data
    assert b"Projects" in drawn
