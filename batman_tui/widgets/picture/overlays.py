"""What lies over the screen: sixels are drawn anew whenever the cells under them were painted."""

from __future__ import annotations

import os
from typing import Any

from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.app import App
from textual.geometry import Region

from batman_tui.widgets.picture.modes import Mode, choose


def graphics_of(app: App[Any], wanted: str) -> Mode:
    """Return how pictures are shown on the app's terminal; `wanted` is the setting, or auto."""
    if wanted == "auto" and app.console.color_system not in ("truecolor", "256"):
        return "blocks"
    return choose(wanted, os.environ, headless=app.is_headless, web=app.is_web)


def draw_overlays(app: App[Any], update: object) -> None:
    """Draw what lies over the pictures in front where `update` was painted just now.

    Text painted on a sixel takes it away, so nothing is left of one that is gone: all there is to
    do is to draw those in sight.
    """
    # Not before there is a picture: what draws them takes a while to be read.
    from batman_tui.widgets.picture.browser import show_in_browser
    from batman_tui.widgets.picture.picture import Picture

    driver = app._driver
    if driver is None:
        return
    if app.is_web:
        show_in_browser(app)
        return
    for picture in app.screen.query(Picture):
        found = picture.over()
        if found is not None and touches(update, picture.content_region):
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
