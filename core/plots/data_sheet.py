"""What is in a project's data as one PNG: bars and the map of where boxes lie.

Drawn by Pillow, which every installation has; matplotlib comes with the `train` extra alone.
"""

from __future__ import annotations

import json
from io import BytesIO
from itertools import accumulate, pairwise
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from core.common.files import write_atomic
from core.common.text import clean, plural
from core.data.images.class_colours import PALETTE, Colour
from core.data.stats.bars import Bars, charts
from core.data.stats.collect import DataStats

WIDTH, HEIGHT = 620, 380
"""Of one chart, in pixels."""

_ROW, _PAD, _LETTER = 22, 16, 13
_MOST = (HEIGHT - 90) // _ROW
# Pillow's own font has no more than Latin letters.
_PLAIN = str.maketrans({"–": "-", "×": "x", "≥": ">", "…": "..."})
_PAPER, _INK, _DIM = (255, 255, 255), (30, 30, 36), (120, 120, 130)
# Blue, green, orange, grey: Okabe and Ito's, as classes have them.
_PARTS: tuple[Colour, ...] = (PALETTE[0], PALETTE[1], PALETTE[6], (170, 170, 178))


def write_stats(stats: DataStats, folder: Path) -> tuple[Path, Path]:
    """Write `stats` into `folder` as stats.json and stats.png, and return where they are.

    The folder is made; files of these names are replaced. Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    data, picture = folder / "stats.json", folder / "stats.png"
    write_atomic(data, json.dumps(stats.to_dict(), indent=2, ensure_ascii=False) + "\n")
    write_atomic(picture, data_sheet(stats))
    return data, picture


def data_sheet(stats: DataStats) -> bytes:
    """Return a PNG of all charts of `stats`, two beside each other."""
    shown = charts(stats)
    rows = (len(shown) + 2) // 2
    sheet = Image.new("RGB", (2 * WIDTH, 60 + rows * HEIGHT), _PAPER)
    pen = ImageDraw.Draw(sheet)
    title = (
        f"{clean(stats.name)}: {plural(stats.total_images, 'picture')},"
        f" {plural(stats.total_annotations, 'box', 'boxes')},"
        f" {plural(len(stats.classes), 'class')}"
    )
    pen.text((_PAD, 18), title, fill=_INK, font=_font(20))
    for place in range(len(shown) + 1):
        at = (place % 2 * WIDTH, 60 + place // 2 * HEIGHT)
        if place < len(shown):
            _bars(pen, shown[place], at)
        else:
            _heat(sheet, pen, stats, at)
    out = BytesIO()
    sheet.save(out, "PNG")
    return out.getvalue()


def _bars(pen: ImageDraw.ImageDraw, chart: Bars, at: tuple[int, int]) -> None:
    left, top = at[0] + _PAD, at[1]
    font = _font(_LETTER)
    pen.text((left, top), _plain(chart.title), fill=_INK, font=_font(16))
    x = left
    for number, part in enumerate(chart.parts if chart.parts != ("",) else ()):
        pen.rectangle((x, top + 28, x + 10, top + 38), fill=_PARTS[number % len(_PARTS)])
        pen.text((x + 15, top + 25), clean(part), fill=_DIM, font=font)
        x += 30 + round(font.getlength(clean(part)))
    if chart.note:
        pen.text((x, top + 25), _plain(chart.note), fill=_DIM, font=font)
    names = [_cut(_plain(name), 170, font) for name in chart.names[:_MOST]]
    room = max((round(font.getlength(name)) for name in names), default=0) + 10
    longest = max(chart.totals, default=0) or 1
    width = WIDTH - 2 * _PAD - room - 80
    for row, (name, parts) in enumerate(zip(names, chart.counts, strict=False)):
        y = top + 50 + row * _ROW
        pen.text((left, y), name, fill=_INK, font=font)
        ends = [0, *accumulate(parts)]
        for number, (start, end) in enumerate(pairwise(ends)):
            if end > start:
                x0 = left + room + start * width // longest
                x1 = max(x0 + 1, left + room + end * width // longest)
                colour = _PARTS[number % len(_PARTS)]
                pen.rectangle((x0, y + 1, x1, y + _ROW - 7), fill=colour)
        x = left + room + ends[-1] * width // longest + 8
        pen.text((x, y), f"{ends[-1]:,}", fill=_DIM, font=font)
    if len(chart.names) > _MOST:
        more = f"... and {len(chart.names) - _MOST:,} more"
        pen.text((left, top + 50 + _MOST * _ROW), more, fill=_DIM, font=font)


def _heat(
    sheet: Image.Image, pen: ImageDraw.ImageDraw, stats: DataStats, at: tuple[int, int]
) -> None:
    left, top = at[0] + _PAD, at[1]
    pen.text((left, top), "Where boxes lie", fill=_INK, font=_font(16))
    text = "middles of boxes on the picture, none white to most dark"
    pen.text((left, top + 25), text, fill=_DIM, font=_font(_LETTER))
    most = max(max(row) for row in stats.heat) or 1
    grid = len(stats.heat)
    small = Image.new("RGB", (grid, grid))
    small.putdata([_shade(count / most) for row in stats.heat for count in row])
    side = HEIGHT - 80
    sheet.paste(small.resize((side, side), Image.Resampling.NEAREST), (left, top + 50))
    pen.rectangle((left, top + 50, left + side, top + 50 + side), outline=_DIM)


def _shade(share: float) -> Colour:
    """Return the colour of a cell; the root lets few boxes be seen beside many."""
    deep, share = PALETTE[3], share**0.5
    red, green, blue = (round(255 + (end - 255) * share) for end in deep)
    return red, green, blue


def _plain(text: str) -> str:
    return clean(text).translate(_PLAIN)


def _cut(text: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "...") > width:
        text = text[:-1]
    return text + "..."


def _font(letter: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(letter)
