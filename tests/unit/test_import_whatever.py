"""`batman import PATH`: what lies at a path is found out, pictures without labels among it."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from import_data import check, png, put, put_coco, put_yolo

from cli.exits import Exit
from cli.main import main
from core.common.errors import ImportFailed
from core.data.importers.detect_format import find_out
from core.data.importers.import_named import import_named
from core.data.store import Project

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _pictures(folder: Path) -> Path:
    put(folder / "train" / "a.png")
    put(folder / "val" / "a.png")
    put(folder / "else" / "deep" / "b.png")
    put(folder / "broken.png", b"no picture")
    put(folder / "notes.txt", "nothing")
    return folder


def test_pictures_come_in_with_the_splits_of_their_folders(tmp_path: Path) -> None:
    with Project.create(tmp_path / "p") as project:
        report = import_named(project, _pictures(tmp_path / "pics"))
        rows = project.db.execute("SELECT split, name, path FROM v_images ORDER BY path").fetchall()
        check(project)
        assert [(row[0], row[1]) for row in rows] == [
            (None, "b.png"),
            ("train", "a.png"),
            ("valid", "a.png"),
        ]
        assert (report.kind, report.images, report.annotations) == ("images", 3, 0)
        assert report.counts() == {"unreadable image": 1}
        project.undo()
        assert project.summary().images == 0


def test_one_picture_and_a_zip_of_them(tmp_path: Path) -> None:
    one = put(tmp_path / "one.png")
    packed = tmp_path / "some.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a/x.png", png(8, 8))
        archive.writestr("a/y.png", png(9, 9))
    with Project.create(tmp_path / "p") as project:
        assert import_named(project, one).images == 1
        assert import_named(project, packed).images == 2
        check(project)
        with pytest.raises(ImportFailed, match="no picture"):
            import_named(project, put(tmp_path / "empty" / "x.txt", "x").parent, "images")


def test_what_lies_there_and_why(tmp_path: Path) -> None:
    def told(path: Path) -> tuple[str, str] | None:
        found = find_out(path)
        return None if found is None or found.kind is None else (found.kind.name, found.reason)

    assert told(put_coco(tmp_path / "coco")) == ("coco-dir", "by the names of its files")
    assert told(put_yolo(tmp_path / "yolo")) == ("yolo", "by the names of its files")
    assert told(_pictures(tmp_path / "pics")) == ("images", "4 pictures and no labels")
    put(tmp_path / "film" / "a.mp4", b"x")
    assert told(tmp_path / "film") == ("video", "1 video")
    assert told(tmp_path / "film" / "a.mp4") == ("video", "1 video")
    assert told(put(tmp_path / "text" / "a.txt", "x").parent) is None
    assert told(tmp_path / "nowhere") is None


def test_a_path_alone_is_enough(workspace: Path, capsys: Capture) -> None:
    _pictures(workspace / "pics")
    put_coco(workspace / "coco")
    words = ["--project", "p", "--create"]
    assert main(["import", "pics", *words]) == Exit.OK
    printed = capsys.readouterr().out
    assert "This looks like pictures without labels (4 pictures and no labels)." in printed
    assert "Next: batman label --project p" in printed
    assert main(["import", "./coco", *words]) == Exit.OK
    assert "Next: batman classes list" in capsys.readouterr().out
    # `coco` is a word of its own, and asks for classes.
    assert main(["import", "coco", *words]) == Exit.WRONG


def test_a_word_of_its_own_goes_before_a_folder_of_that_name(
    workspace: Path, capsys: Capture
) -> None:
    put_coco(workspace / "list")
    assert main(["import", "list"]) == Exit.OK  # lists projects
    assert "There are no projects" in capsys.readouterr().out
    assert main(["import", "./list", "--project", "p", "--create"]) == Exit.OK
    assert "This looks like COCO" in capsys.readouterr().out
    assert main(["import", "lists"]) == Exit.WRONG
    assert "did you mean 'list'" in capsys.readouterr().err
