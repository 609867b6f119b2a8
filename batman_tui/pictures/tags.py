"""What stands at a box: its class and score, where there is room; no widget.

A tag lies on the upper line of its box, where it hides nothing of the picture, or beside it where
the box is too narrow. No tag lies on another. What is wrong comes first and always has a sign;
the names of boxes that are right are there as long as there are few. An object that was taken for
another class has one tag for both: of lines at the same place one hides the other.
"""

from __future__ import annotations

from collections.abc import Sequence

from batman_tui.pictures.scene import SceneBox
from batman_tui.pictures.window import Size, Window
from batman_tui.widgets.picture.box_lines import cells_of
from batman_tui.widgets.picture.marks import Letters, Mark
from core.common.text import clean
from core.data.images.class_colours import Colour
from core.data.labels.matching import as_boxes, overlaps
from core.evaluation.display import SAME_PLACE

MOST = 12
"""With more boxes than this in sight those that are right have no name."""

LONGEST = 18
"""A class's name on the picture is no longer, in cells."""

_DARK: Colour = (16, 18, 24)


def texts(box: SceneBox, missed: SceneBox | None = None) -> list[str]:
    """Return what may stand at a box, from what tells most to what needs least room.

    `missed` is the object that was taken for what the box is said to be.
    """
    name = _short(box.name)
    score = "" if box.score is None else f" {box.score:.2f}".replace("0.", ".")
    if box.kind == "missed":
        return [f"missed {name}", f"−{name}", f"−{name[:3]}", "−"]
    if missed is not None:
        both = f"−{_short(missed.name)} +{name}"
        return [f"{both}{score}", both, f"−{_short(missed.name)[:3]} +{name[:3]}", "−+"]
    if box.kind == "wrong":
        return [f"+{name}{score}", f"+{name}", f"+{name[:3]}", "+"]
    if box.kind == "found":
        return []
    sign = "?" if box.kind == "open" else f"{clean(box.note)} " if box.note else ""
    return [f"{sign}{name}{score}", f"{sign}{name}"]


def _short(name: str) -> str:
    name = clean(name)
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"


def _mixed_up(boxes: Sequence[SceneBox]) -> dict[int, SceneBox]:
    """Return objects that were taken for another class, each once, by the id of the wrong box."""
    wrong = [each for each in boxes if each.kind == "wrong"]
    missed = [each for each in boxes if each.kind == "missed"]
    found: dict[int, SceneBox] = {}
    if not wrong or not missed:
        return found
    shares = overlaps(as_boxes([each.box for each in wrong]), as_boxes([e.box for e in missed]))
    pairs = zip(*(shares >= SAME_PLACE).nonzero(), strict=True)
    used: set[int] = set()
    for one, other in sorted(pairs, key=lambda pair: -shares[pair]):
        if wrong[one].name != missed[other].name and not {~one, other} & used:
            found[id(wrong[one])] = missed[other]
            used |= {~one, other}
    return found


def tags(boxes: Sequence[SceneBox], window: Window, cell: Size) -> list[Letters]:
    """Return the tags of boxes, drawn in this order, in a window; `cell` is a cell's view pixels.

    The last drawn and most important gets its room first.
    """
    columns, lines = -(-window.shown[0] // cell[0]), -(-window.shown[1] // cell[1])
    seen = [each for each in boxes if _in_sight(each, window)]
    many = len(seen) > MOST
    mixed_up = _mixed_up(seen)
    told = {id(each) for each in mixed_up.values()}
    taken: set[tuple[int, int]] = set()
    found: list[Letters] = []
    # The upper left corners stay free: they say where a box begins.
    for each in seen:
        left, top, _, _ = _place(each, window, cell)
        taken.add((top, left))
    for each in sorted(seen, key=lambda box: (not box.is_wrong, -(box.score or 0.0))):
        if (many and not each.is_wrong) or id(each) in told:
            continue
        says = texts(each, mixed_up.get(id(each)))
        letters = _tag(each, says, _place(each, window, cell), (columns, lines), taken)
        if letters is not None:
            found.append(letters)
            taken.update((letters.line, letters.column + n) for n in range(len(letters.text)))
    return found


def _tag(
    box: SceneBox,
    says: Sequence[str],
    at: tuple[int, int, int, int],
    size: Size,
    taken: set[tuple[int, int]],
) -> Letters | None:
    left, top, right, bottom = at
    columns, lines = size
    for number, text in enumerate(says):
        width = len(text)
        # On the upper line between its corners; else above, below, at the right of it.
        places = [(top, left + 1)] if width <= right - left - 1 else []
        if box.is_wrong and (number or not places):
            places += [(top - 1, left), (bottom + 1, left), (top, right + 1), (top, left - width)]
        for line, column in places:
            column = (
                min(max(0, column), columns - width) if line in (top - 1, bottom + 1) else column
            )
            if not (0 <= line < lines and column >= 0 and column + width <= columns):
                continue
            if any((line, column + n) in taken for n in range(width)):
                continue
            if box.is_wrong:
                return Letters(line, column, text, box.colour)
            return Letters(line, column, text, _DARK, box.colour)
    return _on_its_lines(box, says[-1], at, size, taken) if box.is_wrong and says else None


def _on_its_lines(
    box: SceneBox, sign: str, at: tuple[int, int, int, int], size: Size, taken: set[tuple[int, int]]
) -> Letters | None:
    """Return the sign wherever it has room on the lines of its box, from the upper one down."""
    left, top, right, bottom = at
    columns, lines = size
    width = len(sign)
    along = range(max(0, left), min(right + 2, columns + 1) - width)
    places = [(top, column) for column in along]
    places += [(n, column) for n in range(top + 1, bottom) for column in (left, right + 1 - width)]
    places += [(bottom, column) for column in along]
    for line, column in places:
        inside = 0 <= line < lines and 0 <= column <= columns - width
        if inside and not any((line, column + n) in taken for n in range(width)):
            return Letters(line, column, sign, box.colour)
    return None


def _place(box: SceneBox, window: Window, cell: Size) -> tuple[int, int, int, int]:
    return cells_of(Mark(window.view_corners(box.box), box.colour), cell)


def _in_sight(box: SceneBox, window: Window) -> bool:
    left, top, right, bottom = window.view_corners(box.box)
    return right > 0 and bottom > 0 and left < window.shown[0] and top < window.shown[1]
