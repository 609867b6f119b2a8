"""Runs on a real SLURM, from a laptop over SSH: sent, queued, followed, brought back."""

from __future__ import annotations

import itertools
import json
import subprocess
import threading
import time
from pathlib import Path

import pytest
from cluster_runs import NASTY, NASTY_CLASSES, Lab, make_project
from slurm_cluster import wait_for

from core.common.errors import RunError
from core.training.live.follow import RunFollower
from core.training.run.events import Failed, Started, Stopped, read_events
from core.training.run.run import Run
from slurm.hosts import Completed, NotConnected
from slurm.job.record import read_record, write_record
from slurm.site.discover import discover
from slurm.submit.request import JobRequest
from slurm.submit.sbatch import SubmitError
from slurm.submit.start_estimate import soonest
from slurm.submit.submit import recover, submit
from slurm.sync.mirror import mirroring


def test_a_run_goes_there_and_comes_back(lab: Lab, tmp_path: Path) -> None:
    project = make_project(lab.workspace, NASTY, nasty=True)
    run = lab.ready(project=project, output_dir=lab.workspace.runs_dir / f"-n {NASTY}")
    seen: list[str] = []
    records = submit(lab.site, lab.plan(run), lambda at: seen.append(at.stage))
    assert {"hashing", "sending data set", "sending code"} <= set(seen)
    assert run.state() == "queued"
    mirror = lab.mirror(run)
    lab.until(mirror, "finished")
    record = records[0]
    assert record.job_id.isdigit()
    assert run.results() == {"epochs_trained": 2}
    assert (run.path / "best.pth").read_bytes() == b"weights" * 1000
    there = Path(record.run_dir)
    assert run.events_file.read_bytes() == (there / "events.jsonl").read_bytes()
    assert "quick worker from step 0" in run.log_file.read_text()
    assert Path(record.log).name == f"job_{record.job_id}.log"
    assert Path(record.log).read_text() == run.log_file.read_text()
    # The settings here are still our own.
    assert run.config().dataset is not None
    assert str(run.config().dataset.dir) == "dataset"
    assert set(run.config().dataset.class_names) == set(NASTY_CLASSES)
    # What was called so arrived as it was, and is told as it is.
    sent = next(Path(lab.site.root, "datasets").iterdir()) / "train" / "_annotations.coco.json"
    assert sent.read_bytes() == (run.dataset_dir / "train" / "_annotations.coco.json").read_bytes()
    shown = lab.batman("jobs", "show", record.job_id, "--json")
    assert shown.returncode == 0, shown.stderr
    assert json.loads(shown.stdout)["state"] == "COMPLETED"
    hours = json.loads(lab.batman("jobs", "hours", "--json").stdout)
    (cost,) = hours["runs"]
    assert (cost["run"], cost["project"], cost["gpus"]) == (run.name, NASTY, 1)
    assert cost["hours"] == run.summary().seconds / 3600 > 0
    (summed,) = hours["sums"]
    assert summed == {
        "project": NASTY, "month": cost["month"], "gpu_hours": cost["hours"], "runs": 1,
        "unknown": 0
    }  # fmt: skip
    logs = lab.batman("jobs", "logs", record.job_id)
    assert "quick worker from step 0" in logs.stdout, logs.stderr
    # A second run on the same data sends the data no more.
    seen.clear()
    again = lab.ready(project=project)
    submit(lab.site, lab.plan(again), lambda at: seen.append(at.stage))
    assert "sending data set" not in seen
    assert "sending code" not in seen
    datasets = list(Path(lab.site.root, "datasets").iterdir())
    assert len(datasets) == 1
    lab.until(lab.mirror(again), "finished")


def test_a_run_that_goes_on_keeps_its_folder_and_its_curve(lab: Lab) -> None:
    project = make_project(lab.workspace, "p")
    run = lab.ready(project=project, epochs=1)
    first = lab.submit(run)
    lab.until(lab.mirror(run), "finished")
    more = lab.ready(resume=run.path, epochs=3)
    assert more.path == run.path
    second = lab.submit(run)
    assert run.state() == "queued"
    lab.until(lab.mirror(run), "finished")
    assert second.run_dir == first.run_dir
    snapshot = RunFollower(run.path).poll()
    assert list(snapshot.series.step) == list(range(1, 13))
    assert [epoch.epoch for epoch in snapshot.epochs] == [1, 2, 3]
    # It goes on where it never was as well: the checkpoint and the events are sent.
    (Path(second.run_dir) / "training_config.json").unlink()
    (run.path / "checkpoint_last.pth").write_text("12")
    lab.ready(resume=run.path, epochs=4)
    third = lab.submit(run)
    assert third.run_dir != first.run_dir
    lab.until(lab.mirror(run), "finished")
    assert list(RunFollower(run.path).poll().series.step) == list(range(1, 17))


def test_a_job_that_fails_in_its_first_line_says_why_and_gives_its_name_back(
    lab: Lab, tmp_path: Path
) -> None:
    project = make_project(lab.workspace, "p")
    night = lab.workspace.runs_dir / "night"
    run = lab.ready(project=project, output_dir=night)
    python = tmp_path / "env 'a'" / "bin" / "python"
    working = python.read_text()
    python.write_text("#!/bin/sh\necho 'no module named torch' >&2; exit 1\n")
    lab.submit(run)
    mirror = lab.mirror(run)
    lab.until(mirror, "failed")
    assert mirror.record.state == "FAILED"
    events = read_events(run.events_file.read_bytes())[0]
    assert isinstance(events[-1], Failed)
    assert "before training began" in events[-1].message
    assert "exit code 1" in events[-1].message
    assert "no module named torch" in events[-1].hint
    # It is said once, however often one looks.
    mirror.look()
    assert len(read_events(run.events_file.read_bytes())[0]) == len(events)
    # Put right, it is submitted under the same name, as if that job had never been.
    python.write_text(working)
    again = lab.ready(project=project, output_dir=night)
    kept = lab.workspace.logs_dir / "not-begun" / "night-1"
    assert (again.path, again.worker(), again.events_file.exists()) == (night, None, False)
    assert "no module named torch" in (kept / "train.log").read_text()
    assert read_record(kept) == mirror.record
    assert any(str(kept) in note for note in again.config().notes)
    record = lab.submit(again)
    lab.until(lab.mirror(again), "finished")
    assert record.run_dir != mirror.record.run_dir
    events = read_events(again.events_file.read_bytes())[0]
    assert not any(isinstance(event, Failed) for event in events)
    # What trained keeps its name.
    with pytest.raises(RunError, match="already holds a run"):
        lab.ready(project=project, output_dir=night)


def test_a_trainer_that_dies_without_a_word_is_no_running_one(lab: Lab, tmp_path: Path) -> None:
    project = make_project(lab.workspace, "p")
    run = lab.ready(project=project)
    python = tmp_path / "env 'a'" / "bin" / "python"
    text = python.read_text()
    python.write_text(text.replace("then\n", "then kill -9 $$\n"))
    lab.submit(run)
    lab.until(lab.mirror(run), "failed")
    error = RunFollower(run.path).poll().error
    assert error is not None
    assert "exit code 137 (signal 9)" in error.message


def test_a_cancelled_job_is_stopped_waiting_or_not(lab: Lab, tmp_path: Path) -> None:
    project = make_project(lab.workspace, "p")
    running = lab.ready(project=project, epochs=5000)
    record = lab.submit(running)
    mirror = lab.mirror(running)
    lab.until(mirror, "running")
    waiting = lab.ready(project=project)
    extra = JobRequest(gpu="h100-96", cpus=1, extra=("--begin=now+1hour",))
    queued = lab.submit(waiting, extra)
    other = lab.mirror(waiting)
    other.look()
    assert (waiting.state(), waiting.summary().wait.why) == ("queued", "it starts at a set time")
    lab.cluster.call("scancel", record.job_id, queued.job_id)
    lab.until(mirror, "stopped")
    lab.until(other, "stopped")
    ends = [read_events(run.events_file.read_bytes())[0][-1] for run in (running, waiting)]
    assert all(isinstance(end, Stopped) for end in ends)
    assert ends[0].step > 0  # it wrote a checkpoint before it went
    assert ends[1].reason == "cancelled"
    for asked in (mirror, other):
        wait_for("the end", lambda asked=asked: asked.look().state.ended, 20)
        assert asked.record.state == "CANCELLED"


class Flaky:
    """A host whose answer to one command is lost on the way."""

    def __init__(self, host, word: str) -> None:
        self._host = host
        self._word = word
        self.lost = 0

    def __getattr__(self, name: str):
        return getattr(self._host, name)

    def run(self, argv, **more) -> Completed:
        done = self._host.run(argv, **more)
        if not self.lost and any(self._word in str(part) for part in argv):
            self.lost += 1
            raise NotConnected("The connection was cut (sbatch).")
        return done


def test_a_lost_answer_is_found_again_and_nothing_is_submitted_twice(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project(lab.workspace, "p")
    run = lab.ready(project=project)
    flaky = Flaky(lab.host, "--parsable")
    lab.site = type(lab.site)(**{**vars(lab.site), "host": flaky})
    record = lab.submit(run)
    assert flaky.lost == 1
    assert lab.jobs().count(record.comment) == 1
    lab.until(lab.mirror(run), "finished")
    # Lost for good: the record has no number, and the next look finds the job.
    other = lab.ready(project=project)
    record = lab.submit(other)
    write_record(other.path, record.changed(job_id="", log=""))
    found = recover(lab.site, other)
    assert found is not None
    assert found.job_id == record.job_id
    assert found.log == record.log
    # Even where the cluster's own note of the answer is gone, its token finds it in the queue.
    (Path(record.marker) / "code").unlink()
    write_record(other.path, record.changed(job_id="", log=""))
    found = recover(lab.site, other)
    assert found is not None
    assert found.job_id == record.job_id
    assert lab.jobs().count(record.comment) == 1


def test_what_slurm_refuses_leaves_no_job_behind(lab: Lab) -> None:
    project = make_project(lab.workspace, "p")
    run = lab.ready(project=project)
    with pytest.raises(SubmitError, match=r"did not take the job: .*[Ll]icense"):
        lab.submit(run, JobRequest(gpu="h100-96", cpus=1, extra=("--licenses=nosuch",)))
    assert read_record(run.path) is None
    record = lab.submit(run)
    assert record.job_id
    lab.until(lab.mirror(run), "finished")


def test_a_cut_in_the_middle_of_sending_loses_and_doubles_nothing(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slurm.sync.by_files.CHUNK", 128 * 1024)
    project = make_project(lab.workspace, "p", train=120, valid=60)
    run = lab.ready(project=project)
    assert run.config().dataset is not None
    (run.dataset_dir / "train" / "noise.bin").write_bytes(bytes(range(256)) * 5000)
    cut = threading.Event()

    def watch(at) -> None:
        if at.stage == "sending data set" and 400_000 < at.done < at.total and not cut.is_set():
            cut.set()
            lab.cluster.stop_sshd()
            threading.Timer(2.0, lab.cluster.start_sshd).start()

    offsets: list[int] = []

    def report(at) -> None:
        if at.stage == "sending data set":
            offsets.append(at.done)
        watch(at)

    records = submit(lab.site, lab.plan(run), report)
    assert cut.is_set()
    # It went on where it was, give or take the part that was under way.
    assert all(later >= earlier - 2 * 128 * 1024 for earlier, later in itertools.pairwise(offsets))
    sent = Path(lab.site.root, "datasets")
    folder = next(sent.iterdir())
    assert [path.name for path in sent.iterdir()] == [folder.name]
    check = subprocess.run(
        ["sha256sum", "-c", "--quiet", ".manifest"], cwd=folder, capture_output=True, text=True
    )
    assert (check.returncode, check.stdout) == (0, "")
    names = {p.relative_to(folder) for p in folder.rglob("*") if p.is_file()} - {Path(".manifest")}
    here = run.dataset_dir
    assert names == {p.relative_to(here) for p in here.rglob("*") if p.is_file()}
    lab.until(lab.mirror(run), "finished")
    assert lab.jobs().count(records[0].comment) == 1


def test_a_cluster_out_of_reach_in_the_middle_of_following_loses_nothing(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slurm.sync.mirror._REFRESH_S", 0.05)
    project = make_project(lab.workspace, "p")
    run = lab.ready(project=project, epochs=100_000)
    record = lab.submit(run)
    there = Path(record.run_dir) / "events.jsonl"
    mirror = lab.mirror(run)
    with mirroring(mirror, lab.workspace):
        for _ in range(2):
            known = run.events_file.stat().st_size if run.events_file.is_file() else 0
            wait_for("more of it", lambda known=known: _size(run.events_file) > known, 60)
            lab.cluster.stop_sshd()
            try:
                # It is trained on meanwhile, and what is here is as it was.
                long = there.stat().st_size
                wait_for("more there", lambda long=long: there.stat().st_size > long + 1000, 60)
                assert run.state() == "running"
            finally:
                lab.cluster.start_sshd()
        lab.enough(mirror)
        wait_for("the end", lambda: run.state() == "finished", 120)
    lab.until(mirror, "finished")
    assert run.events_file.read_bytes() == there.read_bytes()
    assert run.log_file.read_bytes() == Path(record.log).read_bytes()
    steps = RunFollower(run.path).poll().series.step.tolist()
    assert steps == list(range(1, len(steps) + 1))
    assert len(steps) == run.summary().epoch * 4


def _size(file: Path) -> int:
    return file.stat().st_size if file.is_file() else 0


def test_a_sweep_is_one_array_with_a_cap(lab: Lab) -> None:
    make_project(lab.workspace, "p")
    done = lab.batman(
        "submit", "--project", "p", "--model", "tiny", "--epochs", "1", "--gpu", "h100-96",
        "--cpus", "1", "--sweep", "lr=1e-3,5e-4", "batch-size=2,4", "--sweep-parallel", "2",
        "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    numbers = {entry["job"].split("_")[0] for entry in told}
    assert len(told) == 4
    assert len(numbers) == 1
    runs = [lab.workspace.run_path(entry["run"]) for entry in told]
    chosen = {(Run(path).config().lr, Run(path).config().batch_size) for path in runs}
    assert chosen == {(1e-3, 2), (1e-3, 4), (5e-4, 2), (5e-4, 4)}
    assert {Run(path).config().sweep for path in runs} == {f"{runs[0].name}-sweep"}
    assert "--array=0-3%2" in (runs[0] / "job.sh").read_text()
    for path in runs:
        lab.until(lab.mirror(Run(path)), "finished")
        there = Path(read_record(path).run_dir) / "events.jsonl"
        started = next(e for e in read_events(there.read_bytes())[0] if isinstance(e, Started))
        assert started.run == there.parent.name


def test_which_gpu_is_free_soonest(lab: Lab) -> None:
    facts = discover(lab.host)
    assert facts.accounting
    assert facts.gpu_types() == ["a100-40", "h100-96"]
    assert facts.limit("gpu") == 3 * 3600
    rows = soonest(lab.host, lab.profile, JobRequest(cpus=1), facts, 2)
    assert {row.gpu for row in rows} == {"h100-96", "a100-40"}
    for row in rows:
        assert row.total == 4
        assert row.start is not None
        assert abs(row.start - time.time()) < 60
    none = soonest(lab.host, lab.profile, JobRequest(cpus=1), facts, 5)
    assert all(row.start is None and "at most" in row.why_not for row in none)
