"""Pictures made of half blocks, and the widget that shows them."""

from __future__ import annotations

import threading

from harness import screen_text, until
from PIL import Image
from textual.app import App, ComposeResult

from batman_tui.widgets.picture.picture import Picture, half_blocks
from core.common.errors import ProjectError

RED, BLUE = (255, 0, 0), (0, 0, 255)


def test_a_cell_is_two_pixels() -> None:
    image = Image.new("RGB", (2, 2), RED)
    image.paste(BLUE, (0, 1, 2, 2))
    (line,) = half_blocks(image)
    assert line.text == "▀▀"
    (segment,) = line
    assert segment.style.color.triplet == RED
    assert segment.style.bgcolor.triplet == BLUE


def test_an_odd_line_and_what_is_clear_have_no_colour_below() -> None:
    image = Image.new("RGBA", (3, 3), (0, 0, 0, 0))
    image.paste(RED, (0, 1, 1, 2))
    image.paste(BLUE, (1, 2, 2, 3))
    upper, lower = half_blocks(image)
    assert upper.text == "▄  "
    assert lower.text == " ▀ "
    assert next(iter(lower)).style.bgcolor is None


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
