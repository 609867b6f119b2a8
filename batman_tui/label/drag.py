"""What a drag with the mouse does to a box: an edge, a corner, the whole box, or a new one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from batman_tui.pictures.window import Box, Point, Size, clipped

Key = TypeVar("Key")


@dataclass(frozen=True)
class Grip:
    """Where a box was taken: `edges` are those of `h j k l` that move; none: a new box is drawn."""

    box: Box | None
    start: Point
    edges: str

    def moved(self, to: Point, picture: Size) -> Box:
        """Return the box when the mouse is at `to`, within the picture."""
        if self.box is None:
            return clipped(
                (self.start[0], self.start[1], to[0] - self.start[0], to[1] - self.start[1]),
                picture,
            )
        by = (to[0] - self.start[0], to[1] - self.start[1])
        left, top, w, h = self.box
        if self.edges == "hjkl":
            left = min(max(0.0, left + by[0]), picture[0] - w)
            top = min(max(0.0, top + by[1]), picture[1] - h)
            return clipped((left, top, w, h), picture)
        right, bottom = left + w, top + h
        if "h" in self.edges:
            left += by[0]
        if "l" in self.edges:
            right += by[0]
        if "k" in self.edges:
            top += by[1]
        if "j" in self.edges:
            bottom += by[1]
        return clipped((left, top, right - left, bottom - top), picture)


def grip(box: Box | None, at: Point, reach: Point) -> Grip:
    """Return what a press at `at` takes of the selected box.

    An edge or corner within `reach` (pixels of the picture, across and down) moves alone, the
    inside moves the whole box; anywhere else a new box begins. All are pixels of the picture.
    """
    if box is None:
        return Grip(None, at, "")
    left, top, right, bottom = box[0], box[1], box[0] + box[2], box[1] + box[3]
    near_x = left - reach[0] <= at[0] <= right + reach[0]
    near_y = top - reach[1] <= at[1] <= bottom + reach[1]
    if not near_x or not near_y:
        return Grip(None, at, "")
    # In a box narrower than twice the reach, the nearer of two edges.
    edges = ""
    to_left, to_right = abs(at[0] - left), abs(at[0] - right)
    to_top, to_bottom = abs(at[1] - top), abs(at[1] - bottom)
    if min(to_left, to_right) <= reach[0]:
        edges += "h" if to_left <= to_right else "l"
    if min(to_top, to_bottom) <= reach[1]:
        edges += "k" if to_top <= to_bottom else "j"
    return Grip(box, at, edges or "hjkl")


def under(boxes: Sequence[tuple[Key, Box]], at: Point, chosen: Key | None) -> Key | None:
    """Return which box a click at `at` means: the smallest there; with that chosen, the next one.

    So a box inside another is reached at once, and one that lies below by clicking again.
    """
    there = sorted(
        (
            (box[2] * box[3], place, key)
            for place, (key, box) in enumerate(boxes)
            if box[0] <= at[0] <= box[0] + box[2] and box[1] <= at[1] <= box[1] + box[3]
        ),
        key=lambda item: item[:2],
    )
    keys = [key for _, _, key in there]
    if not keys:
        return None
    if chosen in keys:
        return keys[(keys.index(chosen) + 1) % len(keys)]
    return keys[0]


def nudged(box: Box, edge: str, by: Point, picture: Size) -> Box:
    """Return a box with one edge pushed out by `by` (pixels of the picture; below 0: pulled in).

    An edge pulled past the other stops a pixel before it.
    """
    left, top, right, bottom = box[0], box[1], box[0] + box[2], box[1] + box[3]
    if edge == "h":
        left = min(left - by[0], right - 1)
    elif edge == "l":
        right = max(right + by[0], left + 1)
    elif edge == "k":
        top = min(top - by[1], bottom - 1)
    else:
        bottom = max(bottom + by[1], top + 1)
    return clipped((left, top, right - left, bottom - top), picture)
