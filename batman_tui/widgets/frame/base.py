"""What all screens share: the frame, the way back, and errors that do not end the app."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import ClassVar, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.reactive import Reactive
from textual.screen import ModalScreen, Screen
from textual.timer import Timer
from textual.widget import Widget
from textual.worker import Worker, WorkerState

from batman_tui.keys import ACTIONS, bindings
from batman_tui.services import AppServices, services_of
from batman_tui.widgets.frame.explains import Explains
from batman_tui.widgets.frame.focus_styles import FocusStyles
from batman_tui.widgets.frame.keybar import KeyBar
from batman_tui.widgets.frame.topbar import TopBar

Result = TypeVar("Result")


class Newest(Message):
    """A message of which only the newest counts, so that a slow terminal may skip those before."""

    def can_replace(self, message: Message) -> bool:
        """Let a newer one of the kind take the place of this one."""
        return isinstance(message, type(self))


class Guarded:
    """A message pump that reports an exception and goes on, instead of ending the app.

    Textual stops the pump of whatever raised and closes the app; with work unsaved that is the
    wrong answer to a defect in one handler. Workers that failed are reported as well, for their
    exceptions stay in the worker when `exit_on_error` is off.
    """

    @property
    def batman(self) -> AppServices:
        """What the app offers."""
        return services_of(self.app)  # type: ignore[attr-defined]

    def key_label(self, binding: Binding) -> str:
        """Return what the line of keys calls `binding` now."""
        return binding.description

    async def _dispatch_message(self, message: Message) -> None:
        try:
            await super()._dispatch_message(message)  # type: ignore[misc]
        except Exception as error:
            self.batman.show_error(error)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Show what a worker failed of."""
        if event.state is WorkerState.ERROR and isinstance(event.worker.error, Exception):
            self.batman.show_error(event.worker.error)


class BatmanScreen(Guarded, Explains, FocusStyles, Screen[None]):
    """A whole screen: the top bar, what `body()` yields, and the keys.

    A subclass overrides `body` and `trail`, takes its `BINDINGS` from `keys.bindings`, and sets
    `HELP` to a sentence or two that F1 shows above the keys.
    """

    HELP = ""
    BINDINGS: ClassVar[list[BindingType]] = bindings("screen")
    focused: Reactive[Widget | None] = Reactive(None, repaint=False)  # see FocusStyles

    _ticking: tuple[Timer, Callable[[], object]] | None = None

    def while_in_front(
        self, seconds: float, tick: Callable[[], object], again: Callable[[], object] | None = None
    ) -> None:
        """Call `tick` every so often while this screen is in front, and `again` when it comes back.

        A screen in the back that changes has Textual paint the whole front again.
        """
        self._ticking = self.set_interval(seconds, tick, pause=not self.is_active), again or tick

    def on_screen_resume(self) -> None:
        """Catch up with what happened while another screen was in front."""
        if self._ticking is not None:
            timer, again = self._ticking
            timer.resume()
            again()

    def on_screen_suspend(self) -> None:
        """Rest."""
        if self._ticking is not None:
            self._ticking[0].pause()

    def body(self) -> Iterable[Widget]:
        """Return what stands between the top bar and the keys."""
        return ()

    def trail(self) -> str:
        """Return what is open, for the top bar; an empty string for a top-level view."""
        return ""

    def compose(self) -> ComposeResult:
        """Frame the body."""
        bar = TopBar()
        bar.set_reactive(TopBar.trail, self.trail())
        yield bar
        yield from self.body()
        yield KeyBar()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Hide the way back where there is nowhere to go, and dim a filter with nothing to filter.

        While one types in the filter its key is a letter.
        """
        if action == "back":
            return self.app.screen_stack[0] is not self
        if action == "filter":
            lines = list(self.query("FilterInput"))
            if self.focused in lines:
                return False
            # A list without a row shows a sentence instead, which says what to do: the filter, too,
            # is behind it.
            hidden = [any(getattr(node, "empty", "") for node in line.ancestors) for line in lines]
            return None if hidden and all(hidden) else True
        return super().check_action(action, parameters)

    def action_back(self) -> None:
        """Close this screen."""
        self.app.pop_screen()

    # Where one is, to come back to

    @property
    def filter_here(self) -> str:
        """What is typed into the screen's filter."""
        return next((getattr(line, "value", "") for line in self.query("FilterInput")), "")

    @property
    def row_here(self) -> object:
        """The key of the row with the cursor in the screen's first table."""
        return next(
            (getattr(table, "cursor_key", None) for table in self.query("VirtualTable")), None
        )

    @property
    def of_here(self) -> str:
        """Which one of several the screen shows."""
        return ""

    def back_at(self, filter: str, row: object, of: str) -> None:
        """Go back to where somebody was: the cursor follows when the row has been read."""
        for line in self.query("FilterInput"):
            line.value = filter  # type: ignore[attr-defined]
            line.set_class(bool(filter), "-shown")
            break
        for table in self.query("VirtualTable"):
            table.want(row)  # type: ignore[attr-defined]
            break


class BatmanDialog(Guarded, Explains, FocusStyles, ModalScreen[Result]):
    """A small window over a screen; Escape closes it with `None`.

    A subclass yields one container with the class `dialog`, and a `KeyBar` inside it when it
    has keys worth naming.
    """

    DEFAULT_CSS = """
    BatmanDialog {
        align: center middle;
        & > .dialog {
            width: 64; max-width: 100%; height: auto; max-height: 100%;
            border: round $border; border-title-color: $accent; border-title-style: bold;
            background: $surface; padding: 1 2;
        }
        .dialog--text { width: 1fr; height: auto; }
        .dialog--hint { width: 1fr; height: auto; color: $foreground-muted; }
        .dialog--error { width: 1fr; height: auto; color: $text-error; }
        .dialog--good { color: $text-success; }
        .dialog--buttons {
            width: 1fr; height: auto; align-horizontal: right; margin-top: 1;
            Button { margin-left: 2; }
        }
    }
    """

    focused: Reactive[Widget | None] = Reactive(None, repaint=False)

    # A dialog hides the keys of the app, and its own need help as those of any screen.
    BINDINGS: ClassVar[list[BindingType]] = [
        ACTIONS["dialog.cancel"].binding(),
        ACTIONS["app.help"].binding(),
    ]

    def action_help(self) -> None:
        """Show the keys that work here."""
        self.batman.action_help()

    def action_cancel(self) -> None:
        """Close; nothing is changed."""
        self.dismiss(None)
