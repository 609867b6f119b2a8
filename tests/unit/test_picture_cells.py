"""A picture in cells of two colours, and boxes drawn into them as lines: no terminal."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from batman_tui.widgets.picture.box_lines import draw_lines, lines_touched
from batman_tui.widgets.picture.marks import Mark, Pen
from batman_tui.widgets.picture.modes import PARTS, Glyphs
from batman_tui.widgets.picture.mosaic import CLEAR, Mosaic, characters, fitted_to, mosaic, strips

RED, BLUE, GREY, GREEN = (255, 0, 0), (0, 0, 255), (100, 100, 100), (0, 255, 0)


def packed(colour: tuple[int, int, int]) -> int:
    return colour[0] << 16 | colour[1] << 8 | colour[2]


def text(cells: Mosaic) -> list[str]:
    return ["".join(map(chr, line)) for line in cells.code]


# Names of Unicode 16.0: "BLOCK SEXTANT-1", "BLOCK OCTANT-3", "BLOCK OCTANT-2345678" …; parts are
# numbered along the lines from the upper left one.
NAMED: list[tuple[Glyphs, str, int]] = [
    ("quadrants", "1", 0x2598), ("quadrants", "23", 0x259E), ("quadrants", "234", 0x259F),
    ("sextants", "1", 0x1FB00), ("sextants", "1356", 0x1FB32), ("sextants", "23456", 0x1FB3B),
    ("sextants", "135", 0x258C), ("sextants", "246", 0x2590), ("sextants", "123456", 0x2588),
    ("octants", "3", 0x1CD00), ("octants", "23", 0x1CD01), ("octants", "124", 0x1CD05),
    ("octants", "2345678", 0x1CDE5), ("octants", "1", 0x1CEA8), ("octants", "2", 0x1CEAB),
    ("octants", "7", 0x1CEA3), ("octants", "8", 0x1CEA0), ("octants", "12", 0x1FB82),
    ("octants", "123456", 0x1FB85), ("octants", "78", 0x2582), ("octants", "345678", 0x2586),
    ("octants", "35", 0x1FBE6), ("octants", "46", 0x1FBE7), ("octants", "13", 0x2598),
    ("octants", "1234", 0x2580), ("octants", "2468", 0x2590),
]  # fmt: skip


@pytest.mark.parametrize(("glyphs", "parts", "code"), NAMED)
def test_each_set_of_parts_has_the_character_that_is_named_for_it(
    glyphs: Glyphs, parts: str, code: int
) -> None:
    bits = sum(1 << int(part) - 1 for part in parts)
    assert hex(ord(characters(glyphs)[bits])) == hex(code)


@pytest.mark.parametrize("glyphs", ["quadrants", "sextants", "octants"])
def test_no_two_sets_of_parts_share_a_character(glyphs: Glyphs) -> None:
    across, down = PARTS[glyphs]
    assert len(set(characters(glyphs))) == 2 ** (across * down)


@pytest.mark.parametrize("glyphs", ["blocks", "quadrants", "sextants", "octants"])
def test_a_picture_of_two_colours_a_cell_is_kept_part_by_part(glyphs: Glyphs) -> None:
    dice = np.random.default_rng(3)
    across, down = PARTS[glyphs]
    bits = dice.integers(0, 2, (5 * down, 7 * across), dtype=np.uint8)
    pixels = np.where(bits[..., None], np.array(RED, np.uint8), np.array(BLUE, np.uint8))
    cells = mosaic(Image.fromarray(pixels), glyphs, fine=True)
    assert cells.size == (7, 5)
    for line in range(5):
        for column in range(7):
            number = characters(glyphs).index(chr(cells.code[line, column]))
            for part in range(across * down):
                colour = cells.fore if number >> part & 1 else cells.ground
                y, x = line * down + part // across, column * across + part % across
                assert colour[line, column] == packed(tuple(pixels[y, x].tolist()))


def test_more_colours_go_to_the_two_that_are_least_wrong() -> None:
    image = Image.new("RGB", (2, 4), (200, 0, 0))
    image.paste((220, 0, 0), (0, 0, 2, 1))
    image.paste((0, 0, 90), (0, 3, 2, 4))
    cells = mosaic(image, "octants", fine=True)
    # The two reds are one colour, their mean; the blue has its own.
    assert {int(cells.fore[0, 0]), int(cells.ground[0, 0])} == {packed((207, 0, 0)), 90}
    assert text(cells) == [chr(0x1FB85)] or text(cells) == ["▂"]


def test_half_blocks_are_two_pixels_a_cell_and_what_is_clear_has_no_colour() -> None:
    image = Image.new("RGBA", (3, 3), (0, 0, 0, 0))
    image.paste(RED, (0, 1, 1, 2))
    image.paste(BLUE, (1, 2, 2, 3))
    cells = mosaic(image, fine=True)
    assert text(cells) == ["▄  ", " ▀ "]
    assert cells.fore.tolist() == [[packed(RED), CLEAR, CLEAR], [CLEAR, packed(BLUE), CLEAR]]
    assert (cells.ground == CLEAR).all()
    upper, lower = strips(cells)
    assert (upper.text, lower.text) == ("▄  ", " ▀ ")
    assert next(iter(upper)).style.bgcolor is None


def test_a_picture_is_scaled_to_the_parts_of_cells_whose_pixels_are_square() -> None:
    image = Image.new("RGB", (80, 48))
    assert fitted_to(image, (2, 4), "sextants").size == (80, 36)
    assert fitted_to(image, (2, 4), "octants").size == (80, 48)
    assert fitted_to(image, (10, 20), "blocks").size == (8, 6)


def drawn(*marks: Mark, size: tuple[int, int] = (12, 6), top: int = 0) -> Mosaic:
    cells = mosaic(Image.new("RGB", (size[0], 2 * size[1]), GREY), fine=True)
    part = cells.part(top, size[1])
    draw_lines(part, marks, (1, 2), top=top)
    return part


PENS: list[tuple[Pen, list[str]]] = [
    ("solid", ["┌────┐", "│▀▀▀▀│", "└────┘"]),
    ("heavy", ["┏━━━━┓", "┃▀▀▀▀┃", "┗━━━━┛"]),
    ("missed", ["┏╍╍╍╍┓", "╏▀▀▀▀╏", "┗╍╍╍╍┛"]),
    ("dotted", ["┌╌╌╌╌┐", "╎▀▀▀▀╎", "└╌╌╌╌┘"]),
    ("faint", ["┌┈┈┈┈┐", "┊▀▀▀▀┊", "└┈┈┈┈┘"]),
    ("chosen", ["⡏⠉⠉⠉⠉⢹", "⡇▀▀▀▀⢸", "⣇⣀⣀⣀⣀⣸"]),
]  # fmt: skip


@pytest.mark.parametrize(("pen", "rows"), PENS)
def test_what_a_box_is_shows_in_its_stroke_without_its_colour(pen: Pen, rows: list[str]) -> None:
    cells = drawn(Mark((2, 2, 8, 8), GREEN, pen))
    assert [line[2:8] for line in text(cells)[1:4]] == rows
    assert text(cells)[0] == text(cells)[4] == "▀" * 12


def test_lines_lie_on_the_picture_and_leave_what_is_inside_alone() -> None:
    before, cells = drawn(), drawn(Mark((2, 2, 8, 8), GREEN))
    assert cells.fore[1, 3] == packed(GREEN)
    assert cells.ground[1, 3] == packed(GREY)
    inside = (slice(2, 3), slice(3, 7))
    for name in ("code", "fore", "ground"):
        assert (getattr(cells, name)[inside] == getattr(before, name)[inside]).all()


def test_the_ground_of_a_line_of_its_own_colour_is_made_another() -> None:
    cells = drawn(Mark((2, 2, 8, 8), GREY))
    assert cells.fore[1, 3] == packed(GREY)
    assert abs((int(cells.ground[1, 3]) & 255) - 100) > 50
    # What is right lets the picture shine through, so that what is wrong stands out.
    quiet = drawn(Mark((2, 2, 8, 8), RED, "quiet"))
    assert quiet.fore[1, 3] not in (packed(RED), packed(GREY))


def test_small_boxes_are_still_boxes() -> None:
    cells = drawn(
        Mark((1, 1, 2, 2), RED),
        Mark((3, 1, 7, 2), RED),
        Mark((9, 2, 10, 8), RED),
        Mark((1, 7, 1.5, 7.5), RED, "heavy"),
    )
    assert text(cells)[0][:8] == "▀□▀├──┤▀"
    assert [line[9] for line in text(cells)[:5]] == ["▀", "┬", "│", "┴", "▀"]
    assert text(cells)[3][1] == "■"


def test_strokes_of_a_kind_join_and_others_pass_over() -> None:
    joined = drawn(Mark((0, 0, 6, 8), RED), Mark((5, 2, 12, 6), BLUE))
    assert text(joined)[1][5] == "├"
    over = drawn(Mark((0, 0, 6, 8), RED), Mark((3, 2, 12, 6), BLUE, "heavy"))
    assert text(over)[1][3:7] == "┏━━━"
    assert over.fore[1, 5] == packed(BLUE)


def test_what_is_past_the_edges_is_not_drawn_and_a_part_is_as_in_the_whole() -> None:
    mark = Mark((-5, 3, 40, 30), GREEN)
    whole = drawn(mark)
    assert text(whole)[1] == "─" * 12
    assert text(whole)[0] == text(whole)[5] == "▀" * 12
    chosen = Mark((2, 2, 8, 9), GREEN, "chosen")
    assert text(drawn(mark, chosen, top=1)) == text(drawn(mark, chosen))[1:]
    assert (drawn(mark, chosen, top=1).fore == drawn(mark, chosen).fore[1:]).all()


def test_the_box_in_hand_is_drawn_to_half_a_cell_across_and_a_quarter_down() -> None:
    cells = mosaic(Image.new("RGB", (24, 24), GREY), "octants")
    draw_lines(cells, [Mark((3, 5, 11, 14), GREEN, "chosen")], (2, 4))
    # Left in the right half of its cell, top in the second dot; right and bottom likewise.
    assert [line[1:6] for line in text(cells)[1:4]] == ["⢰⠒⠒⠒⡆", "⢸███⡇", "⠘⠒⠒⠒⠃"]


def test_the_lines_that_are_to_be_painted_are_those_of_the_box() -> None:
    assert lines_touched([Mark((0, 3, 5, 8), RED)], (1, 2), 10) == {1, 2, 3}
    assert lines_touched([Mark((0, -9, 5, 1), RED)], (1, 2), 10) == {0}
    assert lines_touched([Mark((0, 15, 5, 99), RED)], (1, 2), 10) == {7, 8, 9}
