"""Keys one after the other, however quickly they come."""

from __future__ import annotations

from collections import deque
from time import monotonic
from typing import TYPE_CHECKING, Any

from textual import events
from textual.message import Message

if TYPE_CHECKING:
    from textual.app import App
    from textual.message_pump import MessagePump
    from textual.timer import Timer

    Base = App[Any]
else:
    Base = object

LOOK_S = 0.1
"""How often to look, while keys are held, whether what the last one went to is still there."""

GIVE_UP_S = 5.0
"""After this long the next key goes on whatever the last one is at."""


class KeyHandled(Message):
    """Follows a key on its way up from the focused widget to the app."""

    def __init__(self, number: int, again: bool) -> None:
        super().__init__()
        self.number = number
        self.again = again


class KeyOrder(Base):
    """An app that gives out a key only when all that the one before brought about is done.

    Textual gives keys at once to what has the focus when they arrive. Over a slow line keys come
    in bursts: after `/` the letters of a filter would reach the table and be taken for commands,
    `d` for delete among them. Here a message follows each key on the same way. It goes twice:
    first behind the key, then behind what the key's action set off, such as a new focus or
    screen. Only then comes the next key.
    """

    _number = 0
    _waiting = False
    _target: MessagePump | None = None
    _since = 0.0
    _looking: Timer | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._held: deque[events.Key] = deque()

    async def on_event(self, event: events.Event) -> None:
        """Hold a key back while another is on its way."""
        if not isinstance(event, events.Key) or event.is_forwarded:
            await super().on_event(event)
        elif self._waiting:
            self._held.append(event)
            if self._looking is None:
                self._looking = self.set_interval(LOOK_S, self._look)
        else:
            await self._give(event)

    async def _give(self, event: events.Key) -> None:
        target: MessagePump = self.focused or self.screen
        self._number += 1
        self._waiting = True
        try:
            await super().on_event(event)
        finally:
            await self._follow(target, again=True)

    async def _follow(self, target: MessagePump, *, again: bool) -> None:
        self._target, self._since = target, monotonic()
        if not target.post_message(KeyHandled(self._number, again)):
            await self._next_key()

    async def on_key_handled(self, message: KeyHandled) -> None:
        """Go behind what the key set off; after that, give out the next key."""
        if message.number != self._number or not self._waiting:
            return
        if message.again:
            await self._follow(self.focused or self.screen, again=False)
        else:
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
