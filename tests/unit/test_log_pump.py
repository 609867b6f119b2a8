"""What a training process prints comes into its log whole, without secrets, whoever is killed."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from core.privacy.secrets import RedactedLines
from core.processes.child_process import python_environment

PASSWORD = "cAnary-pumped-71"
HEAD = """
import ctypes, os, signal, subprocess, sys, time
from core.training.log.pump import LogPump
pump = LogPump.start()
open(os.environ["PID_FILE"], "w").write(str(pump.pid))
libc = ctypes.CDLL(None)
"""


def run(tmp_path: Path, code: str) -> tuple[int, str]:
    """Run a process that prints through the pump; its exit code, and its log when all is there."""
    log = tmp_path / "train.log"
    env = python_environment(
        {
            **os.environ,
            "MLFLOW_TRACKING_URI": f"http://ada:{PASSWORD}@127.0.0.1:9",
            "PID_FILE": str(tmp_path / "pump"),
        }
    )
    with log.open("ab") as file:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", HEAD + code],
            stdout=file, stderr=subprocess.STDOUT, env=env, start_new_session=True,
        )  # fmt: skip
        code_of = process.wait(60)
    with contextlib.suppress(psutil.NoSuchProcess):
        # It ends when it has written what the process left in the pipe.
        psutil.Process(int((tmp_path / "pump").read_text())).wait(30)
    return code_of, log.read_text()


def test_python_native_code_and_children_print_without_secrets(tmp_path: Path) -> None:
    code, log = run(
        tmp_path,
        f"""
url = os.environ["MLFLOW_TRACKING_URI"]
print("python", url)
print("error", url, file=sys.stderr)
sys.stdout.flush()
libc.write(1, b"native " + url.encode() + b"\\n", len(url) + 8)
subprocess.run(["sh", "-c", "echo child $MLFLOW_TRACKING_URI"])
os.write(2, b"torn {PASSWORD[:7]}"); time.sleep(0.3); os.write(2, b"{PASSWORD[7:]} whole\\n")
sys.exit(7)
""",
    )
    assert code == 7
    assert PASSWORD not in log
    assert PASSWORD[7:] not in log
    assert log.splitlines() == [
        "python http://…@127.0.0.1:9",
        "error http://…@127.0.0.1:9",
        "native http://…@127.0.0.1:9",
        "child http://…@127.0.0.1:9",
        "torn … whole",
    ]


def test_everything_is_in_the_log_when_the_process_has_ended(tmp_path: Path) -> None:
    log = tmp_path / "train.log"
    code = "import sys; from core.training.log.pump import LogPump; LogPump.start()\n"
    code += 'for n in range(20000): print("line", n)\nprint("the last")'
    with log.open("ab") as file:
        subprocess.run(
            [sys.executable, "-P", "-c", code], stdout=file, stderr=file,
            env=python_environment(), check=True, timeout=60,
        )  # fmt: skip
    # Not a moment later: whoever waits for the process reads the log at once.
    lines = log.read_text().splitlines()
    assert len(lines) == 20001
    assert lines[-1] == "the last"


@pytest.mark.parametrize("how", ["signal.SIGKILL", "signal.SIGSEGV", "signal.SIGABRT"])
def test_the_last_lines_of_a_killed_process_are_in_the_log(tmp_path: Path, how: str) -> None:
    code, log = run(
        tmp_path,
        f"""
for number in range(2000):
    os.write(1, b"line %d\\n" % number)
os.write(2, b"its last words")
os.kill(os.getpid(), {how})
""",
    )
    assert code < 0
    lines = log.splitlines()
    assert lines[:2000] == [f"line {number}" for number in range(2000)]
    assert lines[2000] == "its last words"


def test_a_killed_pump_costs_neither_what_it_wrote_nor_the_process(tmp_path: Path) -> None:
    code, log = run(
        tmp_path,
        """
for round in range(3):
    for number in range(3000):
        print("line", round, number)
    assert pump.flush()
    dead = pump.pid
    os.kill(dead, signal.SIGKILL)
    while pump.pid == dead:  # what it takes out of the pipe as it dies, dies with it
        time.sleep(0.001)
    # More than a pipe holds, so it must be read by somebody for this to go on.
    print("x" * 200_000)
    assert pump.flush()
    assert pump.pid != dead
""",
    )
    assert code == 0
    lines = log.splitlines()
    expected = []
    for turn in range(3):
        expected += [f"line {turn} {number}" for number in range(3000)] + ["x" * 200_000]
    assert lines == expected


def test_a_pump_that_cannot_live_is_replaced_by_a_thread(tmp_path: Path) -> None:
    code, log = run(
        tmp_path,
        """
while pump.pid is not None:
    before = pump.pid
    os.kill(before, signal.SIGKILL)
    while pump.pid == before:
        time.sleep(0.001)
print(os.environ["MLFLOW_TRACKING_URI"], "by a thread")
assert pump.flush()
""",
    )
    assert code == 0
    assert log == "http://…@127.0.0.1:9 by a thread\n"


def test_a_program_that_takes_the_place_of_the_process_prints_through_a_pump_of_its_own(
    tmp_path: Path,
) -> None:
    code, log = run(
        tmp_path,
        """
print("before")
if len(sys.argv) < 2:
    pump.stop()
    assert not [p for p in __import__("psutil").Process().children()]
    os.execv(sys.executable, [*sys.orig_argv, "again"])
print("after", os.environ["MLFLOW_TRACKING_URI"])
""",
    )
    assert code == 0
    assert log.splitlines() == ["before", "before", "after http://…@127.0.0.1:9"]


def test_processes_that_a_trainer_starts_share_its_pump(tmp_path: Path) -> None:
    code, log = run(
        tmp_path,
        """
code = "from core.training.log.pump import LogPump; print(LogPump.start())"
subprocess.run([sys.executable, "-P", "-c", code], check=True)
""",
    )
    assert (code, log) == (0, "None\n")


def test_a_full_disk_costs_lines_and_no_process(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    code = "import sys; from core.training.log.pump import LogPump; pump = LogPump.start()\n"
    code += 'print("x" * 1_000_000); pump.flush(); sys.exit(5)'
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-P", "-c", code], stdout=full, stderr=full,
            env=python_environment(), timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 5


@pytest.mark.parametrize("cut", range(1, len(PASSWORD) + 25, 3))
def test_a_secret_torn_over_two_writes_is_hidden(monkeypatch: pytest.MonkeyPatch, cut: int) -> None:
    text = f"see http://ada:{PASSWORD}@host/x for more\n".encode()
    lines = RedactedLines()
    told = lines.feed(text[:cut]) + lines.feed(text[cut:]) + lines.end()
    assert told.decode() == "see http://…@host/x for more\n"


def test_a_line_without_an_end_is_passed_on_between_words(tmp_path: Path) -> None:
    lines = RedactedLines()
    text = b"word " * 20_000 + f"http://ada:{PASSWORD}@h".encode()
    told = b"".join(lines.feed(text[at : at + 1000]) for at in range(0, len(text), 1000))
    assert len(told) > 1000
    assert told + lines.end() == b"word " * 20_000 + "http://…@h".encode()
