"""Text that is safe to show, names that are safe for files, writes that are whole."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from core.common.errors import BadName, BatmanError
from core.common.files import (
    link_or_copy,
    read_json,
    safe_name,
    safe_relative,
    write_atomic,
    write_json,
)
from core.common.temporary import remove_tree
from core.common.text import clean, did_you_mean, duration, nearest, plural, size
from core.common.workspace import Workspace


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain", "plain"),
        ("crane ␣ Haken 鉤 🦇", "crane ␣ Haken 鉤 🦇"),
        ("\x1b[31mred\x07", "⟨U+001B⟩[31mred⟨U+0007⟩"),
        ("two\nlines\r", "two⏎lines⟨U+000D⟩"),
        ("left\u202eright", "left⟨U+202E⟩right"),
        ("\ud800", "⟨U+D800⟩"),
    ],
)
def test_clean_leaves_nothing_that_a_terminal_obeys(raw: str, shown: str) -> None:
    assert clean(raw) == shown


def test_nearest_ignores_case_and_keeps_the_spelling() -> None:
    assert nearest("HOK", ["Hook", "boom"]) == ["Hook"]
    assert did_you_mean("hok", ["Hook", "boom"]) == "did you mean 'Hook'?"
    assert did_you_mean("xyz", ["Hook"]) == ""


def test_numbers_read_well() -> None:
    assert [plural(1, "image"), plural(1200, "image"), plural(2, "box")] == [
        "1 image", "1,200 images", "2 boxes",
    ]  # fmt: skip
    assert [duration(x) for x in (0, 0.02, 0.44, 0.9, 0.99)] == ["0s", "0.1s", "0.4s", "0.9s", "1s"]
    assert [duration(x) for x in (8, 125, 11220, 187200)] == ["8s", "2m 05s", "3h 07m", "2d 04h"]
    assert [size(x) for x in (512, 1500, 2.5e9, 3e12)] == ["512 B", "1.5 kB", "2.5 GB", "3.0 TB"]


@pytest.mark.parametrize(
    "name", ["", "  ", ".", "..", ".git", "-rf", "a/b", "a\\b", "a\nb", "x" * 101, "CON", "a:b"]
)
def test_names_no_folder_should_have_are_refused(name: str) -> None:
    with pytest.raises(BadName) as caught:
        safe_name(name)
    assert caught.value.hint


def test_good_names_pass_stripped() -> None:
    assert safe_name(" Crane hooks 2 ") == "Crane hooks 2"
    assert safe_name("鉤_v1.2") == "鉤_v1.2"


@pytest.mark.parametrize(
    "path",
    ["", ".", "/etc/passwd", "../x", "a/../../x", "C:\\x", "\\\\host\\x", "..\\x", "a\0b", "a\nb"],
)
def test_paths_that_lead_out_are_refused(path: str) -> None:
    with pytest.raises(BadName):
        safe_relative(path)


def test_paths_inside_are_normalised() -> None:
    assert str(safe_relative("train//./a b.jpg")) == "train/a b.jpg"
    assert str(safe_relative("train\\a.jpg")) == "train/a.jpg"


def test_atomic_writes_replace_whole_and_leave_nothing_behind(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "x.json"
    write_json(file, {"ä": 1})
    assert read_json(file) == {"ä": 1}
    write_atomic(file, b"new")
    assert file.read_bytes() == b"new"
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(file, float("nan"))
    assert file.read_bytes() == b"new"
    assert [entry.name for entry in file.parent.iterdir()] == ["x.json"]
    before = os.umask(0o027)
    try:
        write_atomic(file, b"shared")
    finally:
        os.umask(before)
    assert file.stat().st_mode & 0o777 == 0o640


def test_json_that_is_none_names_the_file(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text("{")
    with pytest.raises(BatmanError, match=r"x\.json"):
        read_json(file)
    with pytest.raises(BatmanError, match="no file"):
        read_json(tmp_path / "y.json")


def test_linking_shares_the_file_and_copying_does_not(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    link_or_copy(tmp_path / "a", tmp_path / "linked")
    link_or_copy(tmp_path / "a", tmp_path / "copied", "copy")
    assert (tmp_path / "linked").samefile(tmp_path / "a")
    assert not (tmp_path / "copied").samefile(tmp_path / "a")
    with pytest.raises(FileExistsError):
        link_or_copy(tmp_path / "a", tmp_path / "linked")


def test_removing_a_tree_does_not_follow_links(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("x")
    (tmp_path / "link").symlink_to(kept)
    (tmp_path / "tree" / "sub").mkdir(parents=True)
    (tmp_path / "tree" / "out").symlink_to(kept)
    remove_tree(tmp_path / "tree")
    remove_tree(tmp_path / "link")
    remove_tree(tmp_path / "nothing")
    assert [entry.name for entry in tmp_path.iterdir()] == ["kept"]
    assert (kept / "file").exists()


def test_the_workspace_comes_from_the_argument_the_environment_or_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert Workspace.find().root == tmp_path
    monkeypatch.setenv("BATMAN_WORKSPACE", str(tmp_path / "env"))
    assert Workspace.find().root == tmp_path / "env"
    assert Workspace.find(tmp_path / "given").root == tmp_path / "given"
    (tmp_path / "file").write_text("")
    with pytest.raises(BatmanError, match="not a folder"):
        Workspace.find(tmp_path / "file")


def test_a_workspace_lists_only_projects_and_runs(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    assert workspace.list_projects() == []
    for name in ("b", "a", ".making-x"):
        (workspace.projects_dir / name).mkdir(parents=True)
        (workspace.projects_dir / name / "project.db").touch()
    (workspace.projects_dir / "no project").mkdir()
    assert [path.name for path in workspace.list_projects()] == ["a", "b"]
    for age, name in enumerate(("new", "old")):
        (workspace.runs_dir / name).mkdir(parents=True)
        config = workspace.runs_dir / name / "training_config.json"
        config.write_text(json.dumps({}))
        os.utime(config, (1000 - age, 1000 - age))
    assert [path.name for path in workspace.list_runs()] == ["new", "old"]
    with pytest.raises(BadName):
        workspace.project_path("../x")
