"""Which boxes of a picture are drawn: the keys of all screens with a viewer."""

from __future__ import annotations

from batman_tui.pictures.viewer import Viewer
from batman_tui.widgets.frame.base import BatmanScreen
from batman_tui.widgets.frame.explains import Explains


class BoxKeys(BatmanScreen):
    """Gives a screen with one `Viewer` the keys that say which boxes are drawn."""

    @property
    def viewer(self) -> Viewer:
        """The picture."""
        return self.query_one(Viewer)

    def part_for(self, action: str) -> Explains | None:
        """Return the picture for what is done with its boxes."""
        of_boxes = action in ("only_wrong", "class_alone", "switch_class")
        return self.viewer if of_boxes and self.query(Viewer) else None

    def action_hide_boxes(self) -> None:
        """Hide the boxes, or show them again."""
        self.viewer.hide_boxes()

    def action_only_wrong(self) -> None:
        """Show only what is wrong, or all again."""
        self.viewer.only_wrong()

    def action_class_alone(self, by: int) -> None:
        """Show one class alone."""
        self.viewer.class_alone(by)
