"""Runs kept up to date by an app that stays open, from what the queue told, on a real SLURM."""

from __future__ import annotations

from pathlib import Path

import pytest
from asking import forget_asks
from cluster_runs import Lab, make_profile, make_project, quick_python
from slurm_cluster import Cluster, wait_for

from core.common.workspace import Workspace
from core.training.run.run import Run
from core.training.run.worker_process import read_worker
from slurm.job.record import keep_checkpoints, read_record, write_record
from slurm.queue.job_actions import act
from slurm.watch.cluster_jobs import QueueWatch, Watched
from slurm.watch.keep_mirrors import RunKeeper


class Kept:
    """A laptop whose app looks at the cluster."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.watch = QueueWatch(lab.host, lab.profile.name, lab.workspace, poll_s=15)
        self.keeper = RunKeeper(lab.host, lab.profile, lab.workspace)
        self.kept = 0

    def look(self) -> Watched:
        forget_asks(self.watch.poller)
        watched = self.watch.poll()
        self.kept = self.keeper.keep(watched)
        return watched

    def until(self, run: Run, *states: str) -> None:
        def there() -> bool:
            self.look()
            return run.state() in states

        wait_for(f"{run.name} {' or '.join(states)}", there, 90)


@pytest.fixture
def kept(cluster: Cluster, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kept:
    monkeypatch.setenv("BATMAN_CONFIG_DIR", str(tmp_path / "config"))
    workspace = Workspace(tmp_path / "ws")
    make_project(workspace, "cells")
    there = tmp_path / "there"
    profile = make_profile("hpc", "bat", there, quick_python(tmp_path / "quick", 0.1))
    return Kept(Lab(cluster, workspace, profile))


def test_a_run_comes_back_and_is_then_left_alone(kept: Kept) -> None:
    lab = kept.lab
    run = lab.ready(project=lab.workspace.project_path("cells"), epochs=4)
    (record,) = keep_checkpoints([run], [lab.submit(run)], "last")
    kept.until(run, "running")
    assert kept.keeper.live()
    kept.until(run, "finished")

    def fetched() -> bool:
        kept.look()
        return not kept.keeper.live()

    wait_for("the last of it", fetched, 60)
    assert (run.path / "best.pth").is_file()
    assert (run.path / "results.json").is_file()
    assert (run.path / "checkpoint_last.pth").read_text() == "16", "as it was chosen"
    done = read_record(run.path)
    assert done is not None
    assert (done.state, done.exit_code) == ("COMPLETED", 0)
    assert done.fetched_at is not None
    assert (lab.workspace.logs_dir / f"job_{record.job_id}.log").is_file()
    kept.look()
    assert kept.kept == 0, "nobody looks at its folder again"


def test_a_cancelled_job_ends_its_run_and_a_lost_answer_is_found(kept: Kept) -> None:
    lab = kept.lab
    run = lab.ready(project=lab.workspace.project_path("cells"), epochs=400)
    record = lab.submit(run)
    # As if the connection had broken before sbatch's answer.
    write_record(run.path, record.changed(job_id="", log=""))
    kept.look()
    found = read_record(run.path)
    assert found is not None
    assert found.job_id == record.job_id
    kept.until(run, "running")
    act(lab.host, "cancel", [record.job_id])
    kept.keeper._mirrors[run.path].grace_s = 0.5
    kept.until(run, "stopped")
    worker = read_worker(run.path)
    assert worker is not None
    assert not worker.again


def test_a_run_whose_folder_there_is_gone_is_not_asked_for_again(kept: Kept) -> None:
    lab = kept.lab
    run = lab.ready(project=lab.workspace.project_path("cells"), epochs=1)
    record = lab.submit(run)
    gone = Path(record.run_dir)
    wait_for("its end", lambda: (gone / "results.json").is_file(), 60)

    def over() -> bool:
        watched = kept.watch.poll()
        forget_asks(kept.watch.poller)
        job = watched.jobs.job(record.job_id) if watched.jobs else None
        return job is not None and job.state.ended

    wait_for("the job's end", over, 60)
    gone.rename(gone.with_name("moved"))
    kept.look()
    kept.look()
    assert kept.kept == 0
    assert not kept.keeper.live()


def test_of_a_finished_run_the_log_is_read_without_slurm_and_a_requeue_changes_nothing(
    kept: Kept,
) -> None:
    lab, cluster = kept.lab, kept.lab.cluster
    run = lab.ready(project=lab.workspace.project_path("cells"), epochs=2)
    record = lab.submit(run)
    kept.until(run, "finished")
    best, events = (run.path / "best.pth").read_bytes(), run.events_file.read_bytes()
    # SLURM lets a job that is over be put back into the queue.
    wait_for("its end", lambda: cluster.try_call("scontrol", "requeue", record.job_id))

    def over_again() -> bool:
        told = cluster.try_output("scontrol", "show", "job", record.job_id)
        return "Restarts=1" in told and "JobState=COMPLETED" in told

    wait_for("the end of its second start", over_again)
    kept.until(run, "finished")
    assert (run.path / "best.pth").read_bytes() == best
    assert run.events_file.read_bytes() == events
    cluster.stop("slurmctld")
    try:
        read = lab.batman("jobs", "logs", record.job_id)
        assert "quick worker from step 0" in read.stdout, read.stderr
        assert read.returncode == 0
    finally:
        cluster.start("slurmctld", "-D", "-f", str(cluster.conf))
        wait_for("idle nodes", lambda: cluster.nodes_in("idle") == 2)
