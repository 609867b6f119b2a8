"""Thumbnails that were made before, in memory and on disk."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from core.common.errors import ProjectError
from core.data.images import thumbnail_cache
from core.data.images.thumbnail_cache import ThumbnailCache

RED, BLUE = (220, 20, 20), (20, 20, 220)
SIZE = (400, 300)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were read, rather than taken from what is kept."""
    found: list[Path] = []
    real = thumbnail_cache.picture

    def noted(file: Path, room: tuple[int, int], recorded: tuple[int, int]) -> Image.Image:
        found.append(file)
        return real(file, room, recorded)

    monkeypatch.setattr(thumbnail_cache, "picture", noted)
    return found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.png"
    Image.new("RGB", SIZE, RED).save(path)
    return path


def near(image: Image.Image, colour: tuple[int, int, int]) -> bool:
    found: Any = image.getpixel((2, 2))
    return all(abs(a - b) < 8 for a, b in zip(found, colour, strict=True))


def test_a_picture_is_read_once_for_every_size_and_process(
    tmp_path: Path, file: Path, reads: list[Path]
) -> None:
    cache = ThumbnailCache(tmp_path / "kept")
    first = cache.get(file, (40, 40), SIZE)
    assert first.size == (40, 30)
    assert near(first, RED)
    assert cache.get(file, (40, 40), SIZE) is first
    cache.keep()
    other = ThumbnailCache(tmp_path / "kept")
    assert near(other.get(file, (100, 40), SIZE), RED)
    assert other.get(file, (60, 60), SIZE).size == (60, 45)
    assert reads == [file]


def test_a_file_that_changed_is_read_again(tmp_path: Path, file: Path, reads: list[Path]) -> None:
    cache = ThumbnailCache(tmp_path / "kept")
    assert near(cache.get(file, (40, 40), SIZE), RED)
    Image.new("RGB", SIZE, BLUE).save(file)
    os.utime(file, ns=(1, 1))
    assert near(cache.get(file, (40, 40), SIZE), BLUE)
    assert len(reads) == 2


def test_one_that_is_torn_on_disk_is_made_anew(
    tmp_path: Path, file: Path, reads: list[Path]
) -> None:
    cache = ThumbnailCache(tmp_path / "kept")
    cache.get(file, (40, 40), SIZE)
    cache.keep()
    (kept,) = (tmp_path / "kept").glob("??/*.jpg")
    kept.write_bytes(kept.read_bytes()[:200])
    assert near(ThumbnailCache(tmp_path / "kept").get(file, (40, 40), SIZE), RED)
    assert len(reads) == 2


def test_without_room_on_disk_pictures_are_read(tmp_path: Path, file: Path) -> None:
    (tmp_path / "kept").write_text("a file where the folder should be")
    cache = ThumbnailCache(tmp_path / "kept")
    assert near(cache.get(file, (40, 40), SIZE), RED)
    cache.keep()


def test_the_oldest_on_disk_go_first(tmp_path: Path, file: Path) -> None:
    kept = tmp_path / "kept"
    cache = ThumbnailCache(kept)
    for number in range(5):
        copy = tmp_path / f"{number}.png"
        copy.write_bytes(file.read_bytes())
        cache.get(copy, (40, 40), SIZE)
        cache.keep()
        for entry in kept.glob("??/*.jpg"):
            if entry.stat().st_mtime > 1e8:
                os.utime(entry, (number, number))
    cache = ThumbnailCache(kept, most_files=2)
    cache.keep()
    assert sorted(entry.stat().st_mtime for entry in kept.glob("??/*.jpg")) == [3, 4]


def test_a_large_room_gets_the_picture_itself(
    tmp_path: Path, file: Path, reads: list[Path]
) -> None:
    cache = ThumbnailCache(tmp_path / "kept")
    assert cache.get(file, (380, 380), SIZE).size == (380, 285)
    cache.keep()
    assert not list((tmp_path / "kept").glob("??/*.jpg"))


def test_what_cannot_be_read_is_told_alone_and_left_out_of_many(tmp_path: Path, file: Path) -> None:
    cache, gone = ThumbnailCache(tmp_path / "kept"), tmp_path / "gone.png"
    with pytest.raises(ProjectError, match=r"gone\.png"):
        cache.get(gone, (40, 40), SIZE)
    one, none, two = cache.many([(file, SIZE), (gone, SIZE), (file, SIZE)], (40, 40))
    assert none is None
    assert one is not None
    assert two is not None
    assert near(one, RED)
