"""A run that waits for its node says so, why, since when and where it stands, wherever it is."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

from cluster_runs import ROOT, USUAL, Lab, make_project
from slurm_cluster import wait_for
from test_queue import submit

from core.training.live.follow import RunFollower
from slurm.job.record import read_record
from slurm.watch.cluster_jobs import QueueWatch
from slurm.watch.keep_mirrors import RunKeeper


def test_a_run_that_waits_is_told_as_such_and_so_after_a_requeue(lab: Lab) -> None:
    cluster = lab.cluster
    everything = ("-p", "gpu", "--gres=gpu:h100-96:4", "--time=60")
    first = submit(cluster, *everything, script="sleep 600")
    wait_for(
        "a full node", lambda: " R " in cluster.call("squeue", "-h", "-j", first, "-o", " %t ")
    )
    ahead = submit(cluster, *everything, script="sleep 600")
    run = lab.ready(project=make_project(lab.workspace, "p"), epochs=5000)
    record = lab.submit(run, USUAL)
    assert run.state() == "queued", "nobody has looked, and still it is known that it waits"
    mirror = lab.mirror(run)

    def told() -> bool:
        mirror._placed_at = -1000.0  # as often as the test looks
        mirror.look()
        wait = run.summary().wait
        return wait is not None and wait.place == 2 and wait.start is not None

    wait_for("its place", told, 60)
    wait = run.summary().wait
    assert (wait.job, wait.cluster, wait.line) == (record.job_id, "bat", 2)
    assert wait.why == "jobs with higher priority are ahead"
    snapshot = RunFollower(run.path).poll()
    assert (snapshot.state, snapshot.wait) == ("queued", wait)
    row = json.loads(lab.batman("runs", "show", run.name, "--json").stdout)
    assert (row["state"], row["wait"]["place"]) == ("queued", 2)
    shown = lab.batman("runs", "show", run.name)
    assert re.search(rf"queued for \d+[ms].* as job {record.job_id} on bat; jobs", shown.stdout)
    assert "place 2 of 2; starts about " in shown.stdout
    listed = lab.batman("runs", "list")
    assert "place 2 of 2" in listed.stdout
    job = lab.batman("jobs", "show", record.job_id)
    assert "2 of 2" in job.stdout
    assert "starts" in job.stdout
    watched = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "--workspace", str(lab.workspace.root), "watch",
         run.name, "--plain"],
        cwd=ROOT, env={**os.environ, "PYTHONUNBUFFERED": "1"}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert watched.stdout is not None
    line = watched.stdout.readline()
    assert line.startswith("Queued for ")
    assert "jobs with higher priority are ahead" in line
    cluster.call("scancel", first, ahead)
    lab.until(mirror, "running")
    assert run.summary().wait is None
    assert "epoch" in watched.stdout.readline()
    watched.kill()
    # The app keeps runs by what the queue told, without a question for each of them.
    cluster.call("scontrol", "requeue", record.job_id)
    watch = QueueWatch(
        lab.host, "bat", lab.workspace, poll_s=15, clock=iter(range(0, 10**6, 400)).__next__
    )
    keeper = RunKeeper(lab.host, lab.profile, lab.workspace)

    def waits_again() -> bool:
        keeper.keep(watch.poll())
        return run.state() == "queued" and run.summary().wait.restarts == 1

    wait_for("the queue again", waits_again, 60)
    assert read_record(run.path).restarts == 1
