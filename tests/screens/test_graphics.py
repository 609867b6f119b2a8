"""Pictures in real pixels: what is sent to kitty, what a sixel says, and when it is drawn again."""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Mapping
from typing import Any

import pytest
from harness import settled, until
from PIL import Image
from textual.app import App, ComposeResult
from textual.containers import Horizontal
from textual.screen import ModalScreen, Screen
from textual.widgets import Label

from batman_tui.widgets.picture import graphics
from batman_tui.widgets.picture.graphics import ACCENTS, kitty_frame, sixel
from batman_tui.widgets.picture.modes import Mode, choose
from batman_tui.widgets.picture.overlays import draw_overlays, graphics_of
from batman_tui.widgets.picture.picture import Picture

pytestmark = pytest.mark.usefixtures("painting")

RED, BLUE = (255, 0, 0), (0, 0, 255)
KITTY = {"TERM": "xterm-kitty", "COLORTERM": "truecolor"}


@pytest.mark.parametrize(
    ("env", "mode"),
    [
        (KITTY, "kitty"),
        ({"TERM": "xterm-ghostty"}, "kitty"),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}, "kitty"),
        ({"TERM": "foot-extra"}, "sixel"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, "sixel"),
        ({"TERM": "xterm-256color"}, "blocks"),
        ({"TERM": "alacritty"}, "quadrants"),
        ({"TERM": "xterm-256color", "VTE_VERSION": "7600"}, "quadrants"),
        ({"TERM": "xterm-256color", "VTE_VERSION": "7600", "TMUX": "/tmp/x"}, "blocks"),
        ({}, "blocks"),
        ({**KITTY, "NO_COLOR": "1"}, "blocks"),
        # Inside of these the variables may be those of a terminal that is long gone.
        ({"TERM": "tmux-256color", "TMUX": "/tmp/x", "KITTY_WINDOW_ID": "1"}, "blocks"),
        ({**KITTY, "STY": "1.pts"}, "blocks"),
        ({**KITTY, "ZELLIJ": "0"}, "blocks"),
        ({"TERM": "screen", "KITTY_WINDOW_ID": "1"}, "blocks"),
    ],
)
def test_only_terminals_known_to_have_pixels_get_them(env: Mapping[str, str], mode: str) -> None:
    assert choose("auto", env, headless=False, web=False) == mode
    assert choose("auto", env, headless=True, web=False) == "blocks"
    assert choose("auto", env, headless=False, web=True) == "browser"
    assert choose("blocks", env, headless=False, web=False) == "blocks"
    assert choose("sixel", env, headless=False, web=False) == "sixel"
    assert choose("kitty", env, headless=False, web=True) == "blocks"
    for cells in ("quadrants", "sextants", "octants"):
        assert choose(cells, env, headless=False, web=True) == cells
    colours = "blocks" if "NO_COLOR" in env else "kitty"
    assert choose("kitty", env, headless=False, web=False) == colours


def sent(text: str) -> tuple[dict[str, str], Image.Image]:
    """Return the orders' keys and the picture that a terminal makes of them."""
    keys: dict[str, str] = {}
    data = b""
    orders = re.findall("\x1b_G([^;]*);?([^\x1b]*)\x1b\\\\", text)
    for number, (head, part) in enumerate(orders):
        found = dict(pair.split("=") for pair in head.split(","))
        assert found["m"] == str(int(number + 1 < len(orders)))
        assert len(part) <= 4096
        keys = {**found, **keys}
        data += base64.b64decode(part)
    size = (int(keys["s"]), int(keys["v"]))
    mode = "RGBA" if keys["f"] == "32" else "RGB"
    return keys, Image.frombytes(mode, size, zlib.decompress(data))


def noise(size: tuple[int, int]) -> Image.Image:
    image = Image.effect_noise(size, 90).convert("RGB")
    image.paste(RED, (0, 0, 5, 5))
    return image


def test_kitty_is_sent_the_picture_and_cells_that_name_its_parts() -> None:
    image = noise((95, 61))
    frame = kitty_frame(image, (10, 20), true_colour=True, in_tmux=False)
    assert frame is not None
    keys, shown = sent(frame.send)
    assert shown.tobytes() == image.tobytes()
    assert (keys["c"], keys["r"], keys["U"], keys["q"]) == ("10", "4", "1", "2")
    assert len(frame.lines) == 4
    for row, line in enumerate(frame.lines):
        assert line.cell_length == 10
        (segment,) = line
        assert segment.text == "".join(f"\U0010eeee{ACCENTS[row]}{ACCENTS[c]}" for c in range(10))
        red, green, blue = segment.style.color.triplet
        assert int(keys["i"]) == red << 16 | green << 8 | blue
    assert frame.free == f"\x1b_Ga=d,d=I,q=2,i={keys['i']}\x1b\\"
    assert not frame.over
    other = kitty_frame(image, (10, 20), true_colour=True, in_tmux=False)
    assert sent(other.send)[0]["i"] != keys["i"]


def test_with_256_colours_the_number_is_the_one_of_the_palette() -> None:
    from rich.color import ColorSystem

    seen = set()
    for _ in range(150):
        frame = kitty_frame(Image.new("RGBA", (5, 5)), (5, 5), true_colour=False, in_tmux=False)
        keys, shown = sent(frame.send)
        assert shown.mode == "RGBA"
        colour = next(iter(frame.lines[0])).style.color
        assert colour.downgrade(ColorSystem.EIGHT_BIT).number == int(keys["i"])
        seen.add(keys["i"])
    assert len(seen) > 90  # more than are kept of two pictures at once


def test_a_large_picture_is_sent_smaller_and_a_huge_one_not_at_all() -> None:
    frame = kitty_frame(Image.new("RGB", (2000, 1000)), (10, 20), true_colour=True, in_tmux=False)
    keys, shown = sent(frame.send)
    assert shown.width * shown.height <= graphics.MOST_PIXELS
    assert (keys["c"], keys["r"]) == ("200", "50")
    image = Image.new("RGB", (2980, 20))
    assert kitty_frame(image, (10, 20), true_colour=True, in_tmux=False) is None


def test_tmux_hands_orders_on() -> None:
    frame = kitty_frame(noise((40, 40)), (10, 20), true_colour=True, in_tmux=True)
    parts = re.findall("\x1bPtmux;(.*?)(?<!\x1b)\x1b\\\\", frame.send, re.DOTALL)
    inner = "".join(part.replace("\x1b\x1b", "\x1b") for part in parts)
    assert sent(inner)[1].size == (40, 40)


def undone(text: str) -> Image.Image:
    """Return the picture that a terminal makes of a sixel, clear where nothing is set."""
    head = re.match('\x1bP0;1;0q"1;1;(\\d+);(\\d+)', text)
    width, height = int(head[1]), int(head[2])
    image = Image.new("RGBA", (width, height))
    body = text[head.end() :].removesuffix("\x1b\\")
    palette: dict[int, tuple[int, ...]] = {}
    x = top = colour = 0
    for token in re.finditer(r"#(\d+)((?:;\d+)*)|!(\d+)(.)|([?-~])|(\$)|(-)", body):
        if token[1]:
            colour = int(token[1])
            if token[2]:
                kind, *parts = [int(part) for part in token[2][1:].split(";")]
                assert kind == 2
                palette[colour] = tuple(round(part * 2.55) for part in parts)
        elif token[6]:
            x = 0
        elif token[7]:
            x, top = 0, top + 6
        else:
            count, mark = (int(token[3]), token[4]) if token[3] else (1, token[5])
            for at in range(x, x + count):
                for bit in range(6):
                    if (ord(mark) - 63) >> bit & 1:
                        image.putpixel((at, top + bit), (*palette[colour], 255))
            x += count
    return image


def test_a_sixel_is_the_picture() -> None:
    image = Image.new("RGBA", (23, 17), (0, 0, 0, 0))
    image.paste((*RED, 255), (2, 3, 20, 9))
    image.paste((*BLUE, 255), (10, 8, 23, 17))
    assert undone(sixel(image)).tobytes() == image.tobytes()
    picture = Image.linear_gradient("L").resize((50, 40)).convert("RGB")
    shown = undone(sixel(picture)).convert("RGB")
    assert (
        max(abs(a - b) for a, b in zip(shown.tobytes(), picture.tobytes(), strict=True)) <= 12
    )  # 128 colours, in percent
    assert undone(sixel(Image.new("RGBA", (4, 4)))).getbbox() is None


class Over(ModalScreen[None]):
    """A dialog on the whole screen."""

    def compose(self) -> ComposeResult:
        yield Label("over")


class Gallery(App[None]):
    """A picture beside a text, on a terminal that notes what is written to it."""

    CSS = "Picture { width: 20; height: 6; } Label { width: 10; }"

    def __init__(self, mode: str) -> None:
        super().__init__()
        self.wanted = mode
        self.picture = Picture("nothing here")
        self.written: list[str] = []

    def compose(self) -> ComposeResult:
        yield Horizontal(self.picture, Label("beside"))

    @property
    def graphics(self) -> Mode:
        return graphics_of(self, self.wanted)

    def _display(self, screen: Screen[Any], renderable: Any) -> None:
        super()._display(screen, renderable)
        if screen is self.screen and self.graphics in ("kitty", "sixel"):
            draw_overlays(self, renderable)

    def on_mount(self) -> None:
        assert self._driver is not None
        self._driver.write = self.note  # type: ignore[assignment]

    def note(self, text: str) -> None:
        # Textual itself sets the shape of the pointer.
        if not text.startswith("\x1b]22;"):
            self.written.append(text)


def red(_size: tuple[int, int]) -> Image.Image:
    return Image.new("RGB", (100, 120), RED)


async def test_a_sixel_is_drawn_whenever_its_cells_were_painted() -> None:
    app = Gallery("sixel")
    async with app.run_test(size=(40, 12), notifications=True) as pilot:
        app.picture.show("a", red)
        await until(pilot, lambda: app.written)
        # 10 of 20 cells wide and 6 high, in the middle: column 6 of the first line.
        assert app.written[-1].startswith('\x1b7\x1b[1;6H\x1bP0;1;0q"1;1;100;120')
        assert app.written[-1].endswith("\x1b8")
        await settled(pilot)
        before = len(app.written)
        app.query_one(Label).update("other")
        await settled(pilot)
        assert len(app.written) == before
        app.picture.refresh()
        await until(pilot, lambda: len(app.written) > before)
        # A dialog paints over it, and it is back when that is gone.
        before = len(app.written)
        await app.push_screen(Over())
        await settled(pilot)
        app.screen.refresh()
        await settled(pilot)
        assert len(app.written) == before
        await app.pop_screen()
        await until(pilot, lambda: len(app.written) > before)
        # A notification on it stays readable.
        app.picture.styles.height = 12
        app.picture.styles.width = 40
        app.notify("read me", timeout=60)
        await until(pilot, lambda: app.screen.query("Toast"))
        await settled(pilot)
        before = len(app.written)
        app.picture.refresh()
        await settled(pilot)
        assert len(app.written) == before


async def test_kitty_gets_each_picture_once_and_is_told_to_forget_it() -> None:
    app = Gallery("kitty")
    async with app.run_test(size=(40, 12)) as pilot:
        app.picture.show("a", red)
        await until(pilot, lambda: app.picture.shown == "a")
        keys, shown = sent(app.written[0])
        assert shown.getpixel((50, 50)) == RED
        assert (keys["c"], keys["r"]) == ("10", "6")
        cells = [line.text for line in app.screen._compositor.render_strips()]
        assert all(line[:20].count("\U0010eeee") for line in cells[:6])
        app.picture.show("b", red)
        await until(pilot, lambda: app.picture.shown == "b")
        app.picture.show("a", red)
        assert len(app.written) == 2
        app.picture.forget()
        # The one on the screen last.
        numbers = [sent(app.written[1])[0]["i"], keys["i"]]
        assert app.written[2:] == [f"\x1b_Ga=d,d=I,q=2,i={number}\x1b\\" for number in numbers]


async def test_half_blocks_write_nothing_past_the_app(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in KITTY.items():
        monkeypatch.setenv(name, value)
    app = Gallery("auto")
    made: list[Any] = []

    def make(size: tuple[int, int]) -> Image.Image:
        made.append(size)
        return red(size)

    async with app.run_test(size=(40, 12)) as pilot:
        app.picture.show("a", make)
        await until(pilot, lambda: app.picture.shown == "a")
        assert made == [(20, 12)]
        assert app.written == []
