"""The real labelling server behind its door, in a thread of the test's own process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from core.common.workspace import Workspace
from web.door import Door
from web.label.page import LabelPage
from web.pages import STATIC


@dataclass(frozen=True)
class LabelServer:
    """Where it is, the link that lets one in, and the folder of its projects."""

    address: str
    link: str
    folder: Path


@contextmanager
def label_server(workspace: Workspace) -> Iterator[LabelServer]:
    """Serve the projects of a workspace until the block ends."""
    loop, door = asyncio.new_event_loop(), Door()
    ready = threading.Event()
    ports: list[int] = []

    def serve() -> None:
        app = web.Application()
        door.join(app)
        LabelPage(workspace, max_upload=1 << 30).join(app)
        app.add_routes([web.static("/static", STATIC)])
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        loop.run_until_complete(runner.setup())
        loop.run_until_complete(web.TCPSite(runner, "127.0.0.1", 0).start())
        ports.append(runner.addresses[0][1])
        ready.set()
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())
        loop.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    ready.wait(20)
    address = f"http://localhost:{ports[0]}"
    yield LabelServer(address, door.link(address), workspace.projects_dir)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(20)
