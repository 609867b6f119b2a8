"""Training by several processes on a real SLURM: a task on each of two nodes, by srun and DDP."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from cluster_runs import ROOT, Lab, known_host, make_profile, make_project
from installed import needs
from slurm_cluster import Cluster, wait_for

from core.common.workspace import Workspace
from core.training.live.follow import RunFollower
from core.training.run.events import Started, read_events
from core.training.run.run import Run
from slurm.job.record import read_record
from slurm.site.profiles import GpuType

pytestmark = needs("rfdetr")


def test_two_nodes_train_one_run_that_goes_on_after_a_requeue(
    cluster: Cluster, ssh_home: Path, tmp_path: Path
) -> None:
    known_host(cluster, ssh_home)
    profile = make_profile("bat", "bat", tmp_path / "scratch", sys.executable)
    # Each node has GPUs of a type of its own here.
    profile = profile.model_copy(update={"gpus": {"any": GpuType(gres="gpu", partition="gpu")}})
    lab = Lab(cluster, Workspace(tmp_path / "laptop"), profile)
    make_project(lab.workspace, "MyProject", train=16, valid=4)
    watch = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "--workspace", str(lab.workspace.root), "submit",
         "--project", "MyProject", "--model", "tiny", "--epochs", "500", "--num-nodes", "2",
         "--num-gpus", "1", "--cpus", "1", "--mem", "3G", "--device", "cpu", "--batch-size", "2",
         "--grad-accum", "1", "--seed", "7", "--val-images", "0", "--patience", "0", "--watch"],
        cwd=ROOT, env={**os.environ, "NO_COLOR": "1"}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    run = Run(lab.workspace.runs_dir / "MyProject-tiny-1")

    def log() -> str:
        file = run.log_file
        return file.read_text(errors="replace") if file.is_file() else "no log"

    try:
        wait_for("an epoch", lambda: run.summary().epoch >= 1 or watch.poll() is not None, 240)
        record = read_record(run.path)
        assert record is not None, watch.communicate()[0]
        there = Run(Path(record.run_dir))
        # SLURM's warning before the time limit, which only the batch shell gets.
        cluster.call("scancel", "--batch", "--signal=USR1", record.job_id)
        wait_for("the requeue", lambda: "requeued: it goes on" in log(), 120)
        epochs = there.summary().epoch + 2
        there.save_config(there.config().with_changes(epochs=epochs))
        output = watch.communicate(timeout=240)[0]
    except BaseException as error:
        watch.kill()
        raise AssertionError(
            f"{watch.communicate()[0]}\n{log()[-4000:]}\n{cluster.try_output('squeue')}"
        ) from error
    assert watch.returncode == 0, f"{output}\n{log()[-4000:]}"
    # Two processes in each part, on both nodes, and one of them told what happened.
    text = (run.path / "train.log").read_text()
    assert text.count("loading rfdetr") == 4
    for node in ("n1: task 0", "n2: task 1"):
        assert f"srun: error: {node}: Exited with exit code 3" in text
    events = read_events(run.events_file.read_bytes())[0]
    starts = [event for event in events if isinstance(event, Started)]
    assert [start.effective_batch for start in starts] == [4, 4]
    assert [start.epoch > 0 for start in starts] == [False, True]
    assert run.events_file.read_bytes() == (there.path / "events.jsonl").read_bytes()
    snapshot = RunFollower(run.path).poll()
    assert [epoch.epoch for epoch in snapshot.epochs] == list(range(1, epochs + 1))
    assert snapshot.total_steps == starts[0].steps_per_epoch * epochs
    assert snapshot.series.step.tolist() == list(range(1, snapshot.total_steps + 1))
    results = run.results()
    assert results is not None
    assert results["epochs_trained"] == epochs
    assert (run.path / "best.pth").read_bytes() == (there.path / "best.pth").read_bytes()
    assert read_record(run.path).restarts == 1
