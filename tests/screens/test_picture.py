"""The widget that shows a picture: made in a thread, once for a size."""

from __future__ import annotations

import threading

from harness import screen_text, until
from PIL import Image
from rich.console import Console
from textual.app import App, ComposeResult
from textual.filter import ANSIToTruecolor

from batman_tui.widgets.picture.mosaic import mosaic, strips
from batman_tui.widgets.picture.picture import Picture
from core.common.errors import ProjectError

RED = (255, 0, 0)


def test_styles_with_their_escape_codes_are_drawn_as_those_without() -> None:
    image = Image.effect_noise((8, 7), 90).convert("RGBA")
    image.paste((0, 0, 0, 0), (2, 1, 5, 5))
    image.paste((0, 0, 0, 0), (6, 0, 7, 7))
    console = Console(color_system="truecolor", force_terminal=True)
    cells = mosaic(image, fine=True)
    fast, slow = strips(cells, true_colour=True), strips(cells)
    assert [line.render(console) for line in fast] == [line.render(console) for line in slow]


def test_a_terminal_of_256_colours_gets_such() -> None:
    console = Console(color_system="256", force_terminal=True)
    (line,) = strips(mosaic(Image.new("RGB", (1, 2), RED), fine=True))
    assert line.render(console).startswith("\x1b[38;5;196")


async def test_a_picture_goes_through_no_filter_that_leaves_it_as_it_is() -> None:
    app = Gallery()
    async with app.run_test(size=(40, 10)) as pilot:
        kinds = [type(each) for each in app.picture.get_line_filters()]
        assert ANSIToTruecolor in kinds, "the words in its place may have the terminal's colours"
        app.picture.show("a", lambda _: Image.new("RGB", (6, 4), RED))
        await until(pilot, lambda: app.picture.shown == "a")
        left = [type(each) for each in app.picture.get_line_filters()]
        assert left == [kind for kind in kinds if kind is not ANSIToTruecolor]


class Gallery(App[None]):
    """An app with nothing but a picture."""

    CSS = "Picture { width: 10; height: 4; }"

    def __init__(self) -> None:
        super().__init__()
        self.picture = Picture("nothing here")

    def compose(self) -> ComposeResult:
        yield self.picture


async def test_it_is_made_once_for_a_size_and_kept() -> None:
    app, made = Gallery(), []

    def make(size: tuple[int, int]) -> Image.Image:
        made.append((threading.current_thread() is threading.main_thread(), size))
        return Image.new("RGB", (6, 4), RED)

    async with app.run_test(size=(40, 10)) as pilot:
        assert "nothing" in screen_text(app)  # type: ignore[arg-type]
        app.picture.show("a", make)
        await until(pilot, lambda: app.picture.shown == "a")
        assert made == [(False, (10, 8))]
        lines = screen_text(app).splitlines()[:4]  # type: ignore[arg-type]
        assert [line[:10] for line in lines] == [" " * 10, *["  ▀▀▀▀▀▀  "] * 2, " " * 10]
        app.picture.show("b", lambda size: None)
        await until(pilot, lambda: app.picture.shown == "b")
        assert "nothing" in screen_text(app)  # type: ignore[arg-type]
        app.picture.show("a", make)
        assert app.picture.shown == "a"
        assert len(made) == 1
        app.picture.styles.width = 20
        await until(pilot, lambda: len(made) == 2)
        assert made[1][1] == (20, 8)


async def test_only_the_last_of_many_is_made() -> None:
    app, made = Gallery(), []

    def make(key: int):
        def now(_size: tuple[int, int]) -> Image.Image:
            made.append(key)
            return Image.new("RGB", (4, 4), RED)

        return now

    async with app.run_test(size=(40, 10)) as pilot:
        for key in range(100):
            app.picture.show(key, make(key))
        await until(pilot, lambda: app.picture.shown == 99)
        assert made == [99]


async def test_what_is_wrong_is_said_in_its_place() -> None:
    app = Gallery()

    def make(_size: tuple[int, int]) -> Image.Image:
        raise ProjectError("The file '[bold]a.jpg' is missing.")

    async with app.run_test(size=(40, 10)) as pilot:
        app.picture.styles.width = 30
        app.picture.show("a", make)
        await until(pilot, lambda: "[bold]a.jpg" in screen_text(app))  # type: ignore[arg-type]
        app.picture.show(None, None)
        await until(pilot, lambda: "nothing here" in screen_text(app))  # type: ignore[arg-type]
