"""What befalls a job on a real SLURM: it is preempted, its node fails, it may not be requeued."""

from __future__ import annotations

from pathlib import Path

from cluster_runs import Lab, make_project
from slurm_cluster import wait_for

from core.training.live.follow import RunFollower
from core.training.run.events import Started, read_events
from core.training.run.worker_process import ENDED
from slurm.submit.request import JobRequest
from slurm.submit.submit import submit
from slurm.sync.mirror import Mirror, link_log

# More than any test waits for; `Lab.enough` ends a run.
ENDLESS = 100_000


def begin(lab: Lab, name: str = "p", num_gpus: int = 1, **wanted: object) -> Mirror:
    """Submit a run and wait until it has written a checkpoint."""
    run = lab.ready(project=make_project(lab.workspace, name), epochs=ENDLESS)
    wish = JobRequest(**{"gpu": "h100-96", "cpus": 1, **wanted})  # type: ignore[arg-type]
    lab.submit(run, wish, num_gpus=num_gpus)
    mirror = lab.mirror(run)
    trains(mirror)
    return mirror


def starts(mirror: Mirror) -> list[Started]:
    """Return the starts that the run tells of, as far as is known here."""
    file = mirror.run.events_file
    events = read_events(file.read_bytes())[0] if file.is_file() else []
    return [event for event in events if isinstance(event, Started)]


def trains(mirror: Mirror, start: int = 1) -> list[tuple[str, str, str]]:
    """Look until the run trains after its so manieth start, and an epoch more.

    Returns what was seen: the job's state, its node, and the run's state.
    """
    seen: list[tuple[str, str, str]] = []

    def there() -> bool:
        mirror.refresh()
        job = mirror.look()
        told = (job.state.name, job.node_list) if job else ("", "")
        seen.append((*told, mirror.run.state()))
        begun = starts(mirror)
        return len(begun) >= start and mirror.run.summary().epoch > begun[start - 1].epoch

    try:
        wait_for(f"training after start {start}", there, 120)
    except TimeoutError:
        log = Path(mirror.record.log)
        raise AssertionError(
            f"{seen[-3:]}\n{mirror.record}\n{log.read_text() if log.exists() else 'no log'}"
        ) from None
    return seen


def assert_one_curve(lab: Lab, mirror: Mirror) -> None:
    """Let the run end, and check that no step and no epoch of it is missing or there twice."""
    epochs = lab.enough(mirror)
    lab.until(mirror, "finished")
    snapshot = RunFollower(mirror.run.path).poll()
    assert [epoch.epoch for epoch in snapshot.epochs] == list(range(1, epochs + 1))
    assert snapshot.series.step.tolist() == list(range(1, epochs * 4 + 1))
    there = Path(mirror.record.run_dir) / "events.jsonl"
    assert mirror.run.events_file.read_bytes() == there.read_bytes()
    wait_for("the job's end", lambda: mirror.look().state.name == "COMPLETED", 30)


def test_preempted_runs_wait_and_go_on(lab: Lab) -> None:
    """One whose job is put back into the queue, and one whose job is ended."""
    back, ended = begin(lab, num_gpus=4), begin(lab, "q", num_gpus=4, gpu="a100-40")
    first = ended.record
    for kind in ("h100-96", "a100-40"):
        lab.cluster.call(
            "sbatch", "-p", "urgent", "--mem=100M", "-o", "/dev/null", f"--gres=gpu:{kind}:4",
            "--wrap", "sleep 3",
        )  # fmt: skip
    for mirror in (back, ended):
        seen = trains(mirror, 2)
        assert not {run for _, _, run in seen} & set(ENDED), seen
        assert starts(mirror)[1].step > 0, "it wrote a checkpoint before it went"
        assert_one_curve(lab, mirror)
        assert mirror.record.restarts == 1
    log = back.run.log_file.read_text()
    assert "DUE TO PREEMPTION" in log
    assert "back in the queue: it goes on from the checkpoint" in log
    log = Path(first.log).read_text()
    assert "DUE TO PREEMPTION" in log
    assert "preempted, and not put back into the queue" in log


def test_a_run_whose_node_goes_down_goes_on(lab: Lab) -> None:
    mirror = begin(lab)
    job = mirror.look()
    assert job is not None
    lab.cluster.call("scontrol", "update", f"nodename={job.node_list}", "state=down", "reason=x")
    try:
        seen = trains(mirror, 2)
    finally:
        # It comes back by itself (ReturnToService) once its slurmd has reported.
        lab.cluster.try_call("scontrol", "update", f"nodename={job.node_list}", "state=resume")
    assert not {run for _, _, run in seen} & set(ENDED), seen
    assert_one_curve(lab, mirror)
    assert "DUE TO NODE FAILURE" in mirror.run.log_file.read_text()


def test_at_its_time_limit_while_it_writes_its_checkpoint_it_goes_on(lab: Lab) -> None:
    mirror = begin(lab)
    there = Path(mirror.record.run_dir)
    (there / "slow").touch()
    job = mirror.record.job_id
    lab.cluster.call("scancel", "--batch", "--signal=USR1", job)
    log = Path(mirror.record.log)
    wait_for("the warning", lambda: "the time limit is near" in log.read_text())
    # SLURM compares jobs with their time limits twice a minute.
    lab.cluster.call("scontrol", "update", f"jobid={job}", "EndTime=now+1")
    wait_for("the limit", lambda: "asked to end" in log.read_text(), 90)
    (there / "slow").unlink()
    seen = trains(mirror, 2)
    assert not {run for _, _, run in seen} & set(ENDED), seen
    assert starts(mirror)[1].step > 0
    lab.cluster.call("scontrol", "update", f"jobid={job}", "TimeLimit=30")
    assert_one_curve(lab, mirror)
    assert "DUE TO TIME LIMIT" in mirror.run.log_file.read_text()
    assert mirror.record.restarts == 1


def test_of_an_array_only_the_task_that_is_warned_is_requeued(lab: Lab) -> None:
    project = make_project(lab.workspace, "p")
    runs = [lab.ready(project=project, epochs=ENDLESS) for _ in range(2)]
    records = submit(lab.site, lab.plan(*runs))
    first, last = (lab.mirror(run) for run in runs)
    trains(first)
    trains(last)
    # The last task has the number of the whole array for its own.
    lab.cluster.call("scancel", "--batch", "--signal=USR1", records[1].job_id)
    trains(last, 2)
    for mirror in (first, last):
        assert_one_curve(lab, mirror)
    assert [len(starts(mirror)) for mirror in (first, last)] == [1, 2]


def test_where_requeueing_is_forbidden_another_job_goes_on(lab: Lab) -> None:
    """A job by itself and one of an array: each has one successor, with a log of its own."""
    forbidden = ["--no-requeue"]
    project = make_project(lab.workspace, "p")
    single, *array = (lab.ready(project=project, epochs=ENDLESS) for _ in range(3))
    records = [lab.submit(single, unchecked=forbidden)]
    records += submit(lab.site, lab.plan(*array, unchecked=forbidden))
    mirrors = [lab.mirror(run) for run in (single, *array)]
    for mirror in mirrors:
        trains(mirror)
    for record in records[::2]:
        lab.cluster.call("scancel", "--batch", "--signal=USR1", record.job_id)
    for mirror in mirrors[::2]:
        seen = trains(mirror, 2)
        assert not {run for _, _, run in seen} & set(ENDED), seen
    for mirror, record in zip(mirrors, records, strict=True):
        assert_one_curve(lab, mirror)
        link_log(mirror, lab.workspace)
        here = lab.workspace.logs_dir / Path(mirror.record.log).name
        assert here.read_bytes() == Path(mirror.record.log).read_bytes()
        assert mirror.run.log_file.read_bytes() == here.read_bytes()
        succeeded = record is not records[1]
        assert (mirror.record.job_id != record.job_id) is succeeded
        assert mirror.record.restarts == succeeded
        if succeeded:
            # What the first job wrote is kept.
            (before,) = mirror.run.path.glob("train-before-*.log")
            assert before.read_bytes() == Path(record.log).read_bytes()
            assert "submitting a successor" in before.read_text()
    assert mirrors[2].record.job_id.endswith("_1")
