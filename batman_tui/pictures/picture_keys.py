"""What screens with a picture share: which of its boxes are drawn, the whole screen, thumbnails."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

from batman_tui.pictures.box_keys import BoxKeys
from batman_tui.pictures.viewer import Viewer

if TYPE_CHECKING:
    from batman_tui.pictures.gallery import Gallery


class PictureKeys(BoxKeys):
    """Gives a screen with one `Viewer` the keys of the room `picture`, and `whole`.

    The screen says what there is to walk through (`gallery`), where one is in it (`here`), and
    goes along to a picture that was found on the way (`go_to`).
    """

    def gallery(self) -> Gallery | None:
        """Return the pictures to walk through, None for none."""
        raise NotImplementedError

    def here(self) -> Hashable:
        """Return the key of the picture that is shown."""
        raise NotImplementedError

    def go_to(self, key: Hashable) -> None:
        """Show another picture of the gallery."""

    def marked(self) -> set[Hashable]:
        """Return the keys of the marked pictures."""
        return set()

    def mark_in_list(self, key: Hashable) -> bool:
        """Mark a picture of the gallery, or unmark it; False where nothing is marked."""
        return False

    def on_screen_suspend(self) -> None:
        """Another screen comes in front, on which the boxes' picture would lie."""
        for viewer in self.query(Viewer):
            viewer.cover()

    def on_screen_resume(self) -> None:
        """Put the boxes' picture back."""
        for viewer in self.query(Viewer):
            viewer.uncover()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Dim what needs a picture while there is none."""
        if action in ("hide_boxes", "only_wrong", "class_alone", "whole", "grid"):
            return True if self.here() is not None else None
        return super().check_action(action, parameters)

    def action_whole(self) -> None:
        """Give the picture the whole screen."""
        from batman_tui.pictures.picture_screen import PictureScreen

        gallery, at = self.gallery(), self.here()
        if gallery is not None and at is not None:
            self.app.push_screen(PictureScreen(gallery, at, self.viewer.look, self._came_back))

    def action_grid(self) -> None:
        """Show all pictures as thumbnails."""
        from batman_tui.pictures.grid_screen import GridScreen

        gallery, at = self.gallery(), self.here()
        if gallery is not None and at is not None:
            self.app.push_screen(
                GridScreen(gallery, at, self.go_to, self.marked, self.mark_in_list)
            )

    def _came_back(self, key: Hashable, viewer: Viewer) -> None:
        """Go along with whoever looked at other pictures, or at other boxes."""
        self.go_to(key)
        if viewer.look != self.viewer.look:
            self.viewer.see(viewer.look)
