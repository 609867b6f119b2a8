"""Going somewhere by name, and doing there what was asked for."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from textual.app import App
from textual.screen import Screen

from batman_tui.action import Action
from batman_tui.keys import ACTIONS, room_title
from batman_tui.navigation.kinds import FROM, KINDS, Kind, Of, kind_of, kind_with, subject_of
from batman_tui.services import AppServices, services_of
from batman_tui.widgets.frame.base import BatmanScreen
from core.common.errors import BatmanError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slurm.watch.queue_watcher import ClusterWatch

# Actions that open or show something. All others change something: they are only led to, for who
# comes from elsewhere has not yet seen what they would change.
SHOWS = frozenset(
    (
        "about", "advanced", "autolabel", "axis", "check", "classes", "columns", "command",
        "convention", "crops", "data", "evaluate", "export", "filter", "grid", "history",
        "images", "import", "imports", "label", "log", "log_scale", "look", "measure", "model",
        "narrow", "new", "open", "panel", "parts", "search", "size", "smooth", "splits",
        "suggest", "tab", "train", "versions", "walk", "write", "zoom",
    )
)  # fmt: skip
READY_S = 5.0
NO_PROJECT = BatmanError(
    "There is no project yet.", "On Projects (1), i imports a data set into a new one."
)
NO_RUN = BatmanError("There is no run yet.", "t on a project trains a model on it.")


class Ways:
    """The ways of one app to its screens. All are to be called where widgets may be changed."""

    def __init__(self, app: App[Any]) -> None:
        self._app = app

    @property
    def batman(self) -> AppServices:
        """What the app offers."""
        return services_of(self._app)

    def key_of(self, action: Action) -> str:
        """Return the first key of `action`, as it is set and as keys are written everywhere."""
        keys = self.batman.settings.keys.get(action.id, action.keys)
        one = replace(action.binding(), key=keys.split(",")[0].strip())
        return self._app.get_key_display(one)

    def themes(self) -> Sequence[str]:
        """Return the names of the themes there are."""
        return list(self._app.available_themes)

    def clusters_looked_at(self) -> Sequence[ClusterWatch]:
        """Return the clusters whose queue is known; nobody is asked for it."""
        watcher = vars(self._app).get("queue_watcher")  # made when jobs are first looked at
        return watcher.looked_at if watcher is not None else []

    # Where one is

    def current(self, of: Of) -> Path | None:
        """Return the project, or the run, that one is in or has the cursor on."""
        list_of = {"project": "projects", "run": "runs"}.get(of)
        for screen in reversed(self._app.screen_stack):
            kind = kind_of(screen)
            if kind is not None and (kind.of == of or kind.name == list_of):
                path = subject_of(screen)
                if path is not None:
                    return path
        return None

    # Going

    async def to_view(self, name: str, filter: str = "", row: object = None, of: str = "") -> None:
        """Go to the first screen of a view: with a filter, at a row, showing one of several."""
        if self._app.current_mode == name:
            while len(self._app.screen_stack) > 1:
                await self._app.pop_screen()
        else:
            await self._app.switch_mode(name)
            while len(self._app.screen_stack) > 1:
                await self._app.pop_screen()
        screen = self._app.screen
        if isinstance(screen, BatmanScreen) and (filter or row is not None or of):
            screen.back_at(filter, row, of)

    def to_sweep(self, path: Path) -> None:
        """Go to a sweep of this machine."""
        from batman_tui.sweep.screen import open_sweep

        open_sweep(self._app, path)

    async def to(self, name: str, subject: Path | None = None) -> Screen[Any]:
        """Go to a screen, of the project or run one is in when no `subject` is named.

        Raises `BatmanError` where there is none.
        """
        kind = KINDS[name]
        if kind.of == "view":
            await self.to_view(name)
            return self._app.screen
        if kind.of == "app":
            if kind_of(self._app.screen) is not kind:
                await self._app.push_screen(kind.load()())
            return self._app.screen
        path = subject or self.current(kind.of) or await self._newest(kind.of)
        if kind_of(self._app.screen) is kind and subject_of(self._app.screen) == path:
            return self._app.screen
        if kind.of == "run" and self._app.current_mode != "runs":
            await self._app.switch_mode("runs")
        screen = kind.load()(path)
        await self._app.push_screen(screen)
        return screen

    async def _newest(self, of: Of) -> Path:
        workspace = self.batman.workspace
        look = workspace.list_projects if of == "project" else workspace.list_runs
        there = await asyncio.to_thread(look)
        if not there:
            raise NO_PROJECT if of == "project" else NO_RUN
        return there[0]

    async def to_class(self, project: Path, name: str) -> None:
        """Go to a class of a project."""
        screen = await self.to("classes", project)
        if isinstance(screen, BatmanScreen):
            screen.back_at("", name, "")

    async def to_setting(self, name: str = "") -> None:
        """Go to a setting, or to all of them."""
        screen = await self.to("settings")
        if isinstance(screen, BatmanScreen) and name:
            screen.back_at("", name, "")

    def help(self) -> None:
        """Show the keys of where one is."""
        self.batman.action_help()

    async def quit(self) -> None:
        """Leave the app."""
        await self._app.run_action("quit")

    def to_theme(self, name: str) -> None:
        """Use a theme."""
        self._app.theme = name

    async def to_help(self, name: str) -> None:
        """Show what a screen is for and its keys, without going there."""
        from batman_tui.widgets.dialogs.help import HelpScreen, listed

        kind = KINDS[name]
        about = getattr(kind.load(), "HELP", "")
        lines = [line for room in kind.rooms for line in listed(room, self._app)]
        await self._app.push_screen(HelpScreen(kind.title, about, lines))

    async def to_do(self, name: str) -> None:
        """Go where an action is to be had, and do it there if it shows or opens something.

        What changes something is only led to, with its key.
        """
        action = ACTIONS[name]
        room, kind = action.room, kind_with(action.room)
        if kind is None:
            raise KeyError(name)
        screen = await self.to(kind.name)
        if room in FROM or room != _main_room(kind) or name.partition(".")[2] not in SHOWS:
            where = "here"
            if room in FROM:
                opener = ACTIONS[FROM[room][1]]
                where = f"in {room_title(name)}, which {self.key_of(opener)} opens here"
            self.batman.tell(f"{action.label} is on {self.key_of(action)} {where}: {action.help}")
            return
        self._app.run_worker(
            self._when_ready(screen, action.run, action.label), group="go", exclusive=True
        )

    async def draw_splits(self) -> None:
        """Go to the images of the project, and ask there for the shares of new splits."""
        screen = await self.to("images")
        ready = self._when_ready(screen, "draw", "Draw new splits")
        self._app.run_worker(ready, group="go", exclusive=True)

    async def _when_ready(self, screen: Screen[Any], run: str, label: str) -> None:
        """Do an action as soon as the screen has read what it is about; say why if it cannot.

        `run` is the action as a key has it, `label` what it is called.
        """
        end = monotonic() + READY_S
        word, _, rest = run.partition("(")
        given = (rest.rstrip(")").strip("'"),) if rest else ()
        while screen is self._app.screen:
            busy = any(w.node is screen and not w.is_finished for w in self._app.workers)
            if not busy or monotonic() > end:
                if await self._app.run_action(run, screen) or monotonic() > end:
                    return
                if not busy:
                    why = screen.why_not(word, given) if isinstance(screen, BatmanScreen) else ""
                    self.batman.tell(why or f"{label} cannot be done here now.")
                    return
            await asyncio.sleep(0.05)


def _main_room(kind: Kind) -> str:
    return kind.rooms[0] if kind.rooms else kind.name
