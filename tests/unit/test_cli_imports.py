"""`batman import video`, `original`, `list`, `remove`, and `batman export original`."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
from import_data import put_coco, put_yolo
from test_original_layout import original

from cli.exits import Exit
from cli.main import main
from core.data.store import Project
from core.processes.installation import how_to_install

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty workspace, which is the current folder."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def listed(capsys: Capture) -> list[dict]:
    capsys.readouterr()
    assert main(["import", "list", "--project", "p", "--json"]) == Exit.OK
    return json.loads(capsys.readouterr().out)


def test_the_original_goes_in_and_out(workspace: Path, tmp_path: Path, capsys: Capture) -> None:
    source = original(tmp_path / "yard")
    report = tmp_path / "report.json"
    words = ["import", "original", str(source), "--project", "p", "--create"]
    assert main([*words, "--report", str(report)]) == Exit.OK
    assert "Imported 5 images" in capsys.readouterr().out
    assert json.loads(report.read_text())["images"] == 5
    rows = listed(capsys)
    assert sum(row["images"] for row in rows) == 5
    assert len(rows) == 3
    out = tmp_path / "back"
    assert main(["export", "original", str(out), "--project", "p"]) == Exit.OK
    before = json.loads((source / "project.json").read_text())
    assert json.loads((out / "project.json").read_text())["classes"] == before["classes"]


def test_an_import_is_removed_by_its_number(
    workspace: Path, tmp_path: Path, capsys: Capture
) -> None:
    for number in range(2):
        put_coco(tmp_path / f"set{number}")
        words = ["import", "coco-dir", str(tmp_path / f"set{number}"), "--project", "p"]
        assert main([*words, "--create"]) == Exit.OK
    rows = listed(capsys)
    assert [row["origin"] for row in rows] == [str(tmp_path / "set1"), str(tmp_path / "set0")]
    assert main(["import", "list", "--project", "p"]) == Exit.OK
    assert "set1" in capsys.readouterr().out
    assert main(["import", "remove", str(rows[0]["id"]), "--project", "p"]) == Exit.OK
    assert "Removed the import of" in capsys.readouterr().out
    assert [row["id"] for row in listed(capsys)] == [rows[1]["id"]]
    assert main(["import", "remove", "99", "--project", "p"]) == Exit.WRONG
    assert f"Its imports: {rows[1]['id']}." in capsys.readouterr().err
    assert main(["classes", "undo", "--project", "p"]) == Exit.OK
    assert listed(capsys) == rows


def test_what_is_in_already_comes_in_again_only_when_asked(
    workspace: Path, tmp_path: Path, capsys: Capture
) -> None:
    put_coco(tmp_path / "set")
    words = ["import", "coco-dir", str(tmp_path / "set"), "--project", "p"]
    assert main([*words, "--create"]) == Exit.OK
    capsys.readouterr()
    (tmp_path / "link").symlink_to(tmp_path / "set")
    for path in (str(tmp_path / "set"), "../set", str(tmp_path / "link")):
        assert main(["import", "coco-dir", path, "--project", "p"]) == Exit.WRONG
        said = " ".join(capsys.readouterr().err.split())
        assert "is in the project already: import 1," in said
        assert "batman import remove 1 --project p, or give --again" in said
    assert len(listed(capsys)) == 1
    assert main([*words, "--again"]) == Exit.OK
    assert len(listed(capsys)) == 2
    for number in (1, 2):
        assert main(["import", "remove", str(number), "--project", "p"]) == Exit.OK
    assert main(words) == Exit.OK


def test_frames_of_videos(workspace: Path, tmp_path: Path, capsys: Capture) -> None:
    pytest.importorskip("av", reason="needs the video extra")
    from test_video_frames import film

    film(tmp_path / "a.mp4", [1, 1, 2])
    film(tmp_path / "more" / "b.mp4", [3])
    words = ["import", "video", str(tmp_path / "a.mp4"), str(tmp_path / "more")]
    words += ["--project", "p", "--create", "--every-frames", "10", "--skip-similar"]
    assert main(words) == Exit.OK
    assert "Imported 3 images" in capsys.readouterr().out
    assert main([*words, "--every-s", "1"]) == Exit.WRONG


def test_without_the_package_for_videos_nothing_is_made(
    workspace: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *more: None if name == "av" else found(name, *more),
    )
    (tmp_path / "a.mp4").touch()
    words = ["import", "video", str(tmp_path / "a.mp4"), "--project", "p", "--create"]
    assert main(words) == Exit.WRONG
    assert how_to_install("batman-tui[video]") in capsys.readouterr().err
    assert not (workspace / "data/projects/p" / "project.db").exists()


def test_the_project_stays_readable(workspace: Path, tmp_path: Path, capsys: Capture) -> None:
    source = original(tmp_path / "yard")
    (source / "project.json").write_text("[]")
    words = ["import", "original", str(source), "--project", "p"]
    Project.create(workspace / "data/projects/p").close()
    assert main(words) == Exit.WRONG
    assert "not of the original Batman" in capsys.readouterr().err
    assert listed(capsys) == []


def test_pictures_elsewhere_are_named_to_auto_as_well(
    workspace: Path, tmp_path: Path, capsys: Capture
) -> None:
    set_ = put_coco(tmp_path / "set")
    (tmp_path / "disk").mkdir()
    for name in ("a.png", "b.png"):
        (set_ / name).rename(tmp_path / "disk" / name)
    words = ["import", "auto", str(set_), "--project", "p", "--create"]
    assert main([*words, "--images", str(tmp_path / "disk")]) == Exit.OK
    assert "Imported 2 images" in capsys.readouterr().out


def test_a_folder_of_pictures_is_refused_for_another_format(
    workspace: Path, tmp_path: Path, capsys: Capture
) -> None:
    put_yolo(tmp_path / "set")
    words = ["import", "auto", str(tmp_path / "set"), "--project", "p", "--create"]
    assert main([*words, "--images", str(tmp_path)]) == Exit.WRONG
    error = capsys.readouterr().err
    assert "looks like YOLO" in error
    assert "--images is for COCO" in error
    assert not (workspace / "projects" / "p").exists()
