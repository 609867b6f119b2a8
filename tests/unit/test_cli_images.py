"""`batman images`: what the images screen does, on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from import_data import coco, put_coco

from cli.main import main
from core.data.importers import import_coco
from core.data.store import Project


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    source = put_coco(tmp_path / "set", coco())
    with Project.create(tmp_path / "data/projects/cranes") as project:
        import_coco(project, source)
    monkeypatch.setenv("BATMAN_WORKSPACE", str(tmp_path))
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(["images", *words, "--project", "cranes"])
    told = capsys.readouterr()
    return code, told.out, told.err


def names(workspace: Path) -> list[str]:
    with Project.open(workspace / "data/projects/cranes") as project:
        return [row[0] for row in project.db.execute("SELECT name FROM v_images ORDER BY name")]


def test_lists_what_the_filter_finds(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "list")
    assert code == 0
    assert out.splitlines()[0].split() == ["name", "split", "import", "size", "boxes", "classes"]
    assert out.splitlines()[1].split(maxsplit=5) == [
        "a.png", "–", "1", "64×48", "2", "boom 1, hook 1",
    ]  # fmt: skip
    assert out.splitlines()[-1] == "2 images."
    code, out, _ = run(capsys, "list", "--sort", "boxes", "--limit", "1", "--where", "class:hook")
    assert "b.png" in out
    assert "a.png" not in out
    assert out.splitlines()[-1] == "2 images, 1 of them shown (--limit)."
    code, out, _ = run(capsys, "list", "--where", "finding:class-scarce class:boom")
    assert out.splitlines()[-1] == "1 image."
    code, out, _ = run(capsys, "list", "--where", "is:unlabelled")
    assert out == "No image matches the filter.\n"


def test_lists_for_programs(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "list", "--json", "--sort", "name", "--reverse")
    second, first = json.loads(out)
    assert (first["name"], first["boxes"], first["classes"]) == ("a.png", 2, {"boom": 1, "hook": 1})
    assert second["split"] is None
    assert Path(second["file"]).is_file()
    assert json.loads(run(capsys, "list", "--json", "--where", "nothing")[1]) == []


def test_deletes_after_asking_and_undo_brings_back(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capsys, "delete", "--where", "class:boom")
    assert code == 2
    assert "Take 1 image out" in err
    assert names(workspace) == ["a.png", "b.png"]
    code, out, _ = run(capsys, "delete", "--where", "class:boom", "--yes")
    assert (code, out) == (0, "Deleted 1 image with 2 annotations.\n")
    assert names(workspace) == ["b.png"]
    assert main(["classes", "undo", "--project", "cranes"]) == 0
    assert names(workspace) == ["a.png", "b.png"]
    (workspace / "list.txt").write_text("b.png\n\n")
    assert run(capsys, "delete", "--file", str(workspace / "list.txt"), "--yes")[0] == 0
    assert names(workspace) == ["a.png"]
    for words in (["--images", "gone.png"], ["--where", "class:none"], ["--file", "no.txt"]):
        code, _, err = run(capsys, "delete", *words, "--yes")
        assert code == 2
        assert "Nothing was changed" in err


@pytest.mark.parametrize("where", ["class:", 'a split:""', "is:unlabled"])
def test_a_filter_that_says_nothing_deletes_nothing(
    workspace: Path, capsys: pytest.CaptureFixture[str], where: str
) -> None:
    code, _, err = run(capsys, "delete", "--where", where, "--yes")
    assert code == 2
    assert "Nothing was changed" in err
    assert names(workspace) == ["a.png", "b.png"]
