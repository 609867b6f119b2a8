"""The drawn data set: its layout, that it repeats, and that its boxes are where the shapes are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from core.common.errors import ExportFailed
from core.demo.shapes import SPELLINGS, make_shapes


def _files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _coco(folder: Path) -> dict:
    return json.loads((folder / "_annotations.coco.json").read_text())


def test_same_seed_same_bytes_other_seed_other_pictures(tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        make_shapes(tmp_path / name, train=4, valid=2, test=1, seed=seed)
    assert _files(tmp_path / "a") == _files(tmp_path / "b")
    assert _files(tmp_path / "a") != _files(tmp_path / "c")


def test_layout_and_counts(tmp_path: Path) -> None:
    assert make_shapes(tmp_path / "s", train=5, valid=2, test=0) == {"train": 5, "valid": 2}
    assert sorted(path.name for path in (tmp_path / "s").iterdir()) == ["train", "valid"]
    coco = _coco(tmp_path / "s" / "train")
    assert len(coco["images"]) == 5
    for image in coco["images"]:
        with Image.open(tmp_path / "s" / "train" / image["file_name"]) as picture:
            assert picture.size == (image["width"], image["height"]) == (128, 128)


def test_every_box_is_tight_around_its_shape(tmp_path: Path) -> None:
    make_shapes(tmp_path / "s", train=20, valid=0, test=0, messy=False)
    coco = _coco(tmp_path / "s" / "train")
    names = {category["id"]: category["name"] for category in coco["categories"]}
    files = {image["id"]: image["file_name"] for image in coco["images"]}
    assert {names[item["category_id"]] for item in coco["annotations"]} == {"square", "disc"}
    for item in coco["annotations"]:
        x, y, w, h = item["bbox"]
        with Image.open(tmp_path / "s" / "train" / files[item["image_id"]]) as picture:
            crop = picture.crop((x, y, x + w, y + h))
        centre: Any = crop.getpixel((w // 2, h // 2))
        corner = crop.getpixel((0, 0))
        assert max(centre) - min(centre) > 100
        assert (corner == centre) == (names[item["category_id"]] == "square")
        # The middle of each side belongs to the shape: no tighter box would hold it.
        for edge in ((w // 2, 0), (w // 2, h - 1), (0, h // 2), (w - 1, h // 2)):
            assert crop.getpixel(edge) == centre


def test_messy_names_are_all_used_and_root_category_is_empty(tmp_path: Path) -> None:
    make_shapes(tmp_path / "s", train=40, valid=0, test=0)
    coco = _coco(tmp_path / "s" / "train")
    names = {category["id"]: category["name"] for category in coco["categories"]}
    used = {names[item["category_id"]] for item in coco["annotations"]}
    assert used == {name for spelled in SPELLINGS.values() for name in spelled}
    assert names[0] == "shapes"


def test_a_folder_with_something_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "keep.txt").write_text("mine")
    with pytest.raises(ExportFailed, match="already"):
        make_shapes(tmp_path)
    assert _files(tmp_path) == {"keep.txt": b"mine"}
