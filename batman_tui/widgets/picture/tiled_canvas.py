"""A canvas of tiles: how many pictures fit a terminal, where each lies, and fewer, larger ones."""

from __future__ import annotations

from dataclasses import dataclass

from textual.message import Message

from batman_tui.widgets.picture.canvas import Canvas

MOST = 24
"""The tiles of a page: one for each letter that may strike a crop out."""

LEAST_COLUMNS, LEAST_LINES = 13, 8
"""A tile is no smaller than this many cells, its line of words among the lines."""


@dataclass(frozen=True)
class Grid:
    """How a page is laid out, in cells: `columns` × `lines` tiles of `wide` × `high` cells.

    The last line of each tile's place is its letter and score.
    """

    columns: int
    lines: int
    wide: int
    high: int

    @property
    def count(self) -> int:
        """The tiles of a page."""
        return min(MOST, self.columns * self.lines)

    def corner(self, number: int) -> tuple[int, int]:
        """Return column and line (in cells) of the place of the tile with this number, from 0."""
        return number % self.columns * self.wide, number // self.columns * self.high

    def at(self, column: int, line: int, count: int) -> int | None:
        """Return the number of the tile at a cell; None where there is none of `count`."""
        across, down = column // self.wide, line // self.high
        number = down * self.columns + across
        return number if across < self.columns and 0 <= number < count else None


def grid(width: int, height: int, larger: int = 0) -> Grid:
    """Return the layout for a room of `width` × `height` cells.

    As many as fit, 24 at most, and then as large as they can be. `larger` steps make them fewer
    and larger.
    """
    found: list[tuple[int, int, int, int]] = []
    for columns in range(1, max(1, min(MOST, width // LEAST_COLUMNS)) + 1):
        for lines in range(1, max(1, height // LEAST_LINES) + 1):
            if columns * lines <= MOST:
                # A cell is twice as high as wide.
                side = min(width // columns - 1, 2 * (height // lines - 1))
                found.append((columns * lines, side, columns, lines))
    found.sort(reverse=True)
    # From each layout to the next the tiles are fewer and larger.
    steps = [found[0]]
    steps += [each for at, each in enumerate(found[1:], 1)
              if each[1] > max(other[1] for other in found[:at])]  # fmt: skip
    _, _, columns, lines = steps[min(larger, len(steps) - 1)]
    return Grid(columns, lines, max(1, width // columns), max(1, height // lines))


class TiledCanvas(Canvas):
    """Lays tiles out for the room there is; `grid` is None until there is some."""

    @dataclass
    class Sized(Message):
        """There is room for another number of tiles."""

        grid: Grid

    def __init__(self, id: str) -> None:
        super().__init__("", id=id)
        self.grid: Grid | None = None
        self._larger = 0

    def on_resize(self) -> None:
        """See how many there is room for."""
        self._lay_out()

    def make_larger(self, by: int) -> None:
        """Show fewer and larger tiles, or more of them."""
        before = self.grid
        self._larger = max(0, self._larger + by)
        self._lay_out()
        if self.grid == before and by > 0:
            self._larger -= 1

    def _lay_out(self) -> None:
        if min(self.size) < 1:
            return
        found = grid(*self.size, self._larger)
        if found != self.grid:
            self.grid = found
            self.post_message(self.Sized(found))
