"""The line that says how a rough box is being put right, and the model that does it."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from textual import work
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Static

from batman_tui.pictures.window import Box
from batman_tui.widgets.frame.base import Guarded
from core.common.errors import BatmanError, Cancelled, WeightsMissing
from core.common.text import clean, sentence

if TYPE_CHECKING:
    from core.autolabel.snap.service import SnapService
    from core.autolabel.snap.which_model import SnapModel


@dataclass(frozen=True)
class Rough:
    """A box that means an object: on which picture, its file and size, and the box in pixels."""

    image_id: int
    file: Path
    size: tuple[int, int]
    box: Box


class SnapLine(Guarded, Static):
    """Asks the model in a thread, loads it with the first box, and says what goes on meanwhile.

    The model's process ends when nobody asked it for some minutes, and with the screen.
    """

    DEFAULT_CSS = """
    SnapLine { width: 1fr; height: 1; color: $accent; display: none; }
    SnapLine.-shown { display: block; }
    """

    @dataclass
    class Found(Message):
        """The model answered: the object's box, or None; how its class is called, if it says."""

        rough: Rough
        box: Box | None
        class_name: str | None
        model: str

    @dataclass
    class Choose(Message):
        """There is no model yet; `error` says why."""

        rough: Rough
        error: BatmanError

    @dataclass
    class Doing(Message):
        """What goes on now; "" when it is over."""

        text: str

    def __init__(self) -> None:
        super().__init__("", markup=False)
        self._service: SnapService | None = None
        self._model: SnapModel | None = None
        self._stop = threading.Event()
        self._began = 0.0
        self._text = ""
        self._clock: Timer | None = None

    @property
    def busy(self) -> bool:
        """Whether a box is being put right."""
        return bool(self._text)

    def ask(self, rough: Rough) -> None:
        """Put a box right; `Found` or `Choose` says what came of it, errors are shown."""
        if self.busy:
            return
        self._stop = threading.Event()
        self._say("looking for the model")
        self._ask(rough, self._stop)

    def stop(self) -> None:
        """Stop what goes on; the model's process ends with it."""
        self._stop.set()

    @work(thread=True, exit_on_error=False, group="snap")
    def _ask(self, rough: Rough, stop: threading.Event) -> None:
        from core.autolabel.snap.service import SnapService
        from core.autolabel.snap.which_model import NoSnapper, find_snap_model, snap_choice

        try:
            model = find_snap_model(snap_choice(), self.batman.workspace)
            if self._service is None or self._model != model:
                self._end()
                self._model, self._service = model, SnapService(model.kind, model.weights)
            service = self._service
            if not service.ready:
                self.post_message(self.Doing(f"{model.title} is loading"))
                service.load(stop.is_set)
            self.post_message(self.Doing(f"{model.title} is looking for its object"))
            found = service.snap(rough.file, rough.size, rough.box, stop.is_set)
            self.post_message(
                self.Found(
                    rough,
                    None if found is None else found.box,
                    None if found is None else found.class_name,
                    sentence(model.title),
                )
            )
        except (NoSnapper, WeightsMissing) as error:
            self.post_message(self.Choose(rough, error))
        except Cancelled:
            pass  # the line goes away, and that is what was asked for
        finally:
            self.post_message(self.Doing(""))

    def on_snap_line_doing(self, message: Doing) -> None:
        """Say what goes on."""
        message.stop()
        self._say(message.text)

    def _say(self, text: str) -> None:
        if text != self._text:
            self._began = time.monotonic()
        self._text = text
        self.set_class(bool(text), "-shown")
        if text and self._clock is None:
            self._clock = self.set_interval(1, self._tick)
        elif not text and self._clock is not None:
            self._clock.stop()
            self._clock = None
        self._tick()

    def _tick(self) -> None:
        seconds = int(time.monotonic() - self._began)
        self.update(clean(f"Snap: {self._text} … {seconds} s · Escape stops it"))

    def on_unmount(self) -> None:
        """End the model's process; nobody waits for that."""
        self._stop.set()
        threading.Thread(target=self._end, name="snap-end").start()

    def _end(self) -> None:
        if self._service is not None:
            self._service.close()
