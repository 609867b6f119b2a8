"""Whether a process of this machine lives, as runs and temporary files ask."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from core.common.hardware import SAME_START_S, process_lives

ROOT = Path(__file__).parents[2]


def test_this_process_lives_if_it_began_then() -> None:
    began = psutil.Process().create_time()
    assert process_lives(os.getpid())
    assert process_lives(os.getpid(), began + SAME_START_S / 2)
    assert not process_lives(os.getpid(), began + SAME_START_S)


def test_one_that_nobody_asked_for_yet_does_not_live() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.read() == b""  # it has ended, or ends now
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    try:
        assert psutil.pid_exists(child.pid)
        assert not process_lives(child.pid)
    finally:
        child.wait()
        child.stdout.close()
    assert not process_lives(child.pid)


@pytest.mark.parametrize("number", [0, -1, -(2**40), 2**40, 2**100])
def test_a_number_that_is_none_of_a_process(number: int) -> None:
    assert not process_lives(number)


def test_for_one_that_is_gone_nothing_is_loaded() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    code = (
        "import sys; from core.common.hardware import process_lives\n"
        f"print(process_lives({child.pid}), 'psutil' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.split() == ["False", "False"]
