"""Charts on a terminal: what `core.plots.paint` paints, in the terminal's own colours.

A pipe or a file gets none: the figures themselves stand in the tables, as CSV or as JSON.
"""

from __future__ import annotations

from cli.output import console, is_terminal
from core.common.text import clean
from core.plots.chart import COLOURS, Chart, Ink
from core.plots.paint import paint

_HEIGHT, _WIDEST = 14, 100
# Of the sixteen colours every terminal has: they follow its theme.
_CURVES = ("yellow", "blue", "green", "red", "cyan", "magenta")
_STYLES = {
    Ink.AXIS: "dim",
    Ink.LABEL: "dim",
    Ink.GRID: "dim",
    Ink.BEST: "bold green",
    Ink.CHECKPOINT: "dim",
    Ink.WARNING: "yellow",
    Ink.RESTART: "blue",
    Ink.OOM: "red",
    **{Ink.CURVE + place: _CURVES[place] for place in range(COLOURS)},
}


def say_chart(chart: Chart, title: str) -> None:
    """Print `chart` under its `title` and a legend; nothing where output is no terminal."""
    if not is_terminal() or chart.extent() is None:
        return
    from rich.text import Text

    out = console()
    legend = Text.assemble((clean(title), "bold"))
    for curve in chart.curves:
        legend.append("  ━ ", _CURVES[curve.colour % COLOURS])
        legend.append(clean(f"{curve.name} {curve.said}".rstrip()))
    out.print()
    out.print(legend)
    picture = paint(chart, max(20, min(out.width - 1, _WIDEST)), _HEIGHT)
    for row in range(_HEIGHT):
        line = Text()
        for text, ink, _ in picture.runs(row):
            line.append(text, _STYLES.get(ink, ""))
        out.print(line, soft_wrap=True)
