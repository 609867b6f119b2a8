"""The app: its views, the way to a screen, themes, keys and errors. Wiring only."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual import events, on
from textual.app import App
from textual.binding import BindingType
from textual.command import CommandPalette, Provider
from textual.screen import Screen
from textual.worker import WorkerFailed

import themes
from batman_tui import settings as settings_file
from batman_tui.keys import bindings, keymap
from batman_tui.run_ends import RunEnds, RunsEnded
from batman_tui.services import View
from batman_tui.settings import Settings
from batman_tui.widgets.frame.base import Guarded
from batman_tui.widgets.frame.key_order import KeyHandled, KeyOrder
from batman_tui.widgets.picture.graphics import Mode
from batman_tui.widgets.picture.overlays import draw_sixels, graphics_of
from core.common.errors import BatmanError
from core.common.folders import config_dir
from core.common.full_disk import disk_full
from core.common.invisible_characters import without_unseen
from core.common.text import clean, did_you_mean
from core.common.workspace import Workspace
from core.processes.tracebacks import traceback_text

if TYPE_CHECKING:
    from core.training.run_list.index import RunIndex
    from slurm.submit.clone import Clone
    from slurm.watch.queue_watcher import QueueWatcher

STORM_ERRORS = 8
STORM_SECONDS = 2.0
# How much of a core it may take to look at all runs, however many and however slow their disk is.
LOOK_SHARE = 0.01
# How often it is looked whether a cluster is to be asked; that itself is much less often.
QUEUE_SECONDS = 1.0


# Another view is a row here, a factory in `BatmanApp.MODES` and an action in `keys`.
VIEWS = (
    View("projects", "1", "Projects"),
    View("runs", "2", "Runs"),
    View("jobs", "3", "Jobs"),
)


def _projects() -> Screen[None]:
    from batman_tui.projects.screen import ProjectsScreen

    return ProjectsScreen()


def _runs() -> Screen[None]:
    from batman_tui.runs.screen import RunsScreen

    return RunsScreen()


def _jobs() -> Screen[None]:
    from batman_tui.jobs.screen import JobsScreen

    return JobsScreen()


def _commands() -> type[Provider]:
    from batman_tui.commands import Commands

    return Commands


class BatmanApp(Guarded, App[int]):
    """Batman on a terminal. Screens are imported when they are first opened."""

    TITLE = "Batman"
    CSS_PATH = Path(__file__).with_name("app.tcss")
    ENABLE_COMMAND_PALETTE = True
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]
    # A part of a split terminal: room for the list alone, not for what is told of a row.
    VERTICAL_BREAKPOINTS = [(0, "-low"), (18, "-high")]
    DEFAULT_MODE = "projects"
    MODES: ClassVar[dict[str, str | Callable[[], Screen[None]]]] = {
        "projects": _projects,
        "runs": _runs,
        "jobs": _jobs,
    }
    COMMANDS = {_commands}
    BINDINGS: ClassVar[list[BindingType]] = bindings("app")

    def __init__(
        self,
        workspace: Workspace,
        *,
        run: Path | None = None,
        settings: Settings | None = None,
    ) -> None:
        """Make the app for `workspace`; with `run`, it opens on that run folder."""
        super().__init__()
        self.workspace = workspace
        self.settings = settings or settings_file.load()
        self.run_ends = RunEnds(self)
        self.views: Sequence[View] = VIEWS
        self.shown_workspace = _short(workspace.root)
        self.errors: list[Exception] = []
        """Unexpected errors so far, oldest first."""
        self.busy: dict[object, str] = {}
        """What would be lost by leaving now: a token and a sentence each."""
        self.findings: dict[Path, dict[str, frozenset[int]]] = {}
        """Of each project that was checked, the image ids of each kind of finding."""
        self._first_run = run
        self._keys = KeyOrder(self, super().on_event)
        self._error_times: deque[float] = deque(maxlen=STORM_ERRORS)
        self._fatal: Exception = RuntimeError("The app ended without a reason.")
        self._problems = list(self.settings.problems)
        self._use_themes()
        usable, wrong = keymap(self.settings.keys)
        self._problems += wrong
        self.set_keymap(usable)
        if not self.settings.animations:
            self.animation_level = "none"

    # Start

    def _use_themes(self) -> None:
        for folder in (themes.OWN, config_dir() / "themes"):
            found, problems = themes.load(folder)
            self._problems += problems
            for theme in found:
                self.register_theme(theme)
        wanted = self.settings.theme
        if wanted not in self.available_themes:
            guess = did_you_mean(wanted, self.available_themes)
            self._problems.append(
                f"There is no theme '{clean(wanted)}'; {guess}".rstrip("; ") + " (ctrl+p, Theme)"
            )
            wanted = themes.DARK
        self.theme = wanted
        self._saved_theme = wanted

    def on_mount(self) -> None:
        """Tell what was wrong in the settings, and open the run that was asked for."""
        for problem in self._problems:
            self.notify(clean(problem), severity="warning", timeout=10, markup=False)
        if self._first_run is not None:
            self.call_after_refresh(self.open_run, self._first_run)
        self.run_ends.start()

    # What screens share

    @cached_property
    def run_index(self) -> RunIndex:
        """The runs of the workspace, which everything that follows them looks at together."""
        from core.training.run_list.index import RunIndex

        return RunIndex(self.workspace, share=LOOK_SHARE, trust=True)

    @cached_property
    def queue_watcher(self) -> QueueWatcher:
        """The queues of clusters and our runs there, followed once somebody looks at one."""
        from batman_tui.connections import host_of
        from slurm.watch.queue_watcher import QueueWatcher

        in_thread = partial(self.run_worker, group="queue", thread=True, exit_on_error=False)
        watcher = QueueWatcher(self.workspace, partial(host_of, self), in_thread)
        self.set_interval(QUEUE_SECONDS, watcher.tick)
        return watcher

    @on(RunsEnded)
    def _runs_ended(self, message: RunsEnded) -> None:
        self.run_ends.tell(message.ends)

    @property
    def graphics(self) -> Mode:
        """How pictures are shown on this terminal."""
        return graphics_of(self, self.settings.pictures)

    # Going somewhere

    def open_classes(self, project: Path) -> None:
        """Open the classes of the project in the folder `project`."""
        from batman_tui.classes.screen import ClassesScreen

        self.push_screen(ClassesScreen(project))

    def open_images(self, project: Path, narrow: str = "") -> None:
        """Open the images of the project in the folder `project`, those that `narrow` filters."""
        from batman_tui.images.screen import ImagesScreen

        self.push_screen(ImagesScreen(project, narrow))

    def open_health(self, project: Path) -> None:
        """Check the data of the project in the folder `project`."""
        from batman_tui.health.screen import HealthScreen

        self.push_screen(HealthScreen(project))

    def open_train(self, project: Path) -> None:
        """Open the form that trains a model on the project in the folder `project`."""
        from batman_tui.train.screen import TrainScreen

        self.push_screen(TrainScreen(project))

    def open_clone(self, clone: Clone) -> None:
        """Open the training form filled with a cluster job's settings, to submit it anew."""
        from batman_tui.train.screen import TrainScreen

        self.push_screen(TrainScreen(clone.project, clone))

    def open_import(self, project: Path) -> None:
        """Open the dialog that imports a data set into the project in the folder `project`."""
        from batman_tui.imports.import_dialog import ImportDialog

        self.push_screen(ImportDialog(project))

    def open_export(self, project: Path) -> None:
        """Open the dialog that writes the project in the folder `project` for other tools."""
        from batman_tui.projects.export_dialog import ExportDialog

        self.push_screen(ExportDialog(project))

    def open_imports(self, project: Path) -> None:
        """Show where the images of the project in the folder `project` came from."""
        from batman_tui.imports.screen import ImportsScreen

        self.push_screen(ImportsScreen(project))

    def open_run(self, run: Path) -> None:
        """Open the live view of the run in the folder `run`, over the list of runs."""
        from batman_tui.run.screen import RunScreen

        self.switch_mode("runs")
        self.push_screen(RunScreen(run))

    def action_view(self, mode: str) -> None:
        """Go to a top-level view; when already in it, back to its first screen."""
        if mode == self.current_mode:
            while len(self.screen_stack) > 1:
                self.pop_screen()
        else:
            self.switch_mode(mode)

    # Help, themes, leaving

    def action_help(self) -> None:
        """Show the keys that work here."""
        from batman_tui.widgets.dialogs.help import HelpScreen, collect

        screen = self.screen
        if isinstance(screen, HelpScreen):
            return
        title = type(screen).__name__.removesuffix("Screen").removesuffix("Dialog")
        self.push_screen(HelpScreen(title, getattr(screen, "HELP", ""), collect(screen)))

    def action_toggle_dark(self) -> None:
        """Change between the dark and the light theme of the settings."""
        dark = self.current_theme.dark
        wanted = self.settings.light_theme if dark else self.settings.dark_theme
        fallback = themes.LIGHT if dark else themes.DARK
        self.theme = wanted if wanted in self.available_themes else fallback

    def save_theme(self) -> None:
        """Keep the present theme for the next start, when it was changed here."""
        if self.theme != self._saved_theme:
            settings_file.save_theme(self.theme)
            self._saved_theme = self.theme

    async def action_quit(self) -> None:
        """Leave; asks first when something that runs in the app would be lost."""
        if not self.busy:
            self._leave()
            return
        from batman_tui.widgets.dialogs.dialogs import ConfirmDialog

        self.push_screen(
            ConfirmDialog("Leave Batman?", list(self.busy.values()), yes="Leave", no="Stay"),
            lambda agreed: self._leave() if agreed else None,
        )

    def _leave(self) -> None:
        try:
            self.save_theme()
        except BatmanError as error:
            self.log.warning(str(error))
        self.exit(0)

    # What Textual asks of an app

    async def on_event(self, event: events.Event) -> None:
        """Keep keys in order, and leave what cannot be seen out of what is pasted into the palette,
        which is Textual's own.
        """
        if isinstance(event, events.Key) and not event.is_forwarded:
            await self._keys.key(event)
            return
        if isinstance(event, events.Paste) and isinstance(self.screen, CommandPalette):
            event = events.Paste(without_unseen(event.text)[0])
        await super().on_event(event)

    async def on_key_handled(self, message: KeyHandled) -> None:
        """Give out the next key when the last one is through."""
        await self._keys.handled(message)

    def _display(self, screen: Screen[Any], renderable: Any) -> None:
        super()._display(screen, renderable)
        if screen is self.screen and self.graphics == "sixel":
            draw_sixels(self, renderable)

    # Telling

    def now(self) -> datetime:
        """Return the time, with its zone; relative times on screens are counted from it."""
        return datetime.now(UTC)

    def tell(self, text: str) -> None:
        """Say in a corner that something was done; `text` is data."""
        self.notify(clean(text), markup=False)

    # Errors

    def show_error(self, error: Exception) -> None:
        """Show `error`: an expected one as a notification, any other in a panel with details.

        An expected one whose hint has lines of its own, which are to be copied, gets a panel too.
        """
        if isinstance(error, WorkerFailed) and isinstance(error.error, Exception):
            error = error.error
        from batman_tui.widgets.dialogs.text_dialog import TextDialog, error_dialog

        error = disk_full(error, [self.workspace.root]) or error
        if isinstance(error, BatmanError):
            if "\n" in error.hint:
                lines = "\n\n".join(error.hint.splitlines())
                file = self.workspace.logs_dir / "error.txt"
                title = "This cannot be done"
                self.push_screen(
                    TextDialog(title, lines, lead=error.message, file=file, error=True)
                )
                return
            text = clean(f"{error.message} {error.hint}".strip())
            self.notify(text, severity="error", timeout=8, markup=False)
            return

        self.errors.append(error)
        if isinstance(self.screen, TextDialog) and self.screen.has_class("-error"):
            self.notify(clean(repr(error)), severity="error", markup=False)
            return
        self.push_screen(error_dialog(error, self.workspace.logs_dir / "error.txt"))

    def _handle_exception(self, error: Exception) -> None:
        """Show an exception that Textual would end the app for.

        The app still ends when it is not up yet, or when errors come in a storm, which is what a
        defect in painting looks like.
        """
        self._error_times.append(time.monotonic())
        storm = (
            len(self._error_times) == STORM_ERRORS
            and self._error_times[-1] - self._error_times[0] < STORM_SECONDS
        )
        if not self.is_running or not self._screen_stacks.get(self.current_mode) or storm:
            self._fatal = error
            super()._handle_exception(error)
            return
        self.show_error(error)

    def _fatal_error(self) -> None:
        """Leave with the traceback alone: Textual's shows the values of all variables as well,
        keys and passwords among them.
        """
        self.bell()
        self.panic(Text(traceback_text(self._fatal).rstrip()))


def _short(path: Path) -> str:
    """Return a path for people: the home folder is `~`."""
    home = Path.home()
    if path == home:
        return "~"
    return clean(f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path))


def run(workspace: Workspace, *, run: Path | None = None) -> int:
    """Run the app until the person leaves and return the exit code: 0, or 1 after a crash.

    With `run` (a run folder), it opens on that run.
    """
    app = BatmanApp(workspace, run=run)
    result = app.run()
    return result if result is not None else (app.return_code or 0)
