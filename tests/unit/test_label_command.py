"""`batman label` with a project: of which workspace, and what is said where it is of none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cli.app import serve
from cli.main import main
from core.data.store import Project


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, str]]:
    """What would be served: the workspace and the project."""
    seen: list[tuple[str, str]] = []

    def run(args: Any) -> int:
        seen.append((str(serve.workspace_of(args).root), args.project))
        return 0

    monkeypatch.setattr(serve, "run", run)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return seen


def make(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Project.create(path).close()
    return path


def test_a_project_of_this_workspace_by_name_path_and_link(
    served: list[tuple[str, str]], tmp_path: Path
) -> None:
    here = tmp_path / "here"
    path = make(here / "data/projects/yard")
    for given in ("yard", str(path), "data/projects/yard"):
        assert main(["label", "--project", given]) == 0
    elsewhere = make(tmp_path / "disk/gate")
    (here / "data/projects/gate").symlink_to(elsewhere)
    assert main(["label", "--project", "gate"]) == 0
    assert main(["label", "--project", str(elsewhere)]) == 0
    yard, gate = (str(here), "yard"), (str(here), "gate")
    assert served == [yard, yard, yard, gate, gate]


def test_a_project_of_another_workspace_is_served_from_there(
    served: list[tuple[str, str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = make(tmp_path / "there/data/projects/yard")
    assert main(["label", "--project", str(path)]) == 0
    assert served == [(str(tmp_path / "there"), "yard")]
    assert "Serving the workspace of the project" in capsys.readouterr().out


def test_a_project_of_no_workspace_says_the_way_out(
    served: list[tuple[str, str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = make(tmp_path / "alone")
    assert main(["label", "--project", str(path)]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "lies in none" in said
    assert "make a link to it" in said
    assert served == []
