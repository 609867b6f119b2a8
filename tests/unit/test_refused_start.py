"""A start that is refused before a trainer is there leaves nothing behind, whoever asked for it."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from test_start_run import chosen, stopped
from test_start_run import workspace as workspace

from cli.main import main
from core.common.errors import RunError
from core.common.temporary import remove_tree
from core.common.workspace import Workspace
from core.training.config.options import TrainingConfig
from core.training.launch import local, undo
from core.training.launch.local import resume_local, start_local
from core.training.launch.prepare_run import ready_run
from core.training.launch.undo import undone_when_refused
from core.training.run.run import Run
from core.training.run.worker_process import write_worker
from slurm.submit import pipeline
from slurm.submit.sbatch import SubmitError, SubmitUnknown
from slurm.submit.submit import forget

SEED = ["--seed", "7", "--epochs", "30"]  # prepares another data set


@pytest.fixture(autouse=True)
def _no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training is installed here, and the system has no process left to give."""

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(local, "_NEEDED", ("sys",))
    monkeypatch.setattr("subprocess.Popen", refuse)


@pytest.fixture
def before(workspace: Workspace) -> Run:
    """A run that was stopped after its first epoch."""
    run = ready_run(workspace, chosen(workspace))
    stopped(run)
    return run


def content(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def batman(workspace: Workspace, *words: str) -> int:
    return main(["--workspace", str(workspace.root), *words])


def test_the_command_leaves_no_new_run(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert batman(workspace, "train", "--project", "cells", "--model", "tiny") == 2
    assert "cannot be started: Resource temporarily unavailable" in capsys.readouterr().err
    assert list(workspace.runs_dir.iterdir()) == []
    assert workspace.list_runs() == []


@pytest.mark.parametrize("changes", [SEED, SEED[2:]], ids=["other data", "more epochs"])
def test_the_command_leaves_a_resumed_run_as_it_was(
    workspace: Workspace, before: Run, changes: list[str]
) -> None:
    was = content(before.path)
    assert batman(workspace, "train", "--resume", before.name, *changes) == 2
    assert content(before.path) == was
    assert [path.name for path in workspace.runs_dir.iterdir()] == [before.name]


def test_the_command_leaves_a_named_folder_as_it_was(workspace: Workspace, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "notes.md").write_text("keep")
    words = ["train", "--project", "cells", "--model", "tiny", "--output-dir", str(mine)]
    assert batman(workspace, *words) == 2
    assert [path.name for path in mine.iterdir()] == ["notes.md"]


def test_the_demo_leaves_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    space = Workspace(tmp_path)
    assert batman(space, "demo", "--no-tui") == 2
    assert "cannot be started" in capsys.readouterr().err
    assert list(space.runs_dir.iterdir()) == []
    assert [path.name for path in space.list_projects()] == ["shapes"]


def test_going_on_in_the_app_leaves_the_run_as_it_was(before: Run) -> None:
    was = content(before.path)
    with pytest.raises(RunError, match="cannot be started"):
        resume_local(before, epochs=30)
    assert content(before.path) == was


def test_what_fails_while_undoing_does_not_hide_why(
    workspace: Workspace, before: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does it lose anything: the data set that was put aside stays for the next sweep."""

    def fail(path: Path) -> None:
        if path.name == "dataset":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        remove_tree(path)

    monkeypatch.setattr(undo, "remove_tree", fail)
    was = before.config()
    with pytest.raises(RunError, match="cannot be started") as raised:
        start_local(workspace, TrainingConfig(resume=before.path, seed=7))
    assert f"could not all be removed: '{before.path}'" in raised.value.hint
    assert before.config() == was
    assert list(before.path.glob(".dataset.*.was.tmp/train"))


def test_once_a_trainer_is_there_the_run_stays(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    started: list[subprocess.Popen[bytes]] = []
    real = subprocess.Popen

    def note(command: list[str], **how: Any) -> subprocess.Popen[bytes]:
        started.append(real([sys.executable, "-c", ""], **how))
        return started[-1]

    def full(*args: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(local, "_NEEDED", ("sys",))
    monkeypatch.setattr("subprocess.Popen", note)
    monkeypatch.setattr(local, "write_worker", full)
    with pytest.raises(RunError, match="cannot be written to: No space"):
        start_local(workspace, chosen(workspace))
    started[0].wait()
    (run,) = map(Run, workspace.list_runs())
    assert run.config().epochs
    assert run.dataset_dir.is_dir()


def test_a_run_that_somebody_else_started_meanwhile_stays(before: Run) -> None:
    changed = before.config().with_changes(epochs=30)

    def second() -> None:
        with undone_when_refused() as undoing:
            undoing.watch(before.path)
            before.save_config(changed)
            write_worker(before.path, os.getpid())
            raise RunError("It is running already.")

    with pytest.raises(RunError, match="running already"):
        second()
    assert before.config() == changed
    assert before.worker() is not None


def order(workspace: Workspace, before: Run) -> pipeline.Order:
    """A run that goes on with more epochs on a cluster, after a job there that has ended."""
    (before.path / "job.json").write_text('{"token": "of the first job"}')
    configs = (TrainingConfig(resume=before.path, seed=7), chosen(workspace))
    return pipeline.Order(configs, resources=None)  # type: ignore[arg-type]


def send(workspace: Workspace, wanted: pipeline.Order) -> None:
    pipeline.send_order(None, workspace, wanted)  # type: ignore[arg-type]


@pytest.mark.parametrize("unknown", [False, True])
def test_a_refused_submission_gives_a_run_back_and_an_unknown_one_keeps_it(
    workspace: Workspace, before: Run, monkeypatch: pytest.MonkeyPatch, unknown: bool
) -> None:
    wanted = order(workspace, before)
    was = content(before.path)

    def refuse(*args: Any) -> None:
        if unknown:
            raise SubmitUnknown("No answer.")
        forget(before)
        raise SubmitError("Refused.")

    monkeypatch.setattr(pipeline, "plan_submission", lambda *args: None)
    monkeypatch.setattr(pipeline, "submit", refuse)
    with pytest.raises(SubmitUnknown if unknown else SubmitError):
        send(workspace, wanted)
    if unknown:
        assert before.config().seed == 7
        assert len(workspace.list_runs()) == 2
    else:
        assert content(before.path) == was
        assert workspace.list_runs() == [before.path]
