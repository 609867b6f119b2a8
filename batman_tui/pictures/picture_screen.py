"""One picture on the whole screen: closer, aside, to the next, with the boxes that are wanted."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.widgets import Static

from batman_tui.keys import bindings
from batman_tui.pictures.box_keys import BoxKeys
from batman_tui.pictures.gallery import Gallery
from batman_tui.pictures.legend import class_keys, legend
from batman_tui.pictures.scene import Look
from batman_tui.pictures.viewer import Viewer
from batman_tui.widgets.frame.keybar import KeyBar
from core.common.text import clean

PAN = 0.25
"""A key moves what is looked at by this share of it."""


class PictureScreen(BoxKeys):
    """Shows the pictures of a gallery one by one, from the one with the key `at` on.

    `left` is called with the key of the last one, and the viewer, when the screen is left.
    """

    HELP = (
        "Heavy lines are predictions where no such object is (+), heavy dashes are objects that "
        "were missed (−), −A +B is an A that was taken for a B, thin lines are right. w leaves "
        "only what is wrong; . shows one class after the other alone; numbers show and hide "
        "classes. + and - look closer and less close, arrows move, with Shift by a pixel of the "
        "picture."
    )
    BINDINGS: ClassVar[list[BindingType]] = bindings("whole")
    DEFAULT_CSS = """
    PictureScreen {
        background: $background;
        & > Viewer { width: 1fr; height: 1fr; }
        & > Static { width: 1fr; height: 1; padding: 0 1; background: $surface;
            text-wrap: nowrap; text-overflow: ellipsis; }
    }
    """

    def __init__(
        self,
        gallery: Gallery,
        at: Hashable,
        look: Look | None = None,
        left: Callable[[Hashable, Viewer], None] | None = None,
    ) -> None:
        super().__init__()
        self._gallery = gallery
        self._keys = list(gallery.keys)
        self._at = self._keys.index(at) if at in self._keys else 0
        self._left = left
        self._picture = Viewer("There is no picture.", id="whole-picture")
        self._picture.look = look or Look()

    def compose(self) -> ComposeResult:
        """Give the picture all but two lines, and one for the keys."""
        yield self._picture
        yield Static("", markup=False, id="whole-facts")
        yield Static("", markup=False, id="whole-legend")
        yield KeyBar()

    def on_mount(self) -> None:
        """Show the picture."""
        self._show()

    def on_unmount(self) -> None:
        """Tell where one was."""
        if self._left is not None and self._keys:
            self._left(self._keys[self._at], self._picture)

    @property
    def viewer(self) -> Viewer:
        """The picture."""
        return self._picture

    def on_screen_suspend(self) -> None:
        """Make room for what comes in front."""
        self._picture.cover()

    def on_screen_resume(self) -> None:
        """Show the boxes again."""
        self._picture.uncover()

    def _show(self) -> None:
        if self._keys:
            gallery, key = self._gallery, self._keys[self._at]
            self.viewer.show_scene(key, lambda: gallery.scenes([key]).get(key))

    @on(Viewer.Looked)
    def _words(self) -> None:
        viewer, scene = self.viewer, self.viewer.scene
        width = max(1, self.size.width - 2)
        facts, words = (
            self.query_one("#whole-facts", Static),
            self.query_one("#whole-legend", Static),
        )
        muted = "$foreground-muted"
        place = f"  {self._at + 1:,} of {len(self._keys):,}"
        if scene is None:
            facts.update(Content.styled(place, muted), layout=False)
            words.update("", layout=False)
            return
        zoom = f"   ×{viewer.zoom:.1f}" if viewer.zoom > 1.01 else ""
        left = Content.assemble(
            (clean(scene.title), "bold"), (f"{place} · {clean(scene.facts)}", muted),
            (zoom, "$accent bold"),
        )  # fmt: skip
        keys = class_keys(scene, viewer.look, width)
        gap = width - left.cell_length - keys.cell_length
        # Keys of classes where they fit beside what is known of the picture.
        beside = Content.assemble(left, " " * gap, keys) if gap >= 3 else None
        # Their size stays: laying the screen out anew would paint it a second time.
        facts.update(beside or left.truncate(width, ellipsis=True), layout=False)
        words.update(legend(scene, viewer.look, width), layout=False)

    def on_resize(self) -> None:
        """Write the lines for the new width."""
        self.call_after_refresh(self._words)

    # Keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Dim what cannot be done."""
        if action == "turn":
            return True if len(self._keys) > 1 else None
        return super().check_action(action, parameters)

    def action_turn(self, by: int) -> None:
        """Show the next picture, or the one before; it ends at the last and at the first."""
        at = min(max(0, self._at + by), len(self._keys) - 1)
        if at != self._at:
            self._at = at
            self._show()

    def action_zoom(self, by: float) -> None:
        """Look closer, or less close."""
        self.viewer.zoom_by(by)

    def action_fit(self) -> None:
        """Look at the whole picture."""
        self.viewer.look_at(None)

    def action_pan(self, across: int, down: int) -> None:
        """Move what is looked at."""
        self.viewer.pan(PAN * across, PAN * down)

    def action_step(self, across: int, down: int) -> None:
        """Move what is looked at by one pixel of the picture."""
        self.viewer.step(across, down)

    def action_switch_class(self, number: int) -> None:
        """Show or hide a class."""
        self.viewer.switch_class(number)
