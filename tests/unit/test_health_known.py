"""Image files are read once: what a check found is remembered until they change."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_health import Maker, encoded, scene

from core.common.errors import Cancelled
from core.common.folders import cache_dir
from core.data.health import before_training, check, scan
from core.data.health.file_cache import KnownImages
from core.data.store import Project


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Project.create(tmp_path / "p") as project:
        yield project


@pytest.fixture
def maker(project: Project) -> Maker:
    return Maker(project)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the image files that are read."""
    names: list[str] = []
    real = scan._read

    def read(image_id: int, path: Path) -> scan.ScannedImage:
        names.append(path.name)
        return real(image_id, path)

    monkeypatch.setattr(scan, "_read", read)
    return names


def kinds(project: Project, files: scan.Files = "read") -> set[str]:
    return {finding.kind for finding in check(project, files=files).findings}


def test_only_changed_files_are_read_again(
    project: Project, maker: Maker, reads: list[str]
) -> None:
    for _ in range(3):
        maker.image(boxes=1)
    before = check(project).findings
    assert sorted(reads) == ["1.jpg", "2.jpg", "3.jpg"]
    reads.clear()
    assert check(project).findings == before
    assert reads == []
    changed = project.image_file("1/2.jpg")
    stat = changed.stat()
    changed.write_bytes(changed.read_bytes()[:-200])
    os.utime(changed, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert "image-unreadable" in kinds(project)
    assert reads == ["2.jpg"]
    reads.clear()
    # What cannot be read is tried again: it may have been a disk that was away.
    assert "image-unreadable" in kinds(project)
    assert reads == ["2.jpg"]
    changed.unlink()
    assert "image-missing" in kinds(project)


def test_a_file_of_the_same_size_written_later_is_read_again(
    project: Project, maker: Maker, reads: list[str]
) -> None:
    maker.image(encoded(scene(1), "BMP"), boxes=1, split="train")
    maker.image(encoded(scene(2), "BMP"), boxes=1, split="valid")
    assert "leakage" not in kinds(project)
    second = project.image_file("1/2.jpg")
    stat = second.stat()
    second.write_bytes(encoded(scene(1), "BMP"))
    os.utime(second, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    assert second.stat().st_size == stat.st_size
    assert "leakage" in kinds(project)
    assert reads.count("2.jpg") == 2


def test_training_knows_of_leaks_that_a_check_found(
    project: Project, maker: Maker, monkeypatch: pytest.MonkeyPatch, reads: list[str]
) -> None:
    same = encoded(scene(1))
    for split in ("train", "valid"):
        maker.image(same, boxes=1, split=split)
    found = {finding.kind for finding in before_training(project.path, 640)}
    assert "leakage" in found, "few images are read"
    reads.clear()
    monkeypatch.setattr(sys.modules[before_training.__module__], "READ_AT_ONCE", 1)
    assert {finding.kind for finding in before_training(project.path, 640)} == found
    assert reads == []


def test_of_many_images_the_unknown_are_not_read_before_training(
    project: Project, maker: Maker, monkeypatch: pytest.MonkeyPatch, reads: list[str]
) -> None:
    same = encoded(scene(1))
    for split in ("train", "valid"):
        maker.image(same, boxes=1, split=split)
    monkeypatch.setattr(sys.modules[before_training.__module__], "READ_AT_ONCE", 1)
    assert "leakage" not in {finding.kind for finding in before_training(project.path, 640)}
    assert reads == []


def test_what_was_read_until_it_was_stopped_is_kept(
    project: Project, maker: Maker, reads: list[str]
) -> None:
    for _ in range(2):
        maker.image(boxes=1)
    with pytest.raises(Cancelled):
        check(project, cancelled=lambda: len(reads) > 0)
    assert len(reads) == 1
    check(project)
    assert sorted(reads) == ["1.jpg", "2.jpg"]


def test_images_that_left_the_project_are_forgotten(project: Project, maker: Maker) -> None:
    images = [maker.image(boxes=1) for _ in range(3)]
    check(project)
    assert len(KnownImages(project.path)) == 3
    with project.change("made", "out") as change:
        change.update("images", images[0], {"deleted": 1})
    check(project)
    assert len(KnownImages(project.path)) == 2
    assert len(KnownImages(project.path.parent / "another")) == 0


@pytest.mark.parametrize("damage", ["text", "folder", "unwritable"])
def test_a_damaged_cache_only_costs_time(
    project: Project, maker: Maker, reads: list[str], damage: str
) -> None:
    maker.image(boxes=1)
    before = check(project).findings
    (file,) = (cache_dir() / "images").iterdir()
    if damage == "text":
        file.write_text("this was a database")
    elif damage == "folder":
        file.unlink()
        file.mkdir()
    else:
        file.unlink()
        (cache_dir() / "images").rmdir()
        (cache_dir() / "images").write_text("in the way")
    assert check(project).findings == before
    assert reads == ["1.jpg", "1.jpg"]
    check(project)
    assert len(reads) == (2 if damage == "text" else 3), "it is put right where that is possible"
