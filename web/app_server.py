"""The server: the app's page, one websocket a visitor, and how all of it ends.

The page and its terminal are textual-serve's script and fonts, served from the installed package;
nothing is fetched from another host. Every request passes the door first.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.resources
import json
import os
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from aiohttp import WSMsgType, web

from core.common.text import plural
from web.deliveries import Deliveries
from web.door import Door
from web.label.page import LabelPage
from web.pages import STATIC
from web.visitor import Visitor

# The longest message of a browser: a paste. Everything else is a key or a mouse's move.
_MESSAGE = 1 << 20
_CELLS = range(1, 1001)
# How long a new visitor waits to see whether somebody leaves, as at a reload: the page before says
# so before the new one is asked for. Whoever is leaving is waited for until the place is free.
_TURN_S = 2.0
# How long a browser may take to agree that the connection ends, and all visitors' apps to end.
_CLOSE_S = 3.0
_SHUTDOWN_S = 15.0


class AppServer:
    """Serves an app to at most so many visitors at once, each with a process of their own."""

    def __init__(
        self,
        door: Door,
        command: Sequence[str],
        environment: Mapping[str, str],
        visitors: int,
        label: LabelPage | None = None,
        *,
        label_first: bool = False,
    ) -> None:
        """Make the server of the app that `command` starts in `environment`.

        With `label` the labelling page is served too; with `label_first` it is what the bare
        address leads to. The app always has `/app`.
        """
        self._label_first = label_first
        self._command = list(command)
        self._environment = dict(environment)
        self._limit = visitors
        self._places = asyncio.Semaphore(visitors)
        self._leaving = 0
        self._visits: dict[web.WebSocketResponse, web.Request] = {}
        self._deliveries = Deliveries()
        self._ending = False
        self.app = web.Application(client_max_size=1 << 16)
        door.join(self.app)
        terminal = Path(str(importlib.resources.files("textual_serve"))) / "static"
        self.app.add_routes(
            [
                web.get("/", self._first),
                web.get("/app", self._page),
                web.get("/ws", self._terminal),
                web.get("/download/{key}", self._deliveries.answer),
                web.static("/static", STATIC),
                web.static("/textual", terminal),
            ]
        )
        if label is not None:
            label.join(self.app)
        self.app.on_response_prepare.append(_keep_files)
        self.app.on_shutdown.append(self._shutdown)

    async def _first(self, request: web.Request) -> web.StreamResponse:
        if self._label_first:
            raise web.HTTPFound("label/")
        return await self._page(request)

    async def _page(self, _request: web.Request) -> web.StreamResponse:
        return web.FileResponse(STATIC / "app.html", headers={"Cache-Control": "no-store"})

    async def _terminal(self, request: web.Request) -> web.StreamResponse:
        """Join a browser and an app of its own until either ends."""
        socket = web.WebSocketResponse(heartbeat=15, timeout=_CLOSE_S, max_msg_size=_MESSAGE)
        await socket.prepare(request)
        self._visits[socket] = request
        try:
            if not await self._take_place():
                await _end(socket, self._full())
                return socket
            try:
                await self._visit(request, socket)
            finally:
                self._places.release()
        finally:
            del self._visits[socket]
        return socket

    async def _take_place(self) -> bool:
        """Take a place, waiting for a visitor who is leaving; False when there is none to take."""
        while True:
            try:
                async with asyncio.timeout(_TURN_S):
                    return await self._places.acquire()
            except TimeoutError:
                if not self._leaving:
                    return False

    async def _visit(self, request: web.Request, socket: web.WebSocketResponse) -> None:
        if socket.closed or self._ending:
            return
        width, height = (_cells(request.query.get(name)) for name in ("width", "height"))
        try:
            visitor = await Visitor.start(
                self._command, self._environment, width or 80, height or 24
            )
        except OSError as error:
            await _end(socket, _not_started(error))
            return
        showing = asyncio.create_task(self._show(visitor, socket))
        # What fails while drawing closes the socket, which ends the reading below.
        showing.add_done_callback(lambda _: asyncio.ensure_future(socket.close()))
        try:
            await _hand_on(socket, visitor)
        finally:
            showing.cancel()
            self._deliveries.forget(visitor)
            self._leaving += 1
            try:
                await asyncio.shield(visitor.end())
            finally:
                self._leaving -= 1
        with contextlib.suppress(asyncio.CancelledError):
            await showing

    async def _show(self, visitor: Visitor, socket: web.WebSocketResponse) -> None:
        """Draw what the app writes; when it ends, say how."""
        with contextlib.suppress(ConnectionError):
            async for kind, content in visitor.packets():
                if kind == b"D":
                    await socket.send_bytes(content)
                elif kind == b"M":
                    await self._told(visitor, socket, json.loads(content))
                elif kind == b"P":
                    self._deliveries.received(content)
            await _end(socket, (await visitor.ending()).message())

    async def _told(self, visitor: Visitor, socket: web.WebSocketResponse, told: Any) -> None:
        kind = told["type"]
        if kind == "open_url" and str(told["url"]).startswith(("https://", "http://")):
            await socket.send_json(["open_url", {"url": told["url"], "new_tab": True}])
        elif kind == "deliver_file_start":
            self._deliveries.offer(visitor, told)
            await socket.send_json(["deliver_file_start", told["key"]])
        elif kind == "picture":
            # What lies over the terminal: static/app.js puts it there.
            await socket.send_json(["picture", told])

    def _full(self) -> dict[str, str]:
        return {
            "title": "All places are taken",
            "text": f"This server shows the app to {plural(self._limit, 'visitor')} at once, and "
            "each open page is one.",
            "hint": "Close another page and open this one again, or serve with more: "
            f"batman serve --visitors {self._limit * 2}",
        }

    async def _shutdown(self, _app: web.Application) -> None:
        """Tell every page that the server ends; each visitor's app ends with its socket."""
        self._ending = True
        message = {
            "title": "Batman is no longer served",
            "text": "The server was ended. What was saved is safe, and training goes on.",
            "hint": "Start batman serve again, and open the link that it prints.",
        }
        await asyncio.gather(*(_end(socket, message) for socket in list(self._visits)))
        for request in self._visits.values():
            if request.transport is not None:  # a browser that took no notice, such as one asleep
                request.transport.abort()


async def serve(
    server: AppServer, sockets: Sequence[socket.socket], ready: Callable[[], None]
) -> None:
    """Serve at `sockets`, which listen already, until SIGINT, SIGTERM or SIGHUP.

    `ready` is called once a signal ends it as it should. When this returns, no visitor's app is
    left.
    """
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup leaves SIGHUP
            loop.add_signal_handler(number, ended.set)
    # Requests are not logged: the first of each visitor has the token in its address.
    runner = web.AppRunner(server.app, access_log=None, shutdown_timeout=_SHUTDOWN_S)
    await runner.setup()
    try:
        for opened in sockets:
            await web.SockSite(runner, opened).start()
        ready()
        await ended.wait()
    finally:
        await runner.cleanup()


async def _hand_on(socket: web.WebSocketResponse, visitor: Visitor) -> None:
    """Give the app what the browser sends, as textual.js words it, until the socket closes."""
    async for message in socket:
        if message.type is not WSMsgType.TEXT:
            continue
        try:
            kind, *rest = json.loads(message.data)
            if kind == "stdin":
                await visitor.type(_text(rest[0]))
            elif kind == "resize":
                width, height = _cells(rest[0]["width"]), _cells(rest[0]["height"])
                if width and height:
                    await visitor.tell(type="resize", width=width, height=height)
            elif kind == "cell":
                width, height = _cells(rest[0]["width"]), _cells(rest[0]["height"])
                if width and height:
                    await visitor.tell(type="cell", width=width, height=height)
            elif kind == "ping":
                await socket.send_json(["pong", _text(rest[0])])
            elif kind in ("focus", "blur"):
                await visitor.tell(type=kind)
        except (ValueError, TypeError, LookupError, RecursionError):
            await socket.close(code=1008, message=b"not a message of Batman's page")


async def _end(socket: web.WebSocketResponse, message: Mapping[str, str]) -> None:
    """Say how it ended and close; a browser that does not read is not waited for."""
    with contextlib.suppress(ConnectionError, TimeoutError):
        async with asyncio.timeout(_CLOSE_S):
            await socket.send_json(["ended", dict(message)])
            await socket.close()


def _not_started(error: OSError) -> dict[str, str]:
    return {
        "title": "The app could not be started",
        "text": f"This machine refused a new process: {os.strerror(error.errno or 0)}.",
        "hint": "Close something on it and open this page again.",
    }


async def _keep_files(request: web.Request, answer: web.StreamResponse) -> None:
    """Let a browser keep the script and the fonts, asking each time whether they are the same."""
    if request.path.startswith(("/static/", "/textual/")) and answer.status in (200, 206, 304):
        answer.headers["Cache-Control"] = "private, no-cache"


def _cells(value: object) -> int | None:
    """Return a terminal's width or height, or None for what is none."""
    try:
        count = int(value)  # type: ignore[call-overload]
    except (TypeError, ValueError, OverflowError):
        return None
    return count if count in _CELLS else None


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not text")
    return value
