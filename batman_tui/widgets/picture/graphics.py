"""Real pixels on terminals that have them: kitty's graphics protocol, or sixel; else cells.

Which of them is told by the environment and the settings. The terminal is never asked: an answer
that is late, over SSH or through tmux, would be taken for typed keys.

kitty's pictures are sent once and then shown by ordinary characters, whose colour says which
picture and whose accents which part of it ("Unicode placeholders" in kitty's "Terminal graphics
protocol"), so that dialogs, scrolling and tmux treat them as text. A sixel (DEC, "VT330/VT340
Programmer Reference Manual", volume 2) is paint on the cells of the moment, to be drawn anew after
they are: see `widgets.overlays`.
"""

from __future__ import annotations

import base64
import fcntl
import os
import re
import struct
import sys
import termios
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import cycle, product
from math import ceil
from typing import TYPE_CHECKING

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from core.common.progress import never

if TYPE_CHECKING:
    from PIL.Image import Image

    from batman_tui.widgets.picture.marks import Mark
    from batman_tui.widgets.picture.mosaic import Mosaic, Styles

Pixels = tuple[int, int]
Cell = tuple[float, float]
"""The width and height of a cell in pixels, parts of one for a picture in fewer than it has."""

USUAL_CELL: Pixels = (10, 20)
"""The size of a cell where the terminal does not say it."""

MOST_PIXELS = 640_000
"""A picture sent to kitty is no larger: half a megabyte, which it scales up by itself."""

COLOURS = 128
"""Colours of a sixel; VT340s had 16, today's terminals have 256 and more."""

_CHUNK = 4096
_PLACEHOLDER = "\U0010eeee"
# The 297 accents that stand for 0, 1, 2 … (kitty's rowcolumn-diacritics.txt). Where a picture is
# wider or higher than this it is shown by half blocks.
_RUNS = (
    "0305 030D-030E 0310 0312 033D-033F 0346 034A-034C 0350-0352 0357 035B 0363-036F 0483-0487"
    " 0592-0595 0597-0599 059C-05A1 05A8-05A9 05AB-05AC 05AF 05C4 0610-0617 0657-065B 065D-065E"
    " 06D6-06DC 06DF-06E2 06E4 06E7-06E8 06EB-06EC 0730 0732-0733 0735-0736 073A 073D 073F-0741"
    " 0743 0745 0747 0749-074A 07EB-07F1 07F3 0816-0819 081B-0823 0825-0827 0829-082D 0951"
    " 0953-0954 0F82-0F83 0F86-0F87 135D-135F 17DD 193A 1A17 1A75-1A7C 1B6B 1B6D-1B73 1CD0-1CD2"
    " 1CDA-1CDB 1CE0 1DC0-1DC1 1DC3-1DC9 1DCB-1DCC 1DD1-1DE6 1DFE 20D0-20D1 20D4-20D7 20DB-20DC"
    " 20E1 20E7 20E9 20F0 2CEF-2CF1 2DE0-2DFF A66F A67C-A67D A6F0-A6F1 A8E0-A8F1 AAB0 AAB2-AAB3"
    " AAB7-AAB8 AABE-AABF AAC1 FE20-FE26 10A0F 10A38 1D185-1D189 1D1AA-1D1AD 1D242-1D244"
)


def _accents() -> str:
    ends = [run.partition("-")[::2] for run in _RUNS.split()]
    return "".join(
        chr(code) for low, high in ends for code in range(int(low, 16), int(high or low, 16) + 1)
    )


ACCENTS = _accents()

# A picture's number is the colour of its characters. These colours, of the 6 x 6 x 6 cube that both
# true colour and 256 colours have, are far enough from grey for Rich to keep them as they are.
_LEVELS = (0, 95, 135, 175, 215, 255)
_NUMBERS: Iterator[tuple[int, int, int]] = cycle(
    # A list, for several threads take from it.
    [(r, g, b) for r, g, b in product(range(6), repeat=3) if max(r, g, b) - min(r, g, b) > 2]
)


@dataclass
class Frame:
    """A picture as it is put on the terminal.

    `lines` are its cells, `send` is what to write once before they are shown, `free` what to write
    when they never will be again, `over` what to draw over them with the cursor at their start.
    A picture in cells has them as `cells`, with the `styles` of its lines. A canvas keeps the
    picture itself as `base`, the `marks` that are drawn into its lines, and the lines `under` a
    sixel, and of one that was made in fewer pixels that it is `coarse`.
    """

    lines: list[Strip]
    send: str = ""
    free: str = ""
    over: str = ""
    base: Image | None = None
    marks: tuple[Mark, ...] = ()
    cells: Mosaic | None = None
    styles: Styles = field(default_factory=dict)
    under: list[Strip] = field(default_factory=list)
    coarse: bool = False


_told: list[Pixels] = []


def tell_cell(size: Pixels) -> None:
    """Have `cell_pixels` return `size`: a browser's page says what its cells are."""
    _told[:] = [size]


def cell_pixels() -> Pixels:
    """Return the width and height of a cell in pixels, as the kernel knows them of the terminal."""
    if _told:
        return _told[0]
    stream = sys.__stdout__
    try:
        if stream is None or not stream.isatty():
            return USUAL_CELL
        answer = fcntl.ioctl(stream.fileno(), termios.TIOCGWINSZ, bytes(8))
        rows, columns, width, height = struct.unpack("HHHH", answer)
    except (OSError, ValueError):
        return USUAL_CELL
    if not rows or not columns or width < 3 * columns or height < 6 * rows:
        return USUAL_CELL
    return width // columns, height // rows


def kitty_frame(image: Image, cell: Cell, *, true_colour: bool, in_tmux: bool) -> Frame | None:
    """Return `image` (RGB or RGBA) as a picture for kitty; None when it has too many cells.

    `cell` is the size of a cell in pixels.
    """
    columns, rows = ceil(image.width / cell[0]), ceil(image.height / cell[1])
    if max(columns, rows) > len(ACCENTS):
        return None
    levels = next(_NUMBERS)
    red, green, blue = (_LEVELS[level] for level in levels)
    if true_colour:
        number = red << 16 | green << 8 | blue
    else:
        number = 16 + 36 * levels[0] + 6 * levels[1] + levels[2]
    mode = "RGBA" if image.mode == "RGBA" else "RGB"
    few = _limited(image.convert(mode))
    data, size = base64.standard_b64encode(zlib.compress(few.tobytes(), 1)), few.size
    head = (
        f"a=T,U=1,q=2,i={number},c={columns},r={rows},s={size[0]},v={size[1]}"
        f",f={32 if mode == 'RGBA' else 24},o=z"
    )
    orders = _in_parts(head, data)
    free = [f"\x1b_Ga=d,d=I,q=2,i={number}\x1b\\"]
    if in_tmux:
        orders, free = [_through_tmux(order) for order in orders], [_through_tmux(free[0])]
    style = Style(color=Color.from_rgb(red, green, blue))
    lines = [
        Strip(
            [Segment("".join(_PLACEHOLDER + ACCENTS[row] + ACCENTS[column]
                             for column in range(columns)), style)],
            columns,
        )
        for row in range(rows)
    ]  # fmt: skip
    return Frame(lines, "".join(orders), free[0])


def overlay_order(image: Image, cell: Pixels, at: tuple[int, int], number: int) -> str:
    """Return what shows `image` (RGBA) over the cells from `at` on (column, line, from 0).

    It is put in place of the one with the same number, without a moment between (kitty's "Terminal
    graphics protocol": the same image and placement number replace; C=1 leaves the cursor).
    """
    columns, rows = -(-image.width // cell[0]), -(-image.height // cell[1])
    data = base64.standard_b64encode(zlib.compress(image.tobytes(), 1))
    head = (
        f"a=T,q=2,C=1,z=1,i={number},p=1,c={columns},r={rows},s={image.width},v={image.height}"
        ",f=32,o=z"
    )
    orders = _in_parts(head, data)
    if in_tmux():
        orders = [_through_tmux(order) for order in orders]
    return f"\x1b7\x1b[{at[1] + 1};{at[0] + 1}H{''.join(orders)}\x1b8"


def remove_order(number: int) -> str:
    """Return what takes a picture of `overlay_order` away."""
    order = f"\x1b_Ga=d,d=I,q=2,i={number}\x1b\\"
    return _through_tmux(order) if in_tmux() else order


def _in_parts(head: str, data: bytes) -> list[str]:
    parts = [data[at : at + _CHUNK].decode() for at in range(0, len(data), _CHUNK)]
    return [
        f"\x1b_G{f'{head},' if at == 0 else 'q=2,'}m={int(at + 1 < len(parts))};{part}\x1b\\"
        for at, part in enumerate(parts)
    ]


def _limited(image: Image) -> Image:
    shrink = (MOST_PIXELS / (image.width * image.height)) ** 0.5
    if shrink >= 1:
        return image
    # Kitty scales it up again: what a better filter keeps is not seen, and takes its time.
    from PIL.Image import Resampling

    size = (max(1, int(image.width * shrink)), max(1, int(image.height * shrink)))
    return image.resize(size, Resampling.BILINEAR)


def _through_tmux(order: str) -> str:
    """Return an order as tmux hands it to the terminal outside (`allow-passthrough on`)."""
    return "\x1bPtmux;" + order.replace("\x1b", "\x1b\x1b") + "\x1b\\"


def sixel_frame(image: Image, cell: Cell, stopped: Callable[[], bool] = never) -> Frame:
    """Return `image` (RGB or RGBA) as a sixel over blank cells; `cell` is a cell's pixels.

    It is not whole when `stopped` says so.
    """
    columns, rows = ceil(image.width / cell[0]), ceil(image.height / cell[1])
    blank = Strip([Segment(" " * columns)], columns)
    return Frame([blank] * rows, over=sixel(image, stopped))


def browser_address(image: Image) -> str:
    """Return `image` (RGB or RGBA) as the address of a picture that a page shows.

    A JPEG without chroma subsampling, which would blur thin lines of boxes; else a PNG.
    """
    from io import BytesIO

    file, kind = BytesIO(), "png" if image.mode == "RGBA" else "jpeg"
    image.save(file, kind, **({} if kind == "png" else {"quality": 90, "subsampling": 0}))
    return f"data:image/{kind};base64,{base64.standard_b64encode(file.getvalue()).decode()}"


def sixel(image: Image, stopped: Callable[[], bool] = never) -> str:
    """Return a picture (RGB or RGBA) as a sixel; what is more than half transparent is left out.

    Nobody wants the rest of it when `stopped` says so.
    """
    import numpy as np
    from PIL.Image import Quantize

    few = image.convert("RGB").quantize(COLOURS, method=Quantize.FASTOCTREE)
    palette = few.getpalette() or []
    pixels = np.asarray(few, dtype=np.int16).copy()
    if image.mode == "RGBA":
        pixels[np.asarray(image.getchannel("A")) <= 127] = -1
    height, width = pixels.shape
    used = [int(colour) for colour in np.unique(pixels) if colour >= 0]
    # P2 = 1: pixels that are not set stay as they are. Colours are in percent (2 for RGB).
    out = [f'\x1bP0;1;0q"1;1;{width};{height}']
    for colour in used:
        parts = [round(part / 2.55) for part in palette[3 * colour : 3 * colour + 3]]
        out.append(f"#{colour};2;{parts[0]};{parts[1]};{parts[2]}")
    for top in range(0, height, 6):
        if stopped():
            break
        band = pixels[top : top + 6]
        bits = (1 << np.arange(len(band), dtype=np.uint8))[:, None]
        rows = []
        for colour in np.unique(band[band >= 0]).tolist():
            sixels = ((band == colour) * bits).sum(axis=0, dtype=np.uint8) + 63
            text = sixels.astype(np.uint8).tobytes().rstrip(b"?").decode("ascii")
            rows.append(f"#{colour}{_REPEATED.sub(_counted, text)}")
        out.append("$".join(rows) + "-")
    return "".join(out) + "\x1b\\"


_REPEATED = re.compile(r"(.)\1{3,}")


def _counted(run: re.Match[str]) -> str:
    return f"!{len(run[0])}{run[1]}"


def in_tmux() -> bool:
    """Return whether there is a tmux between us and the terminal."""
    return bool(os.environ.get("TMUX"))
