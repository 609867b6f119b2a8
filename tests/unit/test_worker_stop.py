"""A stop that is asked for before the first step: while waiting for the lock, and while loading."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from core.processes.child_process import python_environment
from core.training.config.options import DatasetInfo, TrainingConfig
from core.training.run import events as ev
from core.training.run.run import Run
from core.training.run.worker_process import write_worker
from core.training.worker.main import LOCK_WAIT

# A worker that says when it has come to the place that takes long, and stays there.
STUCK = """
import signal, sys
from core.training.run import checkpoints
from core.training.worker import main as worker

def stuck(*_args):
    print("stuck", flush=True)
    try:
        signal.pause()
        signal.pause()  # a stop that only sets a mark leads here, and to no end
    except Exception:
        raise AssertionError("a library that guards its imports would have kept the stop")

checkpoints.choose_resume = stuck
sys.exit(worker.main(sys.argv[1:]))
"""

WAITING = """
import sys
from core.training.worker import main as worker

take = worker._take

def saying(lock):
    print("waiting", flush=True)
    return take(lock)

worker._take = saying
sys.exit(worker.main(sys.argv[1:]))
"""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    run = Run(tmp_path / "run")
    run.path.mkdir()
    data = DatasetInfo(
        dir=Path("dataset"), fingerprint="f", class_names=["a"], images={}, annotations={}
    )
    run.save_config(TrainingConfig(model="tiny", epochs=9, dataset=data))
    return run


def start(run: Run, script: str, wait_for: str, **env: str) -> Any:
    """Start the worker and return its process once it has printed `wait_for`."""
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(run.path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**python_environment(), **env},
    )
    write_worker(run.path, process.pid)
    assert process.stdout is not None
    for line in process.stdout:
        if wait_for in line:
            return process
    raise AssertionError(f"the worker ended with {process.wait()}")


def test_a_stop_while_loading_ends_the_run_at_once(run: Run) -> None:
    process = start(run, STUCK, "stuck")
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 3
    (stopped,) = ev.read_events(run.events_file.read_bytes())[0]
    assert isinstance(stopped, ev.Stopped)
    assert (stopped.epoch, stopped.step, stopped.reason) == (0, 0, "SIGTERM")
    assert run.state() == "stopped"


def test_a_stop_while_loading_a_resumed_run_keeps_its_place(run: Run) -> None:
    writer = ev.EventWriter(run.events_file)
    writer.write(ev.Epoch(t=1.0, epoch=4, step=32, train_loss=1.0, seconds=1.0))
    writer.write(ev.Stopped(t=2.0, epoch=4, step=36, reason="SIGTERM"))
    writer.close()
    process = start(run, STUCK, "stuck")
    process.send_signal(signal.SIGUSR1)
    assert process.wait(timeout=60) == 3
    stopped = ev.read_events(run.events_file.read_bytes())[0][-1]
    assert isinstance(stopped, ev.Stopped)
    assert (stopped.epoch, stopped.step, stopped.reason) == (4, 36, "SIGUSR1")
    assert run.summary().epoch == 4


def test_a_stop_while_waiting_for_the_lock_leaves_the_events_to_their_writer(run: Run) -> None:
    with (run.path / ".worker.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = start(run, WAITING, "waiting", **{LOCK_WAIT: "3600"})
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(timeout=60) == 3
    assert not run.events_file.exists()
    assert run.state() == "stopped"
