"""The letters on the picture while keys are typed one after the other, and the tags of boxes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from batman_tui.label.grammar import Typing
from batman_tui.label.ruler import ACROSS, LETTERS, NINE, ROWS, ticks
from batman_tui.label.session import Thing
from batman_tui.pictures.window import Size, Window
from batman_tui.widgets.picture.marks import Letters
from core.data.images.class_colours import Colour, class_colour

MOST_TAGS = 12
"""With more boxes than this in sight only the chosen one has a tag."""

_FIRST: Colour = (255, 230, 0)
_FAINT: Colour = (40, 40, 40)


def typing_letters(typing: Typing, cells: Size) -> list[Letters]:
    """Return the ruler or the grid that is to be read now, for a view of `cells`."""
    if typing.mode == "ruler":
        return _ruler(typing.edge, cells)
    if typing.mode == "corners":
        return _corners(typing.typed[len(typing.typed) // 3 * 3 :], cells)
    return []


def _ruler(edge: str, cells: Size) -> list[Letters]:
    width, height = cells
    across = edge in ACROSS
    found = []
    places = ticks(len(LETTERS), width if across else height)
    for letter, (at, beside) in zip(LETTERS, places, strict=True):
        if across:
            found += [Letters(line, at, letter, _FIRST) for line in {0, height // 2, height - 1}]
        else:
            columns = {beside, width // 2 + beside, width - 2 + beside}
            found += [Letters(at, column, letter, _FIRST) for column in columns]
    return found


def _corners(typed: str, cells: Size) -> list[Letters]:
    """Return the grid: names of its cells, then of the rows in the column, then the ninths."""
    width, height = cells
    columns, rows = ticks(len(LETTERS), width), ticks(ROWS, height)
    found = []
    if len(typed) < 2:
        for letter, (column, _) in zip(LETTERS, columns, strict=True):
            if typed and letter != typed:
                continue
            ground = _FIRST if typed else _FAINT
            found += [
                Letters(line, max(0, column - 1), letter + row, ground)
                for row, (line, _) in zip(LETTERS, rows, strict=False)
            ]
        return found
    # Each ninth where it is, as far as the cell has room for its own.
    left, top = LETTERS.index(typed[0]) / 26 * width, LETTERS.index(typed[1]) / ROWS * height
    taken = set()
    for number, letter in enumerate(NINE):
        column = int(left + (number % 3 + 0.5) / 3 * width / 26)
        line = int(top + (number // 3 + 0.5) / 3 * height / ROWS)
        if (line, column) not in taken:
            taken.add((line, column))
            found.append(Letters(line, column, letter, _FIRST))
    return found


def tags(
    things: Sequence[Thing],
    chosen: Thing | None,
    window: Window,
    cell: Size,
    name: Callable[[int], str],
) -> list[Letters]:
    """Return what stands at the boxes in sight: the class's key or name, and the score.

    `cell` is a cell in view pixels. The tag is above the box, or inside where there is no room.
    """
    seen = [each for each in things if _in_sight(each, window)]
    if len(seen) > MOST_TAGS:
        seen = [each for each in seen if chosen is not None and each.key == chosen.key]
    found = []
    for each in seen:
        left, top, _, _ = window.view_corners(each.box)
        line = int(top // cell[1]) - 1
        score = "" if each.score is None else f" {each.score:.2f}".replace("0.", ".")
        text = f"{name(each.class_id)}{score}"
        column = min(max(0, int(left // cell[0])), max(0, window.shown[0] // cell[0] - len(text)))
        found.append(Letters(max(0, line), column, text, class_colour(each.class_id)))
    return found


def _in_sight(thing: Thing, window: Window) -> bool:
    left, top, right, bottom = window.view_corners(thing.box)
    return right > 0 and bottom > 0 and left < window.shown[0] and top < window.shown[1]
