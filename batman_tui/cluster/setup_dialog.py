"""Setting a cluster up: what would be done there, how it goes, and what its check found."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Static
from textual.worker import get_current_worker

from batman_tui.cluster.work import ClusterWork
from batman_tui.connections import host_of
from batman_tui.keys import bindings
from batman_tui.widgets.frame.base import Newest
from batman_tui.widgets.frame.keybar import KeyBar
from batman_tui.widgets.panel.facts import Facts as FactList
from batman_tui.widgets.panel.log_view import LogView
from core.common.errors import BatmanError, Cancelled
from core.common.progress import Progress
from core.common.text import clean
from slurm.setup.check import Said, judge
from slurm.setup.setup import Options, Setup, plan_facts, plan_setup, run_setup, steps
from slurm.site.discover import discover
from slurm.site.profiles import Profile, load_profile
from slurm.site.site import open_site

_FACTS = ("environment", "python", "packages", "installer", "free", "check")
_BEFORE = (
    "^s installs Batman there, with what training needs, in a folder of its own, and has a job "
    "check it. The profile takes it when the check has passed; runs under way keep what they have."
)


class SetupDialog(ClusterWork[Profile]):
    """Shows what setting up the cluster of `profile` would do, and does it when told to.

    The result is the profile that names the new environment. Escape cancels what is under way,
    and else closes.
    """

    HELP = (
        "First the cluster is only looked at. F6 shows every step with its commands, ^s begins. "
        "What is broken off goes on where it was, the next time. batman clusters setup has more "
        "options, such as other packages."
    )
    DEFAULT_CSS = """
    SetupDialog {
        & > .dialog { width: 92; height: auto; max-height: 100%; padding: 0 1; }
        #setup-facts .facts--name { width: 13; }
        #setup-log { height: 10; margin-top: 1; display: none; }
        &.-begun #setup-log { display: block; }
        #setup-says { height: auto; min-height: 2; margin-top: 1; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = bindings("setup")
    SAYS = "#setup-says"

    @dataclass
    class Planned(Message):
        """What would be done, or `error` why nothing can be."""

        setup: Setup | None
        error: BatmanError | None = None

    class Told(Newest):
        """There are new lines about how it goes."""

    @dataclass
    class Ended(Message):
        """It is set up, as the check `said`, or `error` says why not."""

        said: Said | None
        error: BatmanError | None = None

    def __init__(self, profile: Profile, options: Options | None = None) -> None:
        super().__init__()
        self._profile = profile
        self._options = options or Options()
        self._setup: Setup | None = None
        self._made: Profile | None = None
        self._lines: deque[str] = deque()

    def compose(self) -> ComposeResult:
        """Lay out what would be done, how it goes, and the keys."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = f"Set up {clean(self._profile.name)}"
            yield FactList(_FACTS, id="setup-facts")
            yield LogView(id="setup-log")
            yield Static("", markup=False, id="setup-says", classes="dialog--hint")
            yield KeyBar()

    def on_mount(self) -> None:
        """Look at the cluster; nothing is written there yet."""
        self.say(f"Looking at {self._profile.name} …")
        self._plan()

    # -- what would be done ----------------------------------------------------------------------

    @work(thread=True, exclusive=True, exit_on_error=False, group="plan")
    def _plan(self) -> None:
        try:
            host = host_of(self.app, self._profile)
            site = open_site(host, self._profile, self.batman.workspace)
            setup = plan_setup(site, discover(host), self._options)
        except BatmanError as error:
            self.post_message(self.Planned(None, error))
        else:
            self.post_message(self.Planned(setup))

    @on(Planned)
    def _planned(self, message: Planned) -> None:
        self._setup = message.setup
        if message.setup is None:
            error = message.error
            self.say(f"{error.message} {error.hint}" if error is not None else "", wrong=True)
        else:
            facts = self.query_one("#setup-facts", FactList)
            for name, text in plan_facts(message.setup):
                facts.say(name, text)
            self.say(_BEFORE)
        self.refresh_bindings()

    # -- doing it --------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to begin once it is known what would be done, and not twice."""
        if action == "begin":
            return True if self._setup and not self.working and not self._made else None
        if action == "steps":
            return True if self._setup else None
        return super().check_action(action, parameters)

    def action_steps(self) -> None:
        """Show every step with its commands."""
        from batman_tui.widgets.dialogs.text_dialog import TextDialog

        if self._setup is None:
            return
        name = clean(self._profile.name)
        text = "\n".join(
            line
            for number, step in enumerate(steps(self._setup), 1)
            for line in (
                f"{number}. {step.title} ({'here' if step.here else name})",
                *(f"   {command}" for command in step.commands),
            )
        )
        file = self.batman.workspace.root / "setup.txt"
        lead = f"c copies it, w writes it to {file}."
        self.app.push_screen(TextDialog(f"Set up {name}", text, file=file, lead=lead))

    def action_begin(self) -> None:
        """Install it, and check it with a job."""
        if self._setup is None or self.working is not None or self._made is not None:
            return
        self.add_class("-begun")
        self.query_one(LogView).focus()
        self.say("Begun … Escape cancels.")
        self.working = self._run(self._setup)
        self.refresh_bindings()

    @work(thread=True, exit_on_error=False, group="setup")
    def _run(self, setup: Setup) -> None:
        worker = get_current_worker()
        try:
            said = run_setup(
                setup,
                self._tell,
                self._went_on,
                lambda: worker.is_cancelled,
            )
        except BatmanError as error:
            self.post_message(self.Ended(None, error))
        else:
            self.post_message(self.Ended(said))

    def _went_on(self, at: Progress) -> None:
        self.post_message(self.Went(at))

    def _tell(self, line: str) -> None:
        self._lines.append(line)
        self.post_message(self.Told())

    @on(Told)
    def _told(self) -> None:
        lines = []
        while self._lines:
            lines.append(self._lines.popleft())
        self.query_one(LogView).append(lines)

    @on(Ended)
    def _ended(self, message: Ended) -> None:
        self.working = None
        error, setup = message.error, self._setup
        if message.said is not None and setup is not None:
            self._made = load_profile(self._profile.name)
            good = judge(message.said, gpu=setup.gpu)[0]
            self.query_one(LogView).append([f"✓ {line}" for line in good])
            self.say(
                f"✓ {self._profile.name} trains with {setup.env} from now on. Escape closes.",
                good=True,
            )
        elif isinstance(error, Cancelled):
            self.say(f"{error.message} {error.hint} ^s goes on where it was.")
        elif error is not None:
            self.say(f"{error.message} {error.hint} ^s tries again.", wrong=True)
        self.refresh_bindings()

    def outcome(self) -> Profile | None:
        """Return the profile if it names the new environment."""
        return self._made
