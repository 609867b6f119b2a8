"""labelme's and X-AnyLabeling's files."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from import_data import png
from tool_data import labelme, put, read, rows, shape

from core.common.errors import ImportFailed
from core.data.importers.import_named import import_named
from core.data.store import Project


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Project.create(tmp_path / "project") as made:
        yield made


def test_labelme_has_shapes_of_every_kind(tmp_path: Path) -> None:
    shapes = [
        shape("rectangle", (132, 75), (32, 35)),
        shape("circle", (100, 50), (103, 54)),
        shape("polygon", (10, 20), (30, 20), (30, 60)),
        shape(None, (10, 20), (30, 20), (30, 60)),
        shape("line", (88, 78), (60, 24)),
        shape("point", (45, 74)),
        shape("linestrip", (40, 81), (2, 74), (44, 75)),
        shape("mask", (5, 6), (15, 26)),
        # X-AnyLabeling
        shape("rectangle", (1, 2), (11, 2), (11, 22), (1, 22)),
        shape("rotation", (20, 10), (30, 20), (20, 30), (10, 20)),
        shape("rectangle", (1, 1), (9, 9), label=None),
    ]
    folder = put(tmp_path, {"a.json": labelme(*shapes), "a.png": None, "unlabelled.png": None})
    data = read("labelme", folder)
    assert [row[2] for row in rows(data)] == [
        (32, 35, 100, 40),
        (95, 45, 10, 10),
        (10, 20, 20, 40),
        (10, 20, 20, 40),
        (60, 24, 28, 54),
        (2, 74, 42, 7),
        (5, 6, 11, 21),
        (1, 2, 10, 20),
        (10, 10, 20, 20),
    ]
    assert data.problems.counts == {"shape taken as a box": 5, "no box": 1, "bad category": 1}
    assert data.balance.objects == 11
    assert len(data.segmentation) == 3
    assert [picture.name for picture in data.images] == ["a.png", "unlabelled.png"]


def test_labelme_finds_a_picture_that_was_renamed_with_its_file(tmp_path: Path) -> None:
    folder = put(
        tmp_path,
        {
            "b.json": labelme(shape("rectangle", (1, 2), (3, 4)), imagePath=r"..\data\old.png"),
            "b.png": None,
            "train/c.json": labelme(imagePath="c.png"),
            "train/c.png": None,
            "other.json": {"a": 1},
            "broken.json": "{",
        },
    )
    data = read("labelme", folder)
    assert [(p.name, p.split) for p in data.images] == [("b.png", None), ("c.png", "train")]
    assert data.problems.counts == {"other file": 1, "unreadable annotation file": 1}


def test_a_copy_within_that_is_no_picture_is_told(project: Project, tmp_path: Path) -> None:
    embedded = labelme(shape("rectangle", (1, 2), (3, 4)), imageData="iVBORw0KGgo=")
    folder = put(tmp_path / "set", {"a.json": embedded})
    with pytest.raises(ImportFailed, match="None of the 1 picture") as told:
        import_named(project, folder, "labelme")
    assert "the copy within is no picture" in told.value.message
    assert "Export the pictures" in told.value.hint


def test_the_picture_within_a_file_is_taken_where_there_is_none_beside(
    project: Project, tmp_path: Path
) -> None:
    inside = base64.b64encode(png(200, 100) + b"9").decode()
    there = base64.b64encode(png(200, 100) + b"7").decode()
    box = shape("rectangle", (1, 2), (31, 42))
    folder = put(
        tmp_path / "set",
        {
            "train/a.json": labelme(box, imagePath="..\\old\\a.jpg", imageData=inside),
            "val/a.json": labelme(box, imagePath="a.jpg", imageData=inside),
            "val/b.json": labelme(box, imagePath="b.png", imageData=there),
            "val/b.png": None,
        },
    )
    report = import_named(project, folder)
    assert (report.images, report.annotations) == (3, 3)
    assert report.splits == {"train": 1, "valid": 2}
    assert report.counts() == {
        "picture within the label file": 2,
        "same picture in two splits": 1,
    }
    found = project.db.execute("SELECT name, path FROM v_images ORDER BY path").fetchall()
    assert [name for name, _ in found] == ["a.jpg.png", "a.jpg.png", "b.png"]
    pictures = [project.image_file(path).read_bytes() for _, path in found]
    assert pictures == [
        (png(200, 100) + b"9"),
        (png(200, 100) + b"9"),
        (folder / "val/b.png").read_bytes(),
    ]
    assert not list(project.images_dir.glob("incoming*"))


def test_a_picture_within_a_file_cannot_be_left_in_place(project: Project, tmp_path: Path) -> None:
    inside = base64.b64encode(png(200, 100)).decode()
    folder = put(tmp_path / "set", {"a.json": labelme(imagePath="a.png", imageData=inside)})
    with pytest.raises(ImportFailed, match="leave out --reference"):
        import_named(project, folder, files="reference")
