"""The app: its views, the way to a screen, themes, keys and errors. Wiring only."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual import events, on
from textual.app import App
from textual.binding import Binding, BindingType
from textual.notifications import Notify
from textual.screen import Screen

import themes
from batman_tui import settings as settings_file
from batman_tui.action import key_name
from batman_tui.errors import Storm, show_error
from batman_tui.first_screen import FirstScreen
from batman_tui.first_theme import begin_with, register_themes
from batman_tui.keys import bindings, keymap
from batman_tui.navigation.kinds import KINDS
from batman_tui.navigation.refusals import Refusals
from batman_tui.run_ends import RunEnds, RunsEnded
from batman_tui.services import Review, View, short_path
from batman_tui.settings import Settings
from batman_tui.widgets.frame.base import Guarded
from batman_tui.widgets.frame.key_order import KeyHandled, KeyOrder
from batman_tui.widgets.picture.modes import Mode
from batman_tui.widgets.picture.overlays import draw_overlays, graphics_of
from core.common.errors import BatmanError
from core.common.invisible_characters import without_unseen
from core.common.text import clean
from core.common.workspace import Workspace
from core.processes.tracebacks import traceback_text

if TYPE_CHECKING:
    from textual.command import Provider
    from textual.worker import Worker

    from batman_tui.navigation.index import Index
    from batman_tui.navigation.session import Session
    from batman_tui.navigation.ways import Ways
    from core.training.run_list.index import RunIndex
    from slurm.submit.clone import Clone
    from slurm.watch.queue_watcher import QueueWatcher

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


def _screen(kind: str) -> Screen[None]:
    return KINDS[kind].load()()


def _commands() -> type[Provider]:
    from batman_tui.navigation.provider import Commands

    return Commands


class BatmanApp(Guarded, App[int]):
    """Batman on a terminal. Screens are imported when they are first opened."""

    TITLE = "Batman"
    CSS_PATH: ClassVar[list[str | PurePath]] = [Path(__file__).with_name("app.tcss")]
    ENABLE_COMMAND_PALETTE = True
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]
    # A part of a split terminal: room for the list alone, not for what is told of a row.
    VERTICAL_BREAKPOINTS = [(0, "-low"), (18, "-high")]
    _breakpoints = HORIZONTAL_BREAKPOINTS, VERTICAL_BREAKPOINTS
    DEFAULT_MODE = "projects"
    MODES: ClassVar[dict[str, str | Callable[[], Screen[None]]]] = {
        view.mode: partial(_screen, view.mode) for view in VIEWS
    }
    COMMANDS = {_commands}
    BINDINGS: ClassVar[list[BindingType]] = bindings("app")

    def __init__(
        self,
        workspace: Workspace,
        *,
        run: Path | None = None,
        review: Review | None = None,
        settings: Settings | None = None,
        keeps_place: bool = False,
        fresh: bool = False,
    ) -> None:
        """Make the app for `workspace`; with `run`, it opens on that run folder, with `review` on
        the labelling of a project. If it `keeps_place`, it opens where one was, unless it is to be
        `fresh`, and notes where one is.
        """
        self._first = FirstScreen(self, run)
        mode = self._first.mode
        self.DEFAULT_MODE = mode  # type: ignore[misc]
        self.MODES = {name: make for name, make in self.MODES.items() if name != mode}  # type: ignore[misc]
        super().__init__(css_path=[*self.CSS_PATH, self._first.sheet])
        self.workspace = workspace
        self.settings = settings or settings_file.load()
        self.run_ends = RunEnds(self)
        self.views: Sequence[View] = VIEWS
        self.shown_workspace = short_path(workspace.root)
        self.errors: list[Exception] = []
        """Unexpected errors so far, oldest first."""
        self.busy: dict[object, str] = {}
        """What would be lost by leaving now: a token and a sentence each."""
        self.findings: dict[Path, dict[str, frozenset[int]]] = {}
        """Of each project that was checked, the image ids of each kind of finding."""
        self._first_review = review
        self._keeps_place = keeps_place
        self._back = not fresh and run is None and review is None
        self._refusals = Refusals(self)
        self._keys = KeyOrder(self, super().on_event, self._refusals.tell)
        self._storm = Storm()
        self._fatal: Exception = RuntimeError("The app ended without a reason.")
        self.problems = [*self.settings.problems, *register_themes(self)]
        """What was wrong in the settings."""
        self._saved_theme, wrong = begin_with(self, self.settings.theme)
        self.problems += wrong
        usable, wrong = keymap(self.settings.keys)
        self.problems += wrong
        self.set_keymap(usable)
        if not self.settings.animations:
            self.animation_level = "none"

    # Start

    def get_default_screen(self) -> Screen[None]:
        """Return the first screen: one of `MODES` is painted once for nothing at the start."""
        return self._first.make()

    def on_mount(self) -> None:
        """Tell what was wrong in the settings."""
        self.add_mode(self.DEFAULT_MODE, partial(_screen, self.DEFAULT_MODE))
        for problem in self.problems:
            self.notify(clean(problem), severity="warning", timeout=10, markup=False)
        self.call_after_refresh(self._painted)

    async def _painted(self) -> None:
        """Go on when the first frame is there; what is only needed now is imported now."""
        if not gc.isenabled():
            # `run` left it off for the start. What was made until now stays to the end.
            gc.freeze()
            gc.enable()
        if self._back:
            await self.session.come_back()
        if self._first_review is not None:
            self._open_review(self._first_review)
        self.run_ends.start()
        self.session.start()

    # What screens share

    @cached_property
    def session(self) -> Session:
        """Where one is, and where one was the last time."""
        from batman_tui.navigation.kept_places import PlaceFile
        from batman_tui.navigation.session import Session

        return Session(self, PlaceFile(self.workspace.root) if self._keeps_place else None)

    @cached_property
    def ways(self) -> Ways:
        """The ways to the screens, by name."""
        from batman_tui.navigation.ways import Ways

        return Ways(self)

    @cached_property
    def index(self) -> Index:
        """All that can be gone to by name."""
        from batman_tui.navigation.index import Index

        return Index(self.ways)

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
        self._open("classes", project)

    def open_images(self, project: Path, narrow: str = "", image_id: int | None = None) -> None:
        """Open the images of the project in the folder `project`, those that `narrow` filters."""
        self._open("images", project, narrow, image_id)

    def open_label(
        self, project: Path, narrow: str = "", image_id: int | None = None, walk: str = ""
    ) -> None:
        """Label the pictures of the project in the folder `project`, from `image_id` on."""
        self._open("label", project, narrow, image_id, walk)

    def _open_review(self, review: Review) -> None:
        if review.crops:
            self.open_crops(review.project)
        else:
            self.open_label(review.project, review.narrow, walk=review.walk)

    def open_crops(self, project: Path) -> None:
        """Review the suggestions of the project in the folder `project` by pages of crops."""
        self._open("crops", project)

    def open_health(self, project: Path) -> None:
        """Check the data of the project in the folder `project`."""
        self._open("check", project)

    def open_data(self, project: Path) -> None:
        """Show what is in the data of the project in the folder `project`."""
        self._open("data", project)

    def open_train(self, project: Path) -> None:
        """Open the form that trains a model on the project in the folder `project`."""
        self._open("train", project)

    def open_clone(self, clone: Clone) -> None:
        """Open the training form filled with a cluster job's settings, to submit it anew."""
        self._open("train", clone.project, clone)

    def open_import(self, project: Path) -> None:
        """Open the dialog that imports a data set into the project in the folder `project`."""
        self._open("import", project)

    def open_export(self, project: Path, state: int | None = None, name: str = "") -> None:
        """Open the dialog that writes a project for other tools, or a state of it."""
        self._open("export", project, state, name)

    def open_versions(self, project: Path) -> None:
        """Show the versions of the project in the folder `project`."""
        self._open("versions", project)

    def open_imports(self, project: Path) -> None:
        """Show where the images of the project in the folder `project` came from."""
        self._open("imports", project)

    def _open(self, kind: str, *of: Any) -> None:
        self.push_screen(KINDS[kind].load()(*of))

    def open_run(self, run: Path) -> None:
        """Open the live view of the run in the folder `run`, over the list of runs."""
        self.switch_mode("runs")
        self._open("run", run)

    def open_job(self, job: str, cluster: str) -> None:
        """Go to the jobs of a cluster, to one of them as soon as the queue tells of it."""
        self.call_next(self.ways.to_view, "jobs", row=job, of=cluster)

    def action_go(self) -> None:
        """Ask for a line that says where to go, and go there."""
        from batman_tui.navigation.go_dialog import GoDialog
        from batman_tui.navigation.typed import TypedLine

        def answered(line: str | None) -> None:
            if line is not None:
                self.session.remember(line)
                self.call_next(TypedLine(self.ways, self.index.found).read(line))

        self.push_screen(GoDialog(self.ways, self.index, self.session.typed), answered)

    async def action_settings(self) -> None:
        """See and change the settings."""
        await self.ways.to("settings")

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
        from batman_tui.widgets.dialogs.help import help_on

        self.push_screen(help_on(self.screen))

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
        self.session.end()
        try:
            self.save_theme()
        except BatmanError as error:
            self.log.warning(str(error))
        self.exit(0)

    # What Textual asks of an app

    async def on_event(self, event: events.Event) -> None:
        """Keep keys in order, and what cannot be seen out of what is pasted into the palette."""
        if isinstance(event, events.Key) and not event.is_forwarded:
            await self._keys.key(event)
            return
        if isinstance(event, events.Paste):
            from textual.command import CommandPalette

            if isinstance(self.screen, CommandPalette):
                event = events.Paste(without_unseen(event.text)[0])
        await super().on_event(event)

    async def run_action(self, *args: Any, **options: Any) -> bool:
        """Do an action, and note one that cannot be done now, to say why."""
        told = self._refusals.by_part(*args[:2])
        return told or self._refusals.noted(await super().run_action(*args, **options), *args[:2])

    def keys_wait_for(self, worker: Worker[Any]) -> None:
        """Hold keys back until `worker` is through."""
        self._keys.wait_for(worker)

    async def on_key_handled(self, message: KeyHandled) -> None:
        """Give out the next key when the last one is through."""
        await self._keys.handled(message)

    def _load_screen_css(self, screen: Screen[Any]) -> None:
        super()._load_screen_css(screen)
        if screen._css_update_count < 0:
            # A screen that is made now has nothing to catch up with: the first of a view would have
            # every style sheet read anew. How large the terminal is, it would learn when all that
            # is in it has been styled, which would be styled again.
            screen._css_update_count = self._css_update_count
            found = map(screen._get_breakpoint_classes, self.size, self._breakpoints)
            screen.add_class(*set().union(*found))

    def _display(self, screen: Screen[Any], renderable: Any) -> None:
        super()._display(screen, renderable)
        if screen is self.screen and self.graphics in ("kitty", "sixel", "browser"):
            draw_overlays(self, renderable)

    # Telling

    def get_key_display(self, binding: Binding) -> str:
        """Return how a key is written, the same wherever it stands."""
        return key_name(super().get_key_display(binding))

    def now(self) -> datetime:
        """Return the time, with its zone; relative times on screens are counted from it."""
        return datetime.now(UTC)

    def _on_notify(self, event: Notify) -> None:
        """Show a note once: the same again takes the place of the one that still stands there."""
        for shown in list(self._notifications):
            if shown.message == event.notification.message:
                self._unnotify(shown, refresh=False)
        super()._on_notify(event)

    def tell(self, text: str) -> None:
        """Say in a corner that something was done; `text` is data."""
        self.notify(clean(text), markup=False)

    def show_error(self, error: Exception) -> None:
        """Show `error`: an expected one in a corner, any other in a panel with details."""
        show_error(self, error, self.errors)

    def _handle_exception(self, error: Exception) -> None:
        """Show an exception that Textual would end the app for.

        The app still ends when it is not up yet, or when errors come in a storm, which is what a
        defect in painting looks like.
        """
        storm = self._storm.one_more()
        if not self.is_running or not self._screen_stacks.get(self.current_mode) or storm:
            self._fatal = error
            super()._handle_exception(error)
            return
        self.show_error(error)

    def _fatal_error(self) -> None:
        """Leave with the traceback alone: Textual's shows all variables too, passwords as well."""
        self.bell()
        self.panic(Text(traceback_text(self._fatal).rstrip()))


def run(
    workspace: Workspace,
    *,
    run: Path | None = None,
    review: Review | None = None,
    fresh: bool = False,
) -> int:
    """Run the app until the person leaves and return the exit code: 0, or 1 after a crash.

    With `run` (a run folder), it opens on that run; with `review`, on a project's labelling; else
    where one was the last time, or with `fresh` on the projects.
    """
    app = BatmanApp(workspace, run=run, review=review, keeps_place=True, fresh=fresh)
    return app.run() or app.return_code or 0
