"""Sixels over the screen: drawn anew whenever the cells under them were painted."""

from __future__ import annotations

import os
from typing import Any

from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.app import App
from textual.geometry import Region
from textual.screen import Screen

from batman_tui.widgets.picture.graphics import Mode, choose
from batman_tui.widgets.picture.picture import Picture


class Overlays(App[Any]):
    """A mixin of the app: knows how pictures are shown here, and draws those that are sixels.

    Text painted on a sixel takes it away, so nothing is left of one that is gone: all there is to
    do is to draw those in sight of the screen in front after it was painted where they are.
    """

    wanted_graphics: str = "auto"
    """The setting: auto, kitty, sixel or blocks."""

    @property
    def graphics(self) -> Mode:
        """How pictures are shown on this terminal."""
        if self.wanted_graphics == "auto" and self.console.color_system not in ("truecolor", "256"):
            return "blocks"
        return choose(self.wanted_graphics, os.environ, headless=self.is_headless, web=self.is_web)

    def _display(self, screen: Screen[Any], renderable: Any) -> None:
        super()._display(screen, renderable)
        driver = self._driver
        if self.graphics != "sixel" or driver is None or screen is not self.screen:
            return
        for picture in screen.query(Picture):
            found = picture.over()
            if found is not None and touches(renderable, picture.content_region):
                left, top, text = found
                # DECSC and DECRC: Textual's cursor stays where it was.
                driver.write(f"\x1b7\x1b[{top + 1};{left + 1}H{text}\x1b8")


def touches(update: object, region: Region) -> bool:
    """Return whether a repaint of the screen paints cells of `region`."""
    if isinstance(update, LayoutUpdate):
        return update.region.overlaps(region)
    if isinstance(update, ChopsUpdate):
        return any(
            region.y <= y < region.bottom and first < region.right and end > region.x
            for y, first, end in update.spans
        )
    return False
