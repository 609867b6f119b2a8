"""Files that an app hands to its visitor's browser, such as a screenshot.

The app offers one under a key, the page asks for it at `/download/KEY`, and the app sends it piece
by piece, each when it is asked for: `deliver_file_start`, `deliver_chunk_request` and
`deliver_chunk` of `textual.drivers.web_driver`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from aiohttp import web
from aiohttp.helpers import content_disposition_header
from textual_serve._binary_encode import load

from web.visitor import Visitor

_CHUNK = 1 << 16
_CHUNK_S = 10.0


@dataclass
class _Delivery:
    visitor: Visitor
    name: str
    label: str | None
    chunks: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue)


class Deliveries:
    """What is offered at the moment, by key; each is taken once."""

    def __init__(self) -> None:
        self._offered: dict[str, _Delivery] = {}
        self._taken: dict[str, _Delivery] = {}

    def offer(self, visitor: Visitor, told: dict[str, Any]) -> None:
        """Take the offer in a `deliver_file_start`."""
        name = PurePath(str(told["path"])).name or "file"
        self._offered[str(told["key"])] = _Delivery(visitor, name, told.get("name"))

    def received(self, packet: bytes) -> None:
        """Take a piece of a file; an empty one is its end."""
        unpacked = load(packet)
        if not isinstance(unpacked, tuple) or unpacked[0] != "deliver_chunk":
            return
        _, key, chunk = unpacked
        delivery = self._taken.get(str(key))
        if delivery is not None:
            delivery.chunks.put_nowait(chunk.encode() if isinstance(chunk, str) else bytes(chunk))

    def forget(self, visitor: Visitor) -> None:
        """End what `visitor` offered: its app is gone."""
        for key in [key for key, given in self._offered.items() if given.visitor is visitor]:
            del self._offered[key]
        for delivery in self._taken.values():
            if delivery.visitor is visitor:
                delivery.chunks.put_nowait(b"")

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer with an offered file, to be saved: never shown as a page of ours."""
        key = request.match_info["key"]
        delivery = self._offered.pop(key, None)
        if delivery is None:
            raise web.HTTPNotFound(text="There is no such file, or it was fetched already.")
        self._taken[key] = delivery
        try:
            answer = web.StreamResponse()
            answer.content_type = "application/octet-stream"
            answer.headers["Content-Disposition"] = content_disposition_header(
                "attachment", filename=delivery.name
            )
            await answer.prepare(request)
            while chunk := await self._next(key, delivery):
                await answer.write(chunk)
            await answer.write_eof()
            return answer
        finally:
            del self._taken[key]

    async def _next(self, key: str, delivery: _Delivery) -> bytes:
        await delivery.visitor.tell(
            type="deliver_chunk_request", key=key, size=_CHUNK, name=delivery.label
        )
        return await asyncio.wait_for(delivery.chunks.get(), _CHUNK_S)
