"""Bars with names and counts, in parts, and a map of shades: charts of what is counted."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual.content import Content
from textual.geometry import Size
from textual.reactive import reactive
from textual.widget import Widget

from batman_tui.widgets.table.cells import fit
from core.common.text import clean
from core.data.stats.bars import Bars

PARTS = ("$secondary", "$success", "$warning", "$foreground-muted")
# A name takes at most this share of the width.
_NAMES = 0.5
THICK = 4
"""A bar has at most so many lines, of which the last is empty where there are two or more."""

_EIGHTHS = " ▏▎▍▌▋▊▉█"


class BarChart(Widget):
    """A bar a line: its name, its parts in their colours, and how many; a legend above them."""

    DEFAULT_CSS = "BarChart { width: 1fr; height: auto; padding: 0 1 0 0; }"

    bars: reactive[Bars | None] = reactive(None, layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return the lines of the bars and one for the legend; few bars are thick, and apart."""
        bars = self.bars
        if bars is None:
            return 1
        head = int(bool(self._legend(bars)))
        return head + len(bars.names) * self._thick(container.height - head)

    def _thick(self, height: int) -> int:
        """Return the lines that each bar has, the empty one below it among them."""
        bars = self.bars
        return max(1, min(THICK, height // max(1, len(bars.names if bars is not None else ()))))

    def render(self) -> Content:
        """Return the lines for the width there is."""
        bars = self.bars
        if bars is None:
            return Content("")
        width = self.size.width
        counts = [f"{total:,}" for total in bars.totals]
        digits = max(map(len, counts), default=1)
        longest_name = max((cell_len(clean(name)) for name in bars.names), default=1)
        name_room = max(4, min(longest_name, int(width * _NAMES)))
        room = max(1, width - name_room - digits - 2)
        longest = max(bars.totals, default=0) or 1
        lines = [legend] if (legend := self._legend(bars)) else []
        thick = self._thick(self.size.height - len(lines))
        for name, parts, count in zip(bars.names, bars.counts, counts, strict=True):
            bar = self._bar(parts, longest, room)
            line = [Content(fit(name, name_room) + " "), bar]
            lines.append(Content.assemble(*line, f" {count.rjust(digits)}"))
            lines += [Content.assemble(" " * (name_room + 1), bar)] * (thick - 2)
            lines += [Content("")] * (thick > 1)
        return Content("\n").join(lines)

    def _legend(self, bars: Bars) -> Content | None:
        signs = [
            Content.assemble(("■ ", PARTS[number % len(PARTS)]), (clean(part), "$foreground-muted"))
            for number, part in enumerate(bars.parts if bars.parts != ("",) else ())
        ]
        if bars.note:
            signs.append(Content.styled(clean(bars.note), "$foreground-muted"))
        return Content("  ").join(signs) if signs else None

    @staticmethod
    def _bar(parts: Sequence[int], longest: int, room: int) -> Content:
        total = sum(parts)
        # The end is exact to an eighth of a cell; what there is is never nothing.
        eighths = max(round(total * room * 8 / longest), int(total > 0))
        pieces, drawn, so_far = [], 0, 0
        for number, count in enumerate(parts):
            so_far += count
            end = round(so_far * (eighths // 8) / total) if total else 0
            pieces.append(("█" * (end - drawn), PARTS[number % len(PARTS)]))
            drawn = end
        last = max((n for n, count in enumerate(parts) if count), default=0)
        rest = _EIGHTHS[eighths % 8] if eighths % 8 else ""
        pieces.append((rest, PARTS[last % len(PARTS)]))
        return Content.assemble(*pieces, " " * (room - drawn - len(rest)))


class HeatMap(Widget):
    """A map of shades, two rows of it to a line of the terminal, as large as there is room for."""

    DEFAULT_CSS = """
    HeatMap {
        width: 1fr; height: 1fr; min-height: 6; color: $secondary; background: $background;
    }
    """

    grid: reactive[Sequence[Sequence[int]]] = reactive(())

    def render(self) -> Content:
        """Return the map: of each cell of the terminal the upper and the lower half."""
        grid = self.grid
        if not grid:
            return Content("")
        side = len(grid)
        lines = max(1, self.size.height)
        columns = max(1, min(self.size.width, lines * 2 * 4 // 3))
        most = max(map(max, grid)) or 1
        shades = [[(count / most) ** 0.5 for count in row] for row in grid]

        def shade(row: int, column: int) -> str:
            share = shades[row * side // (2 * lines)][column * side // columns]
            return "$background" if not share else f"$secondary {max(8, round(share * 100))}%"

        rows = []
        for line in range(lines):
            pieces = [
                ("▀", f"{shade(2 * line, n)} on {shade(2 * line + 1, n)}") for n in range(columns)
            ]
            rows.append(Content.assemble(*pieces, ("▏", "$foreground-muted")))
        return Content("\n").join(rows)
