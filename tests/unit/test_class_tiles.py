"""How crops of a class lie in the room there is, and where a box is in its crop."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from batman_tui.classes.crops import tiles
from core.data.images.thumbnails import (
    OUTLINED_MARGIN,
    Crop,
    box_in_crop,
    crops_of_picture,
    strip,
)


@pytest.mark.parametrize(
    ("size", "rows"),
    [
        ((100, 16), 1),  # a strip
        ((76, 54), 3),  # half blocks, where few classes leave much room
        ((760, 540), 3),  # the same in real pixels
        ((76, 24), 1),  # two rows would be too small to be seen
    ],
)
def test_there_are_as_few_rows_as_show_what_a_class_is(size: tuple[int, int], rows: int) -> None:
    found, side, gap = tiles(size)
    assert found == rows
    assert found * (side + gap) - gap <= size[1]


def test_tiles_lie_in_rows() -> None:
    images = [Image.new("RGB", (10, 10), (number, 0, 0)) for number in range(1, 6)]
    sheet = strip(images, (10, 10), 2, 36, rows=2)
    assert sheet.size == (36, 22)
    assert [sheet.getpixel((5 + 12 * column, 5 + 12 * row))[0]  # type: ignore[index]
            for row in (0, 1) for column in (0, 1, 2)] == [1, 2, 3, 4, 5, 0]  # fmt: skip


def test_where_a_box_is_in_its_crop_is_known_without_reading_it(tmp_path: Path) -> None:
    picture = Image.new("RGB", (400, 300), (0, 0, 0))
    picture.paste((255, 255, 255), (100, 60, 180, 110))
    picture.save(tmp_path / "a.png")
    wanted = Crop(tmp_path / "a.png", (400, 300), (100.0, 60.0, 80.0, 50.0))
    room = (60, 40)
    (shown,) = crops_of_picture([wanted], room, OUTLINED_MARGIN)
    found = box_in_crop(wanted, room, OUTLINED_MARGIN)
    assert shown is not None
    assert found is not None
    size, corners = found
    assert size == shown.size
    bright = shown.convert("L").point(lambda value: 255 * (value > 127)).getbbox()
    assert bright is not None
    assert all(abs(edge - at) < 1 for edge, at in zip(bright, corners, strict=True))
    outside = Crop(tmp_path / "a.png", (400, 300), (500.0, 60.0, 80.0, 50.0))
    assert box_in_crop(outside, room, OUTLINED_MARGIN) is None
