"""Suggestions, mappings and conventions from the command line."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from cli.main import main
from core.data import classes
from core.data.store import Project

NAMES = {"crane_hook": 3, "crane-hook": 2, "Crane Hooks": 1, "person": 4, "junk": 1}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    path = tmp_path / "data" / "projects" / "site"
    with Project.create(path) as made, made.change("import", "imported") as change:
        import_id = change.insert(
            "imports", {"kind": "coco", "origin": "x", "at": "2026-01-01", "active": 1}
        )
        for name, count in NAMES.items():
            class_id = change.insert("classes", {"name": name})
            change.insert(
                "labels",
                {"import_id": import_id, "name": name, "class_id": class_id, "annotations": count},
            )
    return path


def run(project: Path, *argv: str) -> int:
    return main(["classes", *argv, "--project", str(project)])


def names(project: Path) -> dict[str, int]:
    with Project.open(project) as opened:
        return {row.name: row.annotations for row in classes.list_classes(opened)}


def test_groups_are_listed_and_merged_only_when_chosen(project: Path, capsys) -> None:
    assert run(project, "suggest", "--json") == 0
    (group,) = json.loads(capsys.readouterr().out)
    assert group["target"] == "crane_hook"
    assert set(group["sources"]) == {"crane-hook", "Crane Hooks"}
    assert run(project, "suggest") == 0
    assert "crane-hook, Crane Hooks" in capsys.readouterr().out
    assert names(project) == NAMES
    assert run(project, "suggest", "--merge", "2") == 2
    assert "Choose from 1 to 1" in capsys.readouterr().err
    assert run(project, "suggest", "--merge", "1") == 0
    assert names(project) == {"crane_hook": 6, "person": 4, "junk": 1}
    assert run(project, "suggest") == 0
    assert "No classes look alike" in capsys.readouterr().out


def test_suggestions_become_a_mapping_to_edit_and_apply(
    project: Path, tmp_path: Path, capsys
) -> None:
    file = tmp_path / "clean.yaml"
    assert run(project, "suggest", "--write", str(file)) == 0
    file.write_text(file.read_text() + "junk:\nelsewhere: x\n")
    assert run(project, "apply", str(file), "--dry-run") == 0
    assert "nothing was changed" in capsys.readouterr().out
    assert names(project) == NAMES
    assert run(project, "apply", str(file)) == 0
    out = capsys.readouterr().out
    assert (
        "Applied the mapping clean.yaml: merged 2 classes into crane_hook, deleted 1 class: junk"
        in out
    )
    assert "No class here: elsewhere" in out
    assert names(project) == {"crane_hook": 6, "person": 4}
    kept = tmp_path / "kept.csv"
    assert run(project, "mapping", str(kept)) == 0
    assert run(project, "undo") == 0
    assert names(project) == NAMES
    assert run(project, "apply", str(kept)) == 0
    assert names(project) == {"crane_hook": 6, "person": 4}


def test_classes_may_be_named_in_turn_and_begin_with_a_dash(project: Path, capsys) -> None:
    sources = ["--source=crane-hook", "--source", "Crane Hooks", "person"]
    assert run(project, "merge", *sources, "--target=-all-") == 0
    assert run(project, "rename", "--old-name", "-all-", "--new-name", "x") == 2
    assert "is written --old-name=-value" in capsys.readouterr().err
    left = set(names(project))
    assert "-all-" in left
    assert not left & {"crane-hook", "Crane Hooks", "person"}
    assert run(project, "delete", "--name=-all-", "--name", "junk") == 0
    assert not {"-all-", "junk"} & set(names(project))


def test_the_offer_to_merge_can_be_typed_as_it_is(
    project: Path, tmp_path: Path, monkeypatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(project, "rename", "--old-name", "junk", "--new-name=-x y") == 0
    assert run(project, "rename", "--old-name=-x y", "--new-name", "person") == 2
    offered = capsys.readouterr().err.partition("batman classes ")[2]
    words = shlex.split(offered)
    assert main(["classes", *words]) == 0
    assert "person" in names(project)
    assert "-x y" not in names(project)


def test_a_convention_is_one_step(project: Path, capsys) -> None:
    assert run(project, "convention", "kebab", "--dry-run") == 0
    assert names(project) == NAMES
    assert run(project, "convention", "kebab") == 0
    assert names(project) == {"crane-hook": 5, "crane-hooks": 1, "person": 4, "junk": 1}
    assert run(project, "convention", "kebab") == 0
    assert "nothing to change" in capsys.readouterr().out
    assert run(project, "undo") == 0
    assert names(project) == NAMES


def test_a_bad_mapping_is_one_error_and_changes_nothing(
    project: Path, tmp_path: Path, capsys
) -> None:
    assert run(project, "apply", str(tmp_path / "nothing.yaml")) == 2
    assert "cannot be read" in capsys.readouterr().err
    assert names(project) == NAMES
