"""`batman jobs` on a login node, as a person types it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from slurm_cluster import Cluster, wait_for
from test_queue import NASTY, submit

ROOT = Path(__file__).parent.parent.parent


class Shell:
    """Runs `batman jobs` in a folder on the login node."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.folder = folder
        self.env = {**cluster.env, "PYTHONPATH": str(ROOT), "HOME": str(folder),
                    "BATMAN_CONFIG_DIR": str(folder / "config")}  # fmt: skip

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "cli.main", "jobs", *words], cwd=self.folder, env=self.env,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
        )  # fmt: skip

    def json(self, *words: str) -> dict:
        done = self(*words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def batman(cluster: Cluster, tmp_path: Path):
    yield Shell(cluster, tmp_path)
    cluster.try_call("scancel", "--user=root")


def test_list_show_logs_and_cancel(cluster: Cluster, batman: Shell, tmp_path: Path) -> None:
    log = tmp_path / "the log.txt"
    job = submit(
        cluster, "-J", f"\x1b[31m{NASTY}", "--gres=gpu:a100-40:2", "-o", str(log),
        script="echo one; echo two; sleep 300",
    )  # fmt: skip
    array = submit(cluster, "--hold", "--array=1-4", script="true")
    wait_for("the log", lambda: log.exists() and log.read_text().count("\n") == 2)
    listed = batman("list", "--nodes")
    assert listed.returncode == 0, listed.stderr
    assert "\x1b" not in listed.stdout
    assert "4 wait" in listed.stdout
    assert "a100-40 2/4 free" in listed.stdout
    assert "gpu-long" in listed.stdout
    told = batman.json("list", "--all")
    row = next(row for row in told["jobs"] if row["id"] == job)
    assert row["name"].endswith(NASTY)
    assert row["gpus"] == [{"type": "a100-40", "count": 2}]
    held = next(row for row in told["jobs"] if row["id"] == array)
    assert held["tasks"] == {"waiting": 4, "running": 0, "completed": 0, "failed": 0}
    assert held["why"] == "you hold it"
    shown = batman.json("show", job)
    assert (shown["state"], shown["logs"]) == ("RUNNING", [str(log)])
    assert batman("logs", job).stdout == "one\ntwo\n"
    refused = batman("cancel", job)
    assert refused.returncode == 2
    assert "Give --yes" in refused.stderr
    assert batman("cancel", job, array, "--yes").stdout == f"Cancelled {job}, {array}.\n"
    wait_for("the end", lambda: batman.json("show", job)["state"] == "CANCELLED")


def test_hold_release_requeue(cluster: Cluster, batman: Shell) -> None:
    job = submit(cluster, "--hold", "--requeue", script="sleep 300")
    assert batman("release", job).returncode == 0
    wait_for("its start", lambda: batman.json("show", job)["state"] == "RUNNING")
    assert batman("requeue", job, "--yes").returncode == 0
    wait_for("waiting", lambda: batman.json("show", job)["state"] == "PENDING")
    assert batman("hold", job).returncode == 0
    assert "hold" in batman.json("show", job)["why"]


def test_following_a_log_and_jobs_to_their_end(
    cluster: Cluster, batman: Shell, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    job = submit(cluster, "-o", str(log), script="echo a; sleep 3; echo b; exit 3")
    wait_for("the log", lambda: log.exists() and "a" in log.read_text())
    assert batman("logs", "-f", job).stdout == "a\nb\n"
    watched = batman("watch", job)
    assert watched.returncode == 2
    assert "failed: exit code 3" in watched.stdout
    good = submit(cluster, script="sleep 3")
    # A look at what waits would be followed by one at what runs, each 15 s after the last.
    wait_for("its start", lambda: batman.json("show", good)["state"] == "RUNNING")
    lines = batman("watch", good, "--json")
    assert lines.returncode == 0, lines.stderr
    assert json.loads(lines.stdout.splitlines()[-1])["state"] == "COMPLETED"


def test_what_is_wrong_is_said(batman: Shell) -> None:
    for words, message in (
        (("show", "99999"), "There is no job 99999"),
        (("logs", "1;x"), "'1;x' is no job id"),
        (("hold", "99999"), "Invalid job id specified"),
        (("list", "--cluster", "nowhere"), "There is no cluster 'nowhere'"),
    ):
        done = batman(*words)
        assert done.returncode == 2, words
        assert message in done.stderr
        assert "Traceback" not in done.stderr
    assert "Traceback" not in batman("show").stderr


def test_no_slurm_on_the_path(batman: Shell, tmp_path: Path) -> None:
    batman.env["PATH"] = str(Path(sys.executable).parent)
    done = batman("list")
    assert done.returncode == 2
    assert "batman clusters add" in done.stderr
