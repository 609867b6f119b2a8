"""What an import says of pictures in two splits, and of comments among names of classes."""

from __future__ import annotations

from pathlib import Path

import pytest
from import_data import png, put, put_yolo

from core.data.importers import import_yolo
from core.data.importers.balance import copies
from core.data.store import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    with Project.create(tmp_path / "project") as made:
        yield made


def test_a_picture_in_train_and_valid_is_said_and_kept(project: Project, tmp_path: Path) -> None:
    source = put_yolo(tmp_path / "set")
    same = (source / "train/images/a.png").read_bytes()
    put(source / "valid/images/again.png", same)
    put(source / "valid/labels/again.txt", "0 .5 .5 .2 .2\n")
    report = import_yolo(project, source)
    (problem,) = [p for p in report.problems if p.kind == "same picture in two splits"]
    assert problem.where == "valid/again.png"
    assert problem.detail == "the same picture is in train: 'a.png'"
    assert problem.action == "kept"
    assert report.images == 3


def test_copies_within_a_split_and_pictures_of_one_size_are_not_said(
    project: Project, tmp_path: Path
) -> None:
    source = put_yolo(tmp_path / "set")
    same = (source / "train/images/a.png").read_bytes()
    put(source / "train/images/again.png", same)
    put(source / "valid/images/c.png", png() + bytes(len(same) - len(png())))
    assert "same picture in two splits" not in import_yolo(project, source).counts()


def test_only_pictures_that_could_be_equal_are_read(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    digest = copies._digest
    monkeypatch.setattr(copies, "_digest", lambda path: read.append(path) or digest(path))
    source = put_yolo(tmp_path / "set")
    put(source / "train/images/c.png", png())
    put(source / "train/images/d.png", png())
    put(source / "valid/images/b.png", png() + b"a longer file than the others")
    import_yolo(project, source)
    assert read == []


def test_a_comment_among_the_names_is_a_class_and_said(project: Project, tmp_path: Path) -> None:
    source = tmp_path / "set"
    put(source / "images/a.png")
    put(source / "labels/a.txt", "1 .5 .5 .2 .2\n")
    put(source / "classes.txt", "# our classes\ncar\n")
    report = import_yolo(project, source)
    (problem,) = report.problems
    assert (problem.kind, problem.where) == ("comment as a class", "classes.txt: 0")
    assert "'# our classes' is class 0" in problem.detail
    assert report.annotations == 1
    assert "car" in report.classes
