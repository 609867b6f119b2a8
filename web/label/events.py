"""Who changed what, told to every open page as it happens (server-sent events).

Changes through this server are told at once. Those of the app, the command line and other servers
are seen by `PRAGMA data_version` of SQLite, which differs when another connection has written.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

from aiohttp import web

from core.data.store.project_file import who
from web.label.answers import Desk

_LOOK_S = 1.0
# So that a proxy does not take a silent stream for a dead one.
_ALIVE_S = 15.0
_WAITING = 1000


class Events:
    """The open streams, and what watches projects for them."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._streams: set[asyncio.Queue[dict[str, Any] | None]] = set()
        self._told: dict[str, int] = {}
        self._watching: asyncio.Task[None] | None = None

    def tell(self, project: str, history: int | None, image: int | None) -> None:
        """Tell all pages that this server changed a picture of a project (None: many)."""
        if history is None:
            return
        self._told[project] = max(history, self._told.get(project, 0))
        self._send({"project": project, "image": image, "history": history, "who": who()})

    def _send(self, told: dict[str, Any]) -> None:
        for queue in self._streams:
            # A page that does not read asks anew when it does: it is told that once.
            if queue.qsize() < _WAITING:
                queue.put_nowait(told)

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Answer with what happens from now on, until the page or the server ends it."""
        answer = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
        )
        await answer.prepare(request)
        queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._streams.add(queue)
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch())
        try:
            await answer.write(b": here\n\n")
            while True:
                try:
                    async with asyncio.timeout(_ALIVE_S):
                        told = await queue.get()
                except TimeoutError:
                    await answer.write(b": still here\n\n")
                    continue
                if told is None:
                    break
                await answer.write(f"data: {json.dumps(told)}\n\n".encode())
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._streams.discard(queue)
        return answer

    async def close(self) -> None:
        """End all streams."""
        for queue in self._streams:
            queue.put_nowait(None)
        if self._watching is not None:
            self._watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watching

    async def _watch(self) -> None:
        eyes: dict[str, _Eye] = {}
        look: asyncio.Future[list[dict[str, Any]]] | None = None
        try:
            while True:
                if self._streams:
                    look = asyncio.ensure_future(self._desk.run(lambda: self._look(eyes)))
                    for told in await asyncio.shield(look):
                        self._send(told)
                await asyncio.sleep(_LOOK_S)
        finally:
            # No connection is closed while another thread still reads from it.
            if look is not None:
                await asyncio.wait([look])
            for eye in eyes.values():
                eye.close()

    def _look(self, eyes: dict[str, _Eye]) -> list[dict[str, Any]]:
        there = {path.name: path for path in self._desk.workspace.list_projects()}
        for name in [name for name in eyes if name not in there]:
            eyes.pop(name).close()
        told: list[dict[str, Any]] = []
        for name, path in there.items():
            try:
                if name not in eyes:
                    eyes[name] = _Eye(path)
                told += eyes[name].news(name, self._told.get(name, 0))
            except sqlite3.Error:
                continue  # damaged, of an older format or being deleted: whoever opens it is told
        return told


class _Eye:
    """A connection to one project, which sees that others have written."""

    def __init__(self, path: Path) -> None:
        # Looked at from whichever thread is free, one at a time.
        file = f"file:{quote(str(path / 'project.db'))}?mode=ro"
        self._db = sqlite3.connect(file, uri=True, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        self._version = self._seen_version()
        self._newest = self._seen_newest()

    def news(self, name: str, told: int) -> list[dict[str, Any]]:
        version = self._seen_version()
        if version == self._version:
            return []
        self._version = version
        before, self._newest = self._newest, self._seen_newest()
        rows = self._db.execute(
            "SELECT id, who, json_extract(detail, '$.image') AS image FROM history"
            " WHERE id > ? AND id > ? ORDER BY id LIMIT 100",
            (before, told),
        ).fetchall()
        news = [
            {"project": name, "image": row["image"], "history": row["id"], "who": row["who"]}
            for row in rows
        ]
        if not rows and self._newest <= max(before, told) and self._newest != told:
            # An undo or redo, which has no entry of its own.
            news.append({"project": name, "image": None, "history": self._newest, "who": ""})
        return news

    def close(self) -> None:
        self._db.close()

    def _seen_version(self) -> int:
        return int(self._db.execute("PRAGMA data_version").fetchone()[0])

    def _seen_newest(self) -> int:
        row = self._db.execute("SELECT max(id) FROM history WHERE undone = 0").fetchone()
        return int(row[0] or 0)
