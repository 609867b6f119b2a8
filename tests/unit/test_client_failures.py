"""What `JobFailed` tells of a training: the error of its newest start, with its traceback."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from core.training.run.events import Event, EventWriter, Failed, Started, Stopped
from core.training.run.run import Run
from slurm.client.runs import TrainJob
from slurm.client.session import Session
from slurm.job.record import JobRecord, write_record

TRACEBACK = "Traceback (most recent call last):\n  ...\nValueError: no boxes"
FAILED = Failed(kind="data", message="There are no boxes.", hint="Import.", traceback=TRACEBACK)


def job_of(folder: Path, *events: Event) -> TrainJob:
    run = Run(folder / "birds-1")
    run.path.mkdir()
    writer = EventWriter(run.events_file)
    for event in events:
        writer.write(event)
    writer.close()
    record = JobRecord(
        cluster="vega", host="vega", token="t", run_dir="/x", log="", marker="",
        submitted_at=1.0, job_id="7", state="FAILED", fetched_at=2.0,
    )  # fmt: skip
    write_record(run.path, record)
    ended = SimpleNamespace(site=SimpleNamespace(shared=False), until=lambda done, timeout: done())
    return TrainJob(cast("Session", ended), run.path)


def started(**changed: Any) -> Started:
    values: dict[str, Any] = {
        "run": "birds-1", "pid": 1, "host": "n1", "model": "tiny", "epochs": 2, "epoch": 0,
        "step": 0, "steps_per_epoch": 1, "batch_size": 8, "grad_accum": 1, "effective_batch": 8,
        "image_size": 128, "classes": ["red"], "device": "cpu",
    }  # fmt: skip
    return Started(**(values | changed))


def test_a_training_that_failed_tells_its_error_with_the_traceback(tmp_path: Path) -> None:
    failed = job_of(tmp_path, started(), FAILED).exception()
    assert failed is not None
    assert (failed.message, failed.hint) == ("There are no boxes.", "Import.")
    assert failed.traceback == TRACEBACK
    assert "ValueError: no boxes" in str(failed)


def test_an_error_before_it_began_is_told_too(tmp_path: Path) -> None:
    failed = job_of(tmp_path, FAILED).exception()
    assert failed is not None
    assert failed.message == "There are no boxes."


def test_an_earlier_start_s_error_is_not_told_of_a_later_one(tmp_path: Path) -> None:
    again = (FAILED, started(pid=2), Stopped(epoch=1, step=1, reason="cancelled"))
    failed = job_of(tmp_path, started(), *again).exception()
    assert failed is not None
    assert failed.message == (
        "The run 'birds-1' did not finish: it is stopped, its job 7 is failed."
    )
    assert not failed.traceback
