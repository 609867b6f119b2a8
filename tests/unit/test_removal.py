"""Deleting runs, or only the checkpoints that training goes on from."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cli.exits import Exit
from cli.main import main
from core.common.errors import RunError
from core.training.config.options import TrainingConfig
from core.training.run.delete import delete_run, drop_checkpoints, room
from core.training.run.events import EventWriter, Finished
from core.training.run.run import Run
from core.training.run.worker_process import write_worker

MB = 1_000_000


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A finished run with 7 MB of checkpoints, a data set linked from elsewhere, and 3 MB more."""
    run = Run(tmp_path / "runs" / "yard-tiny-1")
    (run.path / "dataset").mkdir(parents=True)
    run.save_config(TrainingConfig(model="tiny"))
    EventWriter(run.events_file).write(
        Finished(
            t=9.0, epoch=2, step=4, best_epoch=1, best_map50_95=0.5, best_map50=0.8, seconds=8.0
        )
    )
    for name, size in (("checkpoint_last.pth", 2), ("checkpoint_epoch_10.pth", 5), ("best.pth", 3)):
        (run.path / name).write_bytes(bytes(size * MB))
    # The newest periodic checkpoint may be the last one under a second name.
    os.link(run.path / "checkpoint_last.pth", run.path / "checkpoint_epoch_20.pth")
    image = tmp_path / "image.jpg"
    image.write_bytes(bytes(4 * MB))
    os.link(image, run.path / "dataset" / "image.jpg")
    return run


def test_the_room_counts_what_deleting_frees(run: Run) -> None:
    found = room(run.path)
    assert found.checkpoints == 7 * MB
    assert 10 * MB <= found.total < 10.1 * MB, "the image is the project's"


def test_checkpoints_go_and_the_rest_stays(run: Run) -> None:
    assert drop_checkpoints(run) == 7 * MB
    assert sorted(path.name for path in run.path.glob("*.pth")) == ["best.pth"]
    assert run.state() == "finished"
    assert drop_checkpoints(run) == 0


def test_a_run_goes_whole_and_its_data_stays(run: Run, tmp_path: Path) -> None:
    delete_run(run)
    assert list((tmp_path / "runs").iterdir()) == []
    assert (tmp_path / "image.jpg").stat().st_size == 4 * MB


def test_a_run_that_goes_on_stays(run: Run) -> None:
    run.events_file.unlink()
    write_worker(run.path, os.getpid(), 0.0)
    for act in (delete_run, drop_checkpoints):
        with pytest.raises(RunError, match=r"is (preparing|running)") as caught:
            act(run)
        assert "Stop it first" in caught.value.hint
    assert (run.path / "checkpoint_last.pth").exists()


def test_the_command(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["runs", "delete", "yard-tiny-1"]) == Exit.WRONG
    said = " ".join(capsys.readouterr().err.split())
    assert "Delete yard-tiny-1 (10.0 MB), the best model included? Nobody is here" in said
    assert main(["runs", "delete", "yard-tiny-1", "--checkpoints", "--yes"]) == Exit.OK
    assert "yard-tiny-1: 7.0 MB freed." in capsys.readouterr().out
    assert main(["runs", "delete", "yard-tiny-1", "no-such-run", "--yes"]) == Exit.WRONG
    assert run.path.is_dir(), "all or nothing is named wrongly"
    assert main(["runs", "delete", "yard-tiny-1", str(run.path), "--yes"]) == Exit.OK
    assert "Deleted yard-tiny-1." in capsys.readouterr().out
    assert not run.path.exists()
