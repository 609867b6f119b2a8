"""A run folder that is deleted while it is followed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cli.exits import Exit
from cli.main import main
from cli.runs import follow
from core.training.config.options import TrainingConfig
from core.training.live.follow import RunSnapshot
from core.training.run.events import EventWriter, Started
from core.training.run.worker_process import write_worker


def test_following_ends_when_the_run_folder_is_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "runs" / "r"
    run.mkdir(parents=True)
    TrainingConfig(model="tiny").save(run / "training_config.json")
    write_worker(run)  # this process: alive, so that the run is going on
    events = EventWriter(run / "events.jsonl")
    events.write(
        Started(
            run="r", pid=1, host="h", model="tiny", epochs=9, epoch=0, step=0, steps_per_epoch=5,
            batch_size=8, grad_accum=1, effective_batch=8, image_size=128, classes=["a"],
            device="cpu",
        )
    )  # fmt: skip
    shown: list[str] = []
    update = follow._Lines.update

    def shown_then_deleted(self: follow._Lines, snapshot: RunSnapshot) -> None:
        update(self, snapshot)
        shown.append(snapshot.state)
        if len(shown) == 2:
            shutil.rmtree(run)

    monkeypatch.setattr(follow._Lines, "update", shown_then_deleted)
    assert main(["watch", "r"]) == Exit.FAILED
    assert shown == ["running", "running"]
    assert "deleted or moved" in " ".join(capsys.readouterr().err.split())
    events.close()
