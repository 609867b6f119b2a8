"""Keys one after the other, however quickly they come."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any

from textual import events
from textual.message import Message

if TYPE_CHECKING:
    from textual.app import App
    from textual.message_pump import MessagePump
    from textual.timer import Timer

LOOK_S = 0.1
"""How often to look, while keys are held, whether what the last one went to is still there."""

GIVE_UP_S = 5.0
"""After this long the next key goes on whatever the last one is at."""


@dataclass
class KeyHandled(Message):
    """Follows a key on its way up from the focused widget to the app."""

    number: int
    again: bool


class KeyOrder:
    """Gives out a key only when all that the one before brought about is done.

    Textual gives keys at once to what has the focus when they arrive. Over a slow line keys come
    in bursts: after `/` the letters of a filter would reach the table and be taken for commands,
    `d` for delete among them. Here a message follows each key on the same way. It goes twice:
    first behind the key, then behind what the key's action set off, such as a new focus or
    screen. Only then comes the next key.

    The app that owns it hands it every key and every `KeyHandled`; `give` is Textual's own way of
    giving a key out.
    """

    def __init__(self, app: App[Any], give: Callable[[events.Event], Awaitable[None]]) -> None:
        self._app = app
        self._to_textual = give
        self._held: deque[events.Key] = deque()
        self._number = 0
        self._waiting = False
        self._target: MessagePump | None = None
        self._since = 0.0
        self._looking: Timer | None = None

    async def key(self, event: events.Key) -> None:
        """Give the key out, or hold it back while another is on its way."""
        if not self._waiting:
            await self._give(event)
            return
        self._held.append(event)
        if self._looking is None:
            self._looking = self._app.set_interval(LOOK_S, self._look)

    async def handled(self, message: KeyHandled) -> None:
        """Go behind what the key set off; after that, give out the next key."""
        if message.number != self._number or not self._waiting:
            return
        if message.again:
            await self._follow(self._focus, again=False)
        else:
            await self._next_key()

    @property
    def _focus(self) -> MessagePump:
        return self._app.focused or self._app.screen

    async def _give(self, event: events.Key) -> None:
        target = self._focus
        self._number += 1
        self._waiting = True
        try:
            await self._to_textual(event)
        finally:
            await self._follow(target, again=True)

    async def _follow(self, target: MessagePump, *, again: bool) -> None:
        self._target, self._since = target, monotonic()
        if not target.post_message(KeyHandled(self._number, again)):
            await self._next_key()

    async def _look(self) -> None:
        """Go on when the way of the last key is cut: its screen was closed with it in it."""
        target = self._target
        there = target is not None and target.is_running and target.is_attached
        if self._waiting and (not there or monotonic() - self._since > GIVE_UP_S):
            await self._next_key()

    async def _next_key(self) -> None:
        self._waiting = False
        if self._held:
            await self._give(self._held.popleft())
        elif self._looking is not None:
            self._looking.stop()
            self._looking = None
