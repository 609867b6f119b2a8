"""A job again with changes: what is taken from it, and which jobs can be."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from cli.cluster.jobs_clone import fill_in
from cli.cluster.submit import add_arguments, request_of
from core.common.errors import RunError
from core.common.workspace import Workspace
from core.data.store import Project
from core.training.config.options import TrainingConfig, parse_config
from core.training.run.run import Run
from slurm.job.record import JobRecord, write_record
from slurm.site.profiles import GpuType, Profile, save_profile
from slurm.submit.clone import clone_job, clone_run
from slurm.submit.request import JobRequest

SCRIPT = """#!/bin/bash
#SBATCH --job-name=cells-tiny-1
#SBATCH --requeue
#SBATCH --partition=gpu-long
#SBATCH --time=10:00:00
#SBATCH --mem=32G
#SBATCH --gres=gpu:a100-40:2
#SBATCH --cpus-per-task=8
#SBATCH --exclude=n3
#SBATCH --nice=5
echo '#SBATCH --not=one'
"""


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("BATMAN_CONFIG_DIR", str(tmp_path / "config"))
    made = Workspace(tmp_path / "ws")
    Project.create(made.project_path("cells")).close()
    return made


def submitted(workspace: Workspace, name: str, job: str, **values: Any) -> Run:
    """Make the folder of a run that a job trains."""
    path = workspace.runs_dir / name
    path.mkdir(parents=True)
    run = Run(path)
    usual = {"project": workspace.project_path("cells"), "model": "tiny", "output_dir": path}
    run.save_config(parse_config({**usual, **values}))
    (path / "job.sh").write_text(SCRIPT)
    write_record(
        path,
        JobRecord(
            cluster="hpc", host="bat", token="t", run_dir="/x", log="", marker="",
            submitted_at=1.0, job_id=job, gpu="a100-40", num_gpus=2, partition="gpu-long",
            command=["sbatch", "--parsable", "--account=it's mine", "/x/job.sh"],
        ),
    )  # fmt: skip
    return run


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(words)


def test_what_a_job_is_made_again_from(workspace: Workspace) -> None:
    run = submitted(workspace, "one", "7", lr=3e-5, epochs=33, num_gpus=2, filter_classes="a|b c")
    save_profile(Profile(name="hpc", host="bat", sbatch=["--exclude=n3"]))
    clone = clone_job(workspace, "7")
    assert clone == clone_run(run.path) == clone_job(workspace, "one", "hpc")
    assert clone.values == {
        "model": "tiny", "lr": "3e-05", "epochs": "33", "num_gpus": "2",
        "filter_classes": "a|b c",
    }  # fmt: skip
    # What the profile gives anyway is not given twice.
    assert clone.request == JobRequest(
        gpu="a100-40", partition="gpu-long", time="10:00:00", memory="32G", cpus=4,
        account="it's mine", extra=("--nice=5",),
    )  # fmt: skip


def test_the_batch_of_the_gpu_gives_way_to_that_of_another(workspace: Workspace) -> None:
    run = submitted(workspace, "one", "7", batch_size=6)
    assert clone_run(run.path).values["batch_size"] == "6"
    save_profile(Profile(name="hpc", host="bat", gpus={"a100-40": GpuType(batch=6)}))
    assert "batch_size" not in clone_run(run.path).values


def test_what_is_typed_goes_before_what_the_job_had(workspace: Workspace) -> None:
    submitted(workspace, "one", "7", lr=3e-5, epochs=33)
    clone = clone_job(workspace, "7")
    args = parsed("--epochs", "80")
    fill_in(args, clone)
    config = parse_config({n: getattr(args, n) for n in ("lr", "epochs", "model")})
    assert (config.lr, config.epochs, config.model) == (3e-5, 80, "tiny")
    assert (args.cluster, request_of(args)) == ("hpc", clone.request)
    other = parsed("--gpu", "h100-96", "--account", "own")
    fill_in(other, clone)
    assert request_of(other) == JobRequest(gpu="h100-96", account="own", extra=clone.request.extra)


def test_jobs_that_cannot_be_cloned_are_said_to_be(workspace: Workspace) -> None:
    with pytest.raises(RunError, match="Job 99 trains no run of"):
        clone_job(workspace, "99")
    submitted(workspace, "one", "8_0")
    submitted(workspace, "two", "8_1")
    with pytest.raises(RunError, match="an array of 2 runs") as several:
        clone_job(workspace, "8")
    assert "8_0" in several.value.hint
    assert clone_job(workspace, "8_1").run.name == "two"
    lost = submitted(workspace, "lost", "9", project=workspace.root / "gone")
    with pytest.raises(RunError, match="is gone"):
        clone_run(lost.path)
    (workspace.runs_dir / "local").mkdir()
    TrainingConfig(model="tiny").save(workspace.runs_dir / "local" / "training_config.json")
    with pytest.raises(RunError, match="never submitted"):
        clone_run(workspace.runs_dir / "local")
