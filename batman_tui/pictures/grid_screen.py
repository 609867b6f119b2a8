"""Pictures of a gallery as thumbnails, with what is marked and what is wrong on each."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.binding import BindingType
from textual.message import Message
from textual.timer import Timer
from textual.widget import Widget
from textual.worker import get_current_worker

from batman_tui.keys import bindings
from batman_tui.pictures.gallery import Gallery
from batman_tui.pictures.picture_screen import PictureScreen
from batman_tui.pictures.thumbnail_page import ThumbnailPage, Tile
from batman_tui.pictures.viewer import Viewer
from batman_tui.widgets.frame.base import BatmanScreen
from batman_tui.widgets.panel.panel import Panel
from core.common.errors import BatmanError
from core.data.images.thumbnail_cache import ThumbnailCache
from core.data.images.thumbnails import fitted

REST_S = 0.25
"""After this long on a page the next is read."""

KEPT_PAGES = 12
"""Pages in memory, their thumbnails as large as they are shown."""


@lru_cache(maxsize=1)
def thumbnails() -> ThumbnailCache:
    """Return the thumbnails of the app, which all grids share."""
    return ThumbnailCache()


def read_tiles(
    gallery: Gallery, keys: Sequence[Hashable], room: tuple[int, int], cache: ThumbnailCache
) -> list[Tile]:
    """Return the tiles of some pictures, for a room in pixels; for a thread.

    Raises `BatmanError` where the gallery cannot be read; a picture that cannot has no image.
    """
    scenes = gallery.scenes(keys)
    files = [key for key in keys if key in scenes and scenes[key].read is None]
    found = cache.many([(scenes[key].file, scenes[key].size) for key in files], room)
    images = dict(zip(files, found, strict=True))
    for key, scene in scenes.items():
        if scene.read is not None:
            with contextlib.suppress(BatmanError):
                whole = scene.read()
                images[key] = whole.resize(fitted(whole.size, room), reducing_gap=2.0)
    return [Tile(key, scenes.get(key), images.get(key)) for key in keys]


class GridScreen(BatmanScreen):
    """Shows a gallery in pages, the cursor on the picture with the key `at`.

    `moved` is called with the key under the cursor when the screen is left. `marked` says which
    pictures are marked and `mark` marks one, or says that here nothing is.
    """

    HELP = (
        "Under a picture is its name, and how many boxes are on it; of what a model found, how "
        "many objects were missed (−) and how many predictions are too many (+). Enter gives one "
        "the whole screen, space marks it where the list before has marks."
    )
    BINDINGS: ClassVar[list[BindingType]] = bindings("grid")
    DEFAULT_CSS = "GridScreen { & Panel { width: 1fr; height: 1fr; padding: 0 0 0 1; } }"

    @dataclass
    class PageRead(Message):
        """The pictures of a page were read."""

        page: tuple[int, int]
        tiles: list[Tile]

    def __init__(
        self,
        gallery: Gallery,
        at: Hashable,
        moved: Callable[[Hashable], None] | None = None,
        marked: Callable[[], set[Hashable]] = set,
        mark: Callable[[Hashable], bool] = lambda _key: False,
        cache: Path | None = None,
    ) -> None:
        super().__init__()
        self._gallery = gallery
        self._keys = list(gallery.keys)
        self._at = self._keys.index(at) if at in self._keys else 0
        self._moved = moved
        self._marked = marked
        self._mark = mark
        self._cache = ThumbnailCache(cache) if cache is not None else thumbnails()
        self._page = ThumbnailPage()
        self._count = 0
        self._shown: tuple[int, int] | None = None
        self._asked: tuple[int, int] | None = None
        self._resting: Timer | None = None
        self._read_pages: OrderedDict[tuple[int, int], list[Tile]] = OrderedDict()

    def trail(self) -> str:
        """Say what they are of."""
        return self._gallery.title

    def body(self) -> Iterable[Widget]:
        """Give the page all the room."""
        yield Panel(self._page, title="Thumbnails", id="grid-panel")

    @property
    def page(self) -> ThumbnailPage:
        """The page of thumbnails."""
        return self._page

    @property
    def settled(self) -> bool:
        """Whether the page with the cursor is what is shown."""
        return self._asked is None and self._shown is not None and self._page.settled

    @property
    def here(self) -> Hashable:
        """The key of the picture with the cursor."""
        return self._keys[self._at] if self._keys else None

    def on_unmount(self) -> None:
        """Tell where one was."""
        if self._moved is not None and self._keys:
            self._moved(self._keys[self._at])

    def on_screen_suspend(self) -> None:
        """Make room for what comes in front."""
        self._page.cover()

    def on_screen_resume(self) -> None:
        """Show the page again: pictures may be marked by now."""
        self._page.uncover()
        self._show()

    @on(ThumbnailPage.Sized)
    def _sized(self, message: ThumbnailPage.Sized) -> None:
        self._count = message.grid.count
        self._shown = None
        # Their thumbnails are of another size.
        self._read_pages.clear()
        self._show()

    def _show(self) -> None:
        """Show the page with the cursor, read it first where it is another."""
        if not self._count or not self._keys:
            return
        first = self._at // self._count * self._count
        page = (first, self._count)
        if page == self._shown:
            self._page.point(self._at - first, self._marked())
        elif page in self._read_pages:
            self._take(page)
        elif page != self._asked:
            self._asked = page
            self._read(page, self._keys[first : first + self._count], self._page.room)
        wrong = f"{self._at + 1:,} of {len(self._keys):,}"
        marks = len(self._marked())
        self.query_one(Panel).badge = f"{wrong} · {marks:,} marked" if marks else wrong

    @work(thread=True, exclusive=True, exit_on_error=False, group="page")
    def _read(self, page: tuple[int, int], keys: Sequence[Hashable], room: tuple[int, int]) -> None:
        tiles = read_tiles(self._gallery, keys, room, self._cache)
        if not get_current_worker().is_cancelled:
            self.post_message(self.PageRead(page, tiles))

    @work(thread=True, exclusive=True, exit_on_error=False, group="ahead")
    def _ahead(self, page: tuple[int, int], room: tuple[int, int]) -> None:
        """Read the next page, so that it is there when it is wanted, and keep what was made."""
        keys = self._keys[page[0] : sum(page)]
        if keys and page not in self._read_pages:
            tiles = read_tiles(self._gallery, keys, room, self._cache)
            if not get_current_worker().is_cancelled:
                self.post_message(self.PageRead(page, tiles))
        self._cache.keep()

    def _rest(self) -> None:
        if self._shown is not None:
            first, count = self._shown
            self._ahead((first + count, count), self._page.room)

    @on(PageRead)
    def _was_read(self, message: PageRead) -> None:
        if message.page[1] != self._count:
            return
        self._read_pages[message.page] = message.tiles
        while len(self._read_pages) > KEPT_PAGES:
            self._read_pages.popitem(last=False)
        if message.page == self._asked:
            self._take(message.page)

    def _take(self, page: tuple[int, int]) -> None:
        self._asked, self._shown = None, page
        self._read_pages.move_to_end(page)
        self._page.take(page, self._read_pages[page], self._at - page[0], self._marked())
        if self._resting is not None:
            self._resting.stop()
        self._resting = self.set_timer(REST_S, self._rest)

    @on(ThumbnailPage.Clicked)
    def _clicked(self, message: ThumbnailPage.Clicked) -> None:
        if self._shown is None:
            return
        at = self._shown[0] + message.number
        if at == self._at:
            self.action_open()
        else:
            self._go(at)

    def _go(self, at: int) -> None:
        self._at = min(max(0, at), max(0, len(self._keys) - 1))
        self._show()

    # Keys

    def action_move(self, across: int, down: int) -> None:
        """Go to the picture beside, above or below."""
        columns = self._page.grid.columns if self._page.grid is not None else 1
        at = self._at + across + down * columns
        if 0 <= at < len(self._keys):
            self._go(at)

    def action_page(self, by: int) -> None:
        """Go a page on, or back."""
        self._go(self._at + by * self._count)

    def action_first(self) -> None:
        """Go to the first picture."""
        self._go(0)

    def action_last(self) -> None:
        """Go to the last picture."""
        self._go(len(self._keys) - 1)

    def action_larger(self, by: int) -> None:
        """Show fewer and larger pictures, or more."""
        self._page.make_larger(by)

    def action_mark(self) -> None:
        """Mark the picture in the list, and go to the next."""
        if not self._keys:
            return
        if self._mark(self._keys[self._at]):
            self._go(self._at + 1)
        else:
            self.batman.tell("Nothing is marked in this list.")

    def action_open(self) -> None:
        """Give the picture the whole screen."""
        if self._keys:
            at = self._keys[self._at]
            self.app.push_screen(PictureScreen(self._gallery, at, left=self._came_back))

    def _came_back(self, key: Hashable, _viewer: Viewer) -> None:
        if key in self._keys:
            self._go(self._keys.index(key))
