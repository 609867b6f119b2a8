"""What the app is opened on: the projects; or a run, whose list is made when it is shown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from batman_tui.navigation.kinds import KINDS

if TYPE_CHECKING:
    from textual.app import App
    from textual.screen import Screen


class FirstScreen:
    """The first screen of `app`: of the run in the folder `run`, or the projects."""

    def __init__(self, app: App[int], run: Path | None) -> None:
        self._app = app
        self._run = run
        self.mode = "projects" if run is None else "runs"
        """The view that it is of."""
        self.sheet = Path(__file__).with_name("projects" if run is None else "run") / "screen.tcss"
        """Its style sheet: one that comes later has all of them read anew."""

    def make(self) -> Screen[None]:
        """Return it."""
        screen: Screen[None]
        if self._run is None:
            screen = KINDS["projects"].load()()
        else:
            screen = KINDS["run"].load()(self._run)
            # It will be closed, as one that was pushed.
            screen._push_result_callback(self._app, None)
            # What it stands over costs as much as it does: first it shows the run.
            self._app.watch(screen, "run", self._shown, init=False)
        self._app._load_screen_css(screen)
        return screen

    def _shown(self) -> None:
        if self._run is not None:
            self._run = None
            self._app.call_after_refresh(self._put_list_below)

    def _put_list_below(self) -> None:
        """Let the run lie over the list of runs, as one that was opened from there does."""
        screen: Screen[None] = KINDS[self.mode].load()()
        self._app._load_screen_css(screen)
        self._app._register(self._app, screen)
        self._app._screen_stacks[self.mode].insert(0, screen)
        if screen._css_update_count != self._app._css_update_count:
            self._app.refresh_css()
        screen._screen_resized(self._app.size)
        self._app.screen.refresh_bindings()
