"""Real training on a real SLURM: the guide's commands, on the login node and over SSH."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cluster_runs import ROOT, Lab, known_host, make_profile, make_project
from installed import needs
from json_shapes import holds
from slurm_cluster import Cluster, wait_for

from core.common.workspace import Workspace
from core.training.live.follow import RunFollower
from core.training.run.events import Started, read_events
from core.training.run.run import Run
from slurm.job.attempts import read_attempts
from slurm.job.record import read_record

pytestmark = needs("rfdetr")
TINY = ["--model", "tiny", "--cpus", "2", "--seed", "7", "--val-images", "2", "--patience", "0"]


def submit_train(
    folder: Path, env: dict[str, str], *words: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "submit_train.sh", *words], cwd=folder, env=env, capture_output=True, text=True,
        timeout=120,
    )  # fmt: skip


@pytest.fixture(scope="module")
def login(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that was submitted on the login node itself, without a profile, and has finished.

    It trains with two processes on one node, as with two GPUs.
    """
    folder = tmp_path_factory.mktemp("login")
    env = {**cluster.env, "BATMAN_CONFIG_DIR": str(folder / "config"), "NO_COLOR": "1"}
    make_project(Workspace(folder), "MyProject", train=16, valid=4)
    done = submit_train(
        folder, env, "--project", "data/projects/MyProject", "--gpu", "h100-96", "--mem", "3G",
        "--num-gpus", "2", "--device", "cpu", "--epochs", "3", *TINY,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "batman watch MyProject-tiny-1" in done.stdout
    watched = subprocess.run(
        [sys.executable, "-P", "-m", "cli.main", "watch", "--plain"], cwd=folder,
        env={**env, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    run = Run(folder / "runs" / "MyProject-tiny-1")
    assert watched.returncode == 0, f"{watched.stdout}\n{watched.stderr}\n{_log(run)}"
    return run


def _log(run: Run) -> str:
    return run.log_file.read_text()[-3000:] if run.log_file.exists() else "no log"


def test_on_the_login_node_nothing_is_copied(login: Run) -> None:
    workspace = login.path.parent.parent
    assert login.state() == "finished"
    # The script has a few lines left to run when the trainer says that it is done.
    wait_for("the job's end", lambda: not login.log_file.is_symlink(), 20)
    results = login.results()
    assert results is not None
    assert results["epochs_trained"] == 3
    assert login.log_file.read_text().count("loading rfdetr") == 2
    (start,) = (e for e in read_events(login.events_file.read_bytes())[0] if isinstance(e, Started))
    assert start.effective_batch == 2 * start.batch_size * start.grad_accum
    assert (login.path / "best.pth").stat().st_size > 1_000_000
    record = read_record(login.path)
    assert record is not None
    assert Path(record.run_dir) == login.path
    # The guide's `tail -f logs/job_*.log`.
    logs = list((workspace / "logs").glob("job_*.log"))
    assert [str(log) for log in logs] == [record.log]
    assert "epoch 3/3" in logs[0].read_text()
    assert login.log_file.read_text() == logs[0].read_text()
    assert not (workspace / "datasets").exists()


def test_over_ssh_past_the_time_limit_it_is_one_run(
    cluster: Cluster, ssh_home: Path, tmp_path: Path
) -> None:
    known_host(cluster, ssh_home)
    profile = make_profile("bat", "bat", tmp_path / "scratch", sys.executable)
    lab = Lab(cluster, Workspace(tmp_path / "laptop"), profile)
    make_project(lab.workspace, "MyProject", train=16, valid=4)
    env = {**os.environ, "NO_COLOR": "1"}
    done = submit_train(
        lab.workspace.root, env, "--project", "data/projects/MyProject", "--gpu=h100-96",
        "--partition=brief", "--mem=3G", "--epochs=1000", "--json", *TINY,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (told,) = holds("submit", done.stdout)
    run = Run(Path(told["path"]))
    there = Path(told["run_dir"])
    watch = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "--workspace", str(lab.workspace.root), "watch",
         "--plain"],
        cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip

    def starts() -> int:
        file = there / "attempts.jsonl"
        attempts = read_attempts(file.read_bytes()) if file.is_file() else []
        return sum(attempt.what == "begin" for attempt in attempts)

    log = there.parent.parent / "logs" / f"job_{told['job']}.log"

    def requeued() -> int:
        return log.read_text().count("requeued: it goes on") if log.is_file() else 0

    try:
        wait_for("two requeues", lambda: requeued() >= 2 or watch.poll() is not None, 240)
        # Enough seen: the third part is the last, however fast this machine trains.
        config = Run(there).config()
        epochs = Run(there).summary().epoch + 3
        Run(there).save_config(config.with_changes(epochs=epochs))
        cluster.call("scontrol", "update", f"jobid={told['job']}", "TimeLimit=30")
        output = watch.communicate(timeout=240)[0]
    finally:
        watch.kill()
    assert watch.returncode == 0, f"{output}\n{_log(run)}\n{cluster.logs()}"
    assert starts() >= 3, output
    assert run.state() == "finished"
    snapshot = RunFollower(run.path).poll()
    assert [epoch.epoch for epoch in snapshot.epochs] == list(range(1, epochs + 1))
    steps = snapshot.series.step.tolist()
    assert steps == list(range(1, snapshot.total_steps + 1))
    assert len(snapshot.restarts) >= 2
    assert all(start.step > 0 for start in snapshot.restarts)
    events = read_events((there / "events.jsonl").read_bytes())[0]
    assert sum(isinstance(event, Started) for event in events) == starts()
    results = run.results()
    assert results is not None
    assert results["epochs_trained"] == epochs
    for name in ("best.pth", "results.json"):
        assert (run.path / name).read_bytes() == (there / name).read_bytes()
    assert list((run.path / "val_images").iterdir())
    assert list((run.path / "tensorboard").iterdir())
    here = lab.workspace.logs_dir / log.name
    assert here.read_text().count("requeued: it goes on from the checkpoint") == 2
