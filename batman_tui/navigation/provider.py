"""What the command palette finds: all that works here and elsewhere, and everything by its name."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.markup import escape

from batman_tui.keys import ACTIONS, room_title
from batman_tui.navigation.index import LEFT_OUT, Entry, Index
from batman_tui.navigation.kinds import FROM
from batman_tui.navigation.search import best, places

# As many as anybody scrolls through.
MOST = 60
# Commands of the screen one is on, and of the app, stand before what is elsewhere: also one that is
# only called so in other programs before another whose name begins with the word.
_HERE = 1.2
# Of a part of a screen, or of one that needs something chosen first: what leads there comes first.
_PARTS = frozenset((*FROM, "plot", "log", "boxes", "view", "picture"))
_PART = 1.5


class Commands(Provider):
    """Commands of the focused widget and the screen first, then the app's, then all the others.

    The workspace is read in a thread as the palette opens, and at a key only what was read is
    looked through: what it was the last time, until the new look is there.
    """

    async def startup(self) -> None:
        """Collect what works here, and have the rest read."""
        self._index: Index = cast("Any", self.app).index
        self._here = self._commands() + self._system()
        self._look = asyncio.create_task(asyncio.to_thread(self._index.refresh))

    def _commands(self) -> list[Entry]:
        found: dict[str, Entry] = {}
        for node, binding, enabled, _ in self.screen.active_bindings.values():
            action = ACTIONS.get(binding.id or "")
            if action is None or not enabled or action.id == "app.palette":
                continue
            room = action.room
            if (room in LEFT_OUT and room not in ("app", "screen")) or action.id in found:
                continue
            key = self.app.get_key_display(binding)
            found[action.id] = Entry(
                f"{room_title(action.id)}: {action.label}",
                partial(self.app.run_action, binding.action, node),
                f"{action.help} Key: {escape(key)}",
                action.id,
            )
        return list(found.values())

    def _system(self) -> list[Entry]:
        wanted = ("Theme", "Screenshot")
        return [
            Entry(command.title, command.callback, command.help)
            for command in self.app.get_system_commands(self.screen)
            if command.title in wanted
        ]

    async def discover(self) -> Hits:
        """Yield what works here, before anything is typed."""
        for command in self._here:
            yield DiscoveryHit(Content(command.name), command.call, command.name, command.help)

    async def search(self, query: str) -> Hits:
        """Yield what fits best of all there is."""
        if not self._index.found.entries:
            await self._look
        here = {entry.action for entry in self._here if entry.action}
        others = [entry for entry in self._index.found.entries if entry.action not in here]
        found = [(score + _HERE, entry) for score, entry in _best(self._here, query)]
        found += [(score - _PART * _is_part(entry), entry) for score, entry in _best(others, query)]
        found.sort(key=lambda pair: -pair[0])
        for score, entry in found[:MOST]:
            # Not `matcher.highlight`, which reads its text as markup.
            shown = Content(entry.name)
            for at in places(query, entry.name):
                shown = shown.stylize(self.match_style or "bold", at, at + 1)
            yield Hit(max(score, 0.01), shown, entry.call, entry.name, entry.help)


def _is_part(entry: Entry) -> bool:
    return entry.action.partition(".")[0] in _PARTS


def _best(entries: list[Entry], query: str) -> list[tuple[float, Entry]]:
    return best(entries, query, lambda entry: entry.folded, MOST, lambda entry: entry.begins)
