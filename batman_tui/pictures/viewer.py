"""The picture viewer of all screens: a scene, which of its boxes are wanted, and the part seen."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from textual import on, work
from textual.message import Message

from batman_tui.pictures.decoded_pictures import DecodedPictures
from batman_tui.pictures.scene import Look, Scene, marks, shown_boxes
from batman_tui.pictures.tags import tags
from batman_tui.pictures.window import Window, moved, whole, zoomed
from batman_tui.widgets.frame.explains import Explains
from batman_tui.widgets.picture.canvas import Canvas
from batman_tui.widgets.picture.picture import Pixels
from core.common.errors import BatmanError

if TYPE_CHECKING:
    from PIL.Image import Image

KEPT_SCENES = 64
"""Boxes of the last pictures, in case one comes back to them."""

Load = Callable[[], "Scene | None"]


NOT_JUDGED = (
    "Only what a model found is right or wrong: these are labels. "
    "The worst images of an evaluation (E on a run) show both."
)


class Viewer(Explains, Canvas):
    """Shows a scene with the boxes that `look` wants, in the window that is looked at.

    `show_scene` says which, and how to read it (in a thread). While one is being read only the
    last that was asked for is read next: a held key passes by those between.
    """

    coarse_first = True
    DEFAULT_CSS = "Viewer { width: 1fr; height: 1fr; color: $foreground-muted; }"

    class Looked(Message):
        """What is shown, or how, has changed."""

    @dataclass
    class Read(Message):
        """A scene was read; `error` says why not."""

        key: Hashable
        scene: Scene | None
        error: str
        generation: int

    def __init__(
        self, nothing: str = "", id: str | None = None, pictures: DecodedPictures | None = None
    ) -> None:
        super().__init__(nothing, id=id)
        self.can_focus = False
        self.scene: Scene | None = None
        self.look = Look()
        self._pictures = pictures or DecodedPictures()
        self._scene_key: Hashable = None
        self._load: Load | None = None
        self._reading = False
        self._nothing = nothing
        self._window: Window | None = None
        self._scenes: OrderedDict[Hashable, Scene] = OrderedDict()
        # What was asked for before a change is not taken after it.
        self._generation = 0

    # What is shown

    def show_scene(self, key: Hashable, load: Load | None) -> None:
        """Show the scene known by `key`, which `load` reads in a thread; None for nothing.

        `load` may raise `BatmanError`, or return None for nothing.
        """
        if key == self._scene_key and load is not None:
            return
        self._scene_key, self._load = key, load
        if load is None:
            self._take(None)
        elif key in self._scenes:
            self._scenes.move_to_end(key)
            self._take(self._scenes[key])
        else:
            self._next()

    def forget(self) -> None:
        """Read every scene anew: what is on them has changed."""
        super().forget()
        self._scenes.clear()
        self._generation += 1
        self._scene_key = None

    @property
    def settled(self) -> bool:
        """Whether what was asked for last is what is shown."""
        return super().settled and not self._reading

    @property
    def seen(self) -> Hashable:
        """The key of the scene whose picture is on the screen, None while there is none."""
        shown = self.shown
        return shown[0] if isinstance(shown, tuple) else None

    def _next(self) -> None:
        if not self._reading and self._load is not None:
            self._reading = True
            self._read_scene(self._scene_key, self._load, self._generation)

    @work(thread=True, exit_on_error=False, group="scene")
    def _read_scene(self, key: Hashable, load: Load, generation: int) -> None:
        scene, error = None, ""
        try:
            scene = load()
        except BatmanError as problem:
            error = problem.message
        finally:
            self.post_message(self.Read(key, scene, error, generation))

    @on(Read)
    def _was_read(self, message: Read) -> None:
        message.stop()
        self._reading = False
        if message.generation == self._generation and message.scene is not None:
            self._scenes[message.key] = message.scene
            while len(self._scenes) > KEPT_SCENES:
                self._scenes.popitem(last=False)
        if (message.key, message.generation) != (self._scene_key, self._generation):
            self._next()
        elif self._load is not None:
            self._take(message.scene, message.error)

    def _take(self, scene: Scene | None, error: str = "") -> None:
        self.scene, self._window = scene, None
        self.nothing = error or self._nothing
        # Another picture, the same question: which of its classes are wanted goes along.
        self.redraw()
        self.post_message(self.Looked())

    @property
    def window(self) -> Window | None:
        """The part of the picture that is looked at; None while there is none."""
        if self.scene is None or min(self.pixels) < 1:
            return None
        return self._window or whole(self.scene.size, self.pixels)

    @property
    def zoom(self) -> float:
        """How many times as large as the whole picture fits it is shown."""
        window = self.window
        if window is None or self.scene is None:
            return 1.0
        return max(1.0, whole(self.scene.size, self.pixels).pixel[0] / window.pixel[0])

    def on_resize(self) -> None:
        """Fit the whole picture to the new size."""
        self._window = None
        self.redraw()

    def redraw(self) -> None:
        """Draw the boxes as they are wanted now, on the part that is looked at."""
        scene, window = self.scene, self.window
        if scene is None or window is None:
            self.mark(None, ())
            self.show(None, None)
            return
        key = (self._scene_key, self._generation, window)
        boxes = shown_boxes(scene, self.look)
        # Before the picture is asked for: one that is kept is put with its boxes at once.
        self.mark(key, marks(boxes, window), tags(boxes, window, self.cell))
        pictures, pixels = self._pictures, self.pixels

        def make(room: Pixels) -> Image:
            seen = window.coarser(max(1, round(pixels[0] / room[0])))
            return pictures.view(scene.file, scene.size, seen, quick=True, read=scene.read)

        self.show(key, make)

    # What keys do

    def why_not(self, action: str, parameters: tuple[object, ...]) -> str:
        """Say that there is no picture, no box, nobody who judged them, no class of the number."""
        scene = self.scene
        if scene is None:
            return ""  # it is being read; its screen knows whether one comes
        judged = any(each.kind in ("wrong", "missed", "right") for each in scene.boxes)
        if action == "only_wrong" and not judged and not self.look.only_wrong:
            return NOT_JUDGED
        if action == "class_alone" and not scene.classes:
            return "There is no box on this picture."
        if action == "switch_class" and int(str(parameters[0])) > len(scene.classes):
            return f"There is no class {parameters[0]} on this picture."
        return ""

    def see(self, look: Look) -> None:
        """Draw other boxes."""
        self.look = look
        self.redraw()
        self.post_message(self.Looked())

    def hide_boxes(self) -> None:
        """Hide all boxes, or show them again."""
        self.see(replace(self.look, hidden=not self.look.hidden))

    def only_wrong(self) -> None:
        """Show only what is wrong, or all again; labels alone are neither right nor wrong."""
        self.see(replace(self.look, only_wrong=not self.look.only_wrong, hidden=False))

    def class_alone(self, by: int) -> None:
        """Show the next class alone, or the one before; all classes come between."""
        if self.scene is not None and self.scene.classes:
            self.see(self.look.next_alone(sorted(self.scene.classes), by))

    def switch_class(self, number: int) -> None:
        """Show or hide the class with this number in the legend, from 1."""
        classes = self.scene.classes if self.scene is not None else []
        if number <= len(classes):
            self.see(self.look.toggled(classes[number - 1]))

    def look_at(self, window: Window | None) -> None:
        """Look at a part of the picture; None for all of it."""
        self._window = window
        self.redraw()
        self.post_message(self.Looked())

    def zoom_by(self, by: float) -> None:
        """Look closer at the middle, or (below 1) less close."""
        window = self.window
        if self.scene is not None and window is not None:
            at = (window.x + window.w / 2, window.y + window.h / 2)
            self.look_at(zoomed(window, self.scene.size, self.pixels, by, at))

    def pan(self, across: float, down: float) -> None:
        """Move what is looked at by a share of itself."""
        window = self.window
        if self.scene is not None and window is not None:
            self.look_at(moved(window, self.scene.size, (across, down)))

    def step(self, across: int, down: int) -> None:
        """Move what is looked at by pixels of the picture."""
        window = self.window
        if window is not None:
            self.pan(across / window.w, down / window.h)
