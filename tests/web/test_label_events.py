"""The stream of what others change, as it ends."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

from core.common.workspace import Workspace
from web.label.answers import Desk
from web.label.events import Events


async def test_a_look_that_goes_on_ends_before_its_connections_are_closed(
    tmp_path: Path, monkeypatch: Any
) -> None:
    order: list[str] = []
    begun, go_on = threading.Event(), threading.Event()

    class Eye:
        def close(self) -> None:
            order.append("closed")

    def look(eyes: dict[str, Any]) -> list[dict[str, Any]]:
        eyes["yard"] = Eye()
        begun.set()
        go_on.wait(10)
        order.append("looked")
        return []

    desk = Desk(Workspace(tmp_path))
    events = Events(desk)
    monkeypatch.setattr(events, "_look", look)
    events._streams.add(asyncio.Queue())
    events._watching = asyncio.create_task(events._watch())
    await asyncio.to_thread(begun.wait, 10)
    closing = asyncio.create_task(events.close())
    for _ in range(5):
        await asyncio.sleep(0)
    go_on.set()
    await closing
    desk.close()
    assert order == ["looked", "closed"]
