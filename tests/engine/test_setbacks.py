"""No training replaces a better finished model or shortens a curve: walked with a real model."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from engine_runs import STEPS, Runs, events_of
from mounts import fill, small_disk

from cli.main import main
from core.common.errors import RunError
from core.common.workspace import Workspace
from core.training.config.options import TrainingConfig
from core.training.launch.plan import plan_run, resume_run
from core.training.run import events as ev
from core.training.run.checkpoints import BEST, LAST, BestInfo, read_best, save_checkpoint
from core.training.run.delete import drop_checkpoints
from core.training.run.run import Run

UNUSABLE = 2


def kept(run: Path) -> tuple[bytes, dict[str, Any], bytes]:
    """What a finished run is worth: its best model, its results and its curve."""
    results = json.loads((run / "results.json").read_text())
    return (run / BEST).read_bytes(), results, (run / "events.jsonl").read_bytes()


def edit(path: Path, change: Any) -> None:
    """Change what a checkpoint holds, under a new file: other names of it stay what they are."""
    import torch

    content = torch.load(path, weights_only=True)
    change(content)
    save_checkpoint(content, path)


def best_of(run: Path) -> BestInfo:
    best = read_best(run / BEST)
    assert best is not None
    return best


def test_the_ways_in_which_a_finished_model_was_lost(
    runs: Runs, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Dropped checkpoints, a lost file, more epochs, an earlier checkpoint: by us and by hand."""
    run = runs.copy(trained, "finished")
    earlier = run / "checkpoint_epoch_5.pth"
    before = kept(run)

    # An earlier checkpoint in the same folder, by hand: it took the run back to its epoch.
    settings = (run / "training_config.json").read_bytes()
    config = Run(run).config()
    Run(run).save_config(config.with_changes(resume=earlier))
    assert runs.train(run) == UNUSABLE
    assert "from there would replace what came after" in (run / "train.log").read_text()
    assert kept(run) == before
    (run / "training_config.json").write_bytes(settings)

    # The last checkpoint is lost, or an earlier one lies in its place.
    (run / LAST).unlink()
    with pytest.raises(RunError, match="no checkpoint left"):
        resume_run(Run(run), epochs=8)
    assert runs.train(run) == UNUSABLE
    (run / LAST).write_bytes(earlier.read_bytes())
    assert runs.train(run) == UNUSABLE
    assert kept(run) == before

    # The checkpoints were removed by us; then resumed, and given more epochs.
    drop_checkpoints(Run(run))
    for words in ([], ["--epochs", "8"]):
        assert main(["train", "--resume", str(run), *words]) == UNUSABLE
        assert "no checkpoint left to go on from" in " ".join(capsys.readouterr().err.split())
    with pytest.raises(RunError, match="no checkpoint left"):
        resume_run(Run(run), epochs=8)
    assert runs.train(run) == UNUSABLE
    assert kept(run) == before
    assert Run(run).state() == "finished"

    # A job that was submitted before they went.
    from core.training.run.worker_process import expect_worker

    expect_worker(run, "cluster")
    assert runs.train(run) == 1
    after = kept(run)
    assert after[:2] == before[:2]
    assert after[2].startswith(before[2])
    (failed,) = events_of(run)[len(before[2].splitlines()) :]
    assert isinstance(failed, ev.Failed)
    assert "--pretrained" in failed.hint


def test_going_back_is_a_new_run(runs: Runs, trained: Path) -> None:
    origin = runs.copy(trained, "origin")
    before = kept(origin)
    space = Workspace(runs.folder / "space")
    chosen = TrainingConfig(resume=origin / "checkpoint_epoch_5.pth", keep_checkpoints=1)
    run, config = plan_run(space, chosen)
    assert run.path != origin
    run.save_config(config.with_changes(dataset=Run(origin).config().dataset))
    assert runs.train(run.path) == 0
    assert kept(origin) == before
    first = events_of(run.path)[0]
    assert isinstance(first, ev.Started)
    assert (first.epoch, first.step) == (5, 5 * STEPS)
    results = json.loads((run.path / "results.json").read_text())
    assert [record["epoch"] for record in results["history"]] == [1, 2, 3, 4, 5, 6]
    best = best_of(run.path)
    assert best.epoch == results["best_epoch"] == results["best"]["epoch"]
    assert best.record == results["best"]
    assert run.config().origin is not None


def test_the_best_model_gives_way_to_a_better_one_only(runs: Runs, trained: Path) -> None:
    """Also when the results are lost and the checkpoint does not know how good the best was."""
    run = runs.copy(trained, "more")
    record = {**best_of(run).record, "map50_95": 0.99}  # type: ignore[dict-item]
    good = {"epoch": 4, "worth": {"map": 0.99, "mar": 0.99}, "record": {**record, "epoch": 4}}
    edit(run / BEST, lambda content: content.update(batman=good))

    def forget(content: dict[str, Any]) -> None:
        state = content["callbacks"]["batman"]
        for name in ("best_epoch", "best_value", "best_record", "since_best"):
            del state[name]

    edit(run / LAST, forget)
    (run / "results.json").unlink()
    model = (run / BEST).read_bytes()
    resume_run(Run(run), epochs=7)
    assert runs.train(run) == 0, (run / "train.log").read_text()[-3000:]
    assert (run / BEST).read_bytes() == model
    results = json.loads((run / "results.json").read_text())
    assert (results["best_epoch"], results["best"]["map50_95"]) == (4, 0.99)
    assert [entry["epoch"] for entry in results["history"]] == [1, 2, 3, 4, 5, 6, 7]
    assert results["final"]["epoch"] == 7
    end = events_of(run)[-1]
    assert isinstance(end, ev.Finished)
    assert (end.best_epoch, end.best_map50_95) == (4, 0.99)


def test_a_kill_between_the_best_model_and_its_checkpoint(runs: Runs, trained: Path) -> None:
    """The model is an epoch ahead of the checkpoint: the epoch is trained again, none is lost."""
    run = runs.copy(trained, "ahead")
    worth = 0.98
    said = {"epoch": 6, "worth": {"map": worth, "mar": worth}, "record": best_of(run).record}
    edit(run / BEST, lambda content: content.update(batman=said))
    model = (run / BEST).read_bytes()
    (run / "checkpoint_epoch_5.pth").replace(run / LAST)
    (run / "checkpoint_epoch_6.pth").unlink()
    (run / "results.json").unlink()
    lines = (run / "events.jsonl").read_bytes().splitlines(keepends=True)
    cut = next(
        i for i, line in enumerate(lines) if b'"validation"' in line and b'"epoch":6' in line
    )
    (run / "events.jsonl").write_bytes(b"".join(lines[:cut]))
    assert runs.train(run) == 0, (run / "train.log").read_text()[-3000:]
    assert (run / BEST).read_bytes() == model
    assert [e.epoch for e in events_of(run) if isinstance(e, ev.Epoch)] == [1, 2, 3, 4, 5, 6]


def test_a_best_model_of_unknown_worth_is_kept(runs: Runs) -> None:
    """Somebody's own file in the folder of a run that has not begun."""
    run = runs.make("foreign", epochs=1)
    with (run / "events.jsonl").open("wb") as file:
        file.write(ev.encode_event(ev.Stopped(epoch=0, step=0, reason="SIGTERM")))
    (run / BEST).write_bytes(b"somebody's own")
    assert runs.train(run) == 0, (run / "train.log").read_text()[-3000:]
    assert (run / "best_earlier.pth").read_bytes() == b"somebody's own"
    assert best_of(run).epoch == 1
    told = [e for e in events_of(run) if isinstance(e, ev.Warning_) and e.code == "best-unknown"]
    assert len(told) == 1


def test_a_run_that_dies_of_a_full_disk_says_so(runs: Runs) -> None:
    """Not a byte is left for its log, its events or its checkpoint."""
    model = runs.make("roomy", tensorboard=False, val_images=0)
    folder = runs.folder / "small-disk"
    with small_disk(folder, "16m"):
        (folder / "training_config.json").write_bytes((model / "training_config.json").read_bytes())
        process = runs.start(folder)
        try:
            while not any(isinstance(event, ev.Step) for event in events_of(folder)):
                assert process.poll() is None, (folder / "train.log").read_text()[-3000:]
                time.sleep(0.005)
            fill(folder / "filler")
            assert process.wait(timeout=240) == 1
        finally:
            process.kill()
            process.wait()
        run = Run(folder)
        last = events_of(folder)[-1]
        assert isinstance(last, ev.Failed)
        assert last.kind == "disk"
        assert "Free some space" in last.hint
        assert run.state() == "failed"
        assert "The disk is full" in run.summary().error
        assert not (folder / ".reserve").exists()
        assert not list(folder.glob(".*.tmp"))
