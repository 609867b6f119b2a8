"""Which part of a picture the terminal shows, and how: arithmetic only, no terminal.

Everything here is in three measures. *Picture* pixels are what boxes are in; *view* pixels are
what the terminal has (by half blocks a cell is one wide and two high); a *share* is a place in
the window, 0 at its left or top and 1 at its right or bottom.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

Box = tuple[float, float, float, float]
"""Left, top, width, height in pixels of the picture, as annotations have them."""
Size = tuple[int, int]
Point = tuple[float, float]

LOUPE = 2.0
"""The loupe shows this many times the box: the box and half of itself at each side."""

LEAST_ACROSS = 12.0
"""The loupe shows no fewer pixels of the picture than this, however small the box."""


@dataclass(frozen=True)
class Window:
    """The part of a picture that is shown: `x`, `y`, `w`, `h` in pixels of the picture.

    `shown` is the size in view pixels that it is drawn in. The two need not have the same shape:
    a ruler draws a strip of the picture out over the whole view.
    """

    x: float
    y: float
    w: float
    h: float
    shown: Size

    @property
    def pixel(self) -> Point:
        """Return how many pixels of the picture one of the view is, across and down."""
        return self.w / self.shown[0], self.h / self.shown[1]

    @property
    def corners(self) -> Box:
        """Return left, top, right and bottom in pixels of the picture."""
        return self.x, self.y, self.x + self.w, self.y + self.h

    def picture_point(self, view: Point) -> Point:
        """Return where in the picture a place of the view is."""
        across, down = self.pixel
        return self.x + view[0] * across, self.y + view[1] * down

    def at_share(self, share: Point) -> Point:
        """Return where in the picture a share of the window is."""
        return self.x + share[0] * self.w, self.y + share[1] * self.h

    def share_of(self, point: Point) -> Point:
        """Return the share of the window at which a place in the picture is."""
        return (point[0] - self.x) / self.w, (point[1] - self.y) / self.h

    def view_corners(self, box: Box) -> Box:
        """Return left, top, right and bottom of a box in view pixels, in sight or not."""
        across, down = self.pixel
        left, top = (box[0] - self.x) / across, (box[1] - self.y) / down
        return left, top, left + box[2] / across, top + box[3] / down

    def coarser(self, part: int) -> Window:
        """Return it with one view pixel for each `part` × `part` of its own, no more of them.

        Rounded up, a picture that fills its cells would need one more of them.
        """
        across, down = self.shown
        return replace(self, shown=(max(1, across // part), max(1, down // part)))

    def holds(self, box: Box) -> bool:
        """Return whether all of a box is in sight."""
        left, top, right, bottom = self.view_corners(box)
        return left >= 0 and top >= 0 and right <= self.shown[0] and bottom <= self.shown[1]


def whole(picture: Size, room: Size) -> Window:
    """Return the window on the whole picture, as large as fits `room` in view pixels."""
    width, height = max(1, picture[0]), max(1, picture[1])
    scale = min(room[0] / width, room[1] / height)
    shown = (
        min(room[0], max(1, round(width * scale))),
        min(room[1], max(1, round(height * scale))),
    )
    return Window(0.0, 0.0, float(width), float(height), shown)


def loupe(box: Box, picture: Size, room: Size, times: float = LOUPE) -> Window:
    """Return the window on a box and its surroundings: `times` the box, in the shape of `room`.

    It stays within the picture, and is the whole of it where the box is most of it.
    """
    width, height = float(max(1, picture[0])), float(max(1, picture[1]))
    pixel = max(
        times * box[2] / room[0], times * box[3] / room[1], LEAST_ACROSS / max(1, min(room))
    )
    if pixel * room[0] >= width and pixel * room[1] >= height:
        return whole(picture, room)
    across, down = min(width, pixel * room[0]), min(height, pixel * room[1])
    x = min(max(0.0, box[0] + box[2] / 2 - across / 2), width - across)
    y = min(max(0.0, box[1] + box[3] / 2 - down / 2), height - down)
    shown = (
        min(room[0], max(1, round(across / pixel))),
        min(room[1], max(1, round(down / pixel))),
    )
    return Window(x, y, across, down, shown)


def zoomed(window: Window, picture: Size, room: Size, by: float, at: Point) -> Window:
    """Return the window `by` times as fine (below 1: as coarse), with `at` staying in its place.

    `at` is a place in the picture. It is never coarser than the whole picture.
    """
    across, down = window.pixel
    pixel = min(across, down) / by
    if pixel * room[0] >= picture[0] and pixel * room[1] >= picture[1]:
        return whole(picture, room)
    pixel = max(pixel, LEAST_ACROSS / max(1, min(room)))
    w, h = min(float(picture[0]), pixel * room[0]), min(float(picture[1]), pixel * room[1])
    share = window.share_of(at)
    x = min(max(0.0, at[0] - share[0] * w), picture[0] - w)
    y = min(max(0.0, at[1] - share[1] * h), picture[1] - h)
    shown = (min(room[0], max(1, round(w / pixel))), min(room[1], max(1, round(h / pixel))))
    return Window(x, y, w, h, shown)


def moved(window: Window, picture: Size, share: Point) -> Window:
    """Return the window moved by a share of itself, within the picture."""
    x = min(max(0.0, window.x + share[0] * window.w), max(0.0, picture[0] - window.w))
    y = min(max(0.0, window.y + share[1] * window.h), max(0.0, picture[1] - window.h))
    return Window(x, y, window.w, window.h, window.shown)


def clipped(box: Box, picture: Size) -> Box:
    """Return a box within the picture and at least a pixel wide and high."""
    width, height = float(picture[0]), float(picture[1])
    left, right = sorted((box[0], box[0] + box[2]))
    top, bottom = sorted((box[1], box[1] + box[3]))
    left, top = min(max(0.0, left), width - 1), min(max(0.0, top), height - 1)
    right, bottom = min(max(right, left + 1), width), min(max(bottom, top + 1), height)
    return left, top, right - left, bottom - top
