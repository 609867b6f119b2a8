"""Run folders on a full disk, and run folders one may not write to."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from mounts import fill, read_only, small_disk

from cli.main import main
from core.common.errors import RunError
from core.common.workspace import Workspace
from core.processes.child_process import python_environment
from core.training.config.options import DatasetInfo, TrainingConfig
from core.training.launch.local import launch_local
from core.training.launch.plan import resume_run
from core.training.run.delete import drop_checkpoints
from core.training.run.disk_space import RESERVE_FILE, release, reserve
from core.training.run.events import EventWriter, Failed, Stopped, read_events
from core.training.run.run import Run
from core.training.warnings.failures import explain
from core.training.worker.main import STOPPED

NOBODY = 65534


def stopped_run(path: Path) -> Run:
    """Make a run that was stopped after its first epoch, its data set beside it."""
    run = Run(path)
    for split in ("train", "valid"):
        (path / "dataset" / split).mkdir(parents=True)
        (path / "dataset" / split / "_annotations.coco.json").write_text("{}")
    data = DatasetInfo(
        dir=Path("dataset"), fingerprint="f", class_names=["a"], images={}, annotations={}
    )
    run.save_config(TrainingConfig(model="tiny", dataset=data))
    for name in ("checkpoint_last.pth", "checkpoint_epoch_1.pth", "best.pth"):
        (path / name).write_bytes(b"\x80\x02 weights")
    writer = EventWriter(run.events_file)
    writer.write(Stopped(t=9.0, epoch=1, step=5, reason="SIGTERM"))
    writer.close()
    return run


@pytest.fixture(params=["read-only", "another user"])
def closed(request: pytest.FixtureRequest) -> Iterator[Run]:
    """A run in a folder that can be read and not be written to."""
    space = Path(tempfile.mkdtemp())
    space.chmod(0o755)
    run = stopped_run(space / "runs" / "theirs")
    try:
        if request.param == "read-only":
            with read_only(run.path):
                yield run
        elif os.geteuid() == 0:  # root may do anything, so for a while we are not root
            os.seteuid(NOBODY)
            try:
                yield run
            finally:
                os.seteuid(0)
        else:
            run.path.chmod(0o555)
            yield run
            run.path.chmod(0o755)
    finally:
        shutil.rmtree(space)


def content(run: Run) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in run.path.rglob("*") if path.is_file()}


def test_a_folder_one_may_not_write_to_gives_one_clear_error(
    closed: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = content(closed)
    said = "The folder of the run 'theirs' cannot be written to: (Read-only|Permission)"
    for act in (
        lambda: drop_checkpoints(closed),
        lambda: resume_run(closed),
        lambda: launch_local(closed, ["true"]),
    ):
        with pytest.raises(RunError, match=said) as caught:
            act()
        assert caught.value.hint
    monkeypatch.setattr("core.training.launch.local.require_trainer", lambda: None)
    space = str(Workspace(closed.path.parents[1]).root)
    for words in (
        ["runs", "delete", "theirs", "--checkpoints", "--yes"],
        ["train", "--resume", "theirs", "--epochs", "30"],
        ["train", "--resume", "theirs", "--prepare-only"],
    ):
        capsys.readouterr()
        assert main(["--workspace", space, *words]) == 2
        words_said = " ".join(capsys.readouterr().err.split())
        assert "The folder of the run 'theirs' cannot be written to" in words_said
        assert "Traceback" not in words_said
    assert content(closed) == before


def test_the_worker_in_such_a_folder_says_so(
    closed: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.training.worker import main as worker

    monkeypatch.setattr("core.training.worker.stop.StopRequest.listen", lambda *a, **k: None)
    before = content(closed)
    assert worker.main([str(closed.path)]) == worker.UNUSABLE
    assert "The folder of the run 'theirs' cannot be written to" in capsys.readouterr().err
    assert content(closed) == before


def test_an_event_that_a_full_disk_cuts_short_is_taken_back(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "64k") as disk:
        writer = EventWriter(disk / "events.jsonl")
        event = Failed(kind="error", message="m" * 3000)
        written = 0
        try:
            while written < 100:
                writer.write(event)
                written += 1
        except OSError as error:
            full = error.errno == errno.ENOSPC
        else:
            full = False
        assert full
        data = (disk / "events.jsonl").read_bytes()
        events, end = read_events(data)
        assert end == len(data), "no torn line, to which the next would be glued"
        assert len(events) == written > 0


def test_the_room_that_is_held_takes_a_runs_last_words(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "1m") as disk:
        writer = EventWriter(disk / "events.jsonl")
        reserve(disk)
        reserve(disk)
        fill(disk / "filler")
        last = Failed(kind="disk", message="m", traceback="t" * 20_000)
        with pytest.raises(OSError, match="No space left"):
            writer.write(last)
        release(disk)
        writer.write(last)
        assert read_events((disk / "events.jsonl").read_bytes())[0] == [last]
        reserve(disk)  # where there is no room, none is held, and nothing half done lies there
        fill(disk / "filler")
        release(disk)
        (disk / "filler2").write_bytes(b"")
        assert not (disk / RESERVE_FILE).exists()


def test_a_full_disk_is_known_behind_what_a_library_raises() -> None:
    behind = RuntimeError("unexpected pos 64 vs 0")
    assert explain(behind).kind == "error"
    behind.__context__ = OSError(errno.EDQUOT, "Disk quota exceeded")
    assert explain(behind).kind == "disk"


# As the worker does, at the end of a run that was stopped.
_SAYS = """
import runpy
from core.training.log.train_log import say
from core.training.worker import main as worker

def main():
    say("stopped")
    return worker.STOPPED

worker.main = main
runpy.run_module("core.training.worker", run_name="__main__")
"""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_worker_whose_words_find_no_room_ends_with_its_own_code() -> None:
    env = python_environment()
    del env["PYTHONUNBUFFERED"]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", _SAYS], stdout=full, stderr=full, check=False, env=env
        )
    # Python ends with 120 where its last words cannot be flushed.
    assert done.returncode == STOPPED
