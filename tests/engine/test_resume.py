"""Interrupted in every way, a run goes on as if nothing had happened."""

from __future__ import annotations

import json
import shutil
import signal
import time
from pathlib import Path

import pytest
from engine_runs import CLASSES, STEPS, Runs, events_of

from core.common.errors import ConfigError, RunError
from core.training.config.options import TrainingConfig
from core.training.run import events as ev
from core.training.run.checkpoints import check_resume, read_info, resume_file
from core.training.run.run import Run
from core.training.run.worker_process import expect_worker


def curve(events: list[ev.Event]) -> tuple[list[ev.Step], list[ev.Validation], list[ev.Epoch]]:
    """Trim the events as a reader does: a start takes back what lies beyond it."""
    kept: list[ev.Event] = []
    for event in events:
        if isinstance(event, ev.Started):
            kept = [
                e
                for e in kept
                if not (isinstance(e, ev.Step) and e.step > event.step)
                and not (isinstance(e, (ev.Validation, ev.Epoch)) and e.epoch > event.epoch)
            ]
        kept.append(event)
    return (
        [e for e in kept if isinstance(e, ev.Step)],
        [e for e in kept if isinstance(e, ev.Validation)],
        [e for e in kept if isinstance(e, ev.Epoch)],
    )


def reached(step: int):
    return lambda events: any(isinstance(e, ev.Step) and e.step >= step for e in events)


def test_stopped_and_killed_runs_end_with_the_same_curve(runs: Runs, trained: Path) -> None:
    """SIGTERM within an epoch, SIGTERM at its end, `kill -9`: one curve, the undisturbed one's."""
    run = runs.make("interrupted")
    assert runs.interrupt(run, reached(2), signal.SIGTERM) == 3
    assert Run(run).state() == "stopped"
    stop = events_of(run)
    assert isinstance(stop[-1], ev.Stopped)
    assert isinstance(stop[-2], ev.Checkpoint)
    assert stop[-2].kind == "stop"
    assert stop[-1].reason == "SIGTERM"
    # The last step of an epoch: it stops in the validation that follows, and repeats that.
    assert runs.interrupt(run, reached(STEPS), signal.SIGTERM) == 3
    assert runs.interrupt(run, reached(2 * STEPS + 3), signal.SIGKILL) == -9
    assert Run(run).state() == "lost"
    assert runs.train(run) == 0
    assert Run(run).state() == "finished"

    events = events_of(run)
    # Told once each, in the file itself, not only after trimming.
    assert [e.epoch for e in events if isinstance(e, ev.Epoch)] == [1, 2, 3, 4, 5, 6]
    assert [e.epoch for e in events if isinstance(e, ev.Validation)] == [1, 2, 3, 4, 5, 6]
    steps, validations, epochs = curve(events)
    assert [step.step for step in steps] == list(range(1, 6 * STEPS + 1))
    smooth_steps, smooth_validations, smooth_epochs = curve(events_of(trained))
    assert [s.loss for s in steps] == pytest.approx([s.loss for s in smooth_steps], rel=1e-4)
    assert [s.lr for s in steps] == pytest.approx([s.lr for s in smooth_steps])
    assert [v.loss for v in validations] == pytest.approx(
        [v.loss for v in smooth_validations], rel=1e-4
    )
    assert [v.map50_95 for v in validations] == pytest.approx(
        [v.map50_95 for v in smooth_validations], abs=1e-3
    )
    assert [e.train_loss for e in epochs] == pytest.approx(
        [e.train_loss for e in smooth_epochs], rel=1e-4
    )
    results = json.loads((run / "results.json").read_text())
    assert [record["epoch"] for record in results["history"]] == [1, 2, 3, 4, 5, 6]
    assert not list(run.glob(".*.tmp"))


def test_a_kill_between_checkpoint_and_events_is_made_good(runs: Runs, trained: Path) -> None:
    """The last epoch's events are lost with the process: the resume writes them, and ends."""
    run = runs.copy(trained, "torn")
    (run / "results.json").unlink()
    lines = (run / "events.jsonl").read_bytes().splitlines(keepends=True)
    cut = next(
        i for i, line in enumerate(lines) if b'"validation"' in line and b'"epoch":6' in line
    )
    (run / "events.jsonl").write_bytes(b"".join(lines[:cut]) + b'{"event":"valida')
    assert runs.train(run) == 0
    events = events_of(run)
    assert [e.epoch for e in events if isinstance(e, ev.Validation)] == [1, 2, 3, 4, 5, 6]
    assert [e.epoch for e in events if isinstance(e, ev.Epoch)] == [1, 2, 3, 4, 5, 6]
    assert isinstance(events[-1], ev.Finished)
    assert events[-1].best_epoch == events_of(trained)[-1].best_epoch
    assert (run / "results.json").is_file()


def test_a_checkpoint_of_another_run_goes_on_with_more_epochs(runs: Runs, trained: Path) -> None:
    checkpoint = trained / "checkpoint_epoch_5.pth"
    # Of epochs 6 and 7 the fourth one is none, and after the last there is a validation.
    run = runs.make(
        "continued", resume=checkpoint, epochs=7, checkpoint_interval=10, eval_interval=4
    )
    assert runs.train(run) == 0
    events = events_of(run)
    started = events[0]
    assert isinstance(started, ev.Started)
    assert (started.epoch, started.step, started.resumed_from) == (5, 5 * STEPS, str(checkpoint))
    steps, validations, _ = curve(events)
    assert [step.step for step in steps] == list(range(5 * STEPS + 1, 7 * STEPS + 1))
    assert [event.epoch for event in validations] == [7]
    assert (run / "best.pth").is_file()
    results = json.loads((run / "results.json").read_text())
    assert [record["epoch"] for record in results["history"]] == [1, 2, 3, 4, 5, 7]
    assert results["best"] is not None


def test_what_cannot_be_resumed_is_refused_with_a_way_out(trained: Path, tmp_path: Path) -> None:
    config = TrainingConfig.load(trained / "training_config.json").with_changes(epochs=7)
    info = read_info(trained / "checkpoint_last.pth")
    check_resume(info, config)
    assert config.dataset is not None

    other = config.dataset.model_copy(update={"class_names": ["disc", "star"]})
    with pytest.raises(ConfigError, match="only in the checkpoint: square; only in the data: star"):
        check_resume(info, config.model_copy(update={"dataset": other}))
    swapped = config.dataset.model_copy(update={"class_names": CLASSES[::-1]})
    with pytest.raises(ConfigError, match="the same in another order"):
        check_resume(info, config.model_copy(update={"dataset": swapped}))
    with pytest.raises(ConfigError, match="image size 96, not 160"):
        check_resume(info, config.model_copy(update={"image_size": 160}))
    with pytest.raises(ConfigError, match="is a RFDETRNano, and model=small is a RFDETRSmall"):
        check_resume(info, config.model_copy(update={"model": "small"}))
    with pytest.raises(ConfigError, match="nothing is left to train"):
        check_resume(info, config.model_copy(update={"epochs": 6}))
    with pytest.raises(RunError, match="weights only") as caught:
        read_info(trained / "best.pth")
    assert "--pretrained" in caught.value.hint
    torn = tmp_path / "checkpoint_last.pth"
    torn.write_bytes((trained / "checkpoint_last.pth").read_bytes()[:100_000])
    with pytest.raises(RunError, match="cannot be read"):
        read_info(torn)
    with pytest.raises(ConfigError, match="no checkpoint"):
        resume_file(tmp_path / "nowhere.pth")


def test_a_run_that_is_complete_stays_so(runs: Runs, trained: Path) -> None:
    """Started by hand it says that nothing is left; a start that was announced is answered."""
    run = runs.copy(trained, "complete")
    before = (run / "events.jsonl").read_bytes()
    assert runs.train(run) == 2
    assert "above 6" in (run / "train.log").read_text()
    assert (run / "events.jsonl").read_bytes() == before
    assert Run(run).state() == "finished"
    expect_worker(run, "cluster")
    assert runs.train(run) == 1
    last = events_of(run)[-1]
    assert isinstance(last, ev.Failed)
    assert last.kind == "config"
    assert "above 6" in last.hint
    shutil.rmtree(run)


def test_a_place_in_an_epoch_is_found_again_in_other_batches(trained: Path) -> None:
    """Three steps of 8 x 1 are six batches of 4 x 2; 6 x 1 cannot be told, and begins anew."""
    import copy

    import torch

    from core.training.config.effective_batch import Batching
    from core.training.run.epoch_progress import position, rescale

    content = torch.load(trained / "checkpoint_epoch_5.pth", mmap=True, weights_only=True)
    fit_loop = content["loops"]["fit_loop"]
    for part in fit_loop["epoch_progress"].values():
        part.update(ready=3, started=3, processed=2, completed=2)
    fit_loop["epoch_loop.batch_progress"]["current"].update(
        ready=3, started=3, processed=3, completed=2
    )
    old = Batching(8, 1)
    assert position(fit_loop) == (2, 3)

    halved = copy.deepcopy(fit_loop)
    assert rescale(halved, old, Batching(4, 2))
    assert position(halved) == (2, 6)
    current = halved["epoch_loop.batch_progress"]["current"]
    assert current == {"ready": 6, "started": 6, "processed": 6, "completed": 5}

    other = copy.deepcopy(fit_loop)
    assert not rescale(other, old, Batching(6, 1))
    assert position(other) == (2, 0)


def test_a_stop_before_the_first_step_leaves_the_folder_as_it_is(runs: Runs) -> None:
    run = runs.make("early")
    process = runs.start(run, warm=False)
    deadline = time.monotonic() + 60
    while "loading rfdetr" not in (run / "train.log").read_text():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=120) == 3
    (stopped,) = events_of(run)
    assert isinstance(stopped, ev.Stopped)
    assert (stopped.epoch, stopped.step, stopped.reason) == (0, 0, "SIGTERM")
    assert Run(run).state() == "stopped"


def test_patience_ends_a_run_that_does_not_improve(runs: Runs) -> None:
    """At a learning rate of nothing the first epoch stays the best."""
    run = runs.make("patience", patience=1, lr=1e-9, lr_encoder=1e-9)
    assert runs.train(run) == 0
    end = events_of(run)[-1]
    assert isinstance(end, ev.Finished)
    assert (end.epoch, end.best_epoch, end.reason) == (2, 1, "patience")
    results = json.loads((run / "results.json").read_text())
    assert (results["epochs_trained"], results["reason"]) == (2, "patience")
