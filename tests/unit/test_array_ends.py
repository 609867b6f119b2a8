"""The end of a sweep on a cluster: an array of jobs, a run each."""

from __future__ import annotations

from pathlib import Path

from core.common.files import write_json
from core.common.workspace import Workspace
from core.training.config.options import parse_config
from core.training.run.events import EventWriter, Failed, Finished, Started, Validation
from core.training.run.run import Run
from core.training.run_list.run_ends import RunEnd
from slurm.job.record import JobRecord, read_record, write_record
from slurm.watch.array_ends import ended_arrays


def run_of(root: Path, name: str, task: int | None, token: str = "t1") -> Run:
    run = Run(root / "runs" / name)
    run.path.mkdir(parents=True)
    parse_config({"project": root / "data/projects/p", "model": "tiny"}).save(
        run.path / "training_config.json"
    )
    worker = {"pid": 7, "host": "n1", "create_time": 1.0, "since": 1.0}  # on a node
    write_json(run.path / "worker.json", worker)
    EventWriter(run.events_file).write(
        Started(
            run=name, pid=1, host="here", model="tiny", epochs=2, epoch=0, step=0,
            steps_per_epoch=1, batch_size=8, grad_accum=1, effective_batch=8, image_size=128,
            classes=["red"], device="cpu",
        )
    )  # fmt: skip
    record = JobRecord(
        cluster="vega", host="vega", token=token, run_dir=f"/x/{name}", log="", marker="",
        submitted_at=1.0, job_id=f"7_{task}", task=task,
    )  # fmt: skip
    write_record(run.path, record)
    return run


def ends(run: Run, best: float | None) -> RunEnd:
    events = EventWriter(run.events_file)
    if best is None:
        events.write(Failed(kind="data", message="Bad data.", seconds=3.0))
    else:
        events.write(
            Validation(
                epoch=1, step=1, map50_95=best, map50=best, map75=best, precision=0.6,
                recall=0.7, f1=0.65, per_class={"red": best}, best=True,
            )
        )  # fmt: skip
        events.write(
            Finished(epoch=2, step=2, best_epoch=1, best_map50_95=best, best_map50=best, seconds=9)
        )
    return RunEnd(run.name, run.path, run.state())


def test_an_array_has_ended_with_the_last_of_its_runs(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    first, second, third = (run_of(tmp_path, f"p-sweep-{n}", n) for n in range(3))
    alone = run_of(tmp_path, "alone", None, "t2")
    assert ended_arrays(workspace, [ends(alone, 0.5)]) == []
    assert ended_arrays(workspace, [ends(first, 0.2)]) == [], "two go on"
    assert ended_arrays(workspace, [ends(second, None)]) == []
    last = ends(third, 0.41)
    (end,) = ended_arrays(workspace, [last])
    assert end.title == "The sweep of p-sweep-0 finished"
    assert end.body == "2 of 3 runs trained, 1 failed. Best: p-sweep-2, mAP50-95 0.410."
    assert end.variables()["BATMAN_RUN"] == "p-sweep-2"
    assert ended_arrays(workspace, [last]) == [], "it is told once"
    assert ended_arrays(workspace, []) == []


def test_what_was_cancelled_while_it_waited_keeps_no_sweep_open(tmp_path: Path) -> None:
    first, second = (run_of(tmp_path, f"p-sweep-{n}", n) for n in range(2))
    second.events_file.unlink()
    (second.path / "worker.json").unlink()
    last = ends(first, 0.2)
    assert ended_arrays(Workspace(tmp_path), [last]) == [], "it waits"
    record = read_record(second.path)
    assert record is not None
    write_record(second.path, record.changed(state="CANCELLED by 0"))
    (end,) = ended_arrays(Workspace(tmp_path), [last])
    assert end.body == "1 of 2 runs trained. Best: p-sweep-0, mAP50-95 0.200."
