"""Jobs in processes of their own: what goes in, what comes out, and how they end."""

from __future__ import annotations

import errno
import os
import signal
import stat
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from cli.child import run_child
from core.common.errors import BatmanError, Cancelled, DiskFull, ImportFailed, RunError
from core.common.progress import Progress
from core.evaluation import process as evaluation_process
from core.evaluation.process import EvaluationProcess
from core.processes import job
from core.processes.job import run_job

HEAD = """
import os, signal, sys, time
from dataclasses import dataclass
from pathlib import Path
from core.common.errors import *
from core.common.progress import Progress
from core.processes.job import serve_job
"""

Write = Callable[..., str]


@dataclass(frozen=True)
class Options:
    """As `LOOK` has them."""

    target: Path
    inputs: tuple[str | Path, ...]
    output: Path | None = None


LOOK = """
@dataclass(frozen=True)
class Options:
    target: str | Path
    inputs: tuple[str, ...]
    output: Path | None = None
    images: Path | None = None

def work(options, report, cancelled):
    print("noise")
    os.write(1, b"more noise\\n")
    print("errors", file=sys.stderr)
    for n in range(3):
        report(Progress("look", n, 2))
    return {"kinds": [type(v).__name__ for v in (options.target, options.output, options.images)],
            "inputs": options.inputs, "output": options.output}
sys.exit(serve_job(Options, work))
"""


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes a module `some_child` that can be run as a job."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def write(code: str) -> str:
        (tmp_path / "some_child.py").write_text(HEAD + code)
        return "some_child"

    return write


@pytest.fixture
def working(child: Write) -> Write:
    """Writes the body of a job's work."""

    def write(body: str, stops: bool = True) -> str:
        lines = "".join(f"\n    {line}" for line in body.splitlines())
        return child(
            f"def work(options, report, cancelled):{lines}\n"
            f"sys.exit(serve_job(dict, work, stops={stops}))"
        )

    return write


def processes_of(module: str) -> list[int]:
    """Return the living children of this test that run `module`; others run these tests too."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if module in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
    return found


def test_a_job_tells_how_far_it_is_and_what_came_out(child: Write) -> None:
    seen: list[Progress] = []
    options = Options(Path("/a"), ("b\udcff", Path("c")), Path("d"))
    assert run_job(child(LOOK), options, seen.append) == {
        "kinds": ["str", "PosixPath", "NoneType"], "inputs": ["b\udcff", "c"], "output": "d",
    }  # fmt: skip
    assert seen == [Progress("look", n, 2) for n in range(3)]


def test_a_job_may_begin_before_it_is_known(working: Write) -> None:
    """Its process is there while the options are being found; it ends where they are not."""
    module = working("return options")
    there: list[list[int]] = []

    def options() -> dict[str, str]:
        there.append(processes_of(module))
        return {"a": "b"}

    assert run_job(module, options) == {"a": "b"}
    assert [len(found) for found in there] == [1]

    def broken() -> None:
        raise ValueError("no model")

    with pytest.raises(ValueError, match="no model"):
        run_job(working("return options", stops=False), broken)
    assert processes_of(module) == []


def test_the_command_line_shows_it(child: Write, capfd: pytest.CaptureFixture[str]) -> None:
    module = child(LOOK)
    run_child(module, Options(Path("/a"), ()))
    assert capfd.readouterr() == ("look: 2 of 2\n", "")
    run_child(module, Options(Path("/a"), ()), quiet=True)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("raised", "kind"),
    [("BatmanError", BatmanError), ("ImportFailed", ImportFailed), ("Own", RunError)],
)
def test_an_expected_error_is_raised_here(
    working: Write, raised: str, kind: type[BatmanError]
) -> None:
    module = working(f"class Own(RunError): pass\nraise {raised}('No [model].', 'Train one.')")
    with pytest.raises(BatmanError) as caught:
        run_job(module, {})
    assert type(caught.value) is kind
    assert (caught.value.message, caught.value.hint) == ("No [model].", "Train one.")


def test_a_full_disk_is_one_here_too(working: Write) -> None:
    where = os.fspath(Path.cwd())
    with pytest.raises(DiskFull, match="disk is full"):
        run_job(working(f"raise OSError({errno.ENOSPC}, 'No space left', {where!r})"), {})


def test_a_job_that_dies_leaves_its_last_words(working: Write) -> None:
    with pytest.raises(RunError) as caught:
        run_job(working("print('loading')\nraise ValueError('torn \\x1b[31mtensor')"), {})
    # The exception is the message; its traceback lies in a file.
    assert caught.value.message == (
        "some_child ended with code 1: ValueError: torn ⟨U+001B⟩[31mtensor"
    )
    log = Path(caught.value.hint.split(" is in ")[1].rstrip("."))
    assert log.read_text().startswith("loading\nTraceback")
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    killed = working("os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(RunError, match=r"^The look was ended by SIGKILL and printed not") as caught:
        run_job(killed, {}, name="The look")
    assert "memory" in caught.value.hint


def test_one_that_dies_before_it_reads_its_options(child: Write) -> None:
    with pytest.raises(RunError, match="ended with code 7"):
        run_job(child("os._exit(7)"), {"long": "x" * 1_000_000})


WAITS = """
report(Progress("waiting", 0))
while not cancelled():
    time.sleep(0.01)
raise Cancelled("It was stopped.")
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_one_that_somebody_else_stopped(working: Write, number: int) -> None:
    module = working(WAITS)
    with pytest.raises(Cancelled, match="It was stopped"):
        run_job(module, {}, lambda _: os.kill(processes_of(module)[0], number))
    with pytest.raises(KeyboardInterrupt):
        run_child(working(f"os.kill(os.getpid(), {int(number)})\n{WAITS}"), {}, quiet=True)


@pytest.mark.parametrize(("body", "stops"), [(WAITS, True), (WAITS, False)])
def test_stopping_it_while_it_runs(working: Write, body: str, stops: bool) -> None:
    module = working(body, stops)
    waiting = threading.Event()
    with pytest.raises(Cancelled, match=r"The look was stopped\."):
        run_job(module, {}, lambda _: waiting.set(), waiting.is_set, name="The look")
    assert processes_of(module) == []


def test_one_that_will_not_stop_is_ended(working: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "_PATIENCE_S", 0.05)
    module = working("report(Progress('waiting', 0))\nwhile True: time.sleep(0.01)")
    waiting = threading.Event()
    with pytest.raises(Cancelled):
        run_job(module, {}, lambda _: waiting.set(), waiting.is_set)
    assert processes_of(module) == []


def test_whatever_goes_wrong_here_ends_it(working: Write) -> None:
    module = working(WAITS)

    def interrupted(_: Progress) -> None:
        assert processes_of(module)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_job(module, {}, interrupted)
    assert processes_of(module) == []


def test_an_evaluation_is_such_a_job(working: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.models.backend.require_model", lambda *_: None)
    monkeypatch.setattr(evaluation_process, "MODULE", "some_child")
    working("return {'folder': f\"/{options['target']}/{options['split']}\"}")
    assert EvaluationProcess(Path("run"), "test").run(lambda _: None) == Path("/run/test")
    working(WAITS)
    stopped = EvaluationProcess(Path("run"), "test")
    with pytest.raises(Cancelled, match="The evaluation was stopped"):
        stopped.run(lambda _: stopped.cancel())
    before = EvaluationProcess(Path("run"), "test")
    before.cancel()
    with pytest.raises(Cancelled):
        before.run(lambda _: None)
