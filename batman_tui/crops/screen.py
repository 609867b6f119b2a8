"""Review by pages of crops: letters strike out the wrong ones, Enter takes the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import events, on, work
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widget import Widget
from textual.worker import get_current_worker

from batman_tui.crops.classes import ClassLines
from batman_tui.crops.crop_page import CropPage
from batman_tui.crops.rightness import Rightness
from batman_tui.crops.sheet import Crops
from batman_tui.keys import bindings
from batman_tui.own_history import OwnHistory
from batman_tui.project_screen import ProjectScreen
from batman_tui.widgets.panel.panel import Panel
from core.common.errors import BatmanError
from core.common.text import clean
from core.data.labels.bulk import accept_all, decide
from core.data.labels.open_suggestions import (
    Candidate,
    OpenClass,
    open_classes,
    open_of_class,
)
from core.data.labels.passes import withdraw_pass
from core.data.labels.queue.decided import ClassDecided, decided_of_class
from core.data.labels.view import Progress, progress
from core.data.store import HistoryEntry, Project

if TYPE_CHECKING:
    from batman_tui.own_history import Step

NOTHING = "No suggestions to review. Press Escape, then m to let a model propose boxes."
NOTHING_SHOWN = "Nothing of this class scores so high. < shows lower scores, Tab another class."
STEP = 0.05
_OF_SUGGESTIONS = frozenset(
    ("take", "strike_all", "accept_class", "page", "other", "threshold", "order", "larger")
)  # fmt: skip


class CropsScreen(ProjectScreen):
    """Pages of crops, the classes beside them."""

    HELP = (
        "Each crop has a letter. Type the letters of the wrong ones, then Enter: those are"
        " rejected, the others accepted, and the next page comes. < and > move the least score."
        " u takes a page back. A accepts all of the class, after a look at some."
    )
    AUTO_FOCUS = "#crop-page"
    CSS_PATH = Path(__file__).with_name("screen.tcss")
    BINDINGS: ClassVar[list[BindingType]] = bindings("crops")

    @dataclass
    class Found(Message):
        """Classes and a page were read."""

        classes: Sequence[OpenClass]
        class_id: int | None
        page: Sequence[Candidate]
        skip: int
        progress: Progress
        right: ClassDecided | None

    @dataclass
    class Decided(Message):
        """A page, or a class, was decided; `error` says why not."""

        entry: HistoryEntry | None
        error: BatmanError | None

    @dataclass
    class TookBack(Message):
        """A step was undone or done again; without one there was none."""

        found: tuple[Step, HistoryEntry] | None
        again: bool

    def __init__(self, project: Path, class_id: int | None = None) -> None:
        """Make the screen for a project, on a class if one is given."""
        super().__init__(project)
        self.open: Sequence[OpenClass] = ()
        self.class_id = class_id
        self.own = OwnHistory()
        self.crop_page = CropPage(Crops())
        self._lines = ClassLines()
        self._right = Rightness()
        self._least: dict[int, float] = {}
        self._skip = 0
        self._lowest_first = False
        self._busy = False
        # A page was decided: where nothing is left of the class, another one comes.
        self._through = False

    def trail(self) -> str:
        """Say whose suggestions these are."""
        return f"{self.project.name} › Crops"

    def body(self) -> Iterable[Widget]:
        """Lay the page beside the classes."""
        yield Horizontal(
            Panel(self.crop_page, title="Crops", id="crops-panel"),
            Vertical(
                Panel(self._lines, title="Classes", id="crops-classes"),
                Panel(self._right, title="How right", id="crops-right"),
                id="crops-side",
            ),
            id="crops-body",
        )

    @property
    def current(self) -> OpenClass | None:
        """The class that is looked through."""
        return next((each for each in self.open if each.class_id == self.class_id), None)

    @property
    def settled(self) -> bool:
        """Whether every page is saved and the next one read."""
        return not self._busy

    # Reading, in threads

    def on_screen_resume(self) -> None:
        """Read the project, again when one comes back."""
        super().on_screen_resume()
        self.crop_page.uncover()
        self.reload()

    def on_screen_suspend(self) -> None:
        """Make room for what comes in front."""
        super().on_screen_suspend()
        self.crop_page.cover()

    @on(CropPage.Sized)
    def _sized(self) -> None:
        """Read as many as there is room for now."""
        self.reload()

    def reload(self) -> None:
        """Read the classes and the page again."""
        if self.crop_page.grid is not None:
            self._read(self.class_id, self.crop_page.grid.count, self._skip, self._through)
            self._through = False

    @work(thread=True, exclusive=True, exit_on_error=False, group="read")
    def _read(self, class_id: int | None, count: int, skip: int, through: bool) -> None:
        with Project.open(self.project) as project:
            classes = open_classes(project, self._least)
            of = next((each for each in classes if each.class_id == class_id), None)
            if classes and (of is None or (through and not of.shown)):
                # The class is through: the one with the most in sight.
                of, skip = classes[0], 0
            page: list[Candidate] = []
            ahead: list[Candidate] = []
            if of is not None:
                # Where others decided meanwhile, or the last page was taken.
                skip = max(0, min(skip, (of.shown - 1) // count * count))
                both = open_of_class(project, of.class_id, of.least, 2 * count, skip=skip,
                                     lowest_first=self._lowest_first)  # fmt: skip
                page, ahead = both[:count], both[count:]
            how_far = progress(project)
            right = None if of is None else decided_of_class(project, of.class_id)
        worker = get_current_worker()
        if worker.is_cancelled:
            return
        chosen = of.class_id if of is not None else None
        self.post_message(self.Found(classes, chosen, page, skip, how_far, right))
        self.crop_page.read_ahead(ahead, lambda: worker.is_cancelled)

    @on(Found)
    def _found(self, message: Found) -> None:
        self.open, self.class_id, self._skip = message.classes, message.class_id, message.skip
        self.crop_page.take(message.page)
        self._busy = False
        now, current = message.progress, self.current
        panel = self.query_one("#crops-panel", Panel)
        panel.empty = NOTHING if current is None else "" if message.page else NOTHING_SHOWN
        self._lines.show(self.open, self.class_id)
        self._right.show(message.right)
        panel.heading = "Crops" if current is None else clean(current.name)
        self.query_one("#crops-classes", Panel).badge = f"{now.open_suggestions:,} open"
        self._say()
        self.refresh_bindings()

    def _say(self) -> None:
        current, page = self.current, self.crop_page.page
        badge = ""
        if current is not None and page.ids:
            first, last = self._skip + 1, self._skip + len(page.ids)
            order = "least sure first" if self._lowest_first else "surest first"
            badge = f"{first:,}-{last:,} of {current.shown:,} from {current.least:.2f}, {order}"
            if page.rejected:
                badge += f" · {len(page.rejected)} struck out"
        elif current is not None:
            badge = f"0 of {current.open:,} from {current.least:.2f}"
        self.query_one("#crops-panel", Panel).badge = badge

    # Letters

    def on_key(self, event: events.Key) -> None:
        """Strike out the crop with the letter, or take that back."""
        if self._busy or not event.character or not self.crop_page.press(event.character):
            return
        event.stop()
        event.prevent_default()
        self._say()

    @on(CropPage.Struck)
    def _clicked(self) -> None:
        self._say()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Dim what needs suggestions, another page or another class while there is none."""
        return None if self._lacks(action, parameters) else super().check_action(action, parameters)

    def why_not(self, action: str, parameters: tuple[object, ...]) -> str:
        """Say what there is not."""
        return self._lacks(action, parameters)

    def _lacks(self, action: str, parameters: tuple[object, ...]) -> str:
        if self._busy or action not in _OF_SUGGESTIONS:
            return ""
        current, by = self.current, int(str(parameters[0])) if parameters else 0
        if current is None:
            return NOTHING
        if action == "other" and len(self.open) < 2:
            return "No other class has suggestions."
        if action in ("take", "strike_all", "accept_class", "larger") and not current.shown:
            return NOTHING_SHOWN
        if action == "threshold" and self._moved(current, by) == current.least:
            return "No score is lower." if by < 0 else "No score is higher."
        if action == "page":
            count = self.crop_page.grid.count if self.crop_page.grid is not None else 1
            if not 0 <= self._skip + by * count < current.shown:
                return "This is the last page." if by > 0 else "This is the first page."
        return ""

    # Deciding

    def _decide(self, job: Callable[[Project], HistoryEntry | None]) -> None:
        self._busy = True
        self._work(job)

    @work(thread=True, exit_on_error=False, group="deciding")
    def _work(self, job: Callable[[Project], HistoryEntry | None]) -> None:
        try:
            with Project.open(self.project) as project:
                entry = job(project)
        except BatmanError as error:
            self.post_message(self.Decided(None, error))
        else:
            self.post_message(self.Decided(entry, None))

    @on(Decided)
    def _decided(self, message: Decided) -> None:
        if message.error is not None:
            self.batman.show_error(message.error)
        elif message.entry is not None:
            self.own.did(message.entry.id)
            if message.entry.kind in ("labels.accept", "labels.withdraw"):
                self.batman.tell(message.entry.summary)
            self._through = True
        self.reload()

    def action_take(self) -> None:
        """Reject what is struck out, accept the rest, and go on."""
        page = self.crop_page.page
        if not self._busy and page.ids:
            accepted, rejected = page.accepted, page.rejected
            self._decide(lambda project: decide(project, accepted, rejected))

    def action_strike_all(self) -> None:
        """Strike out all of the page, or none."""
        if not self._busy:
            self.crop_page.strike_all()
            self._say()

    def action_accept_class(self) -> None:
        """Look at some, and accept all of the class from the score on."""
        current = self.current
        if current is None or not current.shown:
            return
        from batman_tui.crops.accept_class import AcceptClassDialog

        dialog = AcceptClassDialog(self.project, current, self.crop_page.crops)

        def agreed(yes: bool | None) -> None:
            if yes:
                self._decide(lambda project: accept_all(project, current.class_id, current.least))

        self.app.push_screen(dialog, agreed)

    def action_passes(self) -> None:
        """See what models did here, and take one of their passes back."""
        from batman_tui.autolabel.passes import ask_pass

        def take_back(number: int) -> None:
            self._decide(lambda project: withdraw_pass(project, number))

        ask_pass(self.app.push_screen, self.project, take_back)

    # Other pages and classes

    def action_page(self, by: int) -> None:
        """Look at another page; this one stays open."""
        current, grid = self.current, self.crop_page.grid
        if current is None or grid is None:
            return
        skip = self._skip + by * grid.count
        if 0 <= skip < current.shown:
            self._skip = skip
            self.reload()

    def action_other(self, by: int) -> None:
        """Look through another class."""
        ids = [each.class_id for each in self.open]
        if self.class_id in ids and len(ids) > 1:
            self._choose(ids[(ids.index(self.class_id) + by) % len(ids)])

    def action_class_at(self, number: int) -> None:
        """Look through the class with this number."""
        # Not dimmed where there is no such class: the app's 1, 2 and 3 would lead away from here.
        if number <= len(self.open):
            self._choose(self.open[number - 1].class_id)
        elif not self._busy:
            count = len(self.open)
            self.batman.tell(f"Classes with suggestions: {count}." if count else NOTHING)

    def _choose(self, class_id: int) -> None:
        self.class_id, self._skip = class_id, 0
        self.reload()

    def action_threshold(self, steps: int) -> None:
        """Show those from a higher or lower score on."""
        current = self.current
        if current is not None:
            self._least[current.class_id] = self._moved(current, steps)
            self._skip = 0
            self.reload()

    def _moved(self, of: OpenClass, steps: int) -> float:
        now = self._least.get(of.class_id, of.least)
        return round(min(0.95, max(0.0, now + steps * STEP)), 2)

    def action_order(self) -> None:
        """Show the least sure first, or the surest."""
        self._lowest_first, self._skip = not self._lowest_first, 0
        self.reload()

    def action_larger(self, by: int) -> None:
        """Show fewer crops, larger; or more of them."""
        self.crop_page.make_larger(by)

    # Taking back

    def action_undo(self) -> None:
        """Take back one's own last page."""
        self._history(again=False)

    def action_redo(self) -> None:
        """Do again what was taken back."""
        self._history(again=True)

    @work(thread=True, exit_on_error=False, group="deciding")
    def _history(self, *, again: bool) -> None:
        try:
            with Project.open(self.project) as project:
                found = self.own.redo(project) if again else self.own.undo(project)
        except BatmanError as error:
            self.post_message(self.Decided(None, error))
        else:
            self.post_message(self.TookBack(found, again))

    @on(TookBack)
    def _took_back(self, message: TookBack) -> None:
        if message.found is None:
            what = "do again" if message.again else "take back that you did here"
            self.batman.tell(f"There is nothing to {what}.")
            return
        said = "Done again" if message.again else "Undone"
        self.batman.tell(f"{said}: {message.found[1].summary}")
        self._skip = 0
        self.reload()
