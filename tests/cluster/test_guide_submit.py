"""The guide's commands for a cluster, read out of the guide, planned on a real SLURM."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

from cluster_runs import ROOT, make_project
from slurm_cluster import Cluster

from core.workspace import Workspace


def test_the_guides_submissions_are_planned_as_written(
    guide: str, cluster: Cluster, tmp_path: Path
) -> None:
    env = {**cluster.env, "BATMAN_CONFIG_DIR": str(tmp_path / "config"), "NO_COLOR": "1"}
    for name in ("MyProject", "Production"):
        make_project(Workspace(tmp_path), name)
    blocks = re.findall(r"```bash\n(.*?)```", guide, re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    commands = [shlex.split(line) for line in lines if line.startswith("./submit_train.sh")]
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
