"""A trainer of the tests that hangs is ended, and with it does not hang the session."""

from __future__ import annotations

import os
import signal
import subprocess

import psutil
import pytest
from engine_runs import Runs


def test_one_that_takes_too_long_is_ended(runs: Runs) -> None:
    trainer = runs.start(runs.make("hangs", epochs=1))
    os.kill(trainer.pid, signal.SIGSTOP)
    with pytest.raises(subprocess.TimeoutExpired):
        trainer.wait(timeout=0.1)
    assert trainer.returncode == -signal.SIGKILL
    assert not psutil.pid_exists(trainer.pid)


def test_one_that_nobody_waited_for_is_ended(runs: Runs) -> None:
    trainer = runs.start(runs.make("left", epochs=1))
    runs.end_all()
    assert trainer.returncode == -signal.SIGKILL
