"""`batman submit` before and after SLURM: what is said first, and what a refusal leaves behind."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from import_data import coco, put_coco
from mounts import fill, small_disk

from cli.main import main
from core.common.workspace import Workspace
from core.data.importers import import_coco
from core.data.store import Project
from core.training.config.options import TrainingConfig
from core.training.run.run import Run
from slurm.hosts import LocalHost
from slurm.job.record import read_record
from slurm.site.profiles import Profile
from slurm.site.site import Site
from slurm.submit.submit import recover

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


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """The disk of the workspace, which has room for 1 MB."""
    with small_disk(tmp_path / "ws", "1m") as place:
        yield place


def leave(disk: Path, free: int) -> None:
    fill(disk / "filler")
    os.truncate(disk / "filler", (disk / "filler").stat().st_size - free)


def accepting(workspace: Workspace, then: str = "") -> None:
    """Let sbatch take the job, and do `then` first."""
    sbatch = workspace.root.parent / "bin" / "sbatch"
    sbatch.write_text(f'#!/bin/sh\ncase "$*" in *--version*) echo "slurm 22.05.8";; *) {then}'
                      " echo 42;; esac\n")  # fmt: skip


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


@pytest.mark.usefixtures("small")
def test_a_full_disk_leaves_no_run_and_no_job(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a little more room at each try, until there is enough."""
    called = workspace.root.parent / "called"
    accepting(workspace, f"touch {called};")
    before = everything(workspace.root)
    ends = []
    for free in range(0, 400_000, 4096):
        leave(workspace.root, free)
        ends.append(submit(workspace))
        (workspace.root / "filler").unlink()
        told = capsys.readouterr()
        said = " ".join(told.err.split())
        assert "Traceback" not in said
        assert "defect" not in said
        if called.exists():
            break
        assert "disk is full" in said, (free, said)
        assert "runs delete" in said
        assert everything(workspace.root).keys() - before.keys() <= EMPTY, free
    assert called.exists()
    assert len(ends) > 3, "the first ones had too little room"
    (path,) = workspace.list_runs()
    # Whatever could be noted: the job is known, or can be found.
    record = read_record(path)
    assert record is not None
    if ends[-1]:
        assert "The job 42 was submitted" in said
        assert "Nothing was changed" not in said


# What a submission may leave: folders and the lock of the project.
EMPTY = {Path("runs"), Path("logs"), Path("data/projects/cranes/project.lock")}


@pytest.mark.usefixtures("small")
def test_a_disk_that_is_full_once_slurm_has_the_job(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    """The job is queued: the run stays, what is said is so, and the job is found again."""
    filler = workspace.root / "filler"
    accepting(workspace, f"cat /dev/zero >{filler} 2>/dev/null;")
    assert submit(workspace) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "The job 42 was submitted, and that cannot be noted here: The disk is full" in said
    assert f"on '{workspace.root}'" in said
    assert "Nothing was changed" not in said
    filler.unlink()
    (path,) = workspace.list_runs()
    record = read_record(path)
    assert record is not None
    assert record.job_id == ""
    site = Site(LocalHost(), Profile(name="here"), str(workspace.root), "python", shared=True)
    found = recover(site, Run(path))
    assert found is not None
    assert found.job_id == "42"
