"""What a plot is painted in: the theme's colours for each ink, or the terminal's own sixteen."""

from __future__ import annotations

from rich.color import Color
from rich.style import Style
from textual.widget import Widget

from core.plots.chart import COLOURS, Ink

_INK_CLASSES = {
    Ink.BLANK: "plot--blank",
    Ink.AXIS: "plot--axis",
    Ink.LABEL: "plot--label",
    Ink.GRID: "plot--grid",
    Ink.CHECKPOINT: "plot--checkpoint",
    Ink.BEST: "plot--best",
    Ink.WARNING: "plot--warning",
    Ink.RESTART: "plot--restart",
    Ink.OOM: "plot--oom",
    Ink.END: "plot--checkpoint",
    **{Ink.CURVE + i: f"plot--curve-{i}" for i in range(COLOURS)},
    **{Ink.RAW + i: f"plot--raw-{i}" for i in range(COLOURS)},
}
# Yellow, blue, green, red, cyan, magenta.
_SIXTEEN = (3, 4, 2, 1, 6, 5)

PLOT_CLASSES = {
    *_INK_CLASSES.values(),
    "plot--cursor",
    "plot--legend",
    "plot--value",
    "plot--note",
    "plot--message",
}
PLOT_CSS = """
Plot {
    width: 1fr; height: 1fr; min-height: 3;
    & > .plot--axis { color: $foreground 40%; }
    & > .plot--label { color: $foreground-muted; }
    & > .plot--grid { color: $foreground 15%; }
    & > .plot--checkpoint { color: $foreground-muted; }
    & > .plot--best { color: $success; text-style: bold; }
    & > .plot--warning { color: $warning; text-style: bold; }
    & > .plot--restart { color: $secondary; text-style: bold; }
    & > .plot--oom { color: $error; text-style: bold; }
    & > .plot--cursor { color: $foreground; background: $foreground 20%; }
    & > .plot--legend { color: $foreground-muted; }
    & > .plot--value { color: $foreground; text-style: bold; }
    & > .plot--note { color: $foreground-muted; }
    & > .plot--message { color: $foreground-muted; text-style: italic; }
    & > .plot--curve-0 { color: $text-primary; }
    & > .plot--curve-1 { color: $text-secondary; }
    & > .plot--curve-2 { color: $text-success; }
    & > .plot--curve-3 { color: $text-error; }
    & > .plot--curve-4 { color: #6fd3cf; }
    & > .plot--curve-5 { color: #c79bf2; }
    & > .plot--raw-0 { color: $text-primary 40%; }
    & > .plot--raw-1 { color: $text-secondary 40%; }
    & > .plot--raw-2 { color: $text-success 40%; }
    & > .plot--raw-3 { color: $text-error 40%; }
    & > .plot--raw-4 { color: #6fd3cf 40%; }
    & > .plot--raw-5 { color: #c79bf2 40%; }
    /* On paper the tints for text are all but black. */
    &:light > .plot--curve-0 { color: $primary; }
    &:light > .plot--curve-1 { color: $secondary; }
    &:light > .plot--curve-2 { color: $success; }
    &:light > .plot--curve-3 { color: $error; }
    &:light > .plot--curve-4 { color: #0b7a75; }
    &:light > .plot--curve-5 { color: #7b3fa0; }
    &:light > .plot--raw-0 { color: $primary 40%; }
    &:light > .plot--raw-1 { color: $secondary 40%; }
    &:light > .plot--raw-2 { color: $success 40%; }
    &:light > .plot--raw-3 { color: $error 40%; }
    &:light > .plot--raw-4 { color: #0b7a75 40%; }
    &:light > .plot--raw-5 { color: #7b3fa0 40%; }
}
"""


def ink_styles(plot: Widget) -> dict[int, Style]:
    """Return the style of each ink in `plot`; working them out takes longer than painting does."""
    styles: dict[int, Style] = {
        ink: plot.get_component_rich_style(name) for ink, name in _INK_CLASSES.items()
    }
    if plot.app.console.color_system == "standard":
        # The theme's tints would all become white: take the terminal's own six colours.
        bright = 8 if plot.app.current_theme.dark else 0
        for number, colour in enumerate(_SIXTEEN):
            ink = Ink.CURVE + number
            styles[ink] += Style(color=Color.from_ansi(colour + bright))
    return styles
