"""Boxes over a picture: by half blocks, on kitty as a picture of their own, by sixel at rest."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from harness import settled, until
from PIL import Image
from test_graphics import Gallery, Over, red, sent, undone
from textual.app import ComposeResult
from textual.widgets import Label

from batman_tui.widgets.picture.canvas import Canvas
from batman_tui.widgets.picture.marks import Letters, Mark, paint

pytestmark = pytest.mark.usefixtures("painting")

GREEN, BLUE, GREY = (0, 255, 0), (0, 0, 255), (100, 100, 100)


class Board(Gallery):
    """A canvas on a terminal that notes what is written to it."""

    CSS = "Canvas { width: 20; height: 6; } Label { width: 10; }"

    def __init__(self, mode: str) -> None:
        super().__init__(mode)
        self.canvas = Canvas("nothing")
        self.picture = self.canvas

    def compose(self) -> ComposeResult:
        yield self.canvas
        yield Label("below")


def lines(app: Any) -> list[str]:
    return [strip.text for strip in app.screen._compositor.render_strips()]


def cell(app: Board, line: int, column: int) -> tuple[str, Any, Any]:
    """A cell's character, its colour, and its ground."""
    strip = app.screen._compositor.render_strips()[line].crop(column, column + 1)
    (segment,) = strip
    return segment.text, tuple(segment.style.color.triplet), tuple(segment.style.bgcolor.triplet)


def plain(_size: tuple[int, int]) -> Image.Image:
    return Image.new("RGB", (20, 12), GREY)


async def test_only_the_lines_of_a_box_that_changed_are_painted() -> None:
    app = Board("blocks")
    async with app.run_test(size=(30, 10)) as pilot:
        canvas = app.canvas
        still = Mark((0, 0, 20, 2), BLUE)
        canvas.mark("a", [still])
        canvas.show("a", plain)
        await until(pilot, lambda: canvas.shown == "a")
        assert cell(app, 0, 5) == ("─", BLUE, GREY)
        canvas.mark("a", [still, Mark((4, 4, 10, 8), GREEN)])
        await settled(pilot)
        assert canvas.drawn_lines == 2
        assert [cell(app, 2, column)[:2] for column in (4, 6, 9)] == [
            ("┌", GREEN), ("─", GREEN), ("┐", GREEN),
        ]  # fmt: skip
        # What is inside of it, and beside its strokes, is the picture.
        assert cell(app, 2, 6)[2] == GREY
        assert cell(app, 3, 4)[:2] == ("└", GREEN)
        # It goes as it came, and what lies under it is there again.
        canvas.mark("a", [still])
        await settled(pilot)
        assert canvas.drawn_lines == 2
        assert cell(app, 2, 4) == ("▀", GREY, GREY)
        canvas.mark("a", [still])
        assert canvas.drawn_lines == 0


async def test_letters_are_on_the_cells_and_go_again() -> None:
    app = Board("blocks")
    async with app.run_test(size=(30, 10)) as pilot:
        canvas = app.canvas
        canvas.mark("a", ())
        canvas.show("a", plain)
        await until(pilot, lambda: canvas.shown == "a")
        canvas.mark("a", (), [Letters(1, 3, "xy"), Letters(1, 18, "toolong")])
        await settled(pilot)
        assert lines(app)[1][:20] == "▀▀▀xy" + "▀" * 13 + "to"
        canvas.mark("a", ())
        await settled(pilot)
        assert lines(app)[1][:20] == "▀" * 20


async def test_a_picture_that_comes_back_has_the_boxes_of_now() -> None:
    app = Board("blocks")
    async with app.run_test(size=(30, 10)) as pilot:
        canvas = app.canvas
        for key, colour in (("a", BLUE), ("b", GREEN), ("a", GREEN)):
            canvas.mark(key, [Mark((0, 0, 20, 12), colour)])
            canvas.show(key, plain)
            await until(pilot, lambda key=key: canvas.shown == key)
            await settled(pilot)
            assert cell(app, 0, 7)[1] == colour
        # Asked for another and back before that one was there.
        canvas.mark("c", [])
        canvas.show("c", plain)
        canvas.mark("a", [Mark((0, 0, 20, 12), BLUE)])
        canvas.show("a", plain)
        await settled(pilot)
        assert canvas.shown == "a"
        assert cell(app, 0, 7)[1] == BLUE


async def test_kitty_gets_the_picture_once_and_the_boxes_over_it() -> None:
    app = Board("kitty")
    async with app.run_test(size=(30, 10), notifications=True) as pilot:
        canvas = app.canvas
        canvas.mark("a", [Mark((10, 20, 60, 70), GREEN)])
        canvas.show("a", red)
        await until(pilot, lambda: len(app.written) >= 2)
        picture, boxes = app.written[0], app.written[1]
        assert sent(picture)[1].getpixel((10, 20)) == (255, 0, 0)
        # Saved and restored cursor, at the cell where the picture begins.
        assert re.match("\x1b7\x1b\\[1;6H", boxes)
        assert boxes.endswith("\x1b8")
        keys, layer = sent(boxes)
        assert (keys["C"], keys["p"], keys["c"], keys["r"]) == ("1", "1", "10", "6")
        assert layer.getpixel((10, 20)) == (*GREEN, 255)
        assert layer.getchannel("A").getpixel((30, 40)) == 0
        # A key sends the boxes alone, by the same number, and no cell is painted.
        before = len(app.written)
        canvas.mark("a", [Mark((12, 20, 60, 70), GREEN)])
        await settled(pilot)
        assert len(app.written) == before + 1
        assert sent(app.written[-1])[0]["i"] == keys["i"]
        assert len(app.written[-1]) < 4096 < len(picture) * 100
        # A notification is not drawn over, and the boxes are back after it.
        app.canvas.styles.width, app.canvas.styles.height = 30, 10
        await settled(pilot)
        app.notify("read me", timeout=60)
        await until(pilot, lambda: app.screen.query("Toast"))
        await settled(pilot)
        assert app.written[-1] == f"\x1b_Ga=d,d=I,q=2,i={keys['i']}\x1b\\"
        canvas.mark("a", [Mark((14, 20, 60, 70), GREEN)])
        assert app.written[-1] == f"\x1b_Ga=d,d=I,q=2,i={keys['i']}\x1b\\"
        app.clear_notifications()
        await until(pilot, lambda: "f=32" in app.written[-1])
        # What comes in front has the screen to itself.
        canvas.cover()
        assert "a=d" in app.written[-1]
        await app.push_screen(Over())
        await app.pop_screen()
        canvas.uncover()
        assert "f=32" in app.written[-1]


async def test_sixel_is_half_blocks_while_keys_come_and_a_sixel_at_rest() -> None:
    app = Board("sixel")
    async with app.run_test(size=(30, 10)) as pilot:
        canvas = app.canvas
        canvas.mark("a", [Mark((10, 20, 60, 70), GREEN)])
        canvas.show("a", red)
        await until(pilot, lambda: canvas.shown == "a")
        assert "▀" in lines(app)[0]
        await until(pilot, lambda: any("\x1bP0;1;0q" in text for text in app.written))
        assert "▀" not in lines(app)[0]
        before = len(app.written)
        canvas.mark("a", [Mark((12, 20, 60, 70), GREEN)])
        await settled(pilot)
        assert "▀" in lines(app)[0]
        await until(pilot, lambda: len(app.written) > before)
        assert "▀" not in lines(app)[0]


def test_a_box_past_the_edges_is_drawn_where_it_is() -> None:
    image = Image.new("RGB", (20, 12))
    paint(image, [Mark((-5, 3, 40, 30), GREEN)])
    assert image.getpixel((10, 3)) == GREEN
    # No side is drawn at the edge of the view that is not there.
    assert image.getpixel((0, 8)) == (0, 0, 0)
    assert image.getpixel((19, 8)) == (0, 0, 0)
    assert image.getpixel((10, 11)) == (0, 0, 0)
    # A band of it is the same as that part of the whole.
    band = Image.new("RGB", (20, 4))
    paint(band, [Mark((-5, 3, 40, 30), GREEN)], top=2)
    assert band.tobytes() == image.crop((0, 2, 20, 6)).tobytes()


async def test_a_sixel_has_the_letters_in_it() -> None:
    app = Board("sixel")
    async with app.run_test(size=(30, 10)) as pilot:
        canvas = app.canvas
        canvas.mark("a", (), [Letters(1, 2, "ab", BLUE)])
        canvas.show("a", red)
        await until(pilot, lambda: any("\x1bP0;1;0q" in text for text in app.written))
        text = next(text for text in app.written if "\x1bP0;1;0q" in text)
        image = undone(text[text.index("\x1bP") :].removesuffix("\x1b8"))
        # Two cells of 10 by 20 pixels from the second line on, and the picture beside them.
        blue = [x for x in range(100) if np.asarray(image)[21, x, 2] > 200]
        assert (blue[0], blue[-1]) == (20, 39)
        # Other letters are on half blocks until keys rest, then there is another sixel.
        before = len(app.written)
        canvas.mark("a", (), [Letters(1, 2, "cd", BLUE)])
        await settled(pilot)
        assert "cd" in lines(app)[1]
        await until(pilot, lambda: len(app.written) > before)
        assert "cd" not in lines(app)[1]


async def test_while_keys_come_kitty_gets_a_quarter_of_the_pixels() -> None:
    app = Board("kitty")
    asked: list[tuple[int, int]] = []

    def stripes(size: tuple[int, int]) -> Image.Image:
        asked.append(size)
        return Image.new("RGB", (size[0] // 2, size[1]), GREY)

    async with app.run_test(size=(30, 10)) as pilot:
        canvas = app.canvas
        canvas.coarse_first = True
        whole = canvas.pixels
        canvas.mark("a", [Mark((10, 20, 60, 70), GREEN)])
        canvas.show("a", stripes)
        await until(pilot, lambda: canvas.shown == "a")
        coarse = next(text for text in app.written if "U=1" in text)
        keys, image = sent(coarse)
        assert image.size == (whole[0] // 4, whole[1] // 2)
        cells = (keys["c"], keys["r"])
        # The boxes are as fine as ever, and where they belong.
        layer = sent(next(text for text in app.written if "z=1" in text))[1]
        assert layer.size == (whole[0] // 2, whole[1])
        await until(pilot, lambda: len(asked) == 2)
        await until(pilot, lambda: "a=d" in app.written[-1])
        second = [text for text in app.written if "U=1" in text and text != coarse]
        fine, image = sent(second[0])
        assert image.size == (whole[0] // 2, whole[1])
        assert (fine["c"], fine["r"]) == cells, "in the same cells"
        assert app.written[-1] == f"\x1b_Ga=d,d=I,q=2,i={keys['i']}\x1b\\"
        # It is kept as it is: who comes back to it waits for nothing.
        canvas.show("b", red)
        await until(pilot, lambda: canvas.shown == "b")
        canvas.show("a", stripes)
        assert canvas.shown == "a"
        await settled(pilot)
        assert asked == [(whole[0] // 2, whole[1] // 2), whole]


@pytest.mark.parametrize("cell", [(10, 20), (9, 19), (11, 27)])
@pytest.mark.parametrize("mode", ["kitty", "sixel"])
async def test_a_picture_in_fewer_pixels_has_no_more_cells(
    mode: str, cell: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("batman_tui.widgets.picture.picture.cell_pixels", lambda: cell)
    app = Board(mode)
    async with app.run_test(size=(30, 10)) as pilot:
        canvas = app.canvas
        canvas.coarse_first = True
        canvas.show("a", lambda size: Image.new("RGB", size, GREY))
        await until(pilot, lambda: canvas.shown == "a")
        assert canvas.coarse
        assert canvas.cells == (20, 6)
        await until(pilot, lambda: not canvas.coarse or canvas.over() is not None)
        assert canvas.cells == (20, 6)


async def test_while_keys_come_a_sixel_is_not_scaled_to_its_pixels() -> None:
    app = Board("sixel")
    asked: list[tuple[int, int]] = []

    def grey(size: tuple[int, int]) -> Image.Image:
        asked.append(size)
        return Image.new("RGB", size, GREY)

    async with app.run_test(size=(30, 10)) as pilot:
        canvas = app.canvas
        canvas.coarse_first = True
        canvas.show("a", grey)
        canvas.mark("a", [Mark((10, 20, 60, 70), GREEN)])
        await until(pilot, lambda: canvas.shown == "a")
        assert len(lines(app)[0][:20].strip()) == 20, "it fills its cells"
        await until(pilot, lambda: any("\x1bP0;1;0q" in text for text in app.written))
        width, height = canvas.pixels
        assert asked == [(width // 4, height // 4), (width, height)]
        text = next(text for text in app.written if "\x1bP0;1;0q" in text)
        assert f'"1;1;{width};{height}' in text
