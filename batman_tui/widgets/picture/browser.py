"""Pictures in a browser: they lie over the cells of the page's terminal, as pictures of the page.

The page's terminal (textual-serve 1.1.3, whose xterm.js has no image addon) draws cells only. So
the app tells the page, through its driver, which pictures lie where (`web/static/app.js` puts them
there); the cells under them are half blocks, which one sees where a dialog comes in front.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from textual.app import App

from batman_tui.widgets.picture.picture import Picture

if TYPE_CHECKING:
    from textual.driver import Driver

Shown = dict[int, tuple[tuple[int, int, int, int, int, int], str]]

_shown: WeakKeyDictionary[Driver, Shown] = WeakKeyDictionary()


def show_in_browser(app: App[Any]) -> None:
    """Have the page show the pictures of the screen in front where they are, and no others.

    Where each is: column, line, width and height in cells, of how many columns and lines. Only what
    has changed is told, and the picture itself once.
    """
    driver = app._driver
    tell = getattr(driver, "write_meta", None)
    if driver is None or tell is None:
        return
    known = _shown.setdefault(driver, {})
    now: Shown = {}
    for picture in app.screen.query(Picture):
        found = picture.over()
        if found is not None:
            left, top, address = found
            width, height = picture.cells
            now[id(picture)] = ((left, top, width, height, *app.size), address)
    for key, shown in now.items():
        before = known.get(key)
        if before != shown:
            told: dict[str, object] = {"type": "picture", "key": key, "at": shown[0]}
            if before is None or before[1] != shown[1]:
                told["address"] = shown[1]
            tell(told)
    for key in known.keys() - now.keys():
        tell({"type": "picture", "key": key})
    _shown[driver] = now
