"""A sweep on this machine: its plan on disk, and the process that works it off run after run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from test_start_run import workspace as workspace

from core.common.errors import BatmanError, Cancelled, RunError
from core.common.workspace import Workspace
from core.data.store import Project
from core.training.config.sweep import combinations
from core.training.launch import local
from core.training.run.delete import delete_run
from core.training.run.events import EventWriter, Failed, Finished, Started, Stopped, Validation
from core.training.run.run import Run
from core.training.run.worker_process import read_worker, write_worker
from core.training.run_list.columns import RUN_COLUMNS
from core.training.run_list.filter import read_filter
from core.training.run_list.index import list_runs
from core.training.sweep import control, prepare
from core.training.sweep import sweep as sweep_module
from core.training.sweep.control import cancel_rest, resume_sweep, stop_sweep
from core.training.sweep.ends import SweepWatch
from core.training.sweep.prepare import make_sweep, plan_sweep, prepare_rest
from core.training.sweep.runner import DONE, Runner
from core.training.sweep.sweep import PLAN_FILE, Sweep, find_sweep, list_sweeps
from core.training.sweep.table import best_words, sweep_columns, sweep_rows, sweep_sentence

WORDS = ["lr=1e-4,5e-5", "epochs=2,3"]


def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        pause.wait(0.02)


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training is installed here."""
    monkeypatch.setattr(local, "_NEEDED", ("sys",))


@pytest.fixture
def values(workspace: Workspace) -> dict[str, Any]:
    return {"model": "tiny", "project": workspace.project_path("cells"), "from_scratch": True}


@pytest.fixture
def sweep(workspace: Workspace, values: dict[str, Any]) -> Sweep:
    return make_sweep(workspace, values, WORDS)


class Trainer:
    """Stands for the processes that train: what is asked of each run by `fates`, at once."""

    def __init__(self, **fates: str) -> None:
        self.fates = fates
        self.calls: list[tuple[str, str]] = []
        self.then: Callable[[Run], object] = lambda run: None

    def start(self, run: Run) -> None:
        self._do("start", run)

    def resume(self, run: Run) -> None:
        self._do("resume", run)

    def _do(self, how: str, run: Run) -> None:
        self.calls.append((how, run.name))
        fate = self.fates.get(f"r{run.name[-1]}", "ends")
        if fate == "refused":
            raise RunError("The disk is full.", "Free some.")
        if fate == "defect":
            raise ZeroDivisionError("one by none")
        write_worker(run.path, 2**22 + 1 if fate == "dies" else None)
        events = EventWriter(run.events_file)
        config = run.config()
        events.write(
            Started(
                run=run.name, pid=1, host="here", model="tiny", epochs=config.epochs, epoch=0,
                step=0, steps_per_epoch=2, batch_size=8, grad_accum=1, effective_batch=8,
                image_size=128, classes=["red", "white"], device="cpu",
            )
        )  # fmt: skip
        score = round(config.lr * 5_000 - config.epochs / 100, 3)
        if fate == "fails":
            events.write(Failed(kind="data", message="Bad data.", seconds=3.0))
        elif fate == "stops":
            events.write(Stopped(epoch=1, step=2, reason="SIGTERM", seconds=2.0))
        elif fate == "ends":
            events.write(
                Validation(
                    epoch=1, step=2, map50_95=score, map50=0.6, map75=0.2, precision=0.6,
                    recall=0.7, f1=0.65, per_class={"red": 0.3, "white": 0.2}, best=True,
                )
            )  # fmt: skip
            events.write(
                Finished(
                    epoch=config.epochs, step=4, best_epoch=1, best_map50_95=score,
                    best_map50=0.6, seconds=65,
                )
            )  # fmt: skip
        events.close()
        self.then(run)


def work_off(sweep: Sweep, trainer: Trainer, stopped: Callable[[], bool] = lambda: False) -> int:
    return Runner(sweep, stopped, trainer.start, trainer.resume, look_s=0.01).run()


def states(sweep: Sweep) -> list[str]:
    return [row.state for row in sorted(sweep_rows(sweep), key=lambda row: row.place)]


# What is trained


def test_a_sweep_is_every_combination() -> None:
    found = combinations({"model": "tiny", "epochs": "3"}, ["lr=1e-4,5e-5", "--batch-size=2, 4"])
    assert [(one.config.lr, one.config.batch_size) for one in found] == [
        (1e-4, 2), (1e-4, 4), (5e-5, 2), (5e-5, 4),
    ]  # fmt: skip
    assert found[1].choices == {"lr": "1e-4", "batch_size": "4"}
    assert all(one.config.epochs == 3 for one in found)
    assert len(combinations({"model": "tiny"}, [])) == 1
    named = combinations({"output_dir": "out"}, ["model=base,medium"])
    assert [str(one.config.output_dir) for one in named] == ["out/model=base", "out/model=medium"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("lr", "names no values"),
        ("lr=", "names no values"),
        ("leaning=1", "no setting"),
        ("epoch=1", "epochs"),
        ("project=a,b", "no setting"),
        ("num-gpus=1,2", "same GPUs"),
        ("lr=fast", "lr"),
        ("lr=1e-4,0.0001", "same training"),
        ("lr=1e-4,5e-5 lr=1e-3", "twice"),
        (f"seed={','.join(map(str, range(1001)))}", "1,001 runs"),
    ],
)
def test_a_sweep_that_makes_no_sense_is_refused(words: str, said: str) -> None:
    with pytest.raises(BatmanError) as raised:
        combinations({"model": "tiny"}, words.split())
    assert said in f"{raised.value.message} {raised.value.hint}"


def test_a_sweep_begins_new_runs_and_more_than_one(
    workspace: Workspace, values: dict[str, Any]
) -> None:
    with pytest.raises(BatmanError, match="begins new runs"):
        combinations({"resume": "cells-tiny-1"}, ["lr=1e-4,5e-5"])
    with pytest.raises(BatmanError, match="of one run is none"):
        plan_sweep(workspace, values, ["lr=1e-4"])
    assert not workspace.runs_dir.exists()


# The plan on disk


def test_all_of_it_is_prepared_before_anything_is_trained(sweep: Sweep) -> None:
    workspace = sweep.workspace
    assert sweep.name == "cells-sweep-1"
    assert sweep.path == workspace.root / "sweeps" / sweep.name
    assert [run.name for run in sweep.runs()] == [f"cells-sweep-1-{n}" for n in (1, 2, 3, 4)]
    assert (sweep.state(), states(sweep)) == ("stopped", ["waiting"] * 4)
    assert [(run.config().lr, run.config().epochs) for run in sweep.runs()] == [
        (1e-4, 2), (1e-4, 3), (5e-5, 2), (5e-5, 3),
    ]  # fmt: skip
    # All learn from the same data, which is on disk once.
    first, *others = [run.dataset_dir / "train" / "_annotations.coco.json" for run in sweep.runs()]
    assert all(other.samefile(first) for other in others)
    assert len({str(run.config().dataset) for run in sweep.runs()}) == 1
    # The list of runs tells what belongs together, and what waits.
    rows = list_runs(workspace)
    assert {RUN_COLUMNS["sweep"].written(row) for row in rows} == {"cells-sweep-1"}
    assert all(read_filter("sweep=cells-sweep-1 state=waiting").keeps(row) for row in rows)
    assert find_sweep(workspace).name == "cells-sweep-1"
    with pytest.raises(RunError, match="no sweep 'cells-swep-1'") as raised:
        find_sweep(workspace, "cells-swep-1")
    assert "cells-sweep-1" in raised.value.hint


def test_the_next_sweep_has_a_name_of_its_own(sweep: Sweep, values: dict[str, Any]) -> None:
    (sweep.workspace.runs_dir / "cells-sweep-6-2").mkdir()
    other = make_sweep(sweep.workspace, values, ["seed=1,2"])
    assert other.name == "cells-sweep-7"
    assert [found.name for found in list_sweeps(sweep.workspace)] == [other.name, sweep.name]
    # Another seed draws other splits.
    one, two = (run.config().dataset for run in other.runs())
    assert one is not None
    assert two is not None
    assert one.fingerprint != two.fingerprint


def test_a_run_that_is_there_is_never_replaced(
    workspace: Workspace, values: dict[str, Any]
) -> None:
    values["output_dir"] = "runs/mine"
    done = Run(workspace.runs_dir / "mine" / "lr=5e-5")
    done.path.mkdir(parents=True)
    (done.path / "best.pth").write_bytes(b"a model")
    with pytest.raises(RunError, match="already holds a run"):
        make_sweep(workspace, values, ["lr=1e-4,5e-5"])
    assert [path.name for path in done.path.parent.iterdir()] == [done.name]
    assert list_sweeps(workspace) == []


@pytest.mark.parametrize("error", [Cancelled("Enough."), KeyboardInterrupt()], ids=["asked", "^C"])
def test_what_is_cancelled_leaves_nothing(
    workspace: Workspace, values: dict[str, Any], error: BaseException
) -> None:
    heard: list[str] = []

    def tell(at: Any) -> None:
        heard.append(at.stage)
        if at.stage.startswith("run 3"):
            raise error

    with pytest.raises(type(error)):
        make_sweep(workspace, values, ["seed=1,2,3,4"], tell)
    assert heard[0] == "run 1 of 4: preparing"
    assert list(workspace.runs_dir.iterdir()) == []
    assert list((workspace.root / "sweeps").iterdir()) == []


def test_preparing_that_was_killed_goes_on(
    workspace: Workspace, values: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def tell(at: Any) -> None:
        if at.stage.startswith("run 3"):
            raise Killed

    # A kill undoes nothing.
    monkeypatch.setattr(prepare, "remove_tree", lambda path: None)
    monkeypatch.setattr("core.training.launch.undo.Undo.restore", lambda self: [])
    with pytest.raises(Killed):
        make_sweep(workspace, values, WORDS, tell)
    sweep = find_sweep(workspace)
    assert sweep.state() == "stopped"
    assert states(sweep) == ["waiting", "waiting", "gone", "gone"]
    # What comes into the project meanwhile is not for this sweep.
    first = sweep.runs()[0].config().dataset
    with Project.open(workspace.project_path("cells")) as project, project.change("x", "y") as made:
        made.insert("classes", {"name": "new"})
    prepare_rest(sweep)
    assert states(sweep) == ["waiting"] * 4
    assert [run.config().dataset for run in sweep.runs()] == [first] * 4
    assert work_off(sweep, trainer := Trainer()) == DONE
    assert len(trainer.calls) == 4


# Working it off


def test_runs_are_trained_one_after_the_other_and_the_best_comes_first(sweep: Sweep) -> None:
    trainer = Trainer()
    # Nothing begins before the run before it has ended.
    trainer.then = lambda run: seen.append(states(sweep))
    seen: list[list[str]] = []
    assert work_off(sweep, trainer) == DONE
    assert trainer.calls == [("start", run.name) for run in sweep.runs()]
    assert seen[1] == ["finished", "finished", "waiting", "waiting"]
    assert sweep.state() == "finished"
    rows = sweep_rows(sweep)
    assert [(row.place, row.best) for row in rows] == [
        (1, 0.48), (2, 0.47), (3, 0.23), (4, 0.22),
    ]  # fmt: skip
    columns = sweep_columns(sweep.plan())
    assert [column.typed for column in columns] == [
        *("run", "lr", "epochs", "mAP50-95", "mAP50", "state", "epoch", "time"),
    ]
    assert [column.written(rows[0]) for column in columns] == [
        *("cells-sweep-1-1", "1e-4", "2", "0.480", "0.600", "finished", "2/2", "1m 05s"),
    ]
    state = next(column for column in columns if column.key == "state")
    assert state.on_screen(lambda: datetime.now(UTC)).value(rows[0]) == "✔ finished"
    assert sweep_sentence(rows) == "4 of 4 runs trained, in 4m 20s."
    assert best_words(rows) == ("Best: cells-sweep-1-1 with lr 1e-4, epochs 2: mAP50-95 0.480.")
    # Again, nothing is left: what has ended is as it was.
    before = {run.name: (run.path / "events.jsonl").stat().st_mtime_ns for run in sweep.runs()}
    assert work_off(sweep, trainer) == DONE
    assert len(trainer.calls) == 4
    assert before == {
        run.name: (run.path / "events.jsonl").stat().st_mtime_ns for run in sweep.runs()
    }
    with pytest.raises(RunError, match="nothing left to train"):
        resume_sweep(sweep)


def test_what_fails_does_not_hold_up_the_rest(
    sweep: Sweep, capsys: pytest.CaptureFixture[str]
) -> None:
    trainer = Trainer(r1="fails", r2="refused", r3="defect")
    assert work_off(sweep, trainer) == DONE
    assert states(sweep) == ["failed", "waiting", "waiting", "finished"]
    said = {row.place: row.said for row in sweep_rows(sweep)}
    assert said == {
        1: "Bad data.", 2: "The disk is full. Free some.", 3: "ZeroDivisionError: one by none",
        4: "",
    }  # fmt: skip
    out = capsys.readouterr().out
    assert "cells-sweep-1-1 failed after 3s: Bad data." in out
    assert "cells-sweep-1-2 cannot be started: The disk is full. Free some." in out
    assert "in _do" in out
    assert "cells-sweep-1-4 finished after 1m 05s, mAP50-95 0.220" in out
    # The next time what could not be started is tried again, and what failed is left.
    trainer.fates, trainer.calls = {}, []
    assert sweep.state() == "stopped"
    assert work_off(sweep, trainer) == DONE
    assert trainer.calls == [("start", "cells-sweep-1-2"), ("start", "cells-sweep-1-3")]
    assert sweep_sentence(sweep_rows(sweep)) == "3 of 4 runs trained, 1 failed, in 3m 18s."


def test_lost_runs_go_on_and_those_that_a_person_stopped_do_not(sweep: Sweep) -> None:
    trainer = Trainer(r1="dies", r2="stops")
    assert work_off(sweep, trainer) == DONE
    # A run that is lost is not tried for ever by one process.
    assert states(sweep) == ["lost", "stopped", "finished", "finished"]
    trainer.fates, trainer.calls = {}, []
    assert work_off(sweep, trainer) == DONE
    assert trainer.calls == [("resume", "cells-sweep-1-1")]
    assert states(sweep)[:2] == ["finished", "stopped"]


def test_a_run_that_somebody_deleted_is_passed_over(sweep: Sweep) -> None:
    delete_run(sweep.runs()[1])
    trainer = Trainer()
    assert work_off(sweep, trainer) == DONE
    assert states(sweep) == ["finished", "gone", "finished", "finished"]
    assert sweep_sentence(sweep_rows(sweep)).startswith("3 of 4 runs trained, 1 gone")
    assert sweep.state() == "finished"


def test_the_rest_can_be_cancelled(sweep: Sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep_module, "_TURN_S", 0.0)
    trainer, cancelled = Trainer(), list[str]()

    def between() -> bool:  # asked before each run
        if len(trainer.calls) == 2 and not cancelled:
            cancelled.extend(cancel_rest(sweep))
        return False

    def starting(run: Run) -> None:
        # Nobody can cancel a run while it is started.
        with pytest.raises(RunError, match="does not answer"):
            cancel_rest(sweep)

    trainer.then = starting
    assert work_off(sweep, trainer, between) == DONE
    assert [name for _, name in trainer.calls] == ["cells-sweep-1-1", "cells-sweep-1-2"]
    assert cancelled == ["cells-sweep-1-3", "cells-sweep-1-4"]
    assert not any((sweep.workspace.runs_dir / name).exists() for name in cancelled)
    assert states(sweep) == ["finished", "finished", "cancelled", "cancelled"]
    assert sweep_sentence(sweep_rows(sweep)).startswith("2 of 4 runs trained, 2 cancelled")
    assert sweep.state() == "finished"
    with pytest.raises(RunError, match="No run of the sweep 'cells-sweep-1' waits"):
        cancel_rest(sweep)


def test_cancelling_that_was_killed_starts_nothing(
    sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "delete_run", lambda run: None)
    assert cancel_rest(sweep) == [run.name for run in sweep.runs()]
    assert work_off(sweep, trainer := Trainer()) == DONE
    assert trainer.calls == []
    assert states(sweep) == ["cancelled"] * 4


def test_a_plan_that_cannot_be_read_is_said(sweep: Sweep) -> None:
    (sweep.path / PLAN_FILE).write_text("{")
    with pytest.raises(BatmanError, match=r"sweep\.json' cannot be read"):
        sweep.state()


# Processes

# Trains until it is told to end; stopped in its first epoch, it begins again.
TRAINER = """
import os, signal, sys, time
from pathlib import Path
from core.training.run.events import *
run = Path(sys.argv[1])
events = EventWriter(run / "events.jsonl")
events.write(Started(run=run.name, pid=os.getpid(), host="here", model="tiny", epochs=2, epoch=0,
    step=0, steps_per_epoch=2, batch_size=8, grad_accum=1, effective_batch=8, image_size=128,
    classes=["red", "white"], device="cpu"))
def stop(*_):
    events.write(Stopped(epoch=0, step=1, reason="SIGTERM", seconds=1.0))
    os._exit(3)
signal.signal(signal.SIGTERM, stop)
events.write(Step(epoch=1, step=1, loss=2.5, lr=1e-3, images_per_s=9.0, step_s=0.1))
while not (run / "go").exists():
    time.sleep(0.01)
events.write(Finished(epoch=2, step=4, best_epoch=1, best_map50_95=0.25, best_map50=0.5, seconds=9))
"""
DRIVER = """
import sys
import core.training.launch.local as launcher
launcher.require_startable = lambda config, path: None
launcher.worker_command = lambda run: [sys.executable, {script!r}, str(run.path)]
from core.training.sweep.runner import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def real(
    workspace: Workspace, values: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Sweep]:
    """A sweep of two whose processes are real but for what they train."""
    script, driver = tmp_path / "trainer.py", tmp_path / "driver.py"
    script.write_text(TRAINER)
    driver.write_text(DRIVER.format(script=str(script)))
    monkeypatch.setattr(
        control, "python_command", lambda module, path: [sys.executable, str(driver), path]
    )
    found = make_sweep(workspace, values, ["lr=1e-4,5e-5"])
    yield found
    for path in [found.path, *(run.path for run in found.runs())]:
        worker = read_worker(path)
        if worker is not None and worker.alive():
            os.kill(worker.pid, signal.SIGKILL)


def test_a_sweep_goes_on_after_its_process_was_killed_and_after_a_stop(real: Sweep) -> None:
    one, two = real.runs()
    pid = control.launch(real)
    until(lambda: one.state() == "running")
    assert os.getsid(pid) == pid
    assert (real.state(), two.state()) == ("running", "waiting")
    with pytest.raises(RunError, match="is running"):
        resume_sweep(real)
    os.kill(pid, signal.SIGKILL)
    until(lambda: not real.is_worked_off())
    # What it had started trains on, and nothing follows.
    assert (real.state(), one.state()) == ("stopped", "running")
    trainer = read_worker(one.path)
    resume_sweep(real)
    until(lambda: real.log_file.read_text().count("works") == 2)
    assert read_worker(one.path) == trainer  # it is waited for, not started again
    stop_sweep(real)
    until(lambda: not real.is_worked_off())
    assert states(real) == ["stopped", "waiting"]
    assert (real.state(), real.left().stopped) == ("stopped", [one.name])
    with pytest.raises(RunError, match="is not running"):
        stop_sweep(real)
    for run in (one, two):
        (run.path / "go").touch()
    resume_sweep(real)
    until(lambda: real.state() == "finished")
    assert states(real) == ["finished", "finished"]
    assert real.left().stopped == []
    assert "nothing is left to train" in real.log_file.read_text()


def test_what_trains_without_the_sweeps_process_is_stopped(sweep: Sweep) -> None:
    run = sweep.runs()[1]
    child = subprocess.Popen(["sleep", "60"])
    try:
        write_worker(run.path, child.pid)
        stop_sweep(sweep)
        assert child.wait(30) == -signal.SIGTERM
    finally:
        child.kill()
    assert sweep.left().stopped == [run.name]
    assert sweep.state() == "stopped"


def test_a_sweep_that_ended_is_told_once(sweep: Sweep) -> None:
    """As of a run: who saw it going on tells its end, one of all who follow it."""
    ours, theirs = SweepWatch(sweep.workspace), SweepWatch(sweep.workspace)
    assert ours.look() == []
    write_worker(sweep.path)  # this very process works it off
    assert ours.look() == theirs.look() == []
    trainer = Trainer(r2="fails")
    for run in sweep.runs():
        trainer.start(run)
    write_worker(sweep.path, 2**22 + 1)  # gone
    (end,) = ours.look()
    assert theirs.look() == ours.look() == []
    assert end.title == f"{sweep.name} finished"
    best = sweep_rows(sweep)[0]
    assert end.body == f"{sweep_sentence(sweep_rows(sweep))} {best_words([best])}"
    facts = end.variables()
    assert facts["BATMAN_SWEEP_DIR"] == str(sweep.path)
    assert facts["BATMAN_RUN"] == best.name
    assert float(facts["BATMAN_BEST_MAP"]) == pytest.approx(best.best, abs=1e-4)


def test_of_a_sweep_that_ended_before_nobody_is_told(sweep: Sweep) -> None:
    write_worker(sweep.path, 2**22 + 1)
    watch = SweepWatch(sweep.workspace)
    assert watch.look() == watch.look() == []
