"""`batman project`, `import` and `classes`, as they are typed."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from cli.exits import Exit
from cli.main import main
from core.data.store import Project
from core.demo.shapes import make_shapes

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty workspace, which is the current folder."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def shapes(tmp_path: Path) -> Path:
    """A drawn data set with six spellings of two classes, 8 training images among it."""
    make_shapes(tmp_path / "shapes", train=8, valid=2, test=2)
    return tmp_path / "shapes"


@pytest.fixture
def project(workspace: Path, shapes: Path, capsys: Capture) -> Path:
    """The project `p` with the shapes in it."""
    assert main(["import", "coco-dir", str(shapes), "--project", "p", "--create"]) == Exit.OK
    capsys.readouterr()
    return workspace / "data" / "projects" / "p"


def _json(capsys: Capture, *words: str) -> Any:
    assert main([*words, "--json"]) == Exit.OK
    return json.loads(capsys.readouterr().out)


def _counts(capsys: Capture) -> dict[str, int]:
    rows = _json(capsys, "classes", "list", "--project", "p")
    return {row["name"]: row["annotations"] for row in rows}


def _names(capsys: Capture) -> list[str]:
    capsys.readouterr()
    return list(_counts(capsys))


# Projects


def test_create_list_show_delete(workspace: Path, capsys: Capture) -> None:
    assert main(["project", "list"]) == Exit.OK
    assert "batman project create" in capsys.readouterr().out
    assert main(["project", "create", "cats", "--description", "[red]all\x1b cats"]) == Exit.OK
    assert (workspace / "data" / "projects" / "cats" / "project.db").is_file()
    capsys.readouterr()
    (listed,) = _json(capsys, "project", "list")
    assert (listed["name"], listed["images"], listed["classes"]) == ("cats", 0, 0)
    assert main(["project", "list"]) == Exit.OK
    assert "[red]all⟨U+001B⟩ cats" in capsys.readouterr().out
    assert main(["project", "show", "cats"]) == Exit.OK
    assert str(workspace) in capsys.readouterr().out
    assert main(["project", "delete", "cats", "--yes"]) == Exit.OK
    assert not (workspace / "data" / "projects" / "cats").exists()


def test_nothing_is_deleted_where_nobody_can_be_asked(workspace: Path, capsys: Capture) -> None:
    main(["project", "create", "cats"])
    assert main(["project", "delete", "cats"]) == Exit.WRONG
    assert "--yes" in capsys.readouterr().err
    assert (workspace / "data" / "projects" / "cats" / "project.db").is_file()


@pytest.mark.parametrize(
    ("answer", "there"), [("n\n", True), ("\n", True), ("", True), ("y\n", False)]
)
def test_deleting_asks_on_a_terminal(
    answer: str, there: bool, workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    main(["project", "create", "cats"])
    typed = io.StringIO(answer)
    monkeypatch.setattr(typed, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "stdin", typed)
    monkeypatch.setattr("cli.common.is_terminal", lambda: True)
    assert main(["project", "delete", "cats"]) == Exit.OK
    assert "Delete the project cats with 0 images" in capsys.readouterr().out
    assert (workspace / "data" / "projects" / "cats").exists() is there


def test_a_broken_project_does_not_hide_the_others(workspace: Path, capsys: Capture) -> None:
    main(["project", "create", "good"])
    bad = workspace / "data" / "projects" / "bad"
    bad.mkdir()
    (bad / "project.db").write_bytes(b"no database" * 100)
    capsys.readouterr()
    found = {entry["name"]: entry for entry in _json(capsys, "project", "list")}
    assert found["good"]["images"] == 0
    assert "cannot be read" in found["bad"]["error"]


def test_projects_are_found_by_name_and_by_path(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    main(["project", "create", "cats"])
    capsys.readouterr()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    path = workspace / "data" / "projects" / "cats"
    for words in (
        ["--workspace", str(workspace), "classes", "list", "--project", "cats"],
        ["classes", "list", "--project", "cats", "--workspace", str(workspace)],
        ["classes", "list", "--project", "data/projects/cats", "--workspace", str(workspace)],
        ["classes", "list", "--project", str(path)],
        ["classes", "list", "--project", "../work/data/projects/cats"],
    ):
        assert main(words) == Exit.OK, words
    assert main(["classes", "list", "--project", "cats"]) == Exit.WRONG
    monkeypatch.setenv("BATMAN_WORKSPACE", str(workspace))
    assert main(["classes", "list", "--project", "cats"]) == Exit.OK
    capsys.readouterr()
    assert main(["classes", "list", "--project", "cat"]) == Exit.WRONG
    assert "Did you mean 'cats'?" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["../../x/..", "a\x1bb", "", "nul"])
def test_names_no_folder_can_have_are_refused(name: str, workspace: Path, capsys: Capture) -> None:
    assert main(["project", "create", name]) == Exit.WRONG
    err = capsys.readouterr().err
    assert err.startswith("Error: ")
    assert "\x1b" not in err
    assert not list(workspace.rglob("project.db"))


# Imports


def test_import_prints_what_came_in_and_leaves_the_report(
    workspace: Path, shapes: Path, capsys: Capture
) -> None:
    file = shapes / "train" / "_annotations.coco.json"
    coco = json.loads(file.read_text())
    coco["annotations"][0]["bbox"] = [5, 5, 0, 0]
    coco["annotations"][1]["bbox"] = [500, 500, 5, 5]
    coco["images"].append({"id": 999, "file_name": "../x\x1b.png", "width": 9, "height": 9})
    file.write_text(json.dumps(coco))
    words = ["import", "coco-dir", str(shapes), "--project", "p", "--create"]
    assert main([*words, "--report", "report.json", "--verbose"]) == Exit.OK
    out = capsys.readouterr().out
    assert "Imported 12 images" in out
    assert "\x1b" not in out
    report = json.loads((workspace / "report.json").read_text())
    assert report["images"] == 12
    assert len(report["problems"]) == 3
    for problem in report["problems"]:
        assert problem["kind"] in out
    assert not (workspace.parent / "x\x1b.png").exists()


def test_problems_are_sampled_unless_all_are_wanted(
    workspace: Path, shapes: Path, capsys: Capture
) -> None:
    file = shapes / "train" / "_annotations.coco.json"
    coco = json.loads(file.read_text())
    for annotation in coco["annotations"][:6]:
        annotation["bbox"] = [5, 5, 0, 0]
    file.write_text(json.dumps(coco))
    words = ["import", "coco-dir", str(shapes), "--create", "--project"]
    assert main([*words, "a"]) == Exit.OK
    short = capsys.readouterr().out
    assert main([*words, "b", "--verbose"]) == Exit.OK
    long = capsys.readouterr().out
    assert "6 records needed attention" in short
    assert "--verbose" in short
    assert len(long.splitlines()) == len(short.splitlines()) + 6 - 2 - 1


def test_all_problems_are_counted_though_a_thousand_are_listed(
    workspace: Path, shapes: Path, capsys: Capture
) -> None:
    file = shapes / "train" / "_annotations.coco.json"
    coco = json.loads(file.read_text())
    first = coco["annotations"][0]
    coco["annotations"] += [
        {**first, "id": 10_000 + number, "bbox": [5, 5, 0, 0]} for number in range(1_003)
    ]
    file.write_text(json.dumps(coco))
    words = ["import", "coco-dir", str(shapes), "--create", "--project", "a", "--anyway"]
    assert main(words) == Exit.OK
    assert "1,003 records needed attention" in capsys.readouterr().out


def test_an_import_without_classes_says_so(
    workspace: Path, tmp_path: Path, capsys: Capture
) -> None:
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    coco = {"images": [{"id": 1, "file_name": "a.png"}], "annotations": [], "categories": []}
    (tmp_path / "a.json").write_text(json.dumps(coco))
    words = ["import", "coco-dir", str(tmp_path / "a.json"), "--create", "--project", "a"]
    assert main(words) == Exit.OK
    assert "0 annotations and 0 classes.\n" in capsys.readouterr().out


def test_a_failed_import_leaves_no_project_behind(
    workspace: Path, tmp_path: Path, capsys: Capture
) -> None:
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    words = ["import", "coco-dir", str(nothing), "--project", "p", "--create"]
    assert main(words) == Exit.WRONG
    assert capsys.readouterr().err.startswith("Error: ")
    assert not (workspace / "data" / "projects" / "p").exists()


def test_a_failed_import_leaves_a_project_that_was_there(
    workspace: Path, tmp_path: Path, capsys: Capture
) -> None:
    main(["project", "create", "p"])
    words = ["import", "coco-dir", str(tmp_path / "nowhere"), "--project", "p", "--create"]
    assert main(words) == Exit.WRONG
    assert (workspace / "data" / "projects" / "p" / "project.db").is_file()


def test_import_needs_a_project_or_create(workspace: Path, shapes: Path, capsys: Capture) -> None:
    assert main(["import", "coco-dir", str(shapes), "--project", "p"]) == Exit.WRONG
    assert "--create" in capsys.readouterr().err


def test_how_images_are_placed(workspace: Path, shapes: Path, capsys: Capture) -> None:
    words = ["import", "coco-dir", str(shapes), "--create", "--project"]
    assert main([*words, "linked"]) == Exit.OK
    assert main([*words, "copied", "--copy"]) == Exit.OK
    assert main([*words, "referred", "--reference"]) == Exit.OK
    source = next((shapes / "train").glob("*.png"))
    inode = source.stat().st_ino

    def inodes(name: str) -> set[int]:
        folder = workspace / "data" / "projects" / name
        return {file.stat().st_ino for file in folder.rglob("*.png")}

    assert inode in inodes("linked")
    assert inode not in inodes("copied")
    assert len(inodes("copied")) == 12
    assert not inodes("referred")
    assert main([*words, "moved", "--move"]) == Exit.OK
    assert not source.exists()
    assert len(inodes("moved")) == 12
    assert main([*words, "both", "--move", "--copy"]) == Exit.WRONG


# Exports


@pytest.mark.parametrize(
    ("kind", "back", "file"),
    [
        ("coco", "coco-dir", "train/_annotations.coco.json"),
        ("yolo", "yolo", "data.yaml"),
        ("voc", "voc", None),
    ],
)
def test_what_is_exported_comes_back_the_same(
    kind: str, back: str, file: str | None, project: Path, workspace: Path, capsys: Capture
) -> None:
    assert main(["export", kind, "out", "--project", "p"]) == Exit.OK
    assert "out" in capsys.readouterr().out
    assert file is None or (workspace / "out" / file).is_file()
    assert main(["import", back, "out", "--project", "q", "--create"]) == Exit.OK
    capsys.readouterr()
    p, q = (_json(capsys, "project", "show", name) for name in ("p", "q"))
    assert q["class_annotations"] == p["class_annotations"]
    assert q["images"] == p["images"] == 12
    # Nothing that is there is written over.
    assert main(["export", kind, "out", "--project", "p"]) == Exit.WRONG


# Classes


def test_merge_rename_delete_undo_redo_history(project: Path, capsys: Capture) -> None:
    assert _names(capsys) == ["Disc", "disc", "disk", "Square", "square", "squares"]
    before = {
        row["name"]: row["annotations"]
        for row in _json(capsys, "classes", "list", "--project", "p")
    }
    merged = ["--source", "Square", "squares ", "square", "--target", "square"]
    assert main(["classes", "merge", "--project", "p", *merged]) == Exit.OK
    assert "square" in capsys.readouterr().out
    rows = {
        row["name"]: row["annotations"]
        for row in _json(capsys, "classes", "list", "--project", "p")
    }
    assert rows["square"] == sum(before[name] for name in ("Square", "square", "squares"))
    renaming = ["classes", "rename", "--project", "p", "--old-name", "disk", "--new-name"]
    assert main([*renaming, "puck"]) == Exit.OK
    assert main(["classes", "delete", "--project", "p", "--name", "puck", "Disc"]) == Exit.OK
    assert _names(capsys) == ["disc", "square"]
    for _ in range(2):
        assert main(["classes", "undo", "--project", "p"]) == Exit.OK
    assert main(["classes", "redo", "--project", "p"]) == Exit.OK
    assert _names(capsys) == ["Disc", "disc", "puck", "square"]
    entries = _json(capsys, "classes", "history", "--project", "p")
    kinds = [(entry["kind"], entry["undone"]) for entry in entries]
    assert kinds[:3] == [
        ("classes.delete", True),
        ("classes.rename", False),
        ("classes.merge", False),
    ]
    assert main(["classes", "history", "--project", "p", "--limit", "1"]) == Exit.OK
    out = capsys.readouterr().out
    assert "undone" in out
    assert len(out.splitlines()) == 2


def test_classes_without_labels_are_added_in_one_step(project: Path, capsys: Capture) -> None:
    before = _names(capsys)
    adding = ["classes", "add", "--project", "p", "--name"]
    assert main([*adding, "hook", " vest "]) == Exit.OK
    assert "Added the classes hook, vest" in capsys.readouterr().out
    assert main([*adding, "crane", "hook"]) == Exit.WRONG
    assert "There is a class 'hook' already" in capsys.readouterr().err
    assert set(_names(capsys)) == {*before, "hook", "vest"}
    assert main(["classes", "undo", "--project", "p"]) == Exit.OK
    assert _names(capsys) == before


def test_renaming_onto_a_class_offers_the_merge(project: Path, capsys: Capture) -> None:
    words = ["classes", "rename", "--project", "p", "--old-name", "disk", "--new-name", "disc"]
    assert main(words) == Exit.WRONG
    err = capsys.readouterr().err
    assert "Merge instead?" in err
    assert "batman classes merge" in err
    assert "disk" in _names(capsys)


def test_an_unknown_class_names_the_nearest(project: Path, capsys: Capture) -> None:
    words = ["classes", "merge", "--project", "p", "--source", "sqare", "--target", "x"]
    assert main(words) == Exit.WRONG
    assert "Did you mean 'Square'" in capsys.readouterr().err


def test_deleting_can_hand_the_annotations_on(project: Path, capsys: Capture) -> None:
    total = sum(row["annotations"] for row in _json(capsys, "classes", "list", "--project", "p"))
    words = [
        "classes",
        "delete",
        "--project",
        "p",
        "--name",
        "Disc",
        "disk",
        "--reassign-to",
        "disc",
    ]
    assert main(words) == Exit.OK
    capsys.readouterr()
    rows = _json(capsys, "classes", "list", "--project", "p")
    assert sum(row["annotations"] for row in rows) == total
    assert "Disc" not in {row["name"] for row in rows}


def test_undo_at_the_beginning_says_so(workspace: Path, capsys: Capture) -> None:
    main(["project", "create", "p"])
    capsys.readouterr()
    assert main(["classes", "undo", "--project", "p"]) == Exit.OK
    assert main(["classes", "redo", "--project", "p"]) == Exit.OK
    out = capsys.readouterr().out
    assert "nothing to undo" in out
    assert "nothing to redo" in out


def test_class_names_are_printed_as_they_are_but_harmless(project: Path, capsys: Capture) -> None:
    with Project.open(project) as opened, opened.change("test", "odd name") as change:
        row = opened.db.execute("SELECT id FROM classes WHERE name = 'disc'").fetchone()
        change.update("classes", row[0], {"name": "[red]\x1b]0;x\x07[/nope] 検出"})
    assert main(["classes", "list", "--project", "p", "--sort", "count"]) == Exit.OK
    assert "[red]⟨U+001B⟩]0;x⟨U+0007⟩[/nope] 検出" in capsys.readouterr().out


def test_the_module_takes_the_same_words(project: Path, capsys: Capture) -> None:
    from cli.common import run_module

    assert run_module("classes", ["list", "--project", "p"]) == Exit.OK
    direct = capsys.readouterr().out
    assert main(["classes", "list", "--project", "p"]) == Exit.OK
    assert capsys.readouterr().out == direct


def test_versions_as_they_are_typed(project: Path, tmp_path: Path, capsys: Capture) -> None:
    version = ["project", "version"]
    assert main([*version, "create", "p", "as imported", "--note", "why"]) == Exit.OK
    with Project.open(project) as opened:
        before = opened.summary()
    assert main(["classes", "merge", "--project", "p", "--source", "Disc", "--target", "disc"]) == 0
    capsys.readouterr()
    (listed,) = _json(capsys, *version, "list", "p")
    assert (listed["name"], listed["note"], listed["state"]) == ("as imported", "why", 1)
    assert listed["now"] == "The project has moved on by 1 change."
    told = _json(capsys, *version, "diff", "p", "as imported")
    assert isinstance(told, dict)
    assert (told["classes_removed"], told["pictures_added"]) == (["Disc"], 0)
    assert told["reclassed"] == told["per_class"]["Disc"][0] > 0
    assert main([*version, "diff", "p", "1", "now"]) == Exit.OK
    assert "classes gone: Disc" in capsys.readouterr().out
    assert main([*version, "export", "p", "as imported", str(tmp_path / "then")]) == Exit.OK
    written = json.loads((tmp_path / "then/train/_annotations.coco.json").read_text())
    assert "Disc" in [each["name"] for each in written["categories"]]
    assert main([*version, "restore", "p", "as imported"]) == Exit.OK
    with Project.open(project) as opened:
        assert opened.summary().classes == before.classes
    assert main([*version, "export", "p", "1", str(tmp_path / "x"), "--format", "yol"]) == 2
    assert "'yolo'" in capsys.readouterr().err
    assert main([*version, "delete", "p", "as imported"]) == Exit.OK
    assert main([*version, "restore", "p", "as imported"]) == Exit.WRONG
