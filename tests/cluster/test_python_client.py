"""`from batman import Client` on a real SLURM: over SSH and on the login node itself."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from asking import ask_often
from cluster_runs import ROOT, Lab, make_profile, make_project
from installed import needs
from slurm_cluster import Cluster

from batman import BatmanError, Client, JobFailed, wait_all
from core.common.workspace import Workspace
from slurm.job.record import read_record
from slurm.site.profiles import Profile, save_profile

WISH: dict[str, Any] = {"gpu": "h100-96", "cpus": 1}


@pytest.fixture(autouse=True)
def _asked_often(monkeypatch: pytest.MonkeyPatch) -> None:
    ask_often(monkeypatch)


@pytest.fixture
def on_login(cluster: Cluster, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Profile:
    """This machine as the login node, by a profile called `login`."""
    for name in ("SLURM_CONF", "PATH"):
        monkeypatch.setenv(name, cluster.env[name])
    profile = lab.profile.model_copy(update={"name": "login", "host": ""})
    save_profile(profile)
    return profile


def docs_script() -> str:
    """The script that the page shows first."""
    page = (ROOT / "docs" / "cluster" / "python.md").read_text()
    found = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    assert found is not None
    return found.group(1)


def test_the_ten_lines_of_the_docs_train_and_give_results(lab: Lab) -> None:
    script = docs_script()
    assert len([line for line in script.splitlines() if line.strip()]) <= 10
    save_profile(lab.profile.model_copy(update={"name": "hpc"}))
    make_project(lab.workspace, "birds")
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=lab.workspace.root, timeout=240,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (run,) = lab.workspace.list_runs()
    assert str(run / "best.pth") in done.stdout
    assert (run / "best.pth").read_bytes() == b"weights" * 1000


@pytest.mark.parametrize("where", ["ssh", "login"])
def test_a_job_is_followed_to_its_result(
    lab: Lab, on_login: Profile, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_project(lab.workspace, "birds")
    name = lab.profile.name if where == "ssh" else on_login.name
    with Client(name, lab.workspace.root, **WISH) as client:
        job = client.train("birds", model="tiny", epochs=3)
        assert job.id.isdigit()
        assert job.state in ("PENDING", "CONFIGURING", "RUNNING", "UNKNOWN", "COMPLETING")
        result = job.result(timeout=180)
        assert (result.name, result.epochs) == (job.run.name, 3)
        assert result.best.read_bytes() == b"weights" * 1000
        # What a mirror does not bring comes when it is asked for.
        there = Path(read_record(job.folder).run_dir)
        last = result.checkpoint()
        assert last.read_text() == (there / "checkpoint_last.pth").read_text()
        assert (there == job.folder) is (where == "login")
        with pytest.raises(BatmanError, match=r"has no 'nothing\.pth'"):
            result.checkpoint("nothing.pth")
        assert "quick worker from step 0" in job.log()
        assert job.exception() is None
        # Another process, such as a notebook that was restarted, finds it again by name and number.
        again = Client(name, lab.workspace.root)
        assert again.job(job.run.name).result() == result
        assert again.job(job.id).id == job.id
        assert [one.id for one in again.jobs()] == [job.id]


@pytest.mark.parametrize("where", ["ssh", "login"])
def test_a_cancelled_job_has_no_result(lab: Lab, on_login: Profile, where: str) -> None:
    make_project(lab.workspace, "birds")
    client = Client(lab.profile.name if where == "ssh" else on_login.name, lab.workspace.root)
    job = client.train("birds", model="tiny", epochs=5000, **WISH)
    with pytest.raises(TimeoutError, match=f"Job {job.id} has not ended in 0.1 s; it goes on"):
        job.result(timeout=0.1)
    job.cancel()
    with pytest.raises(JobFailed, match="did not finish"):
        job.result(timeout=120)
    assert job.state == "CANCELLED"


def test_a_sweep_is_one_array(lab: Lab) -> None:
    make_project(lab.workspace, "birds")
    client = Client(lab.profile.name, lab.workspace.root, **WISH)
    jobs = client.map_array(
        "birds", {"lr": [1e-4, 5e-5], "seed": [1, 2]}, parallel=2, model="tiny", epochs=2
    )
    assert [job.id.partition("_")[2] for job in jobs] == ["0", "1", "2", "3"]
    assert len({job.id.partition("_")[0] for job in jobs}) == 1
    settings = [(job.run.config().lr, job.run.config().seed) for job in jobs]
    assert settings == [(1e-4, 1), (1e-4, 2), (5e-5, 1), (5e-5, 2)]
    wait_all(jobs, timeout=240)
    assert [job.result().epochs for job in jobs] == [2] * 4


def test_what_is_wrong_is_said_and_nothing_is_left(lab: Lab) -> None:
    make_project(lab.workspace, "birds")
    client = Client(lab.profile.name, lab.workspace.root, **WISH)
    before = lab.jobs()
    for settings, words in (
        ({"model": "tiny", "epoch": 3}, "There is no setting 'epoch'"),
        ({"model": "tiny", "gpu": "v100"}, "no GPU 'v100'"),
        ({"model": "tiny", "epochs": 0}, "epochs"),
    ):
        with pytest.raises(BatmanError, match=words):
            client.train("birds", **settings)
    with pytest.raises(BatmanError, match="no project at"):
        client.train("bird", model="tiny")
    with pytest.raises(BatmanError, match="no format 'weights'"):
        client.export(lab.workspace.root / "drawn" / "birds" / "valid", ["weights"])
    with pytest.raises(BatmanError, match="A job cannot ask for 'gpus'"):
        Client(lab.profile.name, lab.workspace.root, gpus="h100-96")  # type: ignore[call-arg]
    assert lab.workspace.list_runs() == []
    assert set(lab.jobs()) <= set(before)
    assert "#SBATCH --gres=gpu:h100-96:1" in client.script("birds", model="tiny")


def test_a_function_that_fails_tells_of_it_as_here(lab: Lab, tmp_path: Path) -> None:
    """The child's own error comes back; where it died, its last words do."""
    (tmp_path / "model.pth").write_bytes(b"no weights")
    shapes = lab.workspace.root / "shapes"
    make_project(lab.workspace, "birds")
    python = tmp_path / "env 'a'" / "bin" / "python"
    client = Client(lab.profile.name, lab.workspace.root, **WISH)
    job = client.evaluate(tmp_path / "model.pth", dataset=shapes.parent / "drawn" / "birds")
    failed = job.exception(timeout=240)
    assert failed is not None
    assert "model.pth" in failed.message
    assert not job.output.exists()
    python.write_text(
        f"#!/bin/sh\n[ \"$2\" = core.inference ] && exec {sys.executable} -c 'raise OSError(5)'\n"
        f'exec {sys.executable} "$@"\n'
    )
    pictures = lab.workspace.root / "drawn" / "birds" / "valid"
    job2 = client.infer(tmp_path / "model.pth", pictures)
    with pytest.raises(JobFailed, match="ended without an answer") as raised:
        job2.result(timeout=240)
    assert raised.value.traceback.startswith("Traceback (most recent call last)")
    assert "OSError: 5" in str(raised.value)


@needs("rfdetr")
@pytest.mark.timeout(900)
def test_a_real_model_is_trained_evaluated_used_and_exported(
    cluster: Cluster, home: Path, tmp_path: Path, on_login: Profile
) -> None:
    """Trained and measured over SSH, then used and exported on the login node."""
    workspace = Workspace(tmp_path / "work")
    make_project(workspace, "shapes", train=8, valid=4)
    save_profile(make_profile("real", "bat", tmp_path / "scratch", sys.executable))
    save_profile(on_login.model_copy(update={"python": sys.executable}), replace=True)
    wish: dict[str, Any] = {"gpu": "h100-96", "cpus": 2, "memory": "4G"}
    with Client("real", workspace.root, **wish) as client:
        job = client.train("shapes", model="tiny", epochs=1, seed=7, val_images=0, device="cpu")
        result = job.result(timeout=400)
        assert result.epochs == 1
        assert set(result.per_class) <= {"square", "disc"}
        assert result.best.stat().st_size > 1_000_000
        evaluation = client.evaluate(job).result(timeout=300)
    assert evaluation.map50_95 == pytest.approx(result.map50_95, abs=1e-3)
    assert (job.folder / "evaluation" / "valid" / "evaluation.json").is_file()
    local = Client("login", workspace.root, **wish)
    found = local.infer(job, workspace.root / "drawn" / "shapes" / "valid", confidence=0.05)
    made = local.export(job, ["pth"])
    wait_all([found, made], timeout=300)
    summary, report = found.result(), made.result()
    assert summary.images == 4
    assert summary.csv.is_file()
    assert summary.csv.is_relative_to(workspace.root / "predictions")
    assert [file.format for file in report.files] == ["pth"]
    assert (report.output / report.files[0].name).is_file()
