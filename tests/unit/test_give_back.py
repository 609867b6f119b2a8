"""A run that ended before its first step gives its name back, and nothing of worth is lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from test_start_run import chosen
from test_start_run import workspace as workspace

from core.common.errors import RunError
from core.common.workspace import Workspace
from core.training.launch.give_back import never_began
from core.training.launch.plan import refuse_used
from core.training.launch.prepare_run import ready_run
from core.training.run.events import Event, EventWriter, Failed, Step, Stopped
from core.training.run.notes import NOTES_FILE
from core.training.run.run import Run
from core.training.run.worker_process import expect_worker, mark_again


def failed() -> Failed:
    return Failed(kind="config", message="No such augmentation.", hint="", traceback="")


def stopped() -> Stopped:
    return Stopped(epoch=0, step=0, reason="SIGTERM")


def ended(workspace: Workspace, end: Callable[[], Event] = failed) -> Run:
    """A run in a folder of its own name that ended so."""
    run = ready_run(workspace, chosen(workspace, output_dir=Path("runs/night")))
    expect_worker(run.path, "vega")
    run.log_file.write_text("why it ended\n")
    writer = EventWriter(run.events_file)
    writer.write(end())
    writer.close()
    return run


@pytest.mark.parametrize("end", [failed, stopped])
def test_the_name_is_had_again_and_the_log_is_kept(
    workspace: Workspace, end: Callable[[], Event]
) -> None:
    before = ended(workspace, end)
    refuse_used(before.path)
    run = ready_run(workspace, chosen(workspace, output_dir=Path("runs/night")))
    assert run.path == before.path
    assert run.worker() is None
    assert not run.events_file.exists()
    kept = workspace.logs_dir / "not-begun" / "night-1"
    assert (kept / "train.log").read_text() == "why it ended\n"
    assert (kept / "events.jsonl").is_file()
    assert not (kept / "dataset").exists()
    assert any(str(kept) in note for note in run.config().notes)
    # A second one does not take the place of the first.
    writer = EventWriter(run.events_file)
    writer.write(failed())
    writer.close()
    ready_run(workspace, chosen(workspace, output_dir=Path("runs/night")))
    assert (kept.parent / "night-2" / "events.jsonl").is_file()
    assert (kept / "train.log").is_file()


def _step(run: Run) -> None:
    writer = EventWriter(run.events_file)
    writer.write(Step(epoch=1, step=1, loss=1.0, lr=1e-4, images_per_s=1.0, step_s=1.0, data_s=0.1))
    writer.write(failed())
    writer.close()


@pytest.mark.parametrize(
    "done",
    [
        _step,
        lambda run: (run.path / "best.pth").write_bytes(b"x"),
        lambda run: (run.path / "checkpoint_last.pth").write_bytes(b"x"),
        lambda run: (run.path / NOTES_FILE).write_text("{}"),
        lambda run: (run.path / "my thoughts.txt").write_text("keep me"),
        lambda run: run.events_file.write_bytes(b""),
        lambda run: mark_again(run.path, True),
    ],
)
def test_whatever_may_be_of_worth_stays(
    workspace: Workspace, done: Callable[[Run], object]
) -> None:
    run = ended(workspace)
    done(run)
    there = sorted(path.name for path in run.path.iterdir())
    assert not never_began(run.path)
    with pytest.raises(RunError, match="already holds a run"):
        ready_run(workspace, chosen(workspace, output_dir=Path("runs/night")))
    assert sorted(path.name for path in run.path.iterdir()) == there
