"""What the command palette finds: everything that works here, every view, project and run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.markup import escape

from batman_tui.keys import ACTIONS, room_title
from batman_tui.services import AppServices, services_of
from core.common.text import clean

# Moving about is what keys are for; in the palette it would only be in the way.
_LEFT_OUT = ("table", "filter", "dialog", "confirm")


class Command(NamedTuple):
    """A name to search for, what it does, and a sentence about it."""

    name: str
    call: Callable[[], Any]
    help: str


class Commands(Provider):
    """Commands of the focused widget and the screen first, then the app's, then things by name."""

    @property
    def batman(self) -> AppServices:
        """What the app offers."""
        return services_of(self.app)

    async def startup(self) -> None:
        """Collect what there is; the workspace is read in a thread."""
        self._commands = self._here() + self._system()
        self._things = await asyncio.to_thread(self._by_name)

    def _here(self) -> list[Command]:
        found: dict[str, Command] = {}
        screen = self.screen
        for node, binding, enabled, _ in screen.active_bindings.values():
            action = ACTIONS.get(binding.id or "")
            if action is None or not enabled or action.id == "app.palette":
                continue
            room = action.id.partition(".")[0]
            if room in _LEFT_OUT or action.id in found:
                continue
            key = self.app.get_key_display(binding)
            found[action.id] = Command(
                f"{room_title(action.id)}: {action.label}",
                partial(self.app.run_action, binding.action, node),
                f"{action.help} Key: {escape(key)}",
            )
        return list(found.values())

    def _system(self) -> list[Command]:
        wanted = ("Theme", "Screenshot")
        return [
            Command(command.title, command.callback, command.help)
            for command in self.app.get_system_commands(self.screen)
            if command.title in wanted
        ]

    def _by_name(self) -> list[Command]:
        app = self.batman
        commands: list[Command] = []
        for path in app.workspace.list_projects():
            name = clean(path.name)
            commands += [
                Command(
                    f"Project {name}: classes", partial(app.open_classes, path), "Open its classes."
                ),
                Command(
                    f"Project {name}: train", partial(app.open_train, path), "Train a model on it."
                ),
            ]
        for path in app.workspace.list_runs():
            commands.append(
                Command(f"Run {clean(path.name)}", partial(app.open_run, path), "Open the run.")
            )
        return commands

    async def discover(self) -> Hits:
        """Yield what works here, before anything is typed."""
        for command in self._commands:
            yield DiscoveryHit(Content(command.name), command.call, command.name, command.help)

    async def search(self, query: str) -> Hits:
        """Yield what matches, names of projects and runs among it."""
        matcher = self.matcher(query)
        for command in self._commands + self._things:
            if (score := matcher.match(command.name)) > 0:
                # Not `matcher.highlight`, which reads its text as markup.
                shown = Content(command.name)
                for offset in matcher.fuzzy_search.match(query, command.name)[1]:
                    shown = shown.stylize(self.match_style or "bold", offset, offset + 1)
                yield Hit(score, shown, command.call, command.name, command.help)
