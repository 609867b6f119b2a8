"""Run folders: made, found, resumed; their state told from events and real processes."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from core.common.errors import BatmanError, ConfigError, DiskFull, RunError
from core.common.files import write_json
from core.common.workspace import Workspace
from core.processes.child_process import python_environment
from core.processes.installation import how_to_install
from core.training.config.options import DatasetInfo, TrainingConfig
from core.training.launch import local
from core.training.launch.local import launch_local, require_trainer
from core.training.launch.plan import create_run, plan_run, resume_run
from core.training.live.follow import RunFollower
from core.training.run.delete import require_ended
from core.training.run.events import (
    Epoch,
    EventWriter,
    Failed,
    Finished,
    Started,
    Step,
    Stopped,
    Validation,
)
from core.training.run.run import Run, find_run, latest_run
from core.training.run.worker_process import (
    Worker,
    decode_worker,
    mark_stopping,
    read_worker,
    write_worker,
)
from core.training.run_list.index import list_runs

WORKER = """
import os, signal, sys, time
from pathlib import Path
from core.training.run.events import EventWriter, Started, Stopped
from core.training.run.worker_process import write_worker

run = Path(sys.argv[1])
write_worker(run)
events = EventWriter(run / "events.jsonl")

def stop(number, frame):
    events.write(Stopped(epoch=0, step=0, reason="SIGTERM"))
    sys.exit(3)

signal.signal(signal.SIGTERM, stop)
print("in", os.getcwd(), "stdin", repr(sys.stdin.read()))
events.write(Started(run=run.name, pid=os.getpid(), host="h", model="tiny", epochs=2, epoch=0,
    step=0, steps_per_epoch=5, batch_size=8, grad_accum=1, effective_batch=8, image_size=128,
    classes=["a"], device="cpu"))
while True:
    signal.pause()
"""


def started(epoch: int = 0, step: int = 0, epochs: int = 20, **more: Any) -> Started:
    return Started(
        run="r", pid=1, host="h", model="tiny", epochs=epochs, epoch=epoch, step=step,
        steps_per_epoch=10, batch_size=8, grad_accum=1, effective_batch=8, image_size=128,
        classes=["a"], device="cpu", **more,
    )  # fmt: skip


def validation(epoch: int, value: float, **more: Any) -> Validation:
    return Validation(
        epoch=epoch, step=epoch * 10, map50_95=value, map50=value, map75=value, precision=value,
        recall=value, f1=value, **more,
    )  # fmt: skip


def finished(epoch: int) -> Finished:
    return Finished(
        epoch=epoch, step=epoch * 10, best_epoch=1, best_map50_95=0.5, best_map50=0.6, seconds=9.0
    )


def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for a state that another process brings about."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        pause.wait(0.02)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def planned(workspace: Workspace, config: TrainingConfig) -> Run:
    """Return the run for `config`, its settings saved."""
    run, settings = plan_run(workspace, config)
    run.save_config(settings)
    return run


@pytest.fixture
def run(workspace: Workspace) -> Run:
    return create_run(workspace, TrainingConfig(model="tiny", project=Path("data/projects/cells")))


def write(run: Run, *events: Any) -> None:
    writer = EventWriter(run.events_file)
    for event in events:
        writer.write(event)
    writer.close()


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A real process that does nothing and that nobody waits for."""
    process = subprocess.Popen(["sleep", "600"])
    yield process
    process.kill()
    process.wait()


# Making and finding


def test_new_runs_are_numbered(workspace: Workspace, run: Run) -> None:
    assert run.path == workspace.runs_dir / "cells-tiny-1"
    config = TrainingConfig(model="tiny", project=Path("data/projects/cells"))
    (workspace.runs_dir / "cells-tiny-7").mkdir()
    assert create_run(workspace, config).name == "cells-tiny-8"
    assert create_run(workspace, TrainingConfig()).name == "run-base-1"


def test_a_new_run_has_its_settings_or_is_not_there(
    workspace: Workspace, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = TrainingConfig(model="tiny", project=Path("data/projects/cells"))
    assert [path.name for path in run.path.iterdir()] == ["training_config.json"]
    # Others take the names that were free a moment ago.
    (workspace.runs_dir / "cells-tiny-2").mkdir()
    (workspace.runs_dir / "cells-tiny-2" / "x").touch()
    (workspace.runs_dir / "cells-tiny-3").touch()
    with monkeypatch.context() as patched:
        patched.setattr("core.training.launch.plan._next_number", lambda *_: 1)
        made = create_run(workspace, config)
    assert made.name == "cells-tiny-4"
    assert made.config().output_dir == made.path
    there = sorted(path.name for path in workspace.runs_dir.iterdir())

    def full(config: TrainingConfig, path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(TrainingConfig, "save", full)
    with pytest.raises(DiskFull, match="The disk is full"):
        create_run(workspace, config)
    assert sorted(path.name for path in workspace.runs_dir.iterdir()) == there


def test_a_run_folder_of_ones_own(workspace: Workspace) -> None:
    config = TrainingConfig(output_dir=Path("runs/my_training_run"))
    run = create_run(workspace, config)
    assert run.path == workspace.root / "runs" / "my_training_run"
    saved = run.config()
    assert saved.output_dir == run.path
    assert saved.image_size == 616
    assert "640" in saved.notes[0]
    # Prepared but never started: it may be made again.
    assert create_run(workspace, config).path == run.path
    write(run, started())
    with pytest.raises(RunError, match="already holds a run") as caught:
        create_run(workspace, config)
    assert "--resume" in caught.value.hint


def test_paths_are_made_absolute(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    (workspace.root / "data" / "projects" / "cells").mkdir(parents=True)
    (workspace.root / "here").mkdir()
    monkeypatch.chdir(workspace.root / "here")
    Path("w.pth").touch()
    config = create_run(
        workspace, TrainingConfig(project=Path("data/projects/cells"), pretrained=Path("w.pth"))
    ).config()
    assert config.project == workspace.root / "data" / "projects" / "cells"
    assert config.pretrained == workspace.root / "here" / "w.pth"


def test_a_run_folder_that_is_a_file(workspace: Workspace) -> None:
    (workspace.root / "x").touch()
    with pytest.raises(RunError, match="is a file"):
        create_run(workspace, TrainingConfig(output_dir=Path("x")))
    with pytest.raises(RunError, match="cannot be made"):
        create_run(workspace, TrainingConfig(output_dir=Path("x/y")))
    (workspace.root / "runs").touch()
    with pytest.raises(RunError, match="cannot be made"):
        create_run(workspace, TrainingConfig())


def test_runs_are_found_by_name_and_folder(workspace: Workspace, run: Run) -> None:
    assert find_run(workspace, "cells-tiny-1").path == run.path
    assert find_run(workspace, str(run.path)).path == run.path
    assert find_run(workspace, "runs/cells-tiny-1").path == run.path
    with pytest.raises(RunError, match="no run 'cells-tny-1'") as caught:
        find_run(workspace, "cells-tny-1")
    assert "cells-tiny-1" in caught.value.hint
    with pytest.raises(RunError, match="no run"):
        find_run(workspace, "../../etc")


def test_the_latest_run(workspace: Workspace, run: Run, tmp_path: Path) -> None:
    other = create_run(workspace, TrainingConfig(output_dir=Path("runs/b")))
    write(run, started())
    os.utime(other.path / "training_config.json", (1, 1))
    assert latest_run(workspace).path == run.path
    with pytest.raises(RunError, match="no runs"):
        latest_run(Workspace(tmp_path / "empty"))


# States


def test_states_without_a_process(run: Run) -> None:
    assert run.state() == "preparing"
    write(run, started())
    # Its process is not recorded: nobody will ever write an end.
    assert run.state() == "lost"
    for event, state in (
        (Stopped(epoch=1, step=10, reason="SIGTERM"), "stopped"),
        (Failed(kind="error", message="no", hint=""), "failed"),
        (finished(2), "finished"),
    ):
        write(run, started(), event)
        assert run.state() == state


def test_a_killed_process_is_lost(run: Run, child: subprocess.Popen[bytes]) -> None:
    write_worker(run.path, child.pid)
    assert run.state() == "preparing"
    write(run, started())
    assert run.state() == "running"
    child.kill()
    # Nobody has waited for it: it is a zombie now, and no trainer.
    until(lambda: psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE)
    assert run.state() == "lost"
    child.wait()
    assert run.state() == "lost"


def test_a_process_number_given_out_again_is_somebody_else(
    run: Run, child: subprocess.Popen[bytes]
) -> None:
    write(run, started())
    worker = write_worker(run.path, child.pid, since=0.5)
    assert run.state() == "running"
    values = {"pid": child.pid, "host": worker.host, "create_time": worker.create_time - 3600}
    write_json(run.path / "worker.json", values)
    assert run.state() == "lost"


def test_a_process_on_another_machine_is_believed(run: Run) -> None:
    write_json(
        run.path / "worker.json", {"pid": 1, "host": "gpu-17", "create_time": time.time() - 60}
    )
    assert run.state() == "preparing"
    write(run, started())
    assert run.state() == "running"
    with pytest.raises(RunError, match="runs on gpu-17"):
        run.stop()
    write(run, finished(20))
    assert run.state() == "finished"


def test_a_resumed_run_is_not_what_it_was(run: Run, child: subprocess.Popen[bytes]) -> None:
    write(run, started(), Stopped(epoch=1, step=10, reason="SIGTERM"))
    assert run.state() == "stopped"
    write_worker(run.path, child.pid)
    # The new process is still importing.
    assert run.state() == "preparing"
    write(run, started(epoch=1, step=10))
    assert run.state() == "running"


def test_a_broken_worker_file_is_no_worker(run: Run) -> None:
    (run.path / "worker.json").write_text('{"pid": "x"')
    assert run.worker() is None
    assert decode_worker(b"\xff\xfe") is None
    mark_stopping(run.path)
    with pytest.raises(RunError, match="not running"):
        run.stop()


def test_the_wish_to_stop_outlasts_a_new_entry(run: Run) -> None:
    first = write_worker(run.path)
    mark_stopping(run.path)
    assert write_worker(run.path).stopping
    assert isinstance(first, Worker)
    assert not first.stopping


def test_the_state_is_read_from_the_end_of_a_long_file(run: Run) -> None:
    write(run, started(epochs=10_000))
    row = Step(epoch=1, step=1, loss=1.0, lr=1e-4, images_per_s=1.0, step_s=1.0)
    writer = EventWriter(run.events_file)
    for _ in range(6000):
        writer.write(row)
    writer.write(validation(3, 0.4))
    writer.write(Epoch(epoch=3, step=30, train_loss=1.0, seconds=1.0))
    writer.write(finished(3))
    assert run.events_file.stat().st_size > 600_000
    summary = run.summary()
    assert (summary.state, summary.epoch, summary.best_map50_95) == ("finished", 3, 0.4)
    # The time it trained, as the trainer counts it over all its starts.
    assert summary.seconds == 9.0


# Lists


def test_a_summary_says_what_a_list_shows(run: Run) -> None:
    write(
        run,
        started(t=100.0),
        validation(1, 0.5, t=110.0),
        Epoch(epoch=1, step=10, train_loss=1.0, seconds=10.0, t=110.0),
        validation(2, 0.3, t=120.0),
        Failed(kind="error", message="it broke", hint="", t=130.0),
    )
    summary = run.summary()
    assert (summary.model, summary.project, summary.state) == ("tiny", "cells", "failed")
    assert (summary.epoch, summary.epochs) == (2, 20)
    assert (summary.best_map50_95, summary.best_epoch) == (0.5, 1)
    assert (summary.started_at, summary.seconds, summary.error) == (100.0, 30.0, "it broke")
    write_json(
        run.path / "results.json", {"best": {"epoch": 9, "map50_95": 0.8, "map50": 0.9}, "x": [1]}
    )
    assert (run.summary().best_map50_95, run.summary().best_epoch) == (0.8, 9)
    assert run.results()["x"] == [1]  # type: ignore[index]
    # Resumed after those results were written, and better by now; what was lost does not count.
    write(run, started(epoch=2), validation(3, 0.95), started(epoch=2), validation(3, 0.85))
    assert (run.summary().best_map50_95, run.summary().best_epoch) == (0.85, 3)


def test_one_broken_run_does_not_break_the_list(workspace: Workspace, run: Run) -> None:
    other = create_run(workspace, TrainingConfig(output_dir=Path("runs/broken")))
    (other.path / "training_config.json").write_text("{")
    (other.path / "results.json").write_text("{")
    other.events_file.write_bytes(b"\x00\xff{\n")
    found = {summary.name: summary for summary in list_runs(workspace)}
    assert set(found) == {"broken", run.name}
    assert "JSON" in found["broken"].error
    assert found[run.name].error == ""


# Resuming


def test_resuming_readies_the_same_folder(workspace: Workspace, run: Run) -> None:
    write(run, started(), Stopped(epoch=1, step=10, reason="SIGTERM"))
    (run.path / "checkpoint_last.pth").write_bytes(b"\x80\x02")
    again = planned(workspace, TrainingConfig(resume=run.path, epochs=40, lr=1e-5))
    config = again.config()
    assert again.path == run.path
    assert config.resume == run.path / "checkpoint_last.pth"
    assert (config.epochs, config.lr, config.model) == (40, 1e-5, "tiny")
    assert config.image_size == 128


def test_resuming_by_name_and_by_checkpoint(workspace: Workspace, run: Run) -> None:
    write(run, started(), Stopped(epoch=5, step=50, reason="SIGTERM"))
    for name in ("checkpoint_last.pth", "checkpoint_epoch_5.pth"):
        (run.path / name).write_bytes(b"\x80\x02")  # how files of old torch begin
    named = planned(workspace, TrainingConfig(resume=Path(run.name)))
    assert named.config().resume == run.path / "checkpoint_last.pth"
    chosen = planned(
        workspace, TrainingConfig(resume=Path("runs") / run.name / "checkpoint_epoch_5.pth")
    )
    assert chosen.path == run.path
    assert chosen.config().resume == run.path / "checkpoint_epoch_5.pth"
    # Scenario 4 of the guide: into a folder of its own.
    other = planned(
        workspace,
        TrainingConfig(
            resume=Path("runs") / run.name / "checkpoint_epoch_5.pth",
            output_dir=Path("runs/continued_training"),
            lr=1e-5,
        ),
    )
    assert other.name == "continued_training"
    # As the run it goes on from, but for what was chosen.
    assert (other.config().model, other.config().image_size, other.config().lr) == (
        "tiny", 128, 1e-5,
    )  # fmt: skip
    assert run.config().output_dir == run.path
    assert other.config().resume == run.path / "checkpoint_epoch_5.pth"


def test_the_run_that_was_meant_is_named_as_it_is_written(workspace: Workspace, run: Run) -> None:
    run.path.rename(workspace.runs_dir / "Crane-HD")
    with pytest.raises(RunError) as caught:
        find_run(workspace, "crane-hd2")
    assert caught.value.hint == "Did you mean 'Crane-HD'?"


def test_what_cannot_be_resumed(
    workspace: Workspace, run: Run, child: subprocess.Popen[bytes]
) -> None:
    with pytest.raises(RunError, match="no run"):
        planned(workspace, TrainingConfig(resume=Path("runs/nowhere")))
    with pytest.raises(RunError, match="no checkpoint"):
        resume_run(run, run.path / "checkpoint_epoch_99.pth")
    write(run, started(), validation(20, 0.5), finished(20))
    (run.path / "checkpoint_last.pth").write_bytes(b"\x80\x02")
    with pytest.raises(RunError, match="all of its 20 epochs") as caught:
        resume_run(run)
    assert caught.value.hint.endswith("such as 40.")
    with pytest.raises(RunError, match="20 epochs behind it, and --epochs is 3") as caught:
        resume_run(run, epochs=3)
    assert "above 20" in caught.value.hint
    assert resume_run(run, epochs=30).config().epochs == 30
    with pytest.raises(ConfigError, match="at least 1"):
        resume_run(run, epochs=0)
    write_worker(run.path, child.pid)
    write(run, started())
    with pytest.raises(RunError, match="is running"):
        resume_run(run)


def test_a_run_lost_before_its_first_checkpoint_begins_again(run: Run) -> None:
    write(run, started())
    assert resume_run(run).config().resume is None


def test_a_run_that_nobody_has_started_can_be_deleted_and_started(
    workspace: Workspace, run: Run
) -> None:
    assert run.state() == "preparing", "its data set is still being written"
    data = DatasetInfo(
        dir=Path("dataset"), fingerprint="f", class_names=["a"], images={}, annotations={}
    )
    run.save_config(run.config().with_changes(dataset=data))
    assert run.state() == run.summary().state == RunFollower(run.path).poll().state == "prepared"
    with pytest.raises(RunError, match="is not running"):
        run.stop()
    assert resume_run(run).config().resume is None
    require_ended(run)
    write_worker(run.path)
    assert run.state() == "preparing"
    with pytest.raises(RunError, match="is preparing"):
        require_ended(run)


def test_a_run_from_anothers_checkpoint_that_is_lost_early_begins_there_again(
    workspace: Workspace, run: Run
) -> None:
    """Not from the published weights, without a word."""
    start = run.path / "checkpoint_epoch_5.pth"
    start.write_bytes(b"\x80\x02")  # how files of old torch begin
    new, config = plan_run(workspace, TrainingConfig(resume=start, output_dir=Path("runs/new")))
    new.save_config(config)
    write(new, started())
    again = resume_run(new, epochs=30).config()
    assert (again.resume, again.epochs) == (start, 30)
    (new.path / "checkpoint_last.pth").write_bytes(b"\x80\x02")
    assert resume_run(new).config().resume == new.path / "checkpoint_last.pth"


def test_a_new_run_that_could_not_go_on_from_a_checkpoint_gets_no_folder(
    workspace: Workspace, run: Run
) -> None:
    write(run, started(), validation(20, 0.5), finished(20))
    (run.path / "checkpoint_last.pth").write_bytes(b"\x80\x02")
    for changes, said in (
        ({"epochs": 20}, "all of its 20 epochs"),
        ({"epochs": 3}, "--epochs is 3"),
        ({"epochs": 30, "model": "large"}, "cannot go on with large"),
    ):
        config = TrainingConfig(resume=run.path, output_dir=Path("runs/new"), **changes)
        with pytest.raises(BatmanError, match=said):
            plan_run(workspace, config)
    assert list(workspace.runs_dir.iterdir()) == [run.path]


# Launching


@pytest.fixture
def fake_worker(tmp_path: Path, run: Run) -> list[str]:
    script = tmp_path / "worker.py"
    script.write_text(WORKER)
    return [sys.executable, str(script), str(run.path)]


def test_a_launched_worker_is_watched_and_stopped(run: Run, fake_worker: list[str]) -> None:
    pid = launch_local(run, fake_worker)
    assert run.worker() is not None
    until(lambda: run.state() == "running")
    assert os.getsid(pid) == pid
    assert pid == read_worker(run.path).pid  # type: ignore[union-attr]
    with pytest.raises(RunError, match="running already"):
        launch_local(run, fake_worker)
    run.stop()
    until(lambda: run.state() == "stopped")
    assert f"in {run.path} stdin ''" in run.log_file.read_text()
    until(lambda: not psutil.pid_exists(pid))
    with pytest.raises(RunError, match="not running"):
        run.stop()


def test_stopping_shows_until_it_is_done(run: Run, tmp_path: Path) -> None:
    # A worker in the middle of a long step: it hears of the signal later.
    script = tmp_path / "busy.py"
    script.write_text(
        WORKER.replace(
            'events.write(Stopped(epoch=0, step=0, reason="SIGTERM"))\n    sys.exit(3)', "pass"
        )
    )
    pid = launch_local(run, [sys.executable, str(script), str(run.path)])
    until(lambda: run.state() == "running")
    run.stop()
    assert run.state() == "stopping"
    os.kill(pid, signal.SIGKILL)
    until(lambda: run.state() == "lost")


def test_a_worker_outlives_its_parent(run: Run, fake_worker: list[str], tmp_path: Path) -> None:
    code = (
        "import sys, signal\nfrom pathlib import Path\n"
        # Also where whoever runs the tests ignores it, as nohup does.
        "signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"
        "from core.training.launch.local import launch_local\n"
        "from core.training.run.run import Run\n"
        "launch_local(Run(Path(sys.argv[1])), sys.argv[2:])\n"
        "print('launched', flush=True)\nsignal.pause()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(run.path), *fake_worker],
        stdout=subprocess.PIPE,
        env=python_environment(),
        start_new_session=True,
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"launched\n"
    until(lambda: run.state() == "running")
    # What closing a terminal does to everything in it, and then worse.
    os.killpg(parent.pid, signal.SIGHUP)
    parent.wait(30)
    parent.stdout.close()
    pid = run.worker().pid  # type: ignore[union-attr]
    assert psutil.Process(pid).is_running()
    assert run.state() == "running"
    run.stop()
    until(lambda: run.state() == "stopped")


def test_a_worker_that_fails_at_once_is_lost(run: Run) -> None:
    launch_local(run, [sys.executable, "-c", "print('no such luck'); raise SystemExit(1)"])
    until(lambda: run.state() == "lost")
    assert run.log_file.read_text() == "no such luck\n"


def test_stopping_before_it_began_is_no_loss(run: Run) -> None:
    launch_local(run, ["sleep", "600"])
    assert run.state() == "preparing"
    run.stop()
    until(lambda: run.state() == "stopped")


def test_training_that_is_not_installed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "_NEEDED", ("sys", "no_such_torch"))
    with pytest.raises(RunError, match="no_such_torch is missing") as caught:
        require_trainer()
    assert how_to_install("batman-tui[train]") in caught.value.hint
    with pytest.raises(RunError):
        launch_local(run)
    assert run.worker() is None


def test_several_nodes_need_a_cluster(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "_NEEDED", ("sys",))
    run = create_run(workspace, TrainingConfig(num_nodes=2))
    with pytest.raises(RunError, match="cluster only") as caught:
        launch_local(run)
    assert "batman submit" in caught.value.hint
