"""`batman jobs` on a login node, as a person types it."""

from __future__ import annotations

import contextlib
import csv
import io
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from json_shapes import holds
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
        return holds(f"jobs {words[0]}", done.stdout)


def typed(batman: Shell, words: list[str], text: str) -> int:
    """Type `text` into the command on a terminal; return its exit code, its output in `typed`."""
    line = shlex.join([sys.executable, "-m", "cli.main", "jobs", *words])
    done = subprocess.run(
        ["script", "-qec", line, str(batman.folder / "typed")], cwd=batman.folder, input=text,
        env={**batman.env, "SHELL": "/bin/sh"}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    return done.returncode


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
    cluster.call("scontrol", "update", "nodename=n1", "state=drain", "reason=fan [bold] noise")
    try:
        nodes = {row["node"]: row for row in batman.json("nodes", "--partition", "gpu")}
        assert (nodes["n1"]["usable"], nodes["n1"]["reason"]) == (False, "fan [bold] noise")
        busy = nodes["n2"]
        assert (busy["usable"], busy["memory_given"], busy["load"] > 0) == (True, 100, True)
        assert busy["gpus"] == [{"type": "a100-40", "count": 4, "used": 2}]
        assert [(on["job"], on["user"]) for on in busy["jobs"]] == [(job, "root")]
        printed = batman("nodes").stdout
        assert "fan [bold] noise" in printed
        assert "2/4 a100-40" in printed
    finally:
        cluster.call("scontrol", "update", "nodename=n1", "state=resume")
    told = batman.json("list", "--all")
    terms = f"state=running partition=gpu* node=n2 user=root qos=normal account=* -id={array}"
    kept = batman.json("list", "--all", "--filter", terms, "--keep", "mine")
    assert [row["id"] for row in kept["jobs"]] == [job]
    assert [row["id"] for row in batman.json("list", "--filter", "@mine")["jobs"]] == [job]
    others = batman.json("list", "--filter", "-@mine state=pending")["jobs"]
    assert [row["id"] for row in others] == [array]
    assert "There is no filter 'min'. Did you mean" in batman("list", "--filter", "@min").stderr
    row = next(row for row in told["jobs"] if row["id"] == job)
    assert row["name"].endswith(NASTY)
    assert row["gpus"] == [{"type": "a100-40", "count": 2, "gpus": 2}]
    held = next(row for row in told["jobs"] if row["id"] == array)
    assert held["tasks"] == {"waiting": 4, "running": 0, "completed": 0, "failed": 0}
    assert held["why"] == "you hold it"
    assert batman("pin", array).stdout == f"Pinned {array}.\n"
    pinned = batman.json("list", "--unfold")["jobs"]
    assert [(row["id"].partition("_")[0], row["pinned"]) for row in pinned[:2]] == [
        (array, True), (job, False),
    ]  # fmt: skip
    assert batman("list").stdout.splitlines()[1].split()[:2] == [array, "▴"]
    wrong = batman("pin", job, "99999")
    assert (wrong.returncode, "There is no job 99999" in wrong.stderr) == (2, True)
    assert batman.json("pin", array, "--remove")["done"] == "unpin"
    assert "is not pinned on here" in batman("pin", array, "--remove").stderr
    assert batman("script", job).stdout.endswith("\necho one; echo two; sleep 300\n")
    assert batman.json("script", array)["script"].startswith("#!/bin/sh")
    titles, *rows = csv.reader(io.StringIO(batman("list", "--csv").stdout))
    assert dict(zip(titles, rows[0], strict=True))["job"] == job
    assert NASTY in "".join(rows[0])
    assert f"| {job} |" in batman("list", "--markdown").stdout
    command = batman.json("shell", job)["command"]
    assert command[-2:] == [job, "n2"]
    assert "is not on" not in batman("shell", job, "--node", "n2", "--print").stderr
    assert "does not run on 'n1'" in batman("shell", job, "--node", "n1").stderr
    assert "does not run (waiting)" in batman("shell", array).stderr
    assert "--print shows the command" in batman("shell", job).stderr
    assert typed(batman, ["shell", job], "echo in-$SLURM_JOB_ID-$SLURM_STEP_ID; exit 4\n") == 4
    assert f"in-{job}-" in (tmp_path / "typed").read_text()
    shown = batman.json("show", job)
    assert (shown["state"], shown["logs"]) == ("RUNNING", [str(log)])
    assert batman("logs", job).stdout == "one\ntwo\n"
    assert [line.get("text") for line in batman.json("logs", job)] == ["one", "two", None]
    refused = batman("cancel", job)
    assert refused.returncode == 2
    assert "Give --yes" in refused.stderr
    assert batman("cancel", job, array, "--yes").stdout == f"Cancelled {job}, {array}.\n"
    wait_for("the end", lambda: batman.json("show", job)["state"] == "CANCELLED")


@contextlib.contextmanager
def closed(cluster: Cluster) -> Iterator[None]:
    """Let no job of the partition start meanwhile; those that run go on."""
    cluster.call("scontrol", "update", "PartitionName=gpu", "State=DOWN")
    try:
        yield
    finally:
        cluster.call("scontrol", "update", "PartitionName=gpu", "State=UP")


def test_hold_release_requeue(cluster: Cluster, batman: Shell) -> None:
    job = submit(cluster, "--hold", "--requeue", script="sleep 300")
    assert batman("release", job).returncode == 0
    wait_for("its start", lambda: batman.json("show", job)["state"] == "RUNNING")
    # It would start again after some seconds, before or after it is held.
    with closed(cluster):
        assert batman("requeue", job, "--yes").returncode == 0
        wait_for("waiting", lambda: batman.json("show", job)["state"] == "PENDING")
        assert batman("hold", job).returncode == 0
        assert "hold" in batman.json("show", job)["why"]
    assert batman("cancel", job, "--yes").returncode == 0
    again = batman("cancel", job, "--yes")
    assert (again.returncode, again.stderr.splitlines()[0]) == (
        2, f"Error: Job {job} is over already (cancelled).",
    )  # fmt: skip
    never = batman("cancel", "99999", "--yes")
    assert never.returncode == 2
    assert "There is no job 99999 on here" in never.stderr


def test_an_array_by_its_own_number(cluster: Cluster, batman: Shell, tmp_path: Path) -> None:
    log = tmp_path / "log"
    array = submit(cluster, "--array=1-4%1", "-o", f"{log}-%a", script="echo hi; sleep 300")
    wait_for("the log", lambda: Path(f"{log}-1").exists() and Path(f"{log}-1").read_text() != "")
    told = batman.json("show", array)
    assert (told["job"], told["tasks"]["running"], told["tasks"]["waiting"]) == (array, 1, 3)
    assert sorted(job["job"] for job in told["jobs"]) == [f"{array}_1", f"{array}_[2-4%1]"]
    shown = batman("logs", array)
    assert shown.stdout == "hi\n"
    assert f"this is task {array}_1" in shown.stderr


def test_following_a_log_and_jobs_to_their_end(
    cluster: Cluster, batman: Shell, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    job = submit(cluster, "-o", str(log), script="echo a; sleep 3; echo b; exit 3")
    wait_for("the log", lambda: log.exists() and "a" in log.read_text())
    assert batman("logs", "-f", job).stdout == "a\nb\n"
    watched = batman("watch", job)
    assert watched.returncode == 1
    assert "failed: exit code 3" in watched.stdout
    good = submit(cluster, script="sleep 3")
    # A look at what waits would be followed by one at what runs, each 15 s after the last.
    wait_for("its start", lambda: batman.json("show", good)["state"] == "RUNNING")
    assert batman.json("watch", good)[-2]["state"] == "COMPLETED"


def test_what_is_wrong_is_said(batman: Shell) -> None:
    for words, message in (
        (("show", "99999"), "There is no job 99999"),
        (("logs", "1;x"), "'1;x' is no job id"),
        (("hold", "99999"), "There is no job 99999"),
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
