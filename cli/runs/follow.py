"""Following a run to its end: bars on a terminal, lines in a log, and what Ctrl-C does."""

from __future__ import annotations

import contextlib
import shlex
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from cli.answers.printing import say_event, streaming
from cli.exits import Exit
from cli.output import console, is_terminal, say, say_error
from cli.runs.run_events import Events, say_ended
from cli.runs.run_lines import Line, Story, failure, say_end, step_line, wait_line
from core.common.errors import RunError
from core.common.text import clean
from core.common.workspace import Workspace
from core.training.live.follow import RunFollower, RunSnapshot
from core.training.run.events import Finished
from core.training.run.run import Run
from core.training.run.worker_process import ENDED

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

# How often the folder is looked at: a bar should move, a log need not.
_LOOK_S = 0.5
# In a log, where the run is stands in one line at most this often.
_LINE_S = 10.0
_BAR = 20


def follow(
    run: Run,
    workspace: Workspace,
    *,
    ours: bool,
    plain: bool = False,
    stop: Callable[[], None] | None = None,
    go_on: str = "",
) -> int:
    """Show `run` until it ends and return the exit code for its end.

    `ours` is a run that this command started: Ctrl-C stops it with a checkpoint, a second one
    leaves at once. A run that is only watched goes on after Ctrl-C. A run folder that is deleted
    ends it too. `plain` wants lines on a terminal too. `stop` stops it where that is more than the
    run, and `go_on` is the command that then goes on.
    """
    lines = _Lines if plain or not is_terminal() else _Bars
    show: Events | _Lines | _Bars = Events(run) if streaming() else lines()
    follower = RunFollower(run.path)
    with _interrupts() as interrupts, contextlib.closing(show):
        snapshot = follower.poll()
        if snapshot.state == "prepared":
            show.line(
                Line(
                    "Nobody has started this run yet; it is waited for."
                    f" To start it: batman train --resume {typed(run, workspace)}",
                    "yellow",
                )
            )
        elif snapshot.state == "waiting":
            show.line(Line("Its sweep has not come to this run yet; it is waited for.", "yellow"))
        while True:
            snapshot = follower.poll()
            show.update(snapshot)
            if snapshot.state in ENDED:
                break
            if snapshot.state == "unreadable" and run.path.is_dir():
                raise RunError(run.summary().error, "Ask its owner, or check the permissions.")
            if not run.path.is_dir():
                break
            if interrupts.count and not ours:
                show.line(Line("Not watching any more; the run goes on.", "dim"))
                return _left(run)
            if interrupts.count > 1:
                show.line(
                    Line(
                        f"Left. It stops by itself; see batman watch {typed(run, workspace)}.",
                        "yellow",
                    )
                )
                return _left(run)
            if interrupts.new():
                show.line(
                    Line(
                        "Stopping after this step, with a checkpoint. Ctrl-C again leaves at once.",
                        "yellow",
                    )
                )
                # One that has just ended needs no stopping: the next look says how it ended.
                with contextlib.suppress(RunError):
                    (stop or run.stop)()
            interrupts.wait(_LOOK_S)
    if snapshot.state not in ENDED:
        say_error(
            f"The run folder {clean(str(run.path))} is gone: it was deleted or moved.",
            "Its process, if it still runs, ends by itself when it cannot write its next"
            " checkpoint.",
        )
        return Exit.FAILED
    return end(run, workspace, snapshot, go_on)


def _left(run: Run) -> int:
    if streaming():
        say_event("left", last=True, run=run.name, path=str(run.path), exit_code=130)
    return Exit.INTERRUPTED


def end(run: Run, workspace: Workspace, snapshot: RunSnapshot, go_on: str = "") -> int:
    """Print how a run ended and return the exit code for it; `go_on` as for `follow`."""
    code = _end(run, workspace, snapshot, go_on)
    if streaming():
        say_ended(run, snapshot, code)
    return code


def _end(run: Run, workspace: Workspace, snapshot: RunSnapshot, go_on: str) -> int:
    say_end(snapshot, str(run.path))
    wrong = failure(snapshot)
    if wrong is not None:
        say_error(*wrong)
        return Exit.FAILED
    if isinstance(snapshot.ended, Finished):
        return Exit.OK
    if not go_on:  # else it is said at the end of all
        say(f"Go on with: batman train --resume {typed(run, workspace)}", "dim")
    return Exit.STOPPED


def typed(run: Run, workspace: Workspace) -> str:
    """Return what a shell line calls the run: its name if the workspace has it, else its path."""
    own = run.path.parent.absolute() == workspace.runs_dir.absolute()
    return shlex.quote(run.name if own else str(run.path))


class _Interrupts:
    """Counts Ctrl-C, and wakes whoever waits."""

    def __init__(self) -> None:
        self.count = 0
        self._seen = 0
        self._wake = threading.Event()

    def add(self, *_: object) -> None:
        self.count += 1
        self._wake.set()

    def new(self) -> bool:
        """Whether Ctrl-C was pressed since this was last asked."""
        new, self._seen = self.count > self._seen, self.count
        return new

    def wait(self, seconds: float) -> None:
        self._wake.wait(seconds)
        self._wake.clear()


@contextlib.contextmanager
def _interrupts() -> Iterator[_Interrupts]:
    interrupts = _Interrupts()
    try:
        before = signal.signal(signal.SIGINT, interrupts.add)
    except ValueError:  # not in the main thread, where no Ctrl-C arrives
        yield interrupts
        return
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, before)


class _Lines:
    """Shows a run in a log: each validation, and now and then where it is."""

    def __init__(self) -> None:
        self._story = Story()
        self._next = 0.0
        self._step = -1

    def line(self, line: Line) -> None:
        """Print a line between the others."""
        say(line.text, line.style)

    def update(self, run: RunSnapshot) -> None:
        """Print what is new."""
        for line in self._story.news(run):
            self.line(line)
        now = time.monotonic()
        if run.state not in ENDED and run.step != self._step and now >= self._next:
            where = step_line(run)
            if where:
                self.line(Line(where))
                self._next, self._step = now + _LINE_S, run.step

    def close(self) -> None:
        """Nothing is open."""


class _Bars:
    """Shows a run on a terminal: a bar with the time left, validations above it."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

        self._story = Story()
        self._bars: Progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=_BAR),
            TaskProgressColumn(),
            TextColumn("{task.fields[where]}", markup=False),
            console=console(),
        )
        self._task: TaskID = self._bars.add_task("Starting", total=None, where="")
        self._bars.start()

    def line(self, line: Line) -> None:
        """Print a line above the bar."""
        from rich.text import Text

        self._bars.console.print(Text(clean(line.text), line.style), soft_wrap=True)

    def update(self, run: RunSnapshot) -> None:
        """Move the bar, and print what is new."""
        for line in self._story.news(run):
            self.line(line)
        # Beside the state, the bar and the percentage, with a space between each.
        taken = len(run.state) + _BAR + 4 + 3
        room = self._bars.console.width - taken
        where = step_line(run, room) if run.wait is None else wait_line(run.wait, room)
        self._bars.update(
            self._task,
            description=run.state.capitalize(),
            total=run.total_steps or None,
            completed=run.total_steps if isinstance(run.ended, Finished) else run.step,
            where=where,
        )

    def close(self) -> None:
        """Take the bar down."""
        self._bars.stop()
