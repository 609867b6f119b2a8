"""One run, live: curves, accuracy by class, what happened, the log, the settings."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.binding import BindingType
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Static
from textual.worker import get_current_worker

from batman_tui.keys import bindings
from batman_tui.run.details import RunDetails
from batman_tui.run.header import RunHeader
from batman_tui.run.lines import problem_lines
from batman_tui.run.made import FETCHING, NO_PICTURES, PICTURES, PicturesPanel, ProjectNames
from batman_tui.run.model_actions import export_model, has_model, look_with, open_output
from batman_tui.run.plots import RunPlots
from batman_tui.run.run_actions import epochs_prompt, problem_dialog, resume, stop_question
from batman_tui.widgets.frame.base import BatmanScreen, Newest
from batman_tui.widgets.panel.tabs import TabbedPanels
from batman_tui.widgets.panel.zoom import toggle_zoom
from batman_tui.widgets.table.table import VirtualTable
from core.common.errors import BatmanError
from core.training.live.follow import FileSource, RunFollower, RunSnapshot, log_of
from core.training.live.val_pictures import ValPicture, val_pictures
from core.training.run.run import Run
from core.training.run.worker_process import AT_REST, ENDED
from core.training.run_list.outputs import Output, outputs_of
from slurm.sync.val_pictures import RemotePictures

LOOK_SECONDS = 1.0
# A run that has ended is looked at this much less often: somebody may resume it elsewhere.
ENDED_EVERY = 3
# The first look is short, so that something is there at once; the rest comes in larger parts.
FIRST_BYTES = 1024 * 1024
MORE_BYTES = 32 * 1024 * 1024
# Looks at a run on a cluster until its pictures are asked for again.
FETCH_EVERY = 30


class RunScreen(BatmanScreen):
    """Follows the run folder `run_path`; everything shown is read from it.

    `source` reads the folder's files, this machine's by default. It is looked at in a thread,
    once a second while the screen is in front, and drawn only when something has changed.
    """

    HELP = (
        "A run goes on when this screen or the app is closed. s stops it after the current step "
        "with a checkpoint, r goes on from there. i looks at pictures and videos with the best "
        "model, x exports it; what came of both is listed under Made. Tab moves between plots "
        "and lists; in a plot, c reads values and + and - zoom."
    )
    CSS_PATH = Path(__file__).with_name("screen.tcss")
    BINDINGS: ClassVar[list[BindingType]] = bindings("run")

    run: reactive[RunSnapshot | None] = reactive(None, init=False, repaint=False)

    @dataclass
    class Looked(Newest):
        """The run was looked at and has changed; the log's new lines are in `_fresh_lines`."""

        snapshot: RunSnapshot
        state: str

    class Logged(Newest):
        """The log has new lines."""

    @dataclass
    class Made(Newest):
        """Validation pictures and what was made of the run; `model` says if there is one yet."""

        pictures: list[ValPicture]
        outputs: list[Output]
        model: bool

    @dataclass
    class Fetched(Newest):
        """Validation pictures came from the cluster, or `error` says why not."""

        pictures: list[ValPicture]
        error: str = ""

    def __init__(
        self,
        run_path: Path,
        source: FileSource | None = None,
        pictures: RemotePictures | None = None,
        own: Path | None = None,
        cluster: str = "",
    ) -> None:
        """Make the screen.

        With `source` the run lies elsewhere, and its `pictures` do; `own` is its folder here, and
        `cluster` the one that trains it.
        """
        super().__init__()
        self.path = run_path
        self.name_shown = (own or run_path).name
        """What people call the run: its folder there is named by its submission."""
        self._local = source is None
        self._here = run_path if self._local else own
        self._remote = pictures
        self._names = ProjectNames(self._here)
        self._cluster = cluster
        self._follower = RunFollower(run_path, source, own)
        self._log = log_of(run_path, source)
        self._fresh_lines: deque[str] = deque()
        self._shown: RunSnapshot | None = None
        self._made: tuple[list[ValPicture], list[Output], bool] | None = None
        self._has_model = False
        self._looking = False
        self._fetching = False
        self._ticks = 0
        self._state = ""
        """Which state of its project the run learnt, and whether that has moved on."""

    @property
    def is_local(self) -> bool:
        """Whether the run's folder is on this machine."""
        return self._local

    @property
    def plots(self) -> RunPlots:
        """The two plots."""
        return self.query_one(RunPlots)

    @property
    def details(self) -> RunDetails:
        """The lists below."""
        return self.query_one(RunDetails)

    def trail(self) -> str:
        """Name the run."""
        return f"{self.name_shown} › Run"

    def body(self) -> Iterable[Widget]:
        """Lay out the header, the plots and the lists."""
        yield RunHeader()
        yield Static("", id="run-problem", markup=False)
        yield RunPlots(id="run-plots")
        yield RunDetails(id="run-details")

    # -- looking ---------------------------------------------------------------------------------

    def on_mount(self) -> None:
        """Look at once, and then again and again."""
        self.query_one("#loss").focus()
        self._look()
        self.while_in_front(LOOK_SECONDS, self._tick, self._back)
        self.watch(self.details, "tab", self._tab_opened, init=False)

    def _back(self) -> None:
        self._ticks = 0
        self._state = ""  # The project may have moved on meanwhile.
        self._tick()

    def _tick(self) -> None:
        if self._looking:
            return
        self._ticks += 1
        ended = self.run is not None and self.run.state in ENDED
        if not ended or self._ticks % ENDED_EVERY == 1:
            self._look()
        if not ended and self._ticks % FETCH_EVERY == 0:
            self._tab_opened(self.details.tab)

    def _look(self) -> None:
        if not self._looking:
            self._looking = True
            self._read()

    @work(thread=True, exit_on_error=False, group="look")
    def _read(self) -> None:
        try:
            shown = self._shown is not None
            snapshot = self._follower.poll(MORE_BYTES if shown else FIRST_BYTES, settings=shown)
            lines = self._log.poll()
            made = self._look_around()
        finally:
            self._looking = False
        if lines:
            self._fresh_lines.extend(lines)
            self.post_message(self.Logged())
        data = snapshot.config.dataset if snapshot.config is not None else None
        asked = not self._state and data is not None
        if asked and snapshot.config is not None and data is not None:
            from core.data.versions.since import trained_on

            self._state = trained_on(snapshot.config.project, data.state, data.version)
        if snapshot is not self._shown or (asked and self._state):
            self._shown = snapshot
            self.post_message(self.Looked(snapshot, self._state))
        if made != self._made:
            self._made = made
            self.post_message(self.Made(*made))

    def _look_around(self) -> tuple[list[ValPicture], list[Output], bool]:
        model = self._here is not None and has_model(self._here)
        if not self._local:
            return [], [], model
        return self._names.of(val_pictures(self.path)), outputs_of(self.path), model

    @on(Made)
    def _made_more(self, message: Made) -> None:
        self._has_model = message.model
        if self._local:
            self.details.show_made(message.pictures, message.outputs)
        self.refresh_bindings()

    def _tab_opened(self, tab: str) -> None:
        """Have the pictures of a run on a cluster fetched while somebody looks at them."""
        if tab == "pictures" and self._remote is not None and not self._fetching:
            self._fetching = True
            self._fetch(self._remote)

    @work(thread=True, exit_on_error=False, group="pictures")
    def _fetch(self, remote: RemotePictures) -> None:
        worker, named = get_current_worker(), self._names.of
        self.post_message(self.Fetched(named(remote.known()), FETCHING))
        try:
            found = self.Fetched(named(remote.fetch(lambda: worker.is_cancelled)))
        except BatmanError as error:
            found = self.Fetched(named(remote.known()), f"{error.message} {error.hint}".strip())
        finally:
            self._fetching = False
        self.post_message(found)

    @on(Fetched)
    def _were_fetched(self, message: Fetched) -> None:
        self.details.show_made(message.pictures, [], message.error or NO_PICTURES)

    @on(Looked)
    def _looked(self, message: Looked) -> None:
        self.details.state = message.state
        self.run = message.snapshot
        if message.snapshot.behind or message.snapshot.config is None:
            self.call_after_refresh(self._look)

    @on(Logged)
    def _logged(self) -> None:
        lines = []
        while self._fresh_lines:
            lines.append(self._fresh_lines.popleft())
        self.details.append(lines)

    # -- showing ---------------------------------------------------------------------------------

    def watch_run(self, before: RunSnapshot | None, run: RunSnapshot | None) -> None:
        """Show the run as it is now."""
        if run is None:
            return
        self.query_one(RunHeader).run = run
        self.plots.run = run
        self.details.show(run)
        problems = problem_lines(run, self._local)
        shown = self.query_one("#run-problem", Static)
        shown.display = bool(problems)
        if problems:
            shown.update(Content("\n").join(problems))
        if before is None or before.state != run.state:
            self.refresh_bindings()
            if run.state in ENDED and self._cluster and not self._has_model:
                # What it made comes with a look at the queue, which may be a minute away.
                self.batman.queue_watcher.hurry(self._cluster)

    # -- keys ------------------------------------------------------------------------------------

    @on(TabbedPanels.Hidden)
    def _focus_plot(self) -> None:
        self.query_one("#loss").focus()

    @on(VirtualTable.Opened, "#events")
    @on(VirtualTable.Opened, "#made")
    @on(VirtualTable.Opened, f"#{PICTURES}")
    def _clicked(self) -> None:
        self.action_goto()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what makes sense in the run's state."""
        state = self.run.state if self.run is not None else "preparing"
        if action == "stop":
            return self._local and state in ("preparing", "running")
        if action == "resume":
            return self._local and state in AT_REST and state != "waiting"
        if action in ("look", "export", "evaluate"):
            # Without a model there is nothing to look with: the first validation writes one.
            return self._has_model or (self._local and action == "evaluate")
        if action == "problem":
            return self.run is not None and self.run.error is not None
        if action == "goto":
            return self.focused is not None and self.focused.id in ("events", "made", PICTURES)
        return super().check_action(action, parameters)

    def why_not(self, action: str, parameters: tuple[object, ...]) -> str:
        """Say what the run is not ready for."""
        state = self.run.state if self.run is not None else "preparing"
        if action in ("stop", "resume") and not self._local:
            return "This run is on another machine: its job is cancelled or cloned on Jobs (3)."
        if action in ("evaluate", "look", "export") and not self._local:
            made = self.run is not None and self.run.best is not None
            when = "in a moment" if made else "once a validation wrote one"
            return f"The model is not here yet: it comes by itself {when}."
        if action in ("look", "export"):
            return "There is no model yet: the first validation writes one."
        if action in ("stop", "resume") and state == "waiting":
            return "The run waits for its turn in a sweep: S on the list of runs shows it."
        if action in ("stop", "resume"):
            more = " Cancel its job on the jobs screen." if state == "queued" else ""
            return f"The run is {state}: there is nothing to {action}.{more}"
        return "Nothing has failed." if action == "problem" else ""

    def action_stop(self) -> None:
        """Ask, and stop the run."""

        def answered(agreed: bool | None) -> None:
            if agreed:
                self._stop()

        question = stop_question(self.path.name, "You can go on from there with r.")
        self.app.push_screen(question, answered)

    @work(thread=True, exit_on_error=False, group="control")
    def _stop(self) -> None:
        Run(self.path).stop()

    def action_resume(self) -> None:
        """Go on from the last checkpoint; a finished run is asked for more epochs."""
        run = self.run
        if run is None:
            return
        if run.state != "finished" or run.config is None:
            self._resume(None)
            return

        def answered(text: str | None) -> None:
            if text:
                self._resume(int(text))

        self.app.push_screen(epochs_prompt(run.epoch, run.config.epochs), answered)

    @work(thread=True, exit_on_error=False, group="control")
    def _resume(self, epochs: int | None) -> None:
        resume(self.path, epochs)

    def action_evaluate(self) -> None:
        """Show how good the model is, and evaluate it."""
        from batman_tui.evaluate.screen import EvaluationScreen

        self.app.push_screen(EvaluationScreen(self._here or self.path))

    def action_look(self) -> None:
        """Look at pictures and videos with the model, and show what it found."""
        look_with(self, self._here or self.path)

    def action_export(self) -> None:
        """Export the model."""
        export_model(self, self._here or self.path)

    def action_problem(self) -> None:
        """Show the whole error, to read, copy or save."""
        file = self.batman.workspace.logs_dir / f"{self.path.name}-error.txt"
        dialog = problem_dialog(self.run, file) if self.run is not None else None
        if dialog is not None:
            self.app.push_screen(dialog)

    def action_tab(self, by: int) -> None:
        """Show the next list, or the one before."""
        self.details.next_tab(by)

    def action_parts(self) -> None:
        """Show or hide the parts of the loss."""
        self.plots.parts = not self.plots.parts

    def action_measure(self) -> None:
        """Plot the next measure that this run has."""
        self.plots.next_measure()

    def action_axis(self) -> None:
        """Count x in steps, epochs or time."""
        self.plots.next_axis()

    def action_smooth(self, by: int) -> None:
        """Smooth more, or less."""
        self.plots.smooth(by)

    def action_log_scale(self) -> None:
        """Make the y axis logarithmic, or linear again."""
        self.plots.flip_scale()

    def action_zoom(self) -> None:
        """Give the focused part the whole screen, or go back."""
        toggle_zoom(self, "run-plots", "run-details")

    def action_search(self) -> None:
        """Search the log."""
        self.details.show_log().search()

    def action_goto(self) -> None:
        """Put the plots' cursor on the event, open what was made, or enlarge a picture."""
        if self.focused is not None and self.focused.id == PICTURES:
            self._enlarge(self.query_one(PicturesPanel))
            return
        if self.focused is not None and self.focused.id == "made":
            if self.details.output is not None:
                open_output(self, self.path, self.details.output)
            return
        row = self.details.event
        if row is not None and self.run is not None and hasattr(row.event, "step"):
            self.plots.point_at(row.event)

    def _enlarge(self, panel: PicturesPanel) -> None:
        if panel.here is not None:
            from batman_tui.pictures.picture_screen import PictureScreen

            self.app.push_screen(PictureScreen(panel.gallery, panel.here))
