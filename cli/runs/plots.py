"""Charts on a terminal, drawn by plotext: curves that `core.plots` thinned, and bars of counts.

A pipe or a file gets none: the figures themselves stand in the tables, as CSV or as JSON. plotext
and numpy are loaded only where a chart is printed. plotext asks the terminal for nothing but its
size and writes nothing itself: what it draws goes through rich, which knows the colours there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cli.output import console, is_terminal
from core.common.text import clean
from core.plots import ticks

if TYPE_CHECKING:
    from rich.text import Text

    from core.plots.chart import Chart
    from core.plots.thin_and_smooth import Spans

Ink = int | tuple[int, int, int]

_ROWS, _NARROWEST = 14, 20
_MOST_BARS, _WIDEST_NAME = 20, 24
# Of the sixteen colours every terminal has, which follow its theme: yellow, blue, green, red, cyan
# and magenta. The grey is one of the 256.
_CURVES: tuple[int, ...] = (3, 4, 2, 1, 6, 5)
_GREY = 244
# What tells curves apart where no colour does.
_LETTERS = "ox+*#@"
_ASCII = str.maketrans("─│└┤┬█", "-|+++#")


def say_chart(chart: Chart, title: str, inks: Sequence[Ink] = _CURVES) -> None:
    """Print the curves of `chart` under its `title` and a legend, as wide as the terminal.

    `inks` are the colours by `Curve.colour`, as RGB or one of the terminal's 256. Nothing is
    printed where output is no terminal, or where there is no point. Without colours, or where the
    encoding has no braille dots, each curve is drawn in a letter of its own.
    """
    window = chart.window()
    if not is_terminal() or window is None:
        return
    import numpy as np

    from core.plots.thin_and_smooth import spans
    from core.plots.y_axis import y_limits

    out = console()
    dots = not (out.options.ascii_only or out.no_color or out.color_system is None)
    width = max(out.width, _NARROWEST)
    columns = 2 * width
    drawn = [spans(c.x, c.y, *window, columns, log=chart.log) for c in chart.curves]
    if not any(found.bounds() for found in drawn):
        return
    low, high = y_limits(chart, drawn)
    middles = window[0] + (np.arange(columns) + 0.5) * (window[1] - window[0]) / columns
    x = np.repeat(middles, 2).tolist()
    plot = _blank(width, _ROWS + 3)

    def draw(found: Spans, marker: str, ink: Ink) -> None:
        ends = np.stack([found.high, found.low], axis=1).clip(low, high)
        # Down one column and up the next: back and forth in each takes twice the strokes.
        ends[1::2] = ends[1::2, ::-1]
        plot.plot(x, ends.ravel().tolist(), marker=marker, color=ink)

    for curve, raw in zip(chart.curves, drawn, strict=True):
        if dots and curve.smoothed is not None:
            draw(raw, "braille", _GREY)
    legend = []
    # The first curve is on top: drawn last.
    for curve, raw in reversed(list(zip(chart.curves, drawn, strict=True))):
        ink, letter = inks[curve.colour % len(inks)], _LETTERS[curve.colour % len(_LETTERS)]
        line = raw
        if curve.smoothed is not None:
            line = spans(curve.x, curve.smoothed, *window, columns, log=chart.log)
        draw(line, "braille" if dots else letter, ink)
        if dots and curve.markers and np.count_nonzero(raw.filled) <= width // 4:
            at = np.where(raw.filled, raw.high, np.nan).clip(low, high)
            plot.scatter(middles.tolist(), at.tolist(), marker="●", color=ink)
        bounds = raw.bounds()
        cut = f"up to {ticks.number(bounds[1], 3)}" if bounds and bounds[1] > high else ""
        legend.append(("━" if dots else letter, ink, f"{curve.name} {curve.said} {cut}"))
    plot.xlim(*window)
    plot.ylim(low, high)
    plot.xticks(*ticks.x_ticks(chart.x_axis, *window, width))
    plot.yticks(*ticks.y_ticks(low, high, _ROWS, log=chart.log))
    plot.xlabel(chart.x_axis)
    _say(title, legend[::-1], _built(plot))


def say_bars(title: str, counts: Sequence[tuple[str, int, Ink]]) -> None:
    """Print a bar for each name and count in its colour, the largest of them if they are many.

    On a terminal only, and not where all counts are zero.
    """
    shown = sorted(counts, key=lambda row: -row[1])[:_MOST_BARS]
    if not is_terminal() or not any(count for _, count, _ in shown):
        return
    from rich.text import Text

    out = console()
    width = max(out.width, _NARROWEST)
    # A name may hold letters that are two cells wide, which plotext takes for one: it gets none.
    names = [Text(_printable(name)) for name, _, _ in shown]
    room = min(max(name.cell_len for name in names), _WIDEST_NAME, width // 3)
    plot = _blank(width - room - 1, len(shown) + 2)
    for row, (_, count, ink) in enumerate(shown):
        if count:
            plot.plot([0, count], [-row, -row], marker="█", color=ink)
    plot.xlim(0, shown[0][1])
    plot.ylim(0.5 - len(shown), 0.5)
    at = ticks.whole_ticks(0, shown[0][1], (width - room) // 10 + 1)
    plot.xticks(at, ticks.tick_labels(at))
    plot.yticks([], [])
    lines = _built(plot)
    for row, line in enumerate(lines):
        name = names[row] if row < len(names) else Text()
        name.truncate(room, overflow="crop" if out.options.ascii_only else "ellipsis", pad=True)
        lines[row] = Text.assemble(name, " ", line)
    if len(shown) < len(counts):
        title = f"{title} (the largest {len(shown)} of {len(counts)})"
    _say(title, [], lines)


def _blank(width: int, height: int) -> Any:
    """Return plotext with an empty plot of so many cells; there is one plot at a time."""
    import plotext

    plotext.clear_figure()
    plotext.theme("clear")
    # Else no larger than the terminal, whose rows do not matter to what scrolls.
    plotext.limit_size(False, False)
    plotext.plotsize(width, height)
    plotext.xaxes(True, False)
    plotext.yaxes(True, False)
    return plotext


def _built(plot: Any) -> list[Text]:
    from rich.ansi import AnsiDecoder

    drawn: str = plot.build().rstrip("\n")
    if console().options.ascii_only:
        drawn = drawn.translate(_ASCII)
    return list(AnsiDecoder().decode(drawn))


def _say(title: str, legend: Sequence[tuple[str, Ink, str]], lines: Sequence[Text]) -> None:
    from rich.text import Text

    out = console()
    head = Text(_printable(title), "bold")
    out.print()
    for sign, ink, name in legend:
        colour = f"rgb({','.join(map(str, ink))})" if isinstance(ink, tuple) else f"color({ink})"
        entry = Text.assemble((sign, colour), " ", " ".join(_printable(name).split()))
        # A line breaks between two names, not between a sign and its name.
        if head.cell_len + 2 + entry.cell_len > out.width:
            out.print(head)
            head = Text()
        head = Text.assemble(head, "  ", entry)
    out.print(head)
    for line in lines:
        line.rstrip()
        out.print(line, soft_wrap=True)


def _printable(text: str) -> str:
    """Return `text` cleaned and as the terminal's encoding can show it, so that widths are true."""
    encoding = console().encoding
    return clean(text).encode(encoding, "replace").decode(encoding)
