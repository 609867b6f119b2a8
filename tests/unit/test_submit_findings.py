"""`batman submit` before and after SLURM: what is said first, and what a refusal leaves behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from import_data import coco, put_coco

from cli.main import main
from core.common.workspace import Workspace
from core.data.importers import import_coco
from core.data.store import Project
from core.training.config.options import TrainingConfig

# What SLURM 22.05 says of an account that is not the person's.
REFUSAL = (
    "sbatch: error: Batch job submission failed: Invalid account or account/partition combination"
    " specified"
)
SBATCH = f"""#!/bin/sh
case "$*" in
  *--version*) echo "slurm 22.05.8";;
  *) echo "{REFUSAL}" >&2; exit 1;;
esac
"""


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace with a project, on a login node whose SLURM refuses every job."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sbatch", "sinfo", "squeue", "scontrol", "sacctmgr"):
        (tools / name).write_text(SBATCH)
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("BATMAN_CONFIG_DIR", str(tmp_path / "config"))
    made = Workspace(tmp_path / "ws")
    source = put_coco(tmp_path / "set", coco())
    with Project.create(made.project_path("cranes")) as project:
        import_coco(project, source, files="copy")
    return made


def submit(workspace: Workspace, *words: str) -> int:
    base = ["submit", "--workspace", str(workspace.root), "--project", "cranes"]
    return main([*base, "--split-policy", "random", *words])


def everything(folder: Path) -> dict[Path, bytes]:
    return {
        path.relative_to(folder): path.read_bytes() if path.is_file() else b""
        for path in folder.rglob("*")
    }


def test_grave_findings_are_named_before_anything_is_sent(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in workspace.project_path("cranes").joinpath("images").rglob("*.png"):
        file.unlink()
    assert submit(workspace) == 2
    told = capsys.readouterr()
    assert "Error: 2 image files missing (image-missing)." in told.out
    assert "batman check --project cranes" in told.out
    assert submit(workspace, "--json") == 2
    assert "missing (image-missing)" not in capsys.readouterr().out


@pytest.mark.parametrize("words", [[], ["--sweep", "lr=1e-4,5e-5"], ["--output-dir", "runs/mine"]])
def test_a_job_that_slurm_refuses_leaves_no_run_behind(
    workspace: Workspace, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        assert submit(workspace, *words) == 2
        told = capsys.readouterr()
        assert (
            "SLURM did not take the job: Batch job submission failed: Invalid account" in told.err
        )
        assert "Give --account" in told.err
        assert list(workspace.runs_dir.rglob("*")) == []


def test_a_refusal_takes_nothing_that_lay_in_the_folder_before(workspace: Workspace) -> None:
    folder = workspace.runs_dir / "mine"
    folder.mkdir(parents=True)
    (folder / "notes of mine.txt").write_text("keep")
    before = everything(workspace.runs_dir)
    assert submit(workspace, "--output-dir", str(folder)) == 2
    assert everything(workspace.runs_dir) == before


def test_a_prepared_run_that_is_refused_keeps_its_settings(workspace: Workspace) -> None:
    folder = workspace.runs_dir / "mine"
    folder.mkdir(parents=True)
    TrainingConfig(
        model="tiny", epochs=7, project=workspace.project_path("cranes"), output_dir=folder
    ).save(folder / "training_config.json")
    before = everything(workspace.runs_dir)
    assert main(
        ["submit", "--workspace", str(workspace.root), "--resume", str(folder), "--epochs", "9"]
    ) == 2  # fmt: skip
    assert everything(workspace.runs_dir) == before
