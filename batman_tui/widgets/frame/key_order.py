"""Keys one after the other, however quickly they come."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from textual import events
from textual.message import Message

if TYPE_CHECKING:
    from textual.app import App
    from textual.message_pump import MessagePump
    from textual.timer import Timer
    from textual.worker import Worker

LOOK_S = 0.1
"""How often to look, while keys are held, whether what the last one went to is still there."""

LOOKS = 50
"""After so many looks the next key goes on whatever the last one is at. Not seconds: of a machine
that has no time for the app, the clock goes on all the same."""

WORKER_LOOKS = 150
"""The same while a thread is waited for, whose disk may be slow."""


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
    giving a key out, and `through` is called when all that a key brought about is done.
    """

    def __init__(
        self,
        app: App[Any],
        give: Callable[[events.Event], Awaitable[None]],
        through: Callable[[], None],
    ) -> None:
        self._app = app
        self._to_textual = give
        self._through = through
        self._held: deque[events.Key] = deque()
        self._number = 0
        self._waiting = False
        self._target: MessagePump | None = None
        self._looks = 0
        self._looking: Timer | None = None
        self._worker: Worker[Any] | None = None

    async def key(self, event: events.Key) -> None:
        """Give the key out, or hold it back while another is on its way."""
        if not self._waiting and self._worker is None:
            await self._give(event)
            return
        self._held.append(event)
        if self._looking is None:
            self._looking = self._app.set_interval(LOOK_S, self._look)
        if not self._waiting:
            await self._next_key()

    def wait_for(self, worker: Worker[Any]) -> None:
        """Hold keys back until `worker` is through, and what its node was told by it is done.

        For a thread at whose end another screen opens: what is typed meanwhile is for that one.
        """
        self._worker, self._looks = worker, 0

    async def handled(self, message: KeyHandled) -> None:
        """Go behind what the key set off; after that, give out the next key."""
        if message.number != self._number or not self._waiting:
            return
        if message.again:
            await self._follow(self._focus, again=False)
        else:
            self._through()
            await self._next_key()

    @property
    def _focus(self) -> MessagePump:
        return self._app.focused or self._app.screen

    async def _give(self, event: events.Key) -> None:
        target = self._focus
        self._waiting = True
        try:
            await self._to_textual(event)
        finally:
            await self._follow(target, again=True)

    async def _follow(self, target: MessagePump, *, again: bool) -> None:
        self._target, self._looks = target, 0
        self._number += 1  # whatever still follows another way is of no account
        if not target.post_message(KeyHandled(self._number, again)):
            await self._next_key()

    async def _look(self) -> None:
        """Go on when the way of the last key is cut: its screen was closed with it in it."""
        self._looks += 1
        if not self._waiting or self._looks > LOOKS:
            await self._next_key()
        elif self._cut:
            # What hears the answer of a dialog that was closed may not have heard it yet.
            looks = self._looks
            await self._follow(self._focus, again=True)
            self._looks = looks

    @property
    def _cut(self) -> bool:
        target = self._target
        if target is None or target._closing or target._closed:
            return True
        # One that has not begun yet will.
        return target.is_running and not target.is_attached

    async def _next_key(self) -> None:
        self._waiting = False
        if (worker := self._worker) is not None:
            late = self._looks > WORKER_LOOKS
            if self._held and (worker.is_finished or late):
                self._worker, self._waiting = None, True
                await self._follow(worker.node, again=True)
        elif self._held:
            await self._give(self._held.popleft())
        elif self._looking is not None:
            self._looking.stop()
            self._looking = None
