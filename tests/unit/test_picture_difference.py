"""What two pictures that look alike differ in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageEnhance

from batman_tui.pictures.pair_screen import MOST, pairs_of
from core.data.health.difference import difference, facts_differing, said
from core.data.images.rows import Box, ImageLine

SIZE = (320, 240)


def drawn() -> Image.Image:
    image = Image.linear_gradient("L").resize(SIZE).convert("RGB")
    ImageDraw.Draw(image).ellipse((40, 40, 90, 90), fill=(200, 60, 60))
    return image


def compared(tmp_path: Path, other: Image.Image):
    drawn().save(tmp_path / "a.png")
    other.save(tmp_path / "b.jpg", quality=85)
    return difference((tmp_path / "a.png", SIZE), (tmp_path / "b.jpg", other.size))


def test_a_copy_that_was_compressed_or_scaled_is_the_same(tmp_path: Path) -> None:
    found = compared(tmp_path, drawn().resize((640, 480)))
    assert found.share < 0.001
    assert "differ" in said(found) or said(found) == "the same pixels, but for noise"
    assert said(compared(tmp_path, drawn())) == "the same pixels, but for noise"


def test_what_moved_is_found_where_it_is(tmp_path: Path) -> None:
    other = drawn()
    ImageDraw.Draw(other).rectangle((160, 120, 240, 180), fill=(10, 250, 10))
    found = compared(tmp_path, other)
    assert found.area == pytest.approx((0.5, 0.5, 0.25, 0.25), abs=0.03)
    assert found.share == pytest.approx(1 / 16, abs=0.01)
    assert said(found).startswith("6.")
    assert said(found).endswith("% of the pixels differ")


def test_a_brighter_one_is_called_so_and_not_another_picture(tmp_path: Path) -> None:
    found = compared(tmp_path, ImageEnhance.Brightness(drawn()).enhance(1.1))
    assert "brighter" in said(found)
    assert found.brightness > 5


LINE = ImageLine(1, "a.jpg", "1/a.jpg", 640, 480, "train", None, None, 1, 2)


def box(name: str, x: float) -> Box:
    return Box(1, {"RBC": 1, "WBC": 2}[name], name, x, 10, 20, 20)


def test_splits_sizes_imports_videos_and_labels_that_differ_are_told() -> None:
    other = replace(LINE, id=2, width=320, height=240, split="valid", import_id=2, group="clip")
    assert facts_differing(LINE, other, ([box("RBC", 1), box("WBC", 5)], [box("RBC", 1)])) == [
        "splits: train and valid",
        "sizes: 640×480 and 320×240",
        "imports: 1 and 2",
        "videos: none and clip",
        "WBC: 1 and 0",
    ]
    assert facts_differing(LINE, LINE, ([box("RBC", 1)], [box("RBC", 1)])) == []
    assert facts_differing(LINE, LINE, ([box("RBC", 1)], [box("RBC", 90)])) == ["1 box elsewhere"]


def test_of_a_small_group_all_pairs_are_looked_at_of_a_large_one_each_with_the_first() -> None:
    assert pairs_of([[1, 2, 3], [7, 8]]) == [(1, 2), (1, 3), (2, 3), (7, 8)]
    large = list(range(MOST + 5))
    assert pairs_of([large]) == [(0, other) for other in large[1:]]
