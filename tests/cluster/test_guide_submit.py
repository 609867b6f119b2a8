"""The guide's commands for a cluster, read out of the guide, given to a real SLURM."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from cluster_runs import ROOT, make_profile, make_project, quick_python
from slurm_cluster import Cluster, wait_for

from core.common.workspace import Workspace
from core.training.run.run import Run
from slurm.job.record import read_record
from slurm.site.profiles import save_profile


def submissions(guide: str) -> list[list[str]]:
    """Return the words of each `./submit_train.sh` command in the guide."""
    blocks = re.findall(r"```bash\n(.*?)```", guide, re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [shlex.split(line) for line in lines if line.startswith("./submit_train.sh")]


def test_the_guides_submissions_are_planned_as_written(
    guide: str, cluster: Cluster, tmp_path: Path
) -> None:
    env = {**cluster.env, "BATMAN_CONFIG_DIR": str(tmp_path / "config"), "NO_COLOR": "1"}
    for name in ("MyProject", "Production"):
        make_project(Workspace(tmp_path), name)
    commands = submissions(guide)
    assert len(commands) == 3
    for words in commands:
        done = subprocess.run(
            [ROOT / "submit_train.sh", *words[1:], "--dry-run"], cwd=tmp_path, env=env,
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        gpus = words[words.index("--num-gpus") + 1] if "--num-gpus" in words else "1"
        gres = re.search(r"^#SBATCH --(?:gres=gpu:|gpus-per-node=)(\S+)$", done.stdout, re.M)
        assert gres is not None, done.stdout
        assert gres[1] == f"h100-96:{gpus}"
        assert "core.training.worker" in done.stdout
    assert not (tmp_path / "runs").exists()


def test_the_guides_submissions_run_as_written_on_the_login_node(
    guide: str, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Word for word, without SSH; the trainer takes a second here, and all else is real."""
    monkeypatch.setenv("BATMAN_CONFIG_DIR", str(tmp_path / "config"))
    python = quick_python(tmp_path / "env", pause=0.002)
    save_profile(make_profile("bat", "local", "", python))
    env = {**cluster.env, "BATMAN_CONFIG_DIR": str(tmp_path / "config"), "NO_COLOR": "1"}
    for name in ("MyProject", "Production"):
        make_project(Workspace(tmp_path), name)
    for words in submissions(guide):
        done = subprocess.run(
            [ROOT / "submit_train.sh", *words[1:]], cwd=tmp_path, env=env, capture_output=True,
            text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    runs = [Run(path) for path in sorted((tmp_path / "runs").iterdir())]
    assert len(runs) == 3
    for run in runs:
        watched = subprocess.run(
            [sys.executable, "-P", "-m", "cli.main", "watch", run.name, "--plain"], cwd=tmp_path,
            env={**env, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=240,
        )  # fmt: skip
        assert watched.returncode == 0, f"{watched.stdout}\n{watched.stderr}"
        assert run.results() == {"epochs_trained": run.config().epochs}
        record = read_record(run.path)
        assert record is not None
        wanted = f"gres/gpu={run.config().num_gpus},"
        wait_for("accounting", lambda: wanted in _given(cluster, record.job_id), 30)  # noqa: B023
        log = tmp_path / "logs" / f"job_{record.job_id}.log"
        # A copy takes the link's place when the script has nothing more to do.
        wait_for("the job's end", lambda: not run.log_file.is_symlink(), 30)  # noqa: B023
        assert "quick worker from step 0" in log.read_text()


def _given(cluster: Cluster, job_id: str) -> str:
    """Return what a job was given, as accounting tells it; it lags by seconds."""
    return cluster.call("sacct", "-n", "-X", "-P", "-j", job_id, "-o", "AllocTRES")
