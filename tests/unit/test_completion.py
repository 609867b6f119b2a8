"""What a shell offers at Tab, asked as bash asks, and by the arguments' names."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from cli.app import completion
from cli.main import main
from core.common.errors import ProjectError
from core.data.store import Project
from core.data.store.project_file import peek_classes
from core.processes.child_process import python_command

# The functions of bash's completion, called as bash calls them at Tab: one line each.
_ASK = """
source "$CODE"
while read -r line; do
  line="${line%|}"
  COMP_LINE="$line" COMP_POINT=${#line} COMP_TYPE=9 _python_argcomplete "$PROGRAM"
  printf '%s\\n' "$(IFS=,; printf '%s' "${COMPREPLY[*]}")"
  COMPREPLY=()
done
"""


def _project(path: Path, *classes: str) -> None:
    with Project.create(path) as project, project.change("t", "classes") as change:
        for name in classes:
            change.insert("classes", {"name": name})


def test_bash_is_offered_commands_options_and_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATMAN_WORKSPACE", str(tmp_path / "here"))
    _project(tmp_path / "here/data/projects/bees", "person", "car")
    _project(tmp_path / "here/data/projects/night watch")
    _project(tmp_path / "other/data/projects/yard")
    program = tmp_path / "batman"
    command = " ".join(python_command("cli.main"))
    program.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    program.chmod(0o755)
    (tmp_path / "code").write_text(completion.shell_code("bash"))
    lines = (
        "batman cl|",
        "batman classes list --project |",
        f"batman --workspace {tmp_path / 'other'} classes list --project |",
        "batman classes merge --project bees --source |",
        "batman classes list --nonsense --js|",
        "batman help sp|",
    )
    done = subprocess.run(
        ["bash", "-c", _ASK],
        input="\n".join(lines) + "\n",
        env={**os.environ, "CODE": str(tmp_path / "code"), "PROGRAM": str(program)},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stdout.splitlines() == [
        "classes,clusters",
        "bees,night\\ watch",
        "yard ",
        "car,person",
        "--json ",
        "splits ",
    ]
    assert done.stderr == ""


def test_each_shell_gets_code_that_names_both_programs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for shell in completion.SHELLS:
        assert main(["completion", shell]) == 0
        code = capsys.readouterr().out
        assert "batman-tui" in code
        assert "_ARGCOMPLETE" in code
    assert main(["completion", "tcsh"]) == 2
    assert "Choose from: bash, zsh, fish" in capsys.readouterr().err


def test_to_look_at_the_classes_changes_no_project(tmp_path: Path) -> None:
    _project(tmp_path / "bees", "car")
    file = tmp_path / "bees/project.db"
    before = file.read_bytes()
    assert peek_classes(tmp_path / "bees") == ["car"]
    assert file.read_bytes() == before
    with pytest.raises(ProjectError, match="There is no project"):
        peek_classes(tmp_path / "none")
    file.write_bytes(before[:100])
    with pytest.raises(ProjectError, match=r"project\.db' cannot be read"):
        peek_classes(tmp_path / "bees")
