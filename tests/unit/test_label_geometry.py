"""Where in a picture things are: the loupe, the ruler, the grid of corners, drags and nudges."""

from __future__ import annotations

import random

import pytest

from batman_tui.label import ruler
from batman_tui.label.drag import grip, nudged, under
from batman_tui.pictures.window import clipped, loupe, moved, whole, zoomed

ROOMS = [(118, 68), (78, 36), (84, 66), (1180, 1360), (40, 20)]
"""Views: half blocks at 120×40 and 80×24, beside a panel, kitty, a corner of a split terminal."""

PICTURES = [(1920, 1080), (640, 480), (3840, 2160), (1080, 1920), (30, 20)]


def boxes(picture: tuple[int, int], count: int = 40):
    dice = random.Random(picture[0])
    for _ in range(count):
        w, h = dice.uniform(1, picture[0]), dice.uniform(1, picture[1])
        yield (dice.uniform(0, picture[0] - w), dice.uniform(0, picture[1] - h), w, h)


@pytest.mark.parametrize("room", ROOMS, ids=str)
@pytest.mark.parametrize("picture", PICTURES, ids=str)
def test_the_loupe_shows_all_of_a_box_with_what_is_around_it(picture, room) -> None:
    for box in boxes(picture):
        window = loupe(box, picture, room)
        assert window.holds(box)
        left, top, right, bottom = window.corners
        assert left >= 0
        assert top >= 0
        assert right <= picture[0] + 1e-6
        assert bottom <= picture[1] + 1e-6
        assert window.shown[0] <= room[0]
        assert window.shown[1] <= room[1]
        # Square pixels: as many of the picture across as down, but for rounding to whole ones.
        across, down = window.pixel
        assert abs(across / down - 1) < 0.6 / min(window.shown)
        # A box small beside the picture is half of the view in one direction.
        if 6 * box[2] < picture[0] and 6 * box[3] < picture[1] and min(box[2:]) > 12:
            shown = window.view_corners(box)
            part = max((shown[2] - shown[0]) / room[0], (shown[3] - shown[1]) / room[1])
            assert 0.45 < part < 0.55


def test_the_whole_picture_fills_the_room_in_one_direction() -> None:
    window = whole((1920, 1080), (118, 68))
    assert window.shown == (118, 66)
    assert window.picture_point((59, 33)) == (960, 540)
    assert whole((1080, 1920), (118, 68)).shown == (38, 68)


def test_zoom_keeps_its_place_and_never_leaves_the_picture() -> None:
    picture, room = (1920, 1080), (118, 68)
    window = whole(picture, room)
    at = (1500.0, 300.0)
    for _ in range(4):
        before = window
        window = zoomed(window, picture, room, 1.5, at)
        assert window.pixel[0] < before.pixel[0]
        x, y = window.share_of(at)
        assert 0 <= x <= 1
        assert 0 <= y <= 1
    for _ in range(12):
        window = moved(window, picture, (0.5, 0.5))
    assert window.corners[2:] == pytest.approx((1920, 1080))
    for _ in range(12):
        window = zoomed(window, picture, room, 0.5, at)
    assert window == whole(picture, room)


@pytest.mark.parametrize("room", [(118, 68), (78, 36), (84, 66), (198, 96)], ids=str)
def test_two_letters_put_an_edge_within_a_third_of_a_pixel_of_the_loupe(room) -> None:
    for picture in PICTURES[:4]:
        for box in boxes(picture):
            window = loupe(box, picture, room)
            for edge, value in (("h", box[0]), ("l", box[0] + box[2]), ("k", box[1])):
                share = window.share_of((value, value))[0 if edge in ruler.ACROSS else 1]
                found = window.at_share((ruler.place(*ruler.letters_for(share)),) * 2)
                axis = 0 if edge in ruler.ACROSS else 1
                assert abs(found[axis] - value) <= window.pixel[axis] / 3


def test_the_second_ruler_reaches_half_a_stretch_past_the_first_letter() -> None:
    for letter in ruler.LETTERS:
        start, end = ruler.stretch(letter)
        number = ruler.LETTERS.index(letter)
        assert start < number / 26
        assert end > (number + 1) / 26
        assert ruler.place(letter, "a") < number / 26 < (number + 1) / 26 < ruler.place(letter, "z")


def test_a_stretch_is_drawn_out_in_one_direction_only() -> None:
    window = whole((1920, 1080), (118, 68))
    out = ruler.drawn_out(window, "l", "m", (118, 68))
    assert out.w == pytest.approx(1920 / 13)
    assert out.shown == (118, 66)
    assert (out.y, out.h) == (window.y, window.h)
    # What the second letter names is where that letter stands on the screen.
    for number, letter in enumerate(ruler.LETTERS):
        share = (number + 0.5) / 26
        assert out.at_share((share, 0))[0] == pytest.approx(
            window.at_share((ruler.place("m", letter), 0))[0]
        )
    down = ruler.drawn_out(window, "j", "z", (118, 68))
    assert (down.x, down.w) == (window.x, window.w)
    assert down.y + down.h == pytest.approx(1080 * (25.5 + 1) / 26)


def test_three_keys_name_a_corner_within_a_sixth_of_a_cell() -> None:
    dice = random.Random(2)
    for _ in range(400):
        share = (dice.random(), dice.random())
        found = ruler.corner(ruler.keys_for(share))
        assert abs(found[0] - share[0]) <= 1 / 26 / 6 + 1e-9
        assert abs(found[1] - share[1]) <= 1 / 12 / 6 + 1e-9
    # Of 1920 × 1080 that is 12.3 and 15 pixels, as the trial in the terminal had it.
    assert 1920 / 26 / 6 < 12.4
    assert 1080 / 12 / 6 == 15


def test_letters_of_a_ruler_never_hide_each_other() -> None:
    for cells in (18, 26, 35, 78, 118):
        places = ruler.ticks(26, cells)
        assert len(set(places)) == 26
        assert [at for at, _ in places] == sorted(at for at, _ in places)
        assert max(at for at, _ in places) < cells


BOX = (100.0, 50.0, 40.0, 20.0)
SIZE = (200, 100)


@pytest.mark.parametrize(
    ("at", "edges"),
    [
        ((100, 60), "h"),
        ((141, 60), "l"),
        ((120, 49), "k"),
        ((120, 70), "j"),
        ((99, 51), "hk"),
        ((140, 70), "lj"),
        ((120, 60), "hjkl"),
        ((80, 60), ""),
        ((120, 90), ""),
    ],
)
def test_a_press_takes_what_is_there(at, edges) -> None:
    assert grip(BOX, at, (2, 2)).edges == edges


def test_a_drag_moves_what_was_taken() -> None:
    assert grip(BOX, (141, 60), (2, 2)).moved((151, 80), SIZE) == (100, 50, 50, 20)
    assert grip(BOX, (99, 51), (2, 2)).moved((89, 41), SIZE) == (90, 40, 50, 30)
    # All of it keeps its size at the edge of the picture.
    assert grip(BOX, (120, 60), (2, 2)).moved((500, 500), SIZE) == (160, 80, 40, 20)
    # Past the other side, the edges swap.
    assert grip(BOX, (100, 60), (2, 2)).moved((150, 60), SIZE) == (140, 50, 10, 20)
    assert grip(None, (10, 20), (2, 2)).moved((4, 5), SIZE) == (4, 5, 6, 15)
    assert grip(BOX, (10, 10), (2, 2)).moved((30, 40), SIZE) == (10, 10, 20, 30)


def test_a_click_means_the_smallest_box_and_then_the_next_below() -> None:
    boxes = [("big", (0, 0, 100, 100)), ("small", (40, 40, 10, 10)), ("mid", (30, 30, 40, 40))]
    assert under(boxes, (45, 45), None) == "small"
    assert under(boxes, (45, 45), "small") == "mid"
    assert under(boxes, (45, 45), "mid") == "big"
    assert under(boxes, (45, 45), "big") == "small"
    assert under(boxes, (35, 35), "small") == "mid"
    assert under(boxes, (150, 45), "big") is None


@pytest.mark.parametrize(
    ("edge", "out"),
    [("h", (97, 50, 43, 20)), ("l", (100, 50, 43, 20)), ("k", (100, 48, 40, 22)),
     ("j", (100, 50, 40, 22))],
)  # fmt: skip
def test_a_nudge_moves_one_edge(edge, out) -> None:
    assert nudged(BOX, edge, (3, 2), SIZE) == out
    assert nudged(out, edge, (-3, -2), SIZE) == BOX


def test_a_box_never_leaves_the_picture_nor_becomes_nothing() -> None:
    for edge in "hjkl":
        box = BOX
        for _ in range(100):
            box = nudged(box, edge, (-3, -3), SIZE)
            assert box[2] >= 1
            assert box[3] >= 1
        for _ in range(100):
            box = nudged(box, edge, (5, 5), SIZE)
            assert box[0] >= 0
            assert box[1] >= 0
            assert box[0] + box[2] <= 200
            assert box[1] + box[3] <= 100
    assert clipped((-10, -10, 5, 5), SIZE) == (0, 0, 1, 1)
    assert clipped((300, 300, 5, 5), SIZE) == (199, 99, 1, 1)
    assert clipped((50, 50, -20, -10), SIZE) == (30, 40, 20, 10)
